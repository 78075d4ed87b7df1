//! What happens when there is no memory left.

use std::fs;

use nix::sys::signal::Signal;
use rustix::process::{Pid, setpriority_process};

use super::super::call::Call;
use super::super::cgroup::Cgroup;
use super::super::look::Column;
use super::super::machine;
use super::super::subject::{Outcome, Subject};
use super::super::{Experiment, Lab, MIB, Obstacle, reason, size};

pub(super) const OOM: Experiment = Experiment {
    name: "oom",
    title: "when a limit is reached the kernel kills one process, and oom_score_adj says which",
    explanation: &[
        "Memory that was promised cannot be refused when it is touched. If a cgroup is at its limit, or the machine has nothing \
         left, and nothing can be reclaimed, the kernel ends a process with SIGKILL, in the cgroup or anywhere. It takes the \
         one with the highest score: what it has resident, swapped and in page tables, and for each point of oom_score_adj a \
         thousandth of the limit more or less. 1000 means first, -1000 never. Everybody may raise the number of an own \
         process; lowering it takes CAP_SYS_RESOURCE.",
        "The experiment makes a cgroup of 64 MiB with two processes in it. Nothing outside of it can be hit.",
    ],
    run,
};

const LIMIT: u64 = 64 * MIB;
/// What the process that may go has.
const DISPOSABLE: u64 = 24 * MIB;
/// What the other one wants: it fits alone, and not beside the first.
const PRECIOUS: u64 = 48 * MIB;
/// What does not fit at all.
const TOO_MUCH: u64 = 96 * MIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Resident]);
    // Before the group, so that it is removed before Ctrl-C ends the command.
    let _undisturbed = machine::Undisturbed::begin()?;
    // Before the processes, so that it goes after them.
    let group = Cgroup::make(LIMIT)?;
    let mut disposable = started(lab, &group, 1000)?;
    hurry(&disposable);
    let mut precious = started(lab, &group, 0)?;
    lab.part(&format!("two processes in {}, which may have {}", group.folder().display(), size(LIMIT)));
    let d = disposable.place("d", &Call::mmap("d", DISPOSABLE))?;
    disposable.call(&Call::fill(d, DISPOSABLE))?;
    let pid = disposable.pid();
    let small = lab.look_at(&mut disposable, pid, "disposable: ")?;
    let p = precious.place("p", &Call::mmap("p", TOO_MUCH))?;
    precious.call(&Call::fill(p, PRECIOUS / 2))?;
    let scores = [score(&disposable)?, score(&precious)?];
    let outcome = precious.attempt(&Call::fill(p, PRECIOUS))?;
    let survives = matches!(outcome, Outcome::Gave(_));
    if survives {
        let pid = precious.pid();
        let large = lab.look_at(&mut precious, pid, "precious: ")?;
        lab.expect(
            large.get(Column::Resident) > small.get(Column::Resident),
            format!(
                "the process with {} goes on; the other one had {}",
                size(large.get(Column::Resident)),
                size(small.get(Column::Resident))
            ),
        );
    } else {
        lab.show(&mut precious);
    }
    let killed = disposable.attempt(&Call::find_break("b"))?;
    lab.expect(survives && is_killed(killed), "the smaller one is killed, because its oom_score_adj is 1000");
    lab.expect(
        scores[0] > scores[1],
        format!(
            "/proc/PID/oom_score had said so: {} for the one that was killed, {} for the other",
            scores[0], scores[1]
        ),
    );
    let alone = precious.attempt(&Call::fill(p, TOO_MUCH))?;
    lab.show(&mut precious);
    lab.expect(is_killed(alone), "when it wants 96 MiB itself, there is nobody else left");
    if let Some(kills) = group.kills() {
        lab.expect(kills >= 2, format!("the cgroup has counted {kills} kills"));
    }
    lab.remark(
        "the kernel heuristically chooses a process and logs it; oom_score_adj steers that",
        "the choice is plain arithmetic since Linux 2.6.36: what a process has, and the number. The log is in the kernel's ring \
         buffer: mallow oom",
    );
    Ok(())
}

/// Starts a process in the group.
fn started(lab: &mut Lab, group: &Cgroup, adjustment: i32) -> Result<Subject, Obstacle> {
    let subject = lab.start()?;
    group.add(subject.pid())?;
    let path = format!("/proc/{}/oom_score_adj", subject.pid());
    fs::write(&path, adjustment.to_string())
        .map_err(|error| Obstacle::new(format!("cannot write {adjustment} to {path}: {}", reason(&error))))?;
    Ok(subject)
}

/// Has the processor for a process before others, if that is allowed: the kernel says that the memory of a killed one is free a
/// moment before it is, and whoever wants memory then is killed, too.
fn hurry(subject: &Subject) {
    let pid = i32::try_from(subject.pid()).ok().and_then(Pid::from_raw);
    // Without the right to do so, the moment is longer, and seldom met all the same.
    let _ = setpriority_process(pid, -20);
}

fn score(subject: &Subject) -> Result<u64, Obstacle> {
    machine::number_in(&format!("/proc/{}/oom_score", subject.pid()))
}

fn is_killed(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ended(end) if end.is(Signal::SIGKILL))
}
