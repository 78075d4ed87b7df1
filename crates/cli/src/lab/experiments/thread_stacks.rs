//! The stacks of threads.

use super::super::call::{Call, Limit};
use super::super::look::Column;
use super::super::{Experiment, KIB, Lab, MIB, Obstacle, size};

pub(super) const THREAD_STACKS: Experiment = Experiment {
    name: "thread-stacks",
    title: "a thread's stack is mapped in full and resident as far as it was touched",
    explanation: &[
        "pthread_create maps a stack of fixed size: what RLIMIT_STACK was when the program started, or 2 MiB if that was \
         unlimited, with a guard page below it. It never grows. Of its pages those are resident that the thread has touched, \
         at first two or three.",
        "glibc keeps the stacks of threads that have ended for new ones, up to 40 MiB of address space, so that not all of it \
         is unmapped.",
    ],
    run,
};

const THREADS: u64 = 16;
/// What glibc takes when there is no limit, on x86-64.
const WITHOUT_LIMIT: u64 = 2 * MIB;
/// The most that one thread may touch in this experiment.
const TOUCHED: u64 = 64 * KIB;
/// What glibc keeps.
const KEPT: u64 = 40 * MIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Threads, Column::Mapped, Column::Resident]);
    lab.part("as it comes");
    let mut subject = lab.start()?;
    let limit = subject.call(&Call::getrlimit(Limit::Stack))?; // Whatever an allocator makes once is there before the first look.
    subject.ask(&Call::malloc("p", 1))?;
    let stack = if limit == u64::MAX { WITHOUT_LIMIT } else { limit };
    let before = lab.look(&mut subject)?;
    subject.call(&Call::threads(THREADS, 0, 0))?;
    let running = lab.look(&mut subject)?;
    subject.call(&Call::join())?;
    let ended = lab.look(&mut subject)?;
    let mapped = running.above(&before, Column::Mapped);
    lab.expect(
        (THREADS * stack..THREADS * (stack + MIB) + 4 * MIB).contains(&mapped),
        format!("16 threads with stacks of {} each map {}", size(stack), size(mapped)),
    );
    let resident = running.above(&before, Column::Resident);
    lab.expect(
        resident < THREADS * TOUCHED,
        format!("they make {} resident, {} each", size(resident), size(resident / THREADS)),
    );
    let kept = ended.above(&before, Column::Mapped);
    lab.expect(
        kept <= KEPT.max(stack) + 4 * MIB,
        format!("when they have ended, {} stay mapped: stacks that glibc keeps for the next", size(kept)),
    );

    lab.part("with stacks of 256 KiB");
    let mut subject = lab.start()?;
    subject.ask(&Call::malloc("p", 1))?;
    let before = lab.look(&mut subject)?;
    subject.call(&Call::threads(THREADS, 256 * KIB, 0))?;
    let running = lab.look(&mut subject)?;
    let mapped = running.above(&before, Column::Mapped);
    lab.expect(
        mapped < THREADS * 512 * KIB + 4 * MIB,
        format!("pthread_attr_setstacksize: they map {}", size(mapped)),
    );
    lab.remark(
        "a thread's stack is limited to 32 MB and grows automatically (expand_downwards)",
        format!(
            "its size is fixed when the thread starts, {} here. Only the first thread's stack grows: mallow lab stack",
            size(stack)
        ),
    );
    Ok(())
}
