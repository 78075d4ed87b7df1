//! Freeing twice, and writing too far.

use nix::sys::signal::Signal;

use super::super::call::{Call, Place, Slots};
use super::super::look::Column;
use super::super::subject::{Outcome, Subject, Surroundings};
use super::super::{Experiment, Lab, Obstacle};
use super::leak::DEBUG_LIBRARY;

pub(super) const DOUBLE_FREE: Experiment = Experiment {
    name: "double-free",
    title: "a double free is often noticed and sometimes not; writing too far only with help",
    explanation: &[
        "A block that is freed twice is on a list of free blocks twice, and two later requests get the same memory. glibc looks \
         for that where it is cheap: in the cache of the thread by a key in the block, in a fastbin by its first block. What \
         lies deeper is not seen.",
        "MALLOC_CHECK_=3 makes glibc put a byte behind each block and check it at free. That malloc was part of every program up \
         to 2.33; since 2.34 it is in libc_malloc_debug.so.0, and the variable alone does nothing.",
        "mallow marks free blocks outside of what a program writes by mistake, so it sees every double free; what is written \
         behind a block hits the next one, as anywhere.",
    ],
    run,
};

/// Since this release the checks are in a library of their own: 2.34.
const MOVED: u64 = 2034;
/// Blocks that the cache of a thread holds of one size.
const CACHED: u64 = 7;
const BLOCK: u64 = 40;
/// A size with room behind it that the program did not ask for: 24 bytes are usable.
const SHORT: u64 = 20;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Resident]);
    plain(lab)?;
    hidden(lab)?;
    if lab.is_on_mallow() { Ok(()) } else { beyond(lab) }
}

/// The simplest case.
fn plain(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.part("free(p); free(p)");
    let mut subject = lab.start()?;
    let p = subject.place("p", &Call::malloc("p", BLOCK))?;
    subject.call(&Call::free(p))?;
    let outcome = subject.attempt(&Call::free(p))?;
    lab.show(&mut subject);
    let complaint = subject.complaint();
    lab.expect(
        is_aborted(outcome) && !complaint.is_empty(),
        format!("the second free ends the program: \"{complaint}\""),
    );
    Ok(())
}

/// Deeper than glibc looks.
fn hidden(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.part("the cache of the thread is full, and another block is freed in between");
    let mut subject = lab.start()?;
    subject.ask(&Call::slots(CACHED))?;
    subject.call(&Call::mallocs(Slots(0, CACHED, 1), BLOCK))?;
    let a = subject.place("a", &Call::malloc("a", BLOCK))?;
    let b = subject.place("b", &Call::malloc("b", BLOCK))?;
    subject.call(&Call::frees(Slots(0, CACHED, 1)))?;
    subject.call(&Call::free(a))?;
    subject.call(&Call::free(b))?;
    let outcome = subject.attempt(&Call::free(a))?;
    if is_aborted(outcome) {
        lab.show(&mut subject);
        let complaint = subject.complaint();
        lab.expect(!complaint.is_empty(), format!("it is noticed here, too: \"{complaint}\""));
        return Ok(());
    }
    subject.call(&Call::mallocs(Slots(0, CACHED, 1), BLOCK))?;
    let owners = twice(&mut subject)?;
    lab.show(&mut subject);
    lab.expect(!lab.is_on_mallow(), "mallow lets no double free pass");
    lab.expect(
        owners > 1,
        format!("nobody notices; then {owners} of the next requests get the same block, and their owners overwrite each other"),
    );
    lab.remark(
        "glibc detects some double frees, and cannot catch all of them",
        "this is one that it does not catch: seven blocks in the cache and one other free in between",
    );
    Ok(())
}

/// How many of the next blocks are one and the same.
fn twice(subject: &mut Subject) -> Result<usize, Obstacle> {
    let mut blocks = Vec::new();
    for name in ["x", "y", "z"] {
        blocks.push(subject.place(name, &Call::malloc(name, BLOCK))?.address);
    }
    let count = |address: &u64| blocks.iter().filter(|other| *other == address).count();
    Ok(blocks.iter().map(count).max().unwrap_or(0))
}

/// Writing behind a block.
fn beyond(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.part("one byte too many, MALLOC_CHECK_=3");
    let checked = || Surroundings::default().with("MALLOC_CHECK_", "3");
    let (outcome, _) = write_too_far(lab, checked())?;
    let is_new = lab.glibc.is_some_and(|release| release >= MOVED);
    if !is_new {
        lab.expect(is_aborted(outcome), "free notices it");
        return Ok(());
    }
    lab.expect(outcome == Outcome::Gave(0), "nobody notices: the variable alone does nothing");
    lab.part(&format!("one byte too many, MALLOC_CHECK_=3 LD_PRELOAD={DEBUG_LIBRARY}"));
    let (outcome, complaint) = write_too_far(lab, checked().preloading(DEBUG_LIBRARY))?;
    if complaint.contains("cannot be preloaded") {
        return Err(Obstacle::new(format!("{DEBUG_LIBRARY} is not installed: {complaint}")));
    }
    lab.expect(is_aborted(outcome), format!("free notices it: \"{complaint}\""));
    lab.remark(
        "MALLOC_CHECK_ adds checks to any program without recompiling it",
        format!("since glibc 2.34 it needs LD_PRELOAD={DEBUG_LIBRARY} beside it; without, it is ignored in silence"),
    );
    Ok(())
}

fn write_too_far(lab: &mut Lab, surroundings: Surroundings) -> Result<(Outcome, String), Obstacle> {
    let mut subject = lab.start_in(surroundings)?;
    let p: Place = subject.place("p", &Call::malloc("p", SHORT))?;
    subject.call(&Call::fill(p, SHORT + 1))?;
    let outcome = subject.attempt(&Call::free(p))?;
    lab.show(&mut subject);
    let _ = subject.end()?;
    Ok((outcome, subject.complaint()))
}

fn is_aborted(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ended(end) if end.is(Signal::SIGABRT))
}
