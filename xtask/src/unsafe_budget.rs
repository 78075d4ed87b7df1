//! How much unsafe code each crate ships, compared with the table in `docs/unsafe.md`.
//!
//! Counted are unsafe blocks; unsafe functions; unsafe traits and impls; and what is foreign: `unsafe extern` blocks
//! and unsafe attributes. Tests are not. A number may fall without a word; a number that rises needs the table
//! to rise in the same commit, where a reviewer sees it.

use alloc::collections::BTreeMap;
use core::fmt;

use anyhow::{Context, Result};

use crate::report::{Finding, Report};
use crate::source;
use crate::token::{self, Token};
use crate::workspace::Workspace;

const TABLE: &str = "docs/unsafe.md";
const BEGIN: &str = "<!-- budget:begin -->";
const END: &str = "<!-- budget:end -->";
const HEAD: &str =
    "| Crate | Blocks | Functions | Traits and impls | Foreign |\n| --- | ---: | ---: | ---: | ---: |\n";
const COLUMNS: [&str; 4] = ["blocks", "functions", "traits and impls", "foreign"];

/// What a crate has, or may have, of each column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Budget([usize; COLUMNS.len()]);

type Budgets = BTreeMap<String, Budget>;

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [blocks, functions, impls, foreign] = self.0;
        write!(f, "{blocks} | {functions} | {impls} | {foreign}")
    }
}

/// Counts and compares; if `write`, replaces the table instead of comparing.
pub(crate) fn check(workspace: &Workspace, write: bool) -> Result<Report> {
    let mut counts = Budgets::new();
    for one in &workspace.crates {
        let mut count = Budget::default();
        for source in source::of_crate(workspace, one)? {
            count.add(&source.tokens);
        }
        counts.insert(one.name.clone(), count);
    }
    let page = workspace.read(TABLE)?;
    let (before, table, after) = split(&page)?;
    let mut report = Report { notes: vec![render(&counts)], ..Report::default() };
    if write {
        workspace.write(TABLE, &format!("{before}\n\n{}\n{after}", render(&counts)))?;
    } else {
        let lines_before = before.lines().count();
        report.findings = compare(&counts, &parse(table)?, lines_before);
    }
    Ok(report)
}

impl Budget {
    fn add(&mut self, tokens: &[Token]) {
        for at in token::places(tokens, &["unsafe"]) {
            if let Some(column) = column(&tokens[at + 1..]) {
                self.0[column] += 1;
            }
        }
    }
}

/// The column that an `unsafe` counts for, by what follows it; `None` for the type of an unsafe function.
fn column(after: &[Token]) -> Option<usize> {
    let text = |at: usize| after.get(at).map_or("", |token: &Token| token.text.as_str());
    match text(0) {
        "{" => Some(0),
        "impl" | "trait" | "auto" => Some(2),
        "(" => Some(3),
        "extern" => {
            let abi = usize::from(text(1).starts_with('"'));
            match text(1 + abi) {
                "{" => Some(3),
                _ => column(&after[1 + abi..]),
            }
        }
        "fn" if text(1) != "(" => Some(1),
        _ => None,
    }
}

fn split(page: &str) -> Result<(&str, &str, &str)> {
    let missing = || format!("{TABLE} must have the lines {BEGIN} and {END}");
    let begin = page.find(BEGIN).with_context(missing)? + BEGIN.len();
    let end = page.find(END).filter(|end| *end >= begin).with_context(missing)?;
    Ok((&page[..begin], &page[begin..end], &page[end..]))
}

fn render(counts: &Budgets) -> String {
    let rows = counts.iter().filter(|(_, count)| **count != Budget::default());
    let rows: String = rows.map(|(name, count)| format!("| `{name}` | {count} |\n")).collect();
    format!("{HEAD}{rows}")
}

/// Reads the rows; a crate without a row has a budget of nothing.
fn parse(table: &str) -> Result<Budgets> {
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let wrong = || format!("{TABLE}: a row has a name and {} numbers, not: {row}", COLUMNS.len());
        let (name, numbers) = cells.split_first().with_context(wrong)?;
        let numbers: Vec<usize> =
            numbers.iter().map(|cell| cell.parse()).collect::<Result<_, _>>().with_context(wrong)?;
        let numbers = <[usize; COLUMNS.len()]>::try_from(numbers).ok().with_context(wrong)?;
        Ok((name.trim_matches('`').to_owned(), Budget(numbers)))
    })
    .collect()
}

fn compare(counts: &Budgets, budgets: &Budgets, lines_before: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, count) in counts {
        let budget = budgets.get(name).copied().unwrap_or_default();
        for (column, (has, may)) in COLUMNS.iter().zip(count.0.into_iter().zip(budget.0)) {
            if has > may {
                let message = format!(
                    "unsafe {column} of `{name}`: {has}, the table says {may}; if that is meant, run `cargo xtask unsafe-budget --write`"
                );
                findings.push(Finding::at(TABLE, lines_before, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> [usize; 4] {
        let mut budget = Budget::default();
        budget.add(&token::read(text).unwrap());
        budget.0
    }

    #[test]
    fn each_kind_is_counted_once() {
        assert_eq!(count("fn a() { unsafe { b() } }"), [1, 0, 0, 0]);
        assert_eq!(
            count("unsafe fn a() {} pub unsafe extern \"C\" fn b() {} trait T { unsafe fn c(); }"),
            [0, 3, 0, 0]
        );
        assert_eq!(count("unsafe impl Send for A {} unsafe trait B {}"), [0, 0, 2, 0]);
        assert_eq!(count("unsafe extern \"C\" { fn a(); } #[unsafe(no_mangle)] fn b() {}"), [0, 0, 0, 2]);
    }

    #[test]
    fn types_attributes_and_prose_do_not_count() {
        assert_eq!(count("type A = unsafe fn(u8); type B = unsafe extern \"C\" fn();"), [0; 4]);
        assert_eq!(count("#![forbid(unsafe_code)] // unsafe {}\nconst A: &str = \"unsafe {}\";"), [0; 4]);
        assert_eq!(count("#[cfg(test)] mod tests { fn a() { unsafe { b() } } }"), [0; 4]);
    }

    #[test]
    fn macros_count_as_they_stand() {
        assert_eq!(count("macro_rules! a { () => { unsafe { b() } }; }"), [1, 0, 0, 0]);
    }

    #[test]
    fn the_table_survives_being_written_and_read() {
        let counts =
            Budgets::from([("sys".into(), Budget([7, 2, 1, 3])), ("units".into(), Budget::default())]);
        let parsed = parse(&render(&counts)).unwrap();
        assert_eq!(parsed, Budgets::from([("sys".into(), Budget([7, 2, 1, 3]))]));
        assert!(compare(&counts, &parsed, 1).is_empty());
    }

    #[test]
    fn rising_is_refused_and_falling_is_not() {
        let budgets = Budgets::from([("sys".into(), Budget([7, 2, 1, 3]))]);
        let fallen = Budgets::from([("sys".into(), Budget([6, 2, 0, 3]))]);
        assert!(compare(&fallen, &budgets, 1).is_empty());
        let risen =
            Budgets::from([("sys".into(), Budget([7, 3, 1, 3])), ("heap".into(), Budget([1, 0, 0, 0]))]);
        let found: Vec<String> = compare(&risen, &budgets, 4).iter().map(Finding::to_string).collect();
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("blocks of `heap`: 1, the table says 0"), "{}", found[0]);
        assert!(found[1].starts_with("docs/unsafe.md:4: unsafe functions of `sys`: 3, the table says 2"));
    }

    #[test]
    fn a_row_that_cannot_be_read_is_shown() {
        let error = parse("| `sys` | many | 0 | 0 | 0 |").unwrap_err();
        assert!(format!("{error:#}").contains("`sys` | many"));
    }
}
