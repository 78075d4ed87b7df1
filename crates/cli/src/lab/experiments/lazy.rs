//! Memory becomes resident when it is touched.

use super::super::call::Call;
use super::super::look::{Column, Look};
use super::super::{Experiment, Lab, MIB, Obstacle, page_bytes, size};

pub(super) const LAZY: Experiment = Experiment {
    name: "lazy",
    title: "memory becomes resident when it is touched, not when it is asked for",
    explanation: &[
        "malloc of a large block asks the kernel for address space and nothing else: a line in maps, no page. The first \
         write to each page raises a fault; the kernel takes a page frame, clears it and enters it into the page table. \
         What a program asked for is in its address space; what it has touched is in its RSS.",
        "Small blocks lie side by side on pages that they share. Freeing one gives no page back: the allocator notes that \
         the block is free and keeps it for the next request.",
    ],
    run,
};

const BLOCK: u64 = 64 * MIB;
const TOUCHED: u64 = 16 * MIB;
const SMALL: u64 = 2048;
/// Page faults that a call may take beside those that it is about: code and data of the C library, the stack.
const ASIDE: u64 = 64;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Mapped, Column::Resident]);
    large(lab)?;
    small(lab)
}

fn large(lab: &mut Lab) -> Result<(), Obstacle> {
    let mut subject = lab.start()?;
    let before = lab.look(&mut subject)?;
    let p = subject.place("p", &Call::malloc("p", BLOCK))?;
    let asked = lab.look(&mut subject)?;
    subject.call(&Call::fill(p, TOUCHED))?;
    let faults = subject.faults();
    let touched = lab.look(&mut subject)?;
    subject.call(&Call::free(p))?;
    if lab.is_on_mallow() {
        subject.call(&Call::trim())?;
    }
    let freed = lab.look(&mut subject)?;

    let mapped = asked.above(&before, Column::Mapped);
    lab.expect(mapped >= BLOCK, format!("malloc of 64 MiB adds {} of address space", size(mapped)));
    let resident = asked.above(&before, Column::Resident);
    lab.expect(resident < MIB, format!("it makes no more than {} resident", size(resident)));
    let resident = touched.above(&asked, Column::Resident);
    let is_as_touched = (TOUCHED..TOUCHED + MIB).contains(&resident);
    lab.expect(is_as_touched, format!("writing 16 MiB of it makes {} resident", size(resident)));
    let page = page_bytes();
    let pages = TOUCHED / page;
    let is_one_each = (pages..pages + ASIDE).contains(&faults);
    lab.expect(is_one_each, format!("that takes {faults} page faults, for {pages} pages of {}", size(page)));
    let resident = freed.above(&before, Column::Resident);
    lab.expect(
        resident < MIB,
        format!("free gives the pages back: {} more than at first are left", size(resident)),
    );
    if lab.is_on_mallow() {
        lab.note("mallow may keep a large block for a moment in case it is needed again; malloc_trim does not wait");
    }
    Ok(())
}

fn small(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.part("a small block, in a program that has allocated nothing yet");
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let p = subject.place("p", &Call::malloc("p", SMALL))?;
    let asked = lab.look(&mut subject)?;
    subject.call(&Call::fill(p, 4))?;
    let faults = subject.faults();
    lab.look(&mut subject)?;
    subject.call(&Call::free(p))?;
    let freed = lab.look(&mut subject)?;
    let resident = |look: &Look| look.mapping_of(p).map_or(0, |mapping| mapping.resident_bytes());
    let (before, after) = (resident(&asked), resident(&freed));
    lab.expect(
        before > 0 && after >= before,
        format!(
            "free of 2048 bytes gives nothing back: {} resident around it before, {} after",
            size(before),
            size(after)
        ),
    );
    let touches = if lab.is_on_mallow() {
        "mallow makes the page resident when it makes blocks of it"
    } else {
        "malloc writes the size of the block in front of it, so the page is there before the program touches it"
    };
    lab.remark(
        "malloc(2048) only reserves virtual memory, the first write allocates the page, and free releases the page and the \
         region",
        format!("{touches}: the first write took {faults} faults. After free the page stays with the allocator"),
    );
    Ok(())
}
