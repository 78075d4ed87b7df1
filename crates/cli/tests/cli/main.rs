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
    libtest_mimic::run(&Arguments::from_args(), suites.into_iter().flatten().collect()).exit_code()
}
