//! External fragmentation: what is lost between blocks.

use super::super::call::{Call, Slots};
use super::super::look::Column;
use super::super::{Experiment, Lab, MIB, Obstacle, size};

pub(super) const CHECKERBOARD: Experiment = Experiment {
    name: "checkerboard",
    title: "half the heap is free, and of no use for anything larger: external fragmentation",
    explanation: &[
        "Of many blocks in a row every other one is freed. Each hole is as long as one block, between two that live: nothing \
         longer fits, and no page is wholly free, so that nothing can go back to the kernel. A request for twice the size has \
         to be met with new memory although half of the old is free.",
        "No allocator can repair that without moving live blocks. What an allocator can do is to make it rarer: to keep blocks \
         of one size together, as mallow does, so that the holes at least fit the next request of that size.",
    ],
    run,
};

const COUNT: u64 = 16384;
const BLOCK: u64 = 2000;
const LARGER: u64 = 4000;
const LARGER_COUNT: u64 = 2048;
const ALL: u64 = COUNT * BLOCK;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Heap, Column::Resident]);
    let (blocks, larger) = (Slots(0, COUNT, 1), Slots(COUNT, COUNT + LARGER_COUNT, 1));
    let mut subject = lab.start()?;
    subject.ask(&Call::slots(COUNT + LARGER_COUNT))?;
    let before = lab.look(&mut subject)?;
    subject.call(&Call::mallocs(blocks, BLOCK))?;
    subject.call(&Call::fills(blocks, BLOCK))?;
    let full = lab.look(&mut subject)?;
    let freed_count = subject.call(&Call::frees(Slots(0, COUNT, 2)))?;
    subject.call(&Call::trim())?;
    let freed = lab.look(&mut subject)?;
    let free = subject.call(&Call::free_bytes())?;
    let got = subject.call(&Call::mallocs(larger, LARGER))?;
    subject.call(&Call::fills(larger, LARGER))?;
    let after = lab.look(&mut subject)?;

    let resident = full.above(&before, Column::Resident);
    lab.expect(resident >= ALL, format!("16384 blocks of 2000 bytes make {} resident", size(resident)));
    let given_back = full.above(&freed, Column::Resident);
    lab.expect(
        given_back < ALL / 8,
        format!(
            "{freed_count} of them are freed, and even malloc_trim gives back no more than {}",
            size(given_back)
        ),
    );
    lab.expect(free >= ALL / 2, format!("the allocator says that {} are free", size(free)));
    let resident = after.above(&freed, Column::Resident);
    lab.expect(
        resident >= LARGER * LARGER_COUNT - MIB,
        format!("2048 blocks of 4000 bytes fit none of the holes: {} more become resident", size(resident)),
    );
    lab.expect(got == LARGER_COUNT, "they are all there");
    lab.remark(
        "with half the heap free in holes, a request for a larger contiguous block fails",
        "it does not fail: the heap grows. It would fail if a limit stood in the way of growing",
    );
    Ok(())
}
