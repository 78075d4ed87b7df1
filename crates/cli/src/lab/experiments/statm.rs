//! What the short files of `/proc` say, and what they do not.

use std::fs;

use mallow_analyze::read::statm;

use super::super::call::Call;
use super::super::look::Column;
use super::super::{Experiment, Lab, MIB, Obstacle, machine, page_bytes, reason, size};

pub(super) const STATM: Experiment = Experiment {
    name: "statm",
    title: "statm tells the sizes of a process in pages, and meminfo what is left for others",
    explanation: &[
        "/proc/PID/statm is the cheapest look at a process: seven numbers, in pages. Address space, resident, resident with a \
         file behind it (shared), text, nothing, data and stack, nothing. Two of them are kept at 0 for programs that count \
         columns. The kernel adds them up in batches, so they may be some pages behind smaps.",
        "What a machine has left is MemAvailable in /proc/meminfo, the kernel's own estimate. Free memory, buffers and cache \
         together are not that: cache includes shared memory, which cannot be dropped, and not all of the rest can.",
    ],
    run,
};

const BLOCK: u64 = 32 * MIB;
/// Bytes that the kernel may not have added up yet, on any machine that this is likely to see.
const BEHIND: u64 = 4 * MIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Mapped, Column::Resident, Column::Anonymous]);
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let p = subject.place("p", &Call::mmap("p", BLOCK))?;
    subject.call(&Call::fill(p, BLOCK))?;
    let look = lab.look(&mut subject)?;
    let path = format!("/proc/{}/statm", subject.pid());
    let text = fs::read_to_string(&path)
        .map_err(|error| Obstacle::new(format!("cannot read {path}: {}", reason(&error))))?;
    let sizes = statm::parse(text.as_bytes())
        .map_err(|error| Obstacle::new(format!("cannot understand statm: {error}")))?;
    let fields: Vec<&str> = text.split_whitespace().collect();
    let titles = ["size", "resident", "shared", "text", "lib", "data", "dt"];
    lab.table(&titles, vec![fields.iter().map(|field| (*field).to_owned()).collect()]);

    let page = page_bytes();
    let mapped = look.get(Column::Mapped);
    lab.expect(
        sizes.address_space * page == mapped,
        format!("the first field, in pages, is the address space: {}", size(sizes.address_space * page)),
    );
    let resident = look.get(Column::Resident);
    lab.expect(
        (sizes.resident * page).abs_diff(resident) <= BEHIND,
        format!(
            "the second says that {} are resident, smaps says {}",
            size(sizes.resident * page),
            size(resident)
        ),
    );
    lab.expect(fields.get(4) == Some(&"0") && fields.get(6) == Some(&"0"), "the fifth and the seventh are 0");
    lab.remark(
        "the fields of statm include the size of the mapped libraries (Lrs, VmLib)",
        "that field is 0 since Linux 2.6. VmLib is in /proc/PID/status",
    );

    let [available, free, buffers, cached, shared] =
        ["MemAvailable", "MemFree", "Buffers", "Cached", "Shmem"].map(machine::meminfo);
    let (available, sum, shared) = (available?, free? + buffers? + cached?, shared?);
    lab.remark(
        "available memory is free + buffers + cached",
        format!(
            "that sum is {} now. The kernel's own estimate, MemAvailable, is {}; of the cache, {} are shared memory and cannot \
             be dropped",
            size(sum),
            size(available),
            size(shared)
        ),
    );
    Ok(())
}
