//! The command from outside: what people and shells see of `mallow`.
//!
//! One file per promise. A test that cannot run on this machine is reported as ignored, and says why on
//! standard error.

#![expect(clippy::print_stderr, reason = "the reason why a test is skipped is for people")]

mod command;
mod counts;
mod doctor;
mod elf;
mod endings;
mod examples;
mod explain_address;
mod free;
mod golden;
mod group;
mod heap;
mod help;
mod kinds;
mod lab;
mod library;
mod limits;
mod map;
mod oom;
mod refusals;
mod signals;
mod sim;
mod surroundings;
mod target;
mod top;
mod tree;
mod why;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Makes tests of functions, named as they are.
macro_rules! trials {
    ($($name:ident),* $(,)?) => {
        vec![$(libtest_mimic::Trial::test(stringify!($name), || { $name(); Ok(()) })),*]
    };
}
use trials;

/// Marks a test as ignored if there is a reason why it cannot run here.
fn unless(obstacle: Option<&str>, trial: Trial) -> Trial {
    if let Some(reason) = obstacle {
        eprintln!("skipped: {}: {reason}", trial.name());
    }
    trial.with_ignored_flag(obstacle.is_some())
}

/// The kind of trials that run when no other does.
const ALONE: &str = "alone";

fn main() -> ExitCode {
    let suites = [
        help::trials(),
        refusals::trials(),
        endings::trials(),
        signals::trials(),
        surroundings::trials(),
        library::trials(),
        counts::trials(),
        explain_address::trials(),
        heap::trials(),
        lab::trials(),
        map::trials(),
        limits::trials(),
        free::trials(),
        oom::trials(),
        sim::trials(),
        doctor::trials(),
        target::trials(),
        why::trials(),
        top::trials(),
        examples::trials(),
        kinds::trials(),
    ];
    let arguments = Arguments::from_args();
    // A setting of the machine makes programs fail that other tests start meanwhile.
    let (alone, together) = suites.into_iter().flatten().partition(|trial| trial.kind() == ALONE);
    let conclusions = [together, alone].map(|trials| libtest_mimic::run(&arguments, trials));
    let failed = conclusions.iter().find(|conclusion| conclusion.has_failed());
    failed.map_or(ExitCode::SUCCESS, libtest_mimic::Conclusion::exit_code)
}
