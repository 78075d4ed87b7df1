//! Memory that is refused when it is asked for.

use nix::errno::Errno;

use super::super::call::{Call, Limit};
use super::super::look::Column;
use super::super::machine::{self, Setting, Undisturbed};
use super::super::subject::Outcome;
use super::super::{Experiment, GIB, Lab, MIB, Obstacle, size};

pub(super) const STRICT: Experiment = Experiment {
    name: "strict",
    title: "with a limit on promises, malloc gives NULL instead of a crash later",
    explanation: &[
        "RLIMIT_DATA (ulimit -d) limits what one process may have mapped privately and writably: its heap, its mappings, \
         touched or not. Beyond it brk and mmap fail, and malloc gives NULL.",
        "vm.overcommit_memory=2 does so for the whole machine: what all processes have mapped privately and writably \
         (Committed_AS) may not exceed CommitLimit, which is swap and a part of RAM (vm.overcommit_ratio, 50 % at first). \
         Programs that reserve much and touch little fail there although memory is free. It is a setting of the machine, \
         so the lab changes it only with --machine-settings, and puts it back.",
    ],
    run,
};

const LIMIT: u64 = 256 * MIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Mapped, Column::Resident]);
    lab.part("a limit for one process");
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    subject.call(&Call::setrlimit(Limit::Data, LIMIT))?;
    let small = subject.attempt(&Call::malloc("p", 16 * MIB))?;
    lab.look(&mut subject)?;
    let large = subject.attempt(&Call::malloc("q", GIB))?;
    lab.look(&mut subject)?;
    lab.expect(matches!(small, Outcome::Gave(_)), "with RLIMIT_DATA at 256 MiB, malloc(16 MiB) succeeds");
    lab.expect(
        large == Outcome::Refused(Errno::ENOMEM),
        "malloc(1 GiB) gives NULL with ENOMEM, and nothing was touched",
    );

    let mode = machine::number_in(machine::OVERCOMMIT_MODE)?;
    // Dropped in the opposite order, here and when something fails.
    let mut undisturbed = None;
    let mut ratio = None;
    let mut strict = None;
    if mode != 2 {
        if !lab.may_change_machine {
            lab.note(format!(
                "vm.overcommit_memory is {mode} here. With --machine-settings (as root) the lab sets it to 2 for a moment, to \
                 show the same for the whole machine"
            ));
            remark(lab);
            return Ok(());
        }
        undisturbed = Some(Undisturbed::begin()?);
        // Room for everything that runs on the machine already.
        ratio = Some(Setting::change("/proc/sys/vm/overcommit_ratio", "95")?);
        strict = Some(Setting::change(machine::OVERCOMMIT_MODE, "2")?);
    }
    lab.part("vm.overcommit_memory is 2");
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let (limit, committed) = (machine::meminfo("CommitLimit")?, machine::meminfo("Committed_AS")?);
    let available = machine::meminfo("MemAvailable")?;
    let beyond = (limit.saturating_sub(committed) + GIB).next_multiple_of(MIB);
    let outcome = subject.attempt(&Call::mmap("p", beyond))?;
    lab.look(&mut subject)?;
    drop((strict, ratio, undisturbed));
    lab.table(
        &["CommitLimit", "Committed_AS", "MemAvailable", "asked for"],
        vec![[limit, committed, available, beyond].map(size).to_vec()],
    );
    lab.expect(
        outcome == Outcome::Refused(Errno::ENOMEM),
        format!("{} more than the limit leaves are refused: ENOMEM", size(GIB)),
    );
    remark(lab);
    Ok(())
}

fn remark(lab: &mut Lab) {
    lab.remark(
        "strict accounting disables the OOM killer, and guarantees that malloc fails when physical memory is exceeded",
        "it limits promises, not use: requests fail before memory is exhausted, and also while most of it is free. The OOM \
         killer is still there, for the limits of cgroups and for memory of the kernel itself",
    );
}
