//! The `mallow` command: parse, dispatch, exit.
//!
//! One verb per file in [`cmd`]; the nouns that verbs are made of lie beside it. What a process is told on exit
//! is decided here and nowhere else: the program's own status or signal, or one of [`failure`]'s numbers.

#![forbid(unsafe_code)]

extern crate alloc;

mod args;
mod child;
mod cmd;
mod environment;
mod failure;
mod library;
mod program;
mod segment;
mod summary;
mod usage;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Verb};
use failure::Failure;

fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(Cli { verb: Some(Verb::Run(run)) }) => cmd::run::run(&run),
        Ok(Cli { verb: None }) => args::print_help(),
        Err(refused) => args::refuse(&refused),
    };
    match outcome {
        Ok(ending) => ending.repeat(),
        Err(error) => complain(&error),
    }
}

/// Says why the command failed and returns the status for it.
fn complain(error: &anyhow::Error) -> ExitCode {
    let status = error.downcast_ref().map_or(failure::OURS, |failure: &Failure| failure.status);
    // There is nobody left to tell if standard error is closed; the status still says it.
    let _ = io::stderr().write_all(format!("mallow: {error:#}\n").as_bytes());
    ExitCode::from(status)
}
