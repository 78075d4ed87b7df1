//! One live block at the top keeps the heap as large as it was.

use super::super::call::{Call, Slots};
use super::super::look::{Column, Look};
use super::super::subject::Subject;
use super::super::{Experiment, KIB, Lab, MIB, Obstacle, size};

pub(super) const PINNED: Experiment = Experiment {
    name: "pinned",
    title: "one live block at the top of the heap keeps all that was freed below it",
    explanation: &[
        "The break is one number. Memory below it can be unmapped only from the top down, so free can give back no more than \
         what lies above the highest live block. Everything below stays with glibc, free and resident, for later requests.",
        "When the last block at the top goes, what is free below it is joined to it; once more than 128 KiB are free at the \
         top (M_TRIM_THRESHOLD), glibc lowers the break.",
        "mallow has no top: it returns whole pages wherever they lie.",
    ],
    run,
};

const COUNT: u64 = 1024;
const BLOCK: u64 = 64 * KIB;
/// The block at the top.
const LAST: u64 = 4000;
/// A block that goes into the cache of its thread when it is freed.
const CACHED: u64 = 1000;
/// glibc has that cache since this release: 2.26.
const TCACHE: u64 = 2026;
const ALL: u64 = COUNT * BLOCK;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Heap, Column::Resident]);
    let mut subject = lab.start()?;
    subject.ask(&Call::slots(COUNT + 1))?;
    let before = lab.look(&mut subject)?;
    let (full, freed, empty) = fill_and_free(lab, &mut subject, LAST)?;

    let resident = full.above(&before, Column::Resident);
    lab.expect(
        resident >= ALL,
        format!("1024 blocks of 64 KiB, written to, make {} resident", size(resident)),
    );
    let resident = freed.above(&before, Column::Resident);
    if lab.is_on_mallow() {
        lab.expect(
            resident < 8 * MIB,
            format!(
                "with the last block alive, {} of it stay: mallow returns pages wherever they lie",
                size(resident)
            ),
        );
        lab.note("mallow does this by itself within seconds; malloc_trim does not wait");
        return Ok(());
    }
    lab.expect(
        resident >= ALL,
        format!("all of them are freed but one of 4000 bytes above them, and {} stay", size(resident)),
    );
    let heap = empty.get(Column::Heap);
    lab.expect(heap < 2 * MIB, format!("when that one is freed too, the [heap] shrinks to {}", size(heap)));
    let resident = empty.above(&before, Column::Resident);
    lab.expect(resident < 2 * MIB, format!("{} more than at first stay resident", size(resident)));
    lab.remark(
        "the break almost never moves back, so such a process keeps its high-water RSS",
        "it moves back as soon as the top is free. And what is stuck below can be had back by malloc_trim, see: mallow lab trim",
    );

    lab.part("the same, and the last block is a small one");
    let mut subject = lab.start()?;
    subject.ask(&Call::slots(COUNT + 1))?;
    lab.look(&mut subject)?;
    let (_, _, empty) = fill_and_free(lab, &mut subject, CACHED)?;
    let heap = empty.get(Column::Heap);
    if lab.glibc.is_some_and(|release| release >= TCACHE) {
        lab.expect(
            heap >= ALL,
            format!(
                "a last block of 1000 bytes is freed, and {} of [heap] stay: it went into the cache of its thread (tcache), and to \
                 the heap it is still in use",
                size(heap)
            ),
        );
    }
    Ok(())
}

/// Fills the heap, with one block at its top, and frees all: what there is when it is full, when only the last block is
/// left, and when that is gone.
fn fill_and_free(lab: &mut Lab, subject: &mut Subject, last: u64) -> Result<(Look, Look, Look), Obstacle> {
    let (blocks, top) = (Slots(0, COUNT, 1), Slots(COUNT, COUNT + 1, 1));
    subject.call(&Call::mallocs(blocks, BLOCK))?;
    subject.call(&Call::fills(blocks, BLOCK))?;
    subject.call(&Call::mallocs(top, last))?;
    let full = lab.look(subject)?;
    subject.call(&Call::frees(blocks))?;
    if lab.is_on_mallow() {
        subject.call(&Call::trim())?;
    }
    let freed = lab.look(subject)?;
    subject.call(&Call::frees(top))?;
    Ok((full, freed, lab.look(subject)?))
}
