//! Memory that stays in memory.

use nix::errno::Errno;

use super::super::call::{Call, Limit};
use super::super::look::Column;
use super::super::subject::Outcome;
use super::super::{Experiment, KIB, Lab, MIB, Obstacle, page_bytes, size};

pub(super) const MLOCK: Experiment = Experiment {
    name: "mlock",
    title: "mlock makes memory resident at once, and keeps it so, up to a limit",
    explanation: &[
        "mlock brings all pages of a range into memory, as if each had been written to, and keeps the kernel from swapping them \
         out. How much a process may lock is RLIMIT_MEMLOCK; with CAP_IPC_LOCK there is no limit. munlock only ends the \
         promise: the pages stay until the kernel wants them.",
        "mincore says which pages of a range are there.",
    ],
    run,
};

const BLOCK: u64 = 16 * MIB;
const TOUCHED: u64 = MIB;
/// What is locked at most; less if the limit is lower.
const MOST: u64 = 4 * MIB;
/// `nobody`, on every system; who it is makes no difference.
const NOBODY: u32 = 65534;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Resident, Column::Locked]);
    let page = page_bytes();
    let mut subject = lab.start()?;
    let limit = subject.call(&Call::getrlimit(Limit::MemLock))?;
    let locked = MOST.min(limit / 2) / page * page;
    if locked == 0 {
        return Err(Obstacle::new("RLIMIT_MEMLOCK is 0: this user may not lock memory (ulimit -l)"));
    }
    let touched = TOUCHED.min(locked / 2) / page * page;
    lab.look(&mut subject)?;
    let p = subject.place("p", &Call::mmap("p", BLOCK))?;
    let at_first = subject.call(&Call::mincore(p, BLOCK, page))?;
    subject.call(&Call::poke(p, touched, page))?;
    let after_touch = subject.call(&Call::mincore(p, BLOCK, page))?;
    let before = lab.look(&mut subject)?;
    subject.call(&Call::mlock(p, locked))?;
    let after_lock = subject.call(&Call::mincore(p, BLOCK, page))?;
    let held = lab.look(&mut subject)?;
    subject.call(&Call::munlock(p, locked))?;
    let released = lab.look(&mut subject)?;

    lab.expect(at_first == 0, "mincore finds none of the pages of a new mapping");
    lab.expect(
        after_touch == touched / page,
        format!("after {} pages were written it finds {after_touch}", touched / page),
    );
    let now = held.get(Column::Locked);
    lab.expect(now == locked, format!("mlock of {} locks {}", size(locked), size(now)));
    lab.expect(
        after_lock == locked / page && held.above(&before, Column::Resident) >= locked - touched,
        format!(
            "all its {after_lock} pages are resident, though the program touched only {}",
            touched / page
        ),
    );
    lab.expect(
        released.get(Column::Locked) == 0
            && released.get(Column::Resident) >= held.get(Column::Resident) - 64 * KIB,
        "munlock unlocks them, and they stay resident",
    );

    lab.part("beyond the limit, without the rights of root");
    let mut subject = lab.start()?;
    let lowered = (64 * KIB).min(limit);
    subject.call(&Call::setrlimit(Limit::MemLock, lowered))?;
    let p = subject.place("p", &Call::mmap("p", MIB))?;
    lab.look(&mut subject)?;
    // Somebody who is not root cannot become nobody, and need not.
    if rustix::process::geteuid().is_root() {
        subject.call(&Call::setuid(NOBODY))?;
    }
    let outcome = subject.attempt(&Call::mlock(p, MIB))?;
    lab.show(&mut subject);
    lab.expect(
        outcome == Outcome::Refused(Errno::ENOMEM),
        format!("mlock of 1 MiB is refused where {} are allowed: ENOMEM", size(lowered)),
    );
    let usual = if limit == u64::MAX { "unlimited".to_owned() } else { size(limit) };
    lab.note(format!(
        "RLIMIT_MEMLOCK is {usual} here. The kernel's own default was 64 KiB, and is 8 MiB since Linux 5.16"
    ));
    Ok(())
}
