//! The benchmark suite: `cargo bench-suite`, described in `bench/README.md`.
//!
//! ```text
//!  manifest ─┐                                            ┌─► table, scatter (SVG)
//!  allocator ┼─► workshop ─► session ─► record ─► comparison ┤
//!  args ─────┘                 │                          └─► verdict
//!                              └─► launch (the runner), calibration, progress
//! ```
//!
//! What is measured goes into a [`record`], and everything that is shown is computed from a record, so that a stored one
//! can be shown again. Called by people; `docs/decisions` and `bench/record` hold what came of it.

#![forbid(unsafe_code)]

extern crate alloc;

mod allocator;
mod args;
mod calibration;
mod comparison;
mod figures;
mod huge_pages;
mod launch;
mod machine;
mod manifest;
mod page;
mod plan;
mod progress;
mod proof;
mod record;
mod scatter;
mod session;
mod statistics;
mod table;
mod verdict;
mod workshop;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use args::Arguments;
use comparison::Comparison;
use machine::Machine;
use record::Record;
use session::{End, Session};
use workshop::Workshop;

/// Exit status after an interruption, as shells report it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(status) => status,
        Err(error) => {
            // There is nobody left to tell if standard error is closed; the status still says it.
            let _ = writeln!(io::stderr(), "bench-suite: {error:#}.");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(file) = &arguments.from {
        let record = Record::load(file)?.only(arguments)?;
        return show(&record, arguments);
    }
    let folder = arguments.manifests.clone().unwrap_or_else(|| workshop::bench().join("macro"));
    let manifests = manifest::read_folder(&folder)?;
    let manifests: Vec<_> =
        manifests.into_iter().filter(|one| arguments.wants(&one.name, one.group)).collect();
    ensure!(!manifests.is_empty(), "no workload of {} matches --only", folder.display());
    if arguments.list {
        write_out(&table::list(&manifests))?;
        return Ok(ExitCode::SUCCESS);
    }

    let interrupted = session::watch_for_interruption()?;
    let workshop = Workshop::open()?;
    let allocators = allocator::gather(&workshop, &arguments.allocators)?;
    for one in &allocators {
        proof::is_in_effect(&workshop, one)?;
    }
    let _huge_pages = arguments.thp.map(huge_pages::Setting::change).transpose()?;
    let machine = Machine::look(&allocators)?;
    let earlier = arguments.resume.as_deref().map(Record::load).transpose()?;
    let unfinished = workshop.folder().join("unfinished.json");
    let session = Session::new(&workshop, arguments, &manifests, &allocators, interrupted)?;
    let (record, end) = session.run(machine, earlier, &unfinished)?;
    record.save(&unfinished)?;
    if end == End::Interrupted {
        let file = unfinished.display();
        progress::note(&format!("interrupted: what follows is incomplete; --resume {file} goes on"));
        show(&record, &arguments.without_stores())?;
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let status = show(&record, arguments)?;
    fs::remove_file(&unfinished).with_context(|| format!("cannot remove {}", unfinished.display()))?;
    Ok(status)
}

/// Prints the tables and stores what is to be stored; a failed run makes a failed suite.
fn show(record: &Record, arguments: &Arguments) -> Result<ExitCode> {
    let comparison = Comparison::of(record);
    if let Some(file) = &arguments.json {
        store(file, &record.to_json()?)?;
    }
    if let Some(file) = &arguments.svg {
        store(file, &scatter::svg(&comparison))?;
    }
    if let Some(name) = &arguments.record {
        let folder = workshop::bench().join("record");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let stem = record.stem(name);
        store(&folder.join(format!("{stem}.json")), &record.to_json()?)?;
        store(&folder.join(format!("{stem}.svg")), &scatter::svg(&comparison))?;
        store(&folder.join(format!("{stem}.md")), &page::markdown(record, &comparison, &stem))?;
    }
    write_out(&page::text(record, &comparison, arguments.details))?;
    Ok(if comparison.failures().next().is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn store(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn write_out(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}
