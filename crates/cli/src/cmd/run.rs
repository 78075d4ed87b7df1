//! `mallow run`: starts a program on the allocator and sums up what it used.
//!
//! Looks the program over first, because a loader that cannot or will not preload a library says nothing
//! about it.

use std::ffi::OsString;
use std::io::{self, Write};

use crate::args::Run;
use crate::carried::LIBRARY;
use crate::child::{Child, Ending};
use crate::environment::Environment;
use crate::program::Program;
use crate::segment::Segment;
use crate::style;
use crate::summary::{Counters, Paint, Summary};

/// Runs the program to its end.
pub(crate) fn run(options: &Run) -> anyhow::Result<Ending> {
    let (name, arguments) = options.command();
    let program = Program::find(name)?;
    let library = LIBRARY.install()?;
    let segment = Segment::create()?;
    let environment = Environment::inherited().with_preload(&library).with_option("segment", &segment.path());
    let arguments = program.leading_arguments().chain(arguments.iter().map(OsString::as_os_str));
    let (ending, usage) = Child::spawn(program.executable(), arguments, &environment)?.wait()?;
    if !options.quiet {
        let summary = Summary {
            program: &name.display().to_string(),
            ending,
            usage,
            counters: Counters::read(&segment),
        };
        let paint = if style::is_coloured(&io::stderr()) { Paint::Colour } else { Paint::Plain };
        // The program has run and its status counts more than a summary that nobody can read.
        let _ = io::stderr().write_all(summary.render(options.stats, paint).as_bytes());
    }
    Ok(ending)
}
