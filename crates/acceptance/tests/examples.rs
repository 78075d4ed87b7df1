//! The C and C++ programs in the folder `examples`: built and run on the preloaded library and with the archive in them.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use mallow_testkit::compile::{Link, compile};
use mallow_testkit::preload::{self, Run};

/// Each program and what it prints.
const PROGRAMS: [(&str, &str); 2] = [
    ("hello.c", "72000 words in 4 threads\n"),
    ("hello.cpp", "40000 numbers in 97 lists, and no room for everything\n"),
];

fn main() -> ExitCode {
    let links = [(Link::Dynamic, "preloaded"), (Link::Static, "static"), (Link::StaticPie, "static-pie")];
    let trials = PROGRAMS.iter().flat_map(|&(program, prints)| {
        links.map(|(link, name)| {
            Trial::ignorable_test(format!("{program} ({name})"), move || runs(program, link, prints))
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn runs(program: &str, link: Link, prints: &str) -> Result<Completion, Failed> {
    if link != Link::Dynamic && preload::library().is_some() && preload::archive().is_none() {
        return Ok(Completion::ignored_with("the library under test comes without an archive"));
    }
    let executable = compile(&preload::workspace().join("examples").join(program), link, &[])?;
    let run = Run::new(executable);
    let run = if link == Link::Dynamic { run } else { run.without_library() };
    run.finish()?.success()?.require("print what it computed", |outcome| outcome.stdout() == prints)?;
    Ok(Completion::Completed)
}
