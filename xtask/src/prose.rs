//! What is written: paths and links in Markdown, markers in code, and names of files.
//!
//! - A link to a file, and a path that begins with a folder of the repository, must lead somewhere.
//! - A marker for unfinished work names its issue, as in `FIXME(#12)`.
//! - Nothing names a place on somebody's machine.
//! - No file or folder has a name that could hold anything.

use anyhow::Result;

use crate::report::{Finding, Report};
use crate::workspace::Workspace;

/// Folders whose name at the start of a word makes it a path.
const FOLDERS: [&str; 4] = ["crates/", "docs/", "ci/", "xtask/"];
/// Put together here so that this file does not hold what it looks for.
const MARKERS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
/// Places on the machines of people who work on this. Pages for readers name no temporary folder either; code may.
const PLACES: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
const TEMPORARY: &str = "/tmp/";
const EMPTY_NAMES: [&str; 9] =
    ["util", "utils", "helper", "helpers", "common", "misc", "mgr", "manager", "types"];

/// Looks at every text file of the repository.
pub(crate) fn check(workspace: &Workspace) -> Result<Report> {
    let exists = |path: &str| workspace.root.join(path).exists();
    let mut report = Report::default();
    for file in workspace.files(&["md", "rs", "toml", "sh", "c", "cpp", "h"])? {
        let text = workspace.read(&file)?;
        let is_page = file.ends_with(".md");
        report.findings.extend(empty_name(&file));
        report.findings.extend(places(&file, &text, is_page));
        if is_page {
            report.findings.extend(dead_links(&file, &text, exists));
            report.findings.extend(dead_paths(&file, &text, &FOLDERS, exists));
        } else {
            report.findings.extend(bare_markers(&file, &text));
            report.findings.extend(dead_paths(&file, &text, &["docs/"], exists));
        }
    }
    Ok(report)
}

/// The lines of a text, counted from one.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}

fn dead_links(file: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (line, text) in numbered(text) {
        for target in links(text) {
            let path = target.split('#').next().unwrap_or_default();
            let is_elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !is_elsewhere && !exists(&format!("{folder}/{path}")[usize::from(folder.is_empty())..]) {
                findings.push(Finding::at(file, line, format!("the link to `{target}` leads nowhere")));
            }
        }
    }
    findings
}

/// The targets of the inline links of a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

fn dead_paths(file: &str, text: &str, folders: &[&str], exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in numbered(text) {
        for path in paths(text, folders) {
            if !exists(path) {
                findings.push(Finding::at(file, line, format!("there is no `{path}`")));
            }
        }
    }
    findings
}

/// The words of a line that are paths from the root. A word with a placeholder or a pattern in it is not one.
fn paths<'a>(line: &'a str, folders: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let is_pattern = |word: &str| word.contains(['*', '{', '<', '$', '\\', '%']);
    line.split(|c: char| c.is_whitespace() || "`()[]\"',;|".contains(c))
        .filter(move |word| folders.iter().any(|folder| word.starts_with(folder)) && !is_pattern(word))
        .map(|word| word.split(['#', ':']).next().unwrap_or(word).trim_end_matches(['.', '?', '!']))
}

fn bare_markers(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in numbered(text) {
        for marker in MARKERS {
            if words_after(text, marker).any(|rest| !has_issue(rest)) {
                findings.push(Finding::at(
                    file,
                    line,
                    format!("a {marker} names its issue: `{marker}(#12)`"),
                ));
            }
        }
    }
    findings
}

/// What follows each place where `word` stands on its own.
fn words_after<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .filter(move |(at, _)| {
            !text[..*at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
        })
        .map(|(at, _)| &text[at + word.len()..])
}

fn has_issue(rest: &str) -> bool {
    let number = rest.strip_prefix("(#").and_then(|rest| rest.split_once(')')).map(|(number, _)| number);
    number.is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

fn places(file: &str, text: &str, is_page: bool) -> Vec<Finding> {
    let forbidden = || PLACES.into_iter().chain(is_page.then_some(TEMPORARY));
    let mut findings = Vec::new();
    for (line, text) in numbered(text) {
        for place in forbidden().filter(|place| has_place(text, place)) {
            findings.push(Finding::at(file, line, format!("`{place}` is a place on one machine")));
        }
    }
    findings
}

/// Whether an absolute path in `text` begins with `place`; a longer path may hold it in the middle.
fn has_place(text: &str, place: &str) -> bool {
    let is_inside = |c: char| c.is_alphanumeric() || "._-}~*".contains(c);
    text.match_indices(place).any(|(at, _)| !text[..at].ends_with(is_inside))
}

fn empty_name(file: &str) -> Option<Finding> {
    let is_empty = |part: &str| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part));
    let part = file.split('/').find(|part| is_empty(part))?;
    Some(Finding::of(file, format!("`{part}` says nothing: name it after the noun it is about")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: [&str; 3] = ["pages/a.md", "pages/b/c.md", "crates/heap/src/slab.rs"];

    fn exists(path: &str) -> bool {
        HERE.contains(&path)
    }

    fn lines(findings: impl IntoIterator<Item = Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn links_are_relative_to_their_page() {
        let text = "[a](b/c.md#top) [b](https://example.invalid/x.md) [c](#below)\nsee [d](c.md)";
        assert_eq!(
            lines(dead_links("pages/a.md", text, exists)),
            ["pages/a.md:2: the link to `c.md` leads nowhere"]
        );
        assert!(dead_links("README.md", "[a](pages/a.md)", exists).is_empty());
    }

    #[test]
    fn paths_are_relative_to_the_root() {
        let text = "`crates/heap/src/slab.rs`, crates/heap/src/slab.rs:12.\nand `crates/heap/src/gone.rs`.";
        assert_eq!(
            lines(dead_paths("a.md", text, &FOLDERS, exists)),
            ["a.md:2: there is no `crates/heap/src/gone.rs`"]
        );
    }

    #[test]
    fn patterns_are_no_paths() {
        assert!(dead_paths("a.md", "crates/*/src pages/<name>.md ci/$step.sh", &FOLDERS, exists).is_empty());
    }

    #[test]
    fn a_marker_needs_an_issue() {
        let [todo, fixme] = MARKERS;
        let text = format!("// {fixme}(#12): later\n// {todo}: later\n// {fixme}(#x) {todo}S");
        assert_eq!(
            lines(bare_markers("a.rs", &text)),
            [
                format!("a.rs:2: a {todo} names its issue: `{todo}(#12)`"),
                format!("a.rs:3: a {fixme} names its issue: `{fixme}(#12)`"),
            ]
        );
    }

    #[test]
    fn places_on_one_machine_are_refused() {
        let [place, ..] = PLACES;
        let text = format!("see {place}main\nsee target{place}main");
        assert_eq!(
            lines(places("a.rs", &text, false)),
            [format!("a.rs:1: `{place}` is a place on one machine")]
        );
    }

    #[test]
    fn pages_name_no_temporary_folder() {
        assert_eq!(places("a.md", TEMPORARY, true).len(), 1);
        assert!(places("a.rs", TEMPORARY, false).is_empty());
    }

    #[test]
    fn names_that_could_hold_anything_are_refused() {
        assert!(empty_name("crates/heap/src/slab.rs").is_none());
        assert!(empty_name("crates/heap/src/commonality.rs").is_none());
        let found = ["crates/heap/src/util.rs", "crates/heap/src/common/mod.rs"].map(empty_name);
        assert!(found.iter().all(Option::is_some));
    }
}
