//! Names of code in pages: a path such as `Heap::pop` in a page must be made of words that the code still has.
//!
//! The second half of the verb `prose`. Words are compared, not resolved: a page that names what was renamed or removed is
//! found, which is how pages go stale. Decisions are left alone, since they are about the time they were made in.

use alloc::collections::BTreeSet;

use anyhow::Result;

use crate::report::{Finding, Report};
use crate::source;
use crate::workspace::Workspace;

const DECISIONS: &str = "docs/decisions/";

/// Looks at every page but the decisions.
pub(crate) fn check(workspace: &Workspace) -> Result<Report> {
    let words = words(workspace)?;
    let mut report = Report::default();
    for file in workspace.files(&["md"])? {
        if !file.starts_with(DECISIONS) {
            report.findings.extend(stale(&file, &workspace.read(&file)?, &words));
        }
    }
    Ok(report)
}

/// Every word of the code, the name of every module, and the name of every crate as the code writes it.
fn words(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let mut words = BTreeSet::new();
    for one in &workspace.crates {
        words.insert(format!("mallow_{}", one.name));
        for source in source::of_crate(workspace, one)? {
            words.extend(source.file.split(['/', '.']).map(str::to_owned));
            words.extend(source.tokens.into_iter().map(|token| token.text));
        }
    }
    Ok(words)
}

fn stale(file: &str, text: &str, words: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        for item in items(text) {
            if let Some(missing) = item.split("::").find(|segment| !words.contains(*segment)) {
                findings.push(Finding::at(file, line, format!("`{item}`: the code has no `{missing}`")));
            }
        }
    }
    findings
}

/// The paths between backticks in a line.
fn items(line: &str) -> impl Iterator<Item = &str> {
    let is_word =
        |segment: &str| !segment.is_empty() && segment.chars().all(|c| c.is_alphanumeric() || c == '_');
    let is_path = move |span: &&str| span.contains("::") && span.split("::").all(is_word);
    line.split('`').skip(1).step_by(2).filter(is_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_between_backticks_are_items() {
        let line = "a::b `Heap::pop` `pop` `a::b(c)` `std::` and `mallow_ds::owner::visit`";
        assert_eq!(items(line).collect::<Vec<_>>(), ["Heap::pop", "mallow_ds::owner::visit"]);
    }

    #[test]
    fn a_renamed_item_is_found() {
        let words = ["Heap", "pop"].map(str::to_owned).into();
        assert!(stale("A.md", "`Heap::pop`", &words).is_empty());
        let found: Vec<String> =
            stale("A.md", "\n`Heap::peek`", &words).iter().map(Finding::to_string).collect();
        assert_eq!(found, ["A.md:2: `Heap::peek`: the code has no `peek`"]);
    }
}
