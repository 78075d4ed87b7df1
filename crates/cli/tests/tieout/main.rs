//! The tie-out: over processes of many shapes, the ledger adds up to what the kernel says, the verdict is the right one, and
//! other tools see the same.
//!
//! Each shape runs on libc and, where that applies, on mallow. What cannot run here is reported as ignored, and says why on
//! standard error.

#![expect(clippy::print_stderr, reason = "the reason why a test is skipped is for people")]

mod free;
mod peers;
mod program;
mod subject;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use program::{Allocator, PROGRAMS, Program};
use subject::Subject;

fn main() -> ExitCode {
    let shapes = program::Folder::build();
    let mut trials = Vec::new();
    for program in PROGRAMS {
        for &allocator in program.allocators {
            let name = format!("{}_on_{}", program.name, allocator.name());
            let obstacle = shapes.obstacle(program);
            if let Some(reason) = &obstacle {
                eprintln!("skipped: {name}: {reason}");
            }
            let shapes = shapes.clone();
            let trial = Trial::test(name, move || tie_out(&shapes, program, allocator));
            trials.push(trial.with_ignored_flag(obstacle.is_some()));
        }
    }
    let no_free = free::obstacle();
    if let Some(reason) = &no_free {
        eprintln!("skipped: free: {reason}");
    }
    trials.push(Trial::test("free", free::agrees).with_ignored_flag(no_free.is_some()));
    // Each takes memory and a processor: two at once are enough.
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn tie_out(shapes: &program::Folder, program: &Program, allocator: Allocator) -> Result<(), Failed> {
    let subject = Subject::start(shapes, program, allocator)?;
    let seen = subject.why(program.options)?;
    let expected = program.verdict(allocator);
    if !expected.contains(&&seen.verdict[..]) {
        return Err(format!("the verdict is '{}', expected {expected:?}\n{}", seen.verdict, seen.text).into());
    }
    if seen.lines + seen.residual != seen.rss {
        return Err(format!("lines and residual do not add up to RSS\n{}", seen.text).into());
    }
    if seen.residual.abs() * 100 > seen.rss {
        return Err(format!("the residual is {} of {}\n{}", seen.residual, seen.rss, seen.text).into());
    }
    if program.waits {
        peers::agree(&subject, program.options)?;
    }
    Ok(())
}
