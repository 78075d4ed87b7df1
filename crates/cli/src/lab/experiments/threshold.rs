//! The threshold from which blocks get a mapping of their own.

use super::super::call::{Call, Place};
use super::super::look::{Column, Look};
use super::super::subject::Subject;
use super::super::{Experiment, KIB, Lab, MIB, Obstacle};

pub(super) const THRESHOLD: Experiment = Experiment {
    name: "threshold",
    title: "large blocks get a mapping of their own, and in glibc \"large\" is learnt",
    explanation: &[
        "Blocks up to a threshold are cut from the heap; larger ones are a mapping each, which free gives back to the kernel at \
         once. glibc begins with 128 KiB. When a block with its own mapping is freed, the threshold rises to its size, up to \
         32 MiB: a program that allocates and frees blocks of 1 MiB in a loop should not map and unmap each time. From then \
         on such blocks come from the heap, and stay there when they are freed.",
        "To set M_MMAP_THRESHOLD by mallopt or by MALLOC_MMAP_THRESHOLD_, to any value, turns the learning off.",
        "mallow draws the line at 1 MiB and does not learn; it can be lowered.",
    ],
    run,
};

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Mapped, Column::Heap]);
    if lab.is_on_mallow() { on_mallow(lab) } else { on_glibc(lab) }
}

/// Allocates a block and looks.
fn allocated(
    lab: &mut Lab,
    subject: &mut Subject,
    name: &'static str,
    bytes: u64,
) -> Result<(Place, Look), Obstacle> {
    let place = subject.place(name, &Call::malloc(name, bytes))?;
    Ok((place, lab.look(subject)?))
}

fn on_glibc(lab: &mut Lab) -> Result<(), Obstacle> {
    let limit = 128 * KIB;
    lab.part("as it comes");
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let (small, look) = allocated(lab, &mut subject, "small", limit - 4 * KIB)?;
    lab.expect(look.is_in_heap(small), "a block of 124 KiB lies in the [heap]");
    let (first, look) = allocated(lab, &mut subject, "first", limit)?;
    lab.expect(!look.is_in_heap(first), "the first block of 128 KiB has a mapping of its own");
    subject.call(&Call::free(first))?;
    let look = lab.look(&mut subject)?;
    lab.expect(look.mapping_of(first).is_none(), "free unmaps it");
    let (second, look) = allocated(lab, &mut subject, "second", limit)?;
    let is_learnt = look.is_in_heap(second);
    lab.expect(is_learnt, "the second block of 128 KiB lies in the [heap]: the threshold has risen");
    let (large, _) = allocated(lab, &mut subject, "large", 16 * MIB)?;
    subject.call(&Call::free(large))?;
    let (again, look) = allocated(lab, &mut subject, "again", 15 * MIB)?;
    lab.expect(look.is_in_heap(again), "after a block of 16 MiB was freed, one of 15 MiB lies in the [heap]");

    lab.part("after mallopt");
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    subject.call(&Call::mmap_threshold(limit))?;
    let (early, look) = allocated(lab, &mut subject, "early", limit)?;
    lab.expect(
        look.is_in_heap(early),
        "a block of 128 KiB lies in the [heap] all the same: it has room for it, and glibc asks for the threshold only when \
         it needs more memory",
    );
    for name in ["first", "second"] {
        let (place, look) = allocated(lab, &mut subject, name, limit)?;
        lab.expect(
            !look.is_in_heap(place),
            format!("with the threshold set, the {name} one after that has a mapping"),
        );
        subject.call(&Call::free(place))?;
        lab.look(&mut subject)?;
    }
    subject.call(&Call::mmap_threshold(32 * KIB))?;
    let (lower, look) = allocated(lab, &mut subject, "lower", 64 * KIB)?;
    lab.expect(!look.is_in_heap(lower), "with the threshold at 32 KiB, one of 64 KiB has a mapping");
    lab.remark(
        "allocations above 128 KiB use mmap, smaller ones the brk heap, and free of the former always unmaps",
        "128 KiB is where it begins. One free of such a block, and blocks of that size come from the [heap] and stay \
         resident when they are freed. Only a threshold that is set stays where it is",
    );
    Ok(())
}

fn on_mallow(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.part("as it comes");
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    for name in ["first", "second"] {
        let is_returned = comes_back(lab, &mut subject, name, 2 * MIB)?;
        lab.expect(
            is_returned,
            format!("the {name} block of 2 MiB has a mapping, which goes when it is freed"),
        );
    }
    let is_returned = comes_back(lab, &mut subject, "small", 512 * KIB)?;
    lab.expect(!is_returned, "a block of 512 KiB lies among others, in space that stays mapped");

    lab.part("after mallopt");
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    subject.call(&Call::mmap_threshold(128 * KIB))?;
    let is_returned = comes_back(lab, &mut subject, "p", 512 * KIB)?;
    lab.expect(is_returned, "with a threshold of 128 KiB it has a mapping, which goes when it is freed");
    lab.note(
        "mallow may keep a large block for a moment in case it is needed again; malloc_trim does not wait",
    );
    Ok(())
}

/// Whether a block's place is unmapped once it is free.
fn comes_back(
    lab: &mut Lab,
    subject: &mut Subject,
    name: &'static str,
    bytes: u64,
) -> Result<bool, Obstacle> {
    let (place, _) = allocated(lab, subject, name, bytes)?;
    subject.call(&Call::free(place))?;
    subject.call(&Call::trim())?;
    Ok(lab.look(subject)?.mapping_of(place).is_none())
}
