//! Strict accounting of memory (`vm.overcommit_memory` 2): what is reserved but not usable must not count.
//!
//! The setting belongs to the whole machine, so this suite is a program of its own, which cargo runs alone, and does
//! nothing unless `MALLOW_MACHINE_SETTINGS` is set. It puts back what it found, also when a test fails.

use std::env;
use std::fs;
use std::io;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use mallow_acceptance::suite;
use mallow_testkit::compile::{Link, compile};
use mallow_testkit::preload::Run;

const MODE: &str = "/proc/sys/vm/overcommit_memory";
const RATIO: &str = "/proc/sys/vm/overcommit_ratio";

fn main() -> ExitCode {
    let trial = Trial::ignorable_test("programs run under strict accounting", programs_run);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// A setting of the kernel that is put back when this goes out of scope.
#[derive(Debug)]
struct Setting {
    path: &'static str,
    found: String,
}

impl Setting {
    fn change(path: &'static str, value: &str) -> io::Result<Self> {
        let found = fs::read_to_string(path)?;
        fs::write(path, value)?;
        Ok(Self { path, found })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        fs::write(self.path, &self.found).expect("what could be written once can be written again");
    }
}

fn programs_run() -> Result<Completion, Failed> {
    if env::var_os("MALLOW_MACHINE_SETTINGS").is_none() {
        return Ok(Completion::ignored_with(
            "changes a setting of the machine: set MALLOW_MACHINE_SETTINGS=1",
        ));
    }
    let scenario = |name: &str, suite: &str| compile(&suite::folder(suite).join(name), Link::Dynamic, &[]);
    let runs = [
        Run::new(scenario("random_sizes.c", "threads")?).arg("8"),
        Run::new(scenario("many_blocks.c", "limits")?).args(["10000", "200"]),
        Run::new(scenario("among_threads.c", "fork")?).arg("50"),
        Run::new(scenario("exhausted.c", "limits")?).args(["data", "1"]),
    ];
    // Room for everything that runs on the machine already.
    let ratio = Setting::change(RATIO, "95");
    let mode = Setting::change(MODE, "2");
    let (Ok(_ratio), Ok(_mode)) = (ratio, mode) else {
        return Ok(Completion::ignored_with(format!("{MODE} cannot be written here")));
    };
    for run in runs {
        run.finish()?.success()?;
    }
    Ok(Completion::Completed)
}
