//! Memory from the stack against memory from the heap.

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::super::call::{Call, Slots};
use super::super::look::Column;
use super::super::subject::Outcome;
use super::super::{Experiment, KIB, Lab, MIB, Obstacle, page_bytes, size};
use super::stack::limit_stack;

pub(super) const ALLOCA: Experiment = Experiment {
    name: "alloca",
    title: "alloca lives until its function returns, an array until its block ends, malloc until free",
    explanation: &[
        "alloca and arrays of variable length take memory by moving the stack pointer: one instruction, no header, nothing to \
         free. What alloca took is given up when the function returns; in a loop it adds up. An array in the body of a loop \
         is given up at the end of each round, so every round uses the same memory.",
        "Neither can fail in a way that the program could notice: too much is a crash, where malloc gives NULL. And neither \
         gives pages back: the stack stays as large as it was.",
    ],
    run,
};

const COUNT: u64 = 1000;
const PIECE: u64 = KIB;
const ALL: u64 = COUNT * PIECE;
const LIMIT: u64 = 4 * MIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    if !cfg!(target_arch = "x86_64") {
        return Err(Obstacle::new("the stack pointer can be moved by hand on x86-64 only, so far"));
    }
    lab.columns(&[Column::Stack, Column::StackResident, Column::Heap]);
    lab.part("alloca in a loop");
    let mut subject = lab.start()?;
    limit_stack(&mut subject, LIMIT)?;
    lab.look(&mut subject)?;
    subject.call(&Call::alloca(COUNT, PIECE))?;
    let kept = lab.look(&mut subject)?;
    subject.call(&Call::alloca(COUNT, PIECE))?;
    let faults = subject.faults();
    lab.look(&mut subject)?;
    let too_much = subject.attempt(&Call::alloca(1, 2 * LIMIT))?;
    lab.show(&mut subject);

    lab.part("an array of variable length in a loop");
    let mut subject = lab.start()?;
    let before = lab.look(&mut subject)?;
    subject.call(&Call::vla(COUNT, PIECE))?;
    let reused = lab.look(&mut subject)?;

    lab.part("malloc in a loop, free in another");
    let mut subject = lab.start()?;
    subject.ask(&Call::slots(COUNT))?;
    let start = lab.look(&mut subject)?;
    subject.call(&Call::mallocs(Slots(0, COUNT, 1), PIECE))?;
    subject.call(&Call::fills(Slots(0, COUNT, 1), PIECE))?;
    let full = lab.look(&mut subject)?;
    subject.call(&Call::frees(Slots(0, COUNT, 1)))?;
    lab.look(&mut subject)?;
    let refused = subject.attempt(&Call::malloc("p", u64::MAX / 4))?;
    lab.look(&mut subject)?;

    let stack = kept.get(Column::StackResident);
    lab.expect(
        stack >= ALL,
        format!("1000 times alloca(1 KiB) make {} of the [stack] resident", size(stack)),
    );
    lab.expect(
        faults < ALL / page_bytes() / 4,
        format!(
            "the function has returned and the pages are still there: to do it again takes {faults} faults"
        ),
    );
    let is_killed = matches!(too_much, Outcome::Ended(end) if end.is(Signal::SIGSEGV));
    lab.expect(is_killed, "alloca of 8 MiB, where the stack may have 4 MiB, ends in SIGSEGV");
    let grown = reused.above(&before, Column::StackResident);
    lab.expect(grown <= 16 * KIB, format!("1000 arrays of 1 KiB, one per round, add {}", size(grown)));
    let resident = full.above(&start, Column::Anonymous);
    lab.expect(
        resident >= ALL,
        format!("1000 times malloc(1 KiB) make {} resident until they are freed", size(resident)),
    );
    let is_refused = refused == Outcome::Refused(Errno::ENOMEM);
    lab.expect(is_refused, "malloc of 4 EiB gives NULL, and the program goes on");
    lab.remark(
        "alloca automatically reclaims its memory when the function returns",
        "the stack pointer moves back and the next function can use it; to the kernel the pages are in use as before",
    );
    Ok(())
}
