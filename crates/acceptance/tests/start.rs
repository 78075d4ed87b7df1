//! From before the first constructor to after the last destructor, and every way to load code. See `c/start`.

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};
use mallow_acceptance::suite;
use mallow_testkit::compile::{Link, compile};
use mallow_testkit::preload::Run;

fn main() -> ExitCode {
    suite::run(
        "start",
        [
            Trial::test("a tracer in front of the library", || traced(Run::loaded_before, "traced\n")),
            Trial::test("a tracer behind the library", || traced(Run::loaded_after, "")),
        ],
    )
}

/// Preloads a library that wraps malloc as well, and runs programs under the two of them.
fn traced(load: fn(Run, PathBuf) -> Run, expected: &str) -> Result<(), Failed> {
    let tracer = compile(&suite::folder("start").join("plugin/counting.c"), Link::Plugin, &[])?;
    let threads = compile(&suite::folder("threads").join("random_sizes.c"), Link::Dynamic, &[])?;
    for run in [Run::new(threads).arg("8"), Run::new("sort").stdin("b\na\n"), Run::new("ls").arg("-l")] {
        let outcome = load(run, tracer.clone()).finish()?.success()?;
        outcome.require("be traced", |outcome| outcome.stderr().ends_with(expected))?;
    }
    Ok(())
}
