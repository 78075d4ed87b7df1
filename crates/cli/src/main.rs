//! The `mallow` command: parse, dispatch, exit.
//!
//! One verb per file in [`cmd`]; the nouns that verbs are made of lie beside it. What a process is told on exit
//! is decided here and nowhere else: the program's own status or signal, or one of [`failure`]'s numbers.

#![forbid(unsafe_code)]

extern crate alloc;

mod account_text;
mod args;
mod bar;
mod candidates;
mod carried;
mod cgroup;
mod child;
mod cmd;
mod environment;
mod failure;
mod input;
mod lab;
mod look;
mod machine;
mod memory;
mod pace;
mod process;
mod program;
mod progress;
mod segment;
mod style;
mod subject;
mod summary;
mod table;
mod target;
mod top;
mod usage;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Verb};
use child::Ending;
use failure::Failure;

fn main() -> ExitCode {
    let words = args::words();
    let (outcome, status) = match Cli::try_parse_from(&words) {
        Ok(Cli { verb: Some(Verb::Run(run)) }) => (cmd::run::run(&run), failure::OURS),
        Ok(Cli { verb: Some(verb) }) => (look(&verb), failure::CANNOT_LOOK),
        Ok(Cli { verb: None }) => (args::print_help(), failure::CANNOT_LOOK),
        Err(refused) => (args::refuse(&refused, &words), failure::OURS),
    };
    match outcome {
        Ok(ending) => ending.repeat(),
        Err(error) => complain(&error, status),
    }
}

/// Runs a verb that looks at something; the status is 0 if all is well, and 1 if something was found.
fn look(verb: &Verb) -> anyhow::Result<Ending> {
    match verb {
        Verb::Doctor(doctor) => cmd::doctor::doctor(doctor),
        Verb::Free(free) => cmd::free::free(free),
        Verb::Oom(oom) => cmd::oom::oom(oom),
        Verb::Limits(limits) => cmd::limits::limits(limits),
        Verb::Why(why) => cmd::why::why(why),
        Verb::Diff(diff) => cmd::diff::diff(diff),
        Verb::Report(report) => cmd::report::report(report),
        Verb::Lab(lab) => cmd::lab::lab(lab),
        Verb::Map(map) => cmd::map::map(map),
        Verb::Sim(sim) => cmd::sim::sim(sim),
        Verb::ExplainAddress(address) => cmd::explain_address::explain_address(address),
        Verb::Trim(trim) => cmd::trim::trim(trim),
        Verb::Top(top) => cmd::top::top(top),
        Verb::Run(run) => cmd::run::run(run),
        Verb::Completions(completions) => cmd::paper::completions(completions),
        Verb::Man(_) => cmd::paper::man(),
    }
}

/// Says why the command failed and returns the status for it, which is `status` unless the failure has one of its own.
fn complain(error: &anyhow::Error, status: u8) -> ExitCode {
    let status = error.downcast_ref().map_or(status, |failure: &Failure| failure.status);
    // There is nobody left to tell if standard error is closed; the status still says it.
    let _ = io::stderr().write_all(format!("mallow: {error:#}\n").as_bytes());
    ExitCode::from(status)
}
