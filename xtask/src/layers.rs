//! Which crate may use which: one table, compared with the manifests.
//!
//! Transitive use through an allowed crate is fine; a direct dependency that is not in the table is not. A crate that is
//! not in the table at all is an error too, so a new crate begins with a row here. Rows of crates that are planned
//! stay, so that their place is settled before they exist.
//!
//! The second half of the verb, what the sources may contain, is in `source_rules`.

use anyhow::Result;

use crate::report::{Finding, Report};
use crate::workspace::{Crate, Use, Workspace, short_name};

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Layer {
    /// The package without its prefix.
    pub(crate) name: &'static str,
    /// What the crate is allowed to be.
    pub(crate) regime: Regime,
    /// Whether `#![forbid(unsafe_code)]` must stand in its root.
    pub(crate) forbids_unsafe: bool,
    may_use: MayUse,
}

/// What surrounds a crate at run time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Regime {
    /// `#![no_std]`: it runs inside a client process, or could run in a kernel.
    NoStd,
    /// An ordinary program or library that ships.
    Std,
    /// An ordinary program or library that does not ship.
    Development,
}

#[derive(Clone, Copy, Debug)]
enum MayUse {
    Only(&'static [&'static str]),
    Anything,
}

/// The crate whose place is under `[dev-dependencies]`, or in a crate that does not ship.
const TESTKIT: &str = "testkit";

const fn no_std(name: &'static str, may_use: &'static [&'static str]) -> Layer {
    Layer { name, regime: Regime::NoStd, forbids_unsafe: false, may_use: MayUse::Only(may_use) }
}

const fn std(name: &'static str, may_use: &'static [&'static str]) -> Layer {
    Layer { name, regime: Regime::Std, forbids_unsafe: false, may_use: MayUse::Only(may_use) }
}

const fn development(name: &'static str) -> Layer {
    Layer { name, regime: Regime::Development, forbids_unsafe: false, may_use: MayUse::Anything }
}

const fn safe(layer: Layer) -> Layer {
    Layer { forbids_unsafe: true, ..layer }
}

/// The table. The allocator column, the kernel column, the tools, what does not ship.
#[rustfmt::skip]
pub(crate) const LAYERS: &[Layer] = &[
    safe(no_std("units",   &[])),
    safe(no_std("ds",      &["units"])),
    safe(no_std("trace",   &["units"])),
    no_std(     "sys",     &["units", "ds"]),
    no_std(     "heap",    &["units", "ds", "sys", "trace"]),
    no_std(     "malloc",  &["units", "ds", "sys", "trace", "heap"]),
    no_std(     "mallow",  &["units", "sys", "trace", "heap"]),

    safe(no_std("frame",   &["units", "ds"])),
    safe(no_std("buddy",   &["units", "ds", "frame"])),
    no_std(     "kslab",   &["units", "ds", "frame", "buddy"]),
    safe(no_std("paging",  &["units", "ds"])),
    safe(no_std("vma",     &["units", "ds"])),
    no_std(     "kmm",     &["units", "ds", "frame", "buddy", "kslab", "paging", "vma", "sys"]),

    std(        "replay",  &["units", "sys", "heap", "kmm"]),

    safe(std(   "analyze", &["units", "trace"])),
    safe(std(   "cli",     &["units", "trace", "analyze", "kmm", "replay"])),
    std(        "subject", &[]),

    safe(development("testkit")),
    safe(development("acceptance")),
    safe(development("xtask")),
    development(     "fuzz"),
    development(     "bench"),
];

/// The row of a crate.
pub(crate) fn layer(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}

/// Compares every manifest with the table.
pub(crate) fn check(workspace: &Workspace) -> Result<Report> {
    let mut report = Report::default();
    for one in &workspace.crates {
        let manifest = workspace.read(&one.manifest())?;
        report.findings.extend(check_crate(one, &manifest));
        let names: Vec<&str> = one.uses.iter().map(|used| used.name.as_str()).collect();
        report.notes.push(format!(
            "{:<10} uses {}",
            one.name,
            if names.is_empty() { "-".into() } else { names.join(", ") }
        ));
    }
    Ok(report)
}

fn check_crate(one: &Crate, manifest: &str) -> Vec<Finding> {
    let Some(layer) = layer(&one.name) else {
        let message = format!("crate `{}` has no row in the table of xtask/src/layers.rs", one.name);
        return vec![Finding::of(one.manifest(), message)];
    };
    let broken = one.uses.iter().filter_map(|used| Some((used, layer.objection(used)?)));
    broken
        .map(|(used, objection)| Finding {
            file: one.manifest(),
            line: line_of(manifest, &used.name),
            message: format!("`{}` may not use `{}`: {objection}", one.name, used.name),
        })
        .collect()
}

impl Layer {
    /// Why the crate may not use another one, if it may not.
    fn objection(&self, used: &Use) -> Option<String> {
        match self.may_use {
            MayUse::Anything => None,
            MayUse::Only(_) if used.name == TESTKIT => {
                (!used.is_dev).then(|| "testkit belongs under [dev-dependencies]".to_owned())
            }
            MayUse::Only(allowed) if allowed.contains(&used.name.as_str()) => None,
            MayUse::Only([]) => Some("it stands at the bottom and uses no other crate".to_owned()),
            MayUse::Only(allowed) => Some(format!("it may use {}", allowed.join(", "))),
        }
    }
}

/// The line of a manifest that declares a dependency.
fn line_of(manifest: &str, name: &str) -> Option<usize> {
    let key = |line: &str| line.split(['.', '=', ' ']).next().is_some_and(|key| short_name(key) == name);
    let dependencies = manifest.lines().position(|line| line.contains("dependencies"))?;
    let below = manifest.lines().skip(dependencies).position(key)?;
    Some(dependencies + below + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_uses(name: &str, uses: &[(&str, bool)]) -> Crate {
        let uses = uses.iter().map(|(name, is_dev)| Use { name: (*name).into(), is_dev: *is_dev }).collect();
        Crate { name: name.into(), folder: format!("crates/{name}"), uses }
    }

    fn messages(one: &Crate, manifest: &str) -> Vec<String> {
        check_crate(one, manifest).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn allowed_dependencies_pass() {
        assert!(messages(&with_uses("heap", &[("sys", false), ("trace", false)]), "").is_empty());
    }

    #[test]
    fn a_forbidden_dependency_is_named_with_its_line() {
        let manifest = "[package]\nname = \"mallow-cli\"\n\n[dependencies]\nmallow-heap.workspace = true\n";
        let found = messages(&with_uses("cli", &[("heap", false)]), manifest);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/cli/Cargo.toml:5: `cli` may not use `heap`"), "{}", found[0]);
        assert!(found[0].ends_with("units, trace, analyze, kmm, replay"), "{}", found[0]);
    }

    #[test]
    fn the_columns_do_not_meet() {
        assert_eq!(messages(&with_uses("kmm", &[("heap", false)]), "").len(), 1);
        assert_eq!(messages(&with_uses("heap", &[("vma", true)]), "").len(), 1);
    }

    #[test]
    fn the_testkit_is_for_tests() {
        assert!(messages(&with_uses("heap", &[("testkit", true)]), "").is_empty());
        assert_eq!(messages(&with_uses("heap", &[("testkit", false)]), "").len(), 1);
        assert!(messages(&with_uses("acceptance", &[("testkit", false)]), "").is_empty());
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        assert!(messages(&with_uses("stray", &[]), "")[0].contains("no row"));
    }

    #[test]
    fn every_name_in_the_table_has_a_row_and_stands_above_what_it_uses() {
        for (at, row) in LAYERS.iter().enumerate() {
            let MayUse::Only(allowed) = row.may_use else { continue };
            for name in allowed {
                let below = LAYERS.iter().position(|other| other.name == *name);
                assert!(below.is_some_and(|below| below < at), "{} uses {name}", row.name);
            }
        }
    }
}
