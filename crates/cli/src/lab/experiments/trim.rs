//! What `malloc_trim` gives back.

use super::super::call::{Call, Slots};
use super::super::look::Column;
use super::super::{Experiment, KIB, Lab, MIB, Obstacle, size};

pub(super) const TRIM: Experiment = Experiment {
    name: "trim",
    title: "malloc_trim gives back free pages in the middle of the heap too",
    explanation: &[
        "malloc_trim(0) lowers the break as far as the top is free, and then goes through all arenas and drops every whole page \
         inside a free block (MADV_DONTNEED). The address space stays; the next use of such a page takes a fault and gets a \
         page of zeros. glibc does the second part since 2.8 (2008), but never by itself: somebody has to call it.",
        "mallow returns such pages by itself after a while; malloc_trim makes it do so at once.",
    ],
    run,
};

const COUNT: u64 = 512;
const BLOCK: u64 = 64 * KIB;
const ALL: u64 = COUNT * BLOCK;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Heap, Column::Resident]);
    let mut subject = lab.start()?;
    subject.ask(&Call::slots(COUNT))?;
    let before = lab.look(&mut subject)?;
    subject.call(&Call::mallocs(Slots(0, COUNT, 1), BLOCK))?;
    subject.call(&Call::fills(Slots(0, COUNT, 1), BLOCK))?;
    let full = lab.look(&mut subject)?;
    subject.call(&Call::frees(Slots(0, COUNT, 2)))?;
    let freed = lab.look(&mut subject)?;
    subject.call(&Call::trim())?;
    let trimmed = lab.look(&mut subject)?;
    subject.call(&Call::mallocs(Slots(0, COUNT, 2), BLOCK))?;
    subject.call(&Call::fills(Slots(0, COUNT, 2), BLOCK))?;
    let faults = subject.faults();
    let again = lab.look(&mut subject)?;

    let resident = full.above(&before, Column::Resident);
    lab.expect(resident >= ALL, format!("512 blocks of 64 KiB make {} resident", size(resident)));
    if !lab.is_on_mallow() {
        let given_back = full.above(&freed, Column::Resident);
        lab.expect(given_back < MIB, format!("every other one is freed: {} go back", size(given_back)));
        let shrunk = freed.above(&trimmed, Column::Heap);
        lab.expect(
            shrunk < MIB,
            format!("malloc_trim shortens the [heap] by {}: the last block lives", size(shrunk)),
        );
    }
    let given_back = full.above(&trimmed, Column::Resident);
    lab.expect(
        given_back >= ALL / 2 - 4 * MIB,
        format!("after malloc_trim, {} of 16 MiB that were freed have gone back", size(given_back)),
    );
    let resident = again.above(&trimmed, Column::Resident);
    lab.expect(
        resident >= ALL / 2 - 4 * MIB && faults > 0,
        format!("to use them again takes {faults} faults and makes {} resident", size(resident)),
    );
    lab.remark(
        "malloc_trim calls sbrk with a negative value if it can, and works for free space at the top of the heap only",
        "the top cannot move here, and it works all the same, page by page",
    );
    Ok(())
}
