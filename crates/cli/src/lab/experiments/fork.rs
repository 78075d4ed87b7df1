//! What a child shares with its parent.

use super::super::call::Call;
use super::super::look::Column;
use super::super::{Experiment, Lab, MIB, Obstacle, page_bytes, size};

pub(super) const FORK: Experiment = Experiment {
    name: "fork",
    title: "after fork, parent and child share every page until one of them writes to it",
    explanation: &[
        "fork copies the page table and no page: both processes point to the same frames, and all private writable pages become \
         read-only in both. The first to write to one takes a fault and gets a copy; the other keeps the original.",
        "Each process counts the shared pages in full in its RSS, so the sum of both says nothing. PSS divides each page by \
         the number of its users, so the sum of PSS is right.",
    ],
    run,
};

const BLOCK: u64 = 32 * MIB;
const WRITTEN: u64 = 8 * MIB;
/// Page faults that a call may take beside those that it is about.
const ASIDE: u64 = 64;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[
        Column::Resident,
        Column::Proportional,
        Column::PrivateDirty,
        Column::SharedDirty,
        Column::PageTables,
    ]);
    let mut subject = lab.start()?;
    let parent = subject.pid();
    lab.look_at(&mut subject, parent, "parent: ")?;
    let p = subject.place("p", &Call::malloc("p", BLOCK))?;
    subject.call(&Call::fill(p, BLOCK))?;
    let filled = lab.look_at(&mut subject, parent, "parent: ")?;
    let child = subject.call(&Call::fork())?;
    let child = u32::try_from(child).map_err(|_| Obstacle::new("the child has no number"))?;
    let shared = lab.look_at(&mut subject, parent, "parent: ")?;
    let born = lab.look_at(&mut subject, child, "child: ")?;
    subject.call(&Call::fill(p, WRITTEN))?;
    let faults = subject.faults();
    let wrote = lab.look_at(&mut subject, child, "child: ")?;
    subject.call(&Call::exit())?;
    let alone = lab.look_at(&mut subject, parent, "parent, when the child has ended: ")?;
    subject.call(&Call::fill(p, WRITTEN))?;
    let faults_alone = subject.faults();
    let after = lab.look_at(&mut subject, parent, "parent: ")?;

    let resident = born.get(Column::Resident);
    lab.expect(
        resident >= BLOCK,
        format!("the child has {} resident as soon as it is there", size(resident)),
    );
    let sum = shared.get(Column::Proportional) + born.get(Column::Proportional);
    let before = filled.get(Column::Proportional);
    lab.expect(
        sum.abs_diff(before) < 4 * MIB,
        format!("the PSS of both is {}, as the parent's was before: {}", size(sum), size(before)),
    );
    lab.expect(shared.get(Column::SharedDirty) >= BLOCK, "the parent's block has become shared memory");
    let pages = WRITTEN / page_bytes();
    let is_one_each = (pages..pages + ASIDE).contains(&faults);
    lab.expect(is_one_each, format!("the child writes 8 MiB: {faults} faults for {pages} pages"));
    let copied = wrote.above(&born, Column::PrivateDirty);
    lab.expect(
        (WRITTEN..WRITTEN + MIB).contains(&copied),
        format!("{} of its own are the copies", size(copied)),
    );
    let resident = after.above(&alone, Column::Resident);
    lab.expect(
        resident < MIB,
        format!(
            "the parent writes the same 8 MiB when the child is gone: {faults_alone} faults, and {} copied",
            size(resident)
        ),
    );
    let tables = born.get(Column::PageTables);
    lab.expect(
        tables >= BLOCK / page_bytes() * 8,
        format!("the child has page tables of {}, which were copied at once", size(tables)),
    );
    lab.note(format!(
        "what fork does cost is the page table, {} for each GiB of anonymous memory: a process of 100 GiB copies {} before \
         its child runs",
        size(1024 * MIB / page_bytes() * 8),
        size(100 * 1024 * MIB / page_bytes() * 8)
    ));
    Ok(())
}
