//! The rules of this repository, checked by machine: `cargo xtask <verb>`.
//!
//! One verb per file. A verb that checks a rule returns a [`Report`]; this file prints it and decides the exit
//! status. Called by people and by `ci/check.sh` and `ci/test.sh`.

#![forbid(unsafe_code)]

extern crate alloc;

mod exports;
mod items;
mod layers;
mod library;
mod prose;
mod report;
mod sizes;
mod source;
mod source_rules;
mod suite;
mod tally;
mod token;
mod unsafe_budget;
mod workspace;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use report::Report;
use workspace::Workspace;

/// The rules of this repository, checked by machine.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Check which crate uses which, and what each may contain
    Layers,
    /// Count unsafe code per crate and compare with docs/unsafe.md
    UnsafeBudget {
        /// Write the counts into docs/unsafe.md instead
        #[arg(long)]
        write: bool,
    },
    /// Build libmallow.so and compare what it exports and imports with the committed lists
    Exports {
        /// Write the lists instead
        #[arg(long)]
        write: bool,
    },
    /// Check paths and links in Markdown, markers in code, and names of files
    Prose,
    /// Count code lines per file
    Sizes,
    /// Run all the tests
    Test,
    /// Run every check: layers, unsafe-budget, exports, prose, sizes
    All,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().verb) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // There is nobody left to tell if standard error is closed; the status still says it.
            let _ = writeln!(io::stderr(), "xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A check, by the name of its verb.
type Check = (&'static str, fn(&Workspace) -> Result<Report>);

const CHECKS: [Check; 5] = [
    ("layers", layers),
    ("unsafe-budget", |workspace| unsafe_budget::check(workspace, false)),
    ("exports", |workspace| exports::check(workspace, false)),
    ("prose", prose),
    ("sizes", sizes::check),
];

/// Returns whether everything holds.
fn run(verb: &Verb) -> Result<bool> {
    let workspace = Workspace::load()?;
    match verb {
        Verb::Layers => show("layers", layers(&workspace), Detail::All),
        Verb::UnsafeBudget { write } => {
            show("unsafe-budget", unsafe_budget::check(&workspace, *write), Detail::All)
        }
        Verb::Exports { write } => show("exports", exports::check(&workspace, *write), Detail::All),
        Verb::Prose => show("prose", prose(&workspace), Detail::All),
        Verb::Sizes => show("sizes", sizes::check(&workspace), Detail::All),
        Verb::Test => suite::run(&workspace),
        Verb::All => {
            let mut holds = true;
            for (name, check) in CHECKS {
                holds &= show(name, check(&workspace), Detail::Findings)?;
            }
            Ok(holds)
        }
    }
}

fn layers(workspace: &Workspace) -> Result<Report> {
    let mut report = layers::check(workspace)?;
    report.append(source_rules::check(workspace)?);
    Ok(report)
}

fn prose(workspace: &Workspace) -> Result<Report> {
    let mut report = prose::check(workspace)?;
    report.append(items::check(workspace)?);
    Ok(report)
}

#[derive(Clone, Copy, PartialEq)]
enum Detail {
    Findings,
    All,
}

/// Prints what a check found, or why it could not look; returns whether the rule holds.
fn show(name: &str, outcome: Result<Report>, detail: Detail) -> Result<bool> {
    let mut out = io::stdout().lock();
    let report = match outcome {
        Ok(report) => report,
        Err(error) => {
            writeln!(out, "error: {error:#}\n{name}: could not be checked")?;
            return Ok(false);
        }
    };
    if detail == Detail::All {
        for note in &report.notes {
            writeln!(out, "{note}")?;
        }
    }
    for warning in &report.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for finding in &report.findings {
        writeln!(out, "error: {finding}")?;
    }
    match report.findings.len() {
        0 => writeln!(out, "{name}: holds")?,
        1 => writeln!(out, "{name}: broken in 1 place")?,
        count => writeln!(out, "{name}: broken in {count} places")?,
    }
    Ok(report.findings.is_empty())
}
