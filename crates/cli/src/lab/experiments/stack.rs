//! The stack of the first thread.

use nix::sys::signal::Signal;

use super::super::call::{Call, Limit};
use super::super::look::Column;
use super::super::subject::{Outcome, Subject};
use super::super::{Experiment, KIB, Lab, MIB, Obstacle, page_bytes, size};

pub(super) const STACK: Experiment = Experiment {
    name: "stack",
    title: "the stack grows by being touched, never shrinks, and ends at a limit",
    explanation: &[
        "The first thread's stack is a mapping that grows downwards. A fault below it, within the limit RLIMIT_STACK, makes the \
         kernel extend it to that page. Beyond the limit the fault is an error, and the process gets SIGSEGV. There is no \
         call that could fail, so a program cannot ask first.",
        "When functions return, the stack pointer goes up and the pages stay: a deep recursion leaves the stack at its \
         high-water mark for as long as the process runs.",
    ],
    run,
};

const LIMIT: u64 = 4 * MIB;
const USED: u64 = MIB;
const BELOW: u64 = 3 * MIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Stack, Column::StackResident]);
    let mut subject = lab.start()?;
    let usual = limit_stack(&mut subject, LIMIT)?;
    let before = lab.look(&mut subject)?;
    subject.call(&Call::recurse(USED))?;
    let faults = subject.faults();
    let used = lab.look(&mut subject)?;
    subject.call(&Call::recurse(USED))?;
    let faults_again = subject.faults();
    lab.look(&mut subject)?;
    subject.call(&Call::write_below(BELOW))?;
    let below = lab.look(&mut subject)?;
    let outcome = subject.attempt(&Call::recurse(2 * LIMIT))?;
    lab.show(&mut subject);

    let stack = used.get(Column::Stack);
    lab.expect(
        stack >= USED,
        format!("a recursion of 1 MiB makes a [stack] of {}, in {faults} faults", size(stack)),
    );
    let resident = used.get(Column::StackResident);
    lab.expect(
        resident >= USED,
        format!("the recursion has returned, and {} of the [stack] are resident", size(resident)),
    );
    lab.expect(
        faults_again < USED / page_bytes() / 4,
        format!("the same recursion again takes {faults_again} faults: the pages are still there"),
    );
    let (stack, resident) = (below.get(Column::Stack), below.above(&used, Column::StackResident));
    lab.expect(
        stack >= BELOW && resident <= 64 * KIB,
        format!(
            "one byte written 3 MiB further down makes a [stack] of {}, and {} resident",
            size(stack),
            size(resident)
        ),
    );
    let is_killed = matches!(outcome, Outcome::Ended(end) if end.is(Signal::SIGSEGV));
    lab.expect(is_killed, "8 MiB of stack, where 4 MiB are allowed, end in SIGSEGV");

    let usual = if usual == u64::MAX { "unlimited".to_owned() } else { size(usual) };
    lab.remark(
        "the stack is limited to 32 MB",
        format!("the limit is RLIMIT_STACK, which is {usual} here: ulimit -s"),
    );
    lab.remark(
        "a process begins with a stack of 4 KB",
        format!(
            "the kernel makes one page when it prepares the new program, for the arguments; before it starts, that is \
             extended by 128 KiB. The first look finds a [stack] of {}",
            size(before.get(Column::Stack))
        ),
    );
    lab.remark(
        "the kernel extends the stack when a function writes below the stack pointer",
        "any access within the limit extends it. The write above was megabytes away from the stack pointer; older \
         kernels on x86 checked that and refused",
    );
    Ok(())
}

/// Lowers the limit of the stack; returns what it was.
pub(super) fn limit_stack(subject: &mut Subject, bytes: u64) -> Result<u64, Obstacle> {
    let usual = subject.call(&Call::getrlimit(Limit::Stack))?;
    if usual < bytes {
        return Err(Obstacle::new(format!(
            "RLIMIT_STACK is {}; the experiment needs {}: ulimit -s 8192",
            size(usual),
            size(bytes)
        )));
    }
    subject.call(&Call::setrlimit(Limit::Stack, bytes))?;
    Ok(usual)
}
