//! The kernel promises more than it has.

use nix::errno::Errno;

use super::super::call::{Call, Limit, Place};
use super::super::look::Column;
use super::super::subject::Outcome;
use super::super::{Experiment, GIB, Lab, MIB, Obstacle, machine, size};

pub(super) const OVERCOMMIT: Experiment = Experiment {
    name: "overcommit",
    title: "1 GiB is promised, 10 MiB are used: the kernel counts on that",
    explanation: &[
        "Because memory is taken when it is touched, the kernel can promise more than there is. vm.overcommit_memory says how \
         far it goes. 0, the usual: everything except what is obviously too much, which is a single request for more than \
         all of RAM and swap together. 1: everything. 2: no more than CommitLimit in total, see mallow lab strict.",
        "When too many promises are called in, there is nobody left to refuse: the kernel ends a process, see mallow lab oom.",
    ],
    run,
};

const ASKED: u64 = GIB;
const TOUCHED: u64 = 10 * MIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Mapped, Column::Resident]);
    let mode = machine::number_in(machine::OVERCOMMIT_MODE)?;
    let total = machine::memory()?;
    let mut subject = lab.start()?;
    if subject.ask(&Call::getrlimit(Limit::AddressSpace))? != u64::MAX {
        return Err(Obstacle::new(
            "a limit on address space (ulimit -v) stands in front of what the kernel would say",
        ));
    }
    let before = lab.look(&mut subject)?;
    let p = match subject.attempt(&Call::malloc("p", ASKED))? {
        Outcome::Gave(address) => Place { name: "p", address },
        Outcome::Refused(errno) if mode == 2 => {
            lab.look(&mut subject)?;
            lab.expect(
                errno == Errno::ENOMEM,
                "with vm.overcommit_memory at 2 the kernel refuses 1 GiB: the commit limit is near",
            );
            return Ok(());
        }
        outcome => {
            return Err(Obstacle::new(format!(
                "malloc of 1 GiB gave {outcome:?}: is there a limit (ulimit -v, ulimit -d)?"
            )));
        }
    };
    let promised = lab.look(&mut subject)?;
    subject.call(&Call::fill(p, TOUCHED))?;
    let touched = lab.look(&mut subject)?;
    let mapped = promised.above(&before, Column::Mapped);
    lab.expect(mapped >= ASKED, format!("malloc(1 GiB) adds {} of address space", size(mapped)));
    let resident = touched.above(&before, Column::Resident);
    lab.expect(
        (TOUCHED..TOUCHED + 2 * MIB).contains(&resident),
        format!("10 MiB of it are written, and {} are resident", size(resident)),
    );

    lab.part(&format!("more than the {} of RAM and swap, vm.overcommit_memory is {mode}", size(total)));
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let part = (total / 10 * 6).next_multiple_of(MIB);
    let first = subject.attempt(&Call::mmap("p", part))?;
    let second = subject.attempt(&Call::mmap("q", part))?;
    lab.look(&mut subject)?;
    let whole = subject.attempt(&Call::mmap("r", (total + GIB).next_multiple_of(MIB)))?;
    lab.look(&mut subject)?;
    let is_given = |outcome| matches!(outcome, Outcome::Gave(_));
    let is_refused = whole == Outcome::Refused(Errno::ENOMEM);
    match mode {
        0 => {
            lab.expect(is_given(first) && is_given(second), "two requests for 60 % of it each are granted");
            lab.expect(is_refused, "one request for more than all of it is refused: ENOMEM");
            lab.remark(
                "by default malloc succeeds although there is not that much free memory",
                "so it does, up to a point: a request that all of RAM and swap could not meet is refused at once. Smaller ones \
                 are granted again and again, whatever they add up to",
            );
        }
        1 => lab.expect(is_given(whole), "a request for more than all of it is granted"),
        _ => {
            lab.expect(is_refused, "a request for more than all of it is refused: ENOMEM");
            lab.expect(!(is_given(first) && is_given(second)), "120 % of it are not granted either");
        }
    }
    Ok(())
}
