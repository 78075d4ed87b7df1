//! What the built `libmallow.so` gives to a program and asks of it.
//!
//! A symbol too many could replace one of the program's own; a symbol too few leaves a part of the heap with libc;
//! an import too many may not exist on an older system. So both lists are committed and compared. Builds the library
//! first, so that it is never an old one that is looked at.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};

use crate::library::Library;
use crate::report::{Finding, Report};
use crate::workspace::Workspace;

const EXPORTS: &str = "crates/malloc/exports.list";
const IMPORTS: &str = "crates/malloc/imports.list";
/// The file that the rules about the library as a whole are reported for.
const LIBRARY: &str = "libmallow.so";
/// Bytes. Six words are used: the thread's, the four that `free` compares with, and the count of calls of a thread that has no
/// heap yet. The loader keeps little static TLS in reserve (1,664 bytes in glibc 2.36) for all libraries that are loaded late.
const MAX_TLS_BYTES: u64 = 48;

/// Builds, reads and compares; if `write`, replaces the lists instead of comparing.
pub(crate) fn check(workspace: &Workspace, write: bool) -> Result<Report> {
    let path = build(workspace)?;
    let data = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let library = Library::parse(&data).with_context(|| format!("cannot understand {}", path.display()))?;
    let mut report = Report { findings: judge(&library), ..Report::default() };
    for (list, what, symbols) in
        [(EXPORTS, "export", &library.exports), (IMPORTS, "import", &library.imports)]
    {
        report.notes.push(format!("{} {what}s", symbols.len()));
        if write {
            workspace.write(list, &render(what, symbols))?;
        } else {
            report.findings.extend(compare(list, what, &listed(workspace, list)?, symbols));
        }
    }
    Ok(report)
}

fn build(workspace: &Workspace) -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--package", "mallow-malloc"])
        .current_dir(&workspace.root)
        .status()?;
    ensure!(status.success(), "`cargo build --release --package mallow-malloc` failed with {status}");
    Ok(workspace.target.join("release").join(LIBRARY))
}

fn listed(workspace: &Workspace, list: &str) -> Result<String> {
    workspace.read(list).map_err(|error| anyhow!("{error:#}; `cargo xtask exports --write` makes it"))
}

fn judge(library: &Library) -> Vec<Finding> {
    let too_much_tls =
        format!("it has {} bytes of thread-local storage; {MAX_TLS_BYTES} are allowed", library.tls_bytes);
    [
        (!library.binds_now, "DF_BIND_NOW is missing: a symbol could be looked up in the middle of malloc"),
        (
            !library.has_static_tls,
            "DF_STATIC_TLS is missing: thread-local storage would be reached through a call",
        ),
        (
            !library.is_never_unloaded,
            "DF_1_NODELETE is missing: blocks would outlive the code that frees them",
        ),
        (library.has_text_relocations, "it has text relocations: the loader would have to write into code"),
        (library.tls_bytes > MAX_TLS_BYTES, &too_much_tls),
    ]
    .into_iter()
    .filter(|(is_wrong, _)| *is_wrong)
    .map(|(_, message)| Finding::of(LIBRARY, message))
    .collect()
}

fn render(what: &str, symbols: &[String]) -> String {
    let head = format!("# The {what}s of {LIBRARY}, one per line, sorted: `cargo xtask exports --write`.\n");
    symbols.iter().fold(head, |list, symbol| list + symbol + "\n")
}

fn compare(list: &str, what: &str, text: &str, symbols: &[String]) -> Vec<Finding> {
    let is_symbol = |line: &str| !line.is_empty() && !line.starts_with('#');
    let listed: Vec<(usize, &str)> =
        (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| is_symbol(line)).collect();
    let missing = listed.iter().filter(|(_, name)| !symbols.iter().any(|symbol| symbol == name));
    let missing =
        missing.map(|(line, name)| Finding::at(list, *line, format!("{what} `{name}` is not in {LIBRARY}")));
    let extra = symbols.iter().filter(|symbol| !listed.iter().any(|(_, name)| symbol == name));
    let extra =
        extra.map(|symbol| Finding::of(list, format!("{what} `{symbol}` of {LIBRARY} is not listed")));
    missing.chain(extra).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Library {
        Library {
            binds_now: true,
            has_static_tls: true,
            is_never_unloaded: true,
            tls_bytes: 8,
            ..Library::default()
        }
    }

    fn lines(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_well_built_library_passes() {
        assert!(judge(&good()).is_empty());
    }

    #[test]
    fn each_way_to_be_built_badly_is_reported() {
        let bad = Library { has_text_relocations: true, tls_bytes: MAX_TLS_BYTES + 8, ..Library::default() };
        let found = lines(&judge(&bad));
        assert_eq!(found.len(), 5);
        assert!(found[4].contains("56 bytes"), "{}", found[4]);
    }

    #[test]
    fn a_written_list_compares_equal() {
        let symbols = vec!["calloc".to_owned(), "malloc".to_owned()];
        assert!(compare(EXPORTS, "export", &render("export", &symbols), &symbols).is_empty());
    }

    #[test]
    fn missing_and_extra_symbols_are_named() {
        let found = lines(&compare(
            EXPORTS,
            "export",
            "# head\n\nmalloc\nfree\n",
            &["malloc".into(), "secret".into()],
        ));
        assert_eq!(
            found,
            [
                "crates/malloc/exports.list:4: export `free` is not in libmallow.so",
                "crates/malloc/exports.list: export `secret` of libmallow.so is not listed",
            ]
        );
    }
}
