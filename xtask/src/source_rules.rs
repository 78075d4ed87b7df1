//! What the sources of a crate may contain, and what must stand in its root.
//!
//! The second half of the verb `layers`. What is confined is confined among the crates without `std`: the tools forbid
//! unsafe code, so a foreign function that they name they cannot call, and what does not ship may do as it
//! likes. Tests and comments are not looked at.

use anyhow::Result;

use crate::layers::{self, Layer, Regime};
use crate::report::{Finding, Report};
use crate::source::{self, Source};
use crate::token;
use crate::workspace::Workspace;

/// Something that only a few crates may contain.
struct Confined {
    /// As a reader would write it.
    what: &'static str,
    pattern: &'static [&'static str],
    only_in: &'static [&'static str],
}

/// The crates that may name a system call or a C symbol.
const SYSTEM: &[&str] = &["sys", "malloc"];
/// The crate that defines the symbols of a whole program.
const FACE: &[&str] = &["malloc"];

#[rustfmt::skip]
const CONFINED: &[Confined] = &[
    Confined { what: "asm!",                  pattern: &["asm", "!"],                    only_in: SYSTEM },
    Confined { what: "global_asm!",           pattern: &["global_asm", "!"],             only_in: SYSTEM },
    Confined { what: "extern \"C\" { .. }",   pattern: &["extern", "\"C\"", "{"],        only_in: SYSTEM },
    Confined { what: "extern \"C-unwind\" { .. }", pattern: &["extern", "\"C-unwind\"", "{"], only_in: SYSTEM },
    Confined { what: "libc::",                pattern: &["libc", ":", ":"],              only_in: SYSTEM },
    Confined { what: "no_mangle",             pattern: &["no_mangle"],                   only_in: FACE },
    Confined { what: "export_name",           pattern: &["export_name"],                 only_in: FACE },
    Confined { what: "panic_handler",         pattern: &["panic_handler"],               only_in: FACE },
];

const NO_STD: &[&str] = &["#", "!", "[", "no_std", "]"];
/// Also as the ordinary case of a `cfg_attr`: a build for the model checker may need an exception.
const FORBID_UNSAFE: &[&str] = &["forbid", "(", "unsafe_code", ")"];

/// Looks through every crate that has a row in the table of layers.
pub(crate) fn check(workspace: &Workspace) -> Result<Report> {
    let mut report = Report::default();
    for one in &workspace.crates {
        let Some(layer) = layers::layer(&one.name) else { continue };
        for source in source::of_crate(workspace, one)? {
            report.findings.extend(check_root(layer, &source));
            report.findings.extend(check_contents(layer, &source));
        }
    }
    Ok(report)
}

fn check_root(layer: &Layer, source: &Source) -> Vec<Finding> {
    let required = [
        (layer.regime == Regime::NoStd, NO_STD, "#![no_std]"),
        (layer.forbids_unsafe, FORBID_UNSAFE, "#![forbid(unsafe_code)]"),
    ];
    let is_missing = |pattern| token::places(&source.tokens, pattern).next().is_none();
    required
        .into_iter()
        .filter(|(is_required, pattern, _)| source.is_root() && *is_required && is_missing(pattern))
        .map(|(_, _, what)| {
            Finding::of(&source.file, format!("the root of `{}` must say `{what}`", layer.name))
        })
        .collect()
}

fn check_contents(layer: &Layer, source: &Source) -> Vec<Finding> {
    let is_confined = |rule: &&Confined| layer.regime == Regime::NoStd && !rule.only_in.contains(&layer.name);
    let mut findings = Vec::new();
    for rule in CONFINED.iter().filter(is_confined) {
        let message = format!("`{}` belongs in {} only", rule.what, rule.only_in.join(" and "));
        let places = token::places(&source.tokens, rule.pattern);
        findings.extend(places.map(|at| Finding::at(&source.file, source.tokens[at].line, &message)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, file: &str, text: &str) -> Vec<String> {
        let layer = layers::layer(name).expect("a row");
        let source = Source { file: file.into(), tokens: token::read(text).unwrap() };
        let mut findings = check_root(layer, &source);
        findings.extend(check_contents(layer, &source));
        findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn the_root_keeps_its_promises() {
        assert!(
            findings("units", "crates/units/src/lib.rs", "#![no_std]\n#![forbid(unsafe_code)]").is_empty()
        );
        let found = findings("units", "crates/units/src/lib.rs", "//! #![no_std]\n#![deny(unsafe_code)]");
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("`#![no_std]`") && found[1].contains("forbid"));
    }

    #[test]
    fn other_files_than_the_root_need_promise_nothing() {
        assert!(findings("units", "crates/units/src/page.rs", "").is_empty());
    }

    #[test]
    fn assembly_and_foreign_functions_are_confined() {
        let text = "fn a() {}\nunsafe extern \"C\" { fn abort(); }\nfn b() { asm!(\"nop\") }";
        let found = findings("heap", "crates/heap/src/slab.rs", text);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("crates/heap/src/slab.rs:3: `asm!`"), "{}", found[0]);
        assert!(found[1].starts_with("crates/heap/src/slab.rs:2: "), "{}", found[1]);
        assert!(findings("sys", "crates/sys/src/call.rs", text).is_empty());
    }

    #[test]
    fn a_function_with_the_c_calling_convention_is_no_foreign_block() {
        assert!(findings("heap", "crates/heap/src/a.rs", "extern \"C\" fn hook() {}").is_empty());
    }

    #[test]
    fn a_tool_may_name_a_constant_of_libc() {
        let text = "fn a() -> i32 { libc::SIGCHLD }";
        assert_eq!(findings("heap", "crates/heap/src/a.rs", text).len(), 1);
        assert!(findings("cli", "crates/cli/src/a.rs", text).is_empty());
    }

    #[test]
    fn only_the_c_face_defines_symbols() {
        let text = "#[unsafe(no_mangle)] extern \"C\" fn malloc() {}\n#[panic_handler] fn p() {}";
        assert_eq!(findings("sys", "crates/sys/src/a.rs", text).len(), 2);
        assert!(findings("malloc", "crates/malloc/src/a.rs", text).is_empty());
    }
}
