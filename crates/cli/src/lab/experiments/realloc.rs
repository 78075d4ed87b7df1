//! Large blocks grow without being copied.

use super::super::call::Call;
use super::super::look::Column;
use super::super::{Experiment, KIB, Lab, MIB, Obstacle, page_bytes, size};

pub(super) const REALLOC: Experiment = Experiment {
    name: "realloc",
    title: "a block with a mapping of its own grows without being copied",
    explanation: &[
        "realloc of such a block asks mremap for a larger mapping. If there is no room behind it, the kernel moves the entries \
         of the page table to another address: the frames with the contents stay what they were. So there is one copy of the \
         data at any time, and the call takes hardly a fault.",
        "A block in the heap grows in place if what lies behind it is free; if not, it is copied and the old one is freed.",
    ],
    run,
};

const BEFORE: u64 = 64 * MIB;
const AFTER: u64 = 256 * MIB;
const SMALL: u64 = 64 * KIB;
const GROWN: u64 = 100 * KIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Mapped, Column::Resident]);
    let page = page_bytes();
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let p = subject.place("p", &Call::malloc("p", BEFORE))?;
    subject.call(&Call::fill(p, BEFORE))?;
    let filled = lab.look(&mut subject)?;
    let larger = subject.place("p", &Call::realloc(p, AFTER))?;
    let faults = subject.faults();
    let grown = lab.look(&mut subject)?;
    let word = subject.ask(&Call::word_at(larger, BEFORE - 8))?;

    let bytes = grown.above(&filled, Column::Mapped);
    lab.expect(
        bytes >= AFTER - BEFORE - MIB,
        format!("realloc from 64 MiB to 256 MiB adds {} of address space", size(bytes)),
    );
    let resident = grown.get(Column::Resident).abs_diff(filled.get(Column::Resident));
    lab.expect(resident < 4 * MIB, format!("what is resident changes by no more than {}", size(resident)));
    let pages = BEFORE / page;
    lab.expect(faults < pages / 16, format!("it takes {faults} faults; to copy 64 MiB would take {pages}"));
    lab.expect(word == 0x0101_0101_0101_0101, "the contents are there");
    let moved = if larger.address == p.address { "stays where it was" } else { "has another address" };
    lab.note(format!("the block {moved}: realloc may move a block even if it copies nothing"));
    lab.remark(
        "realloc that cannot grow in place allocates a new region, copies the data and frees the old one",
        "not for blocks with a mapping of their own: it is the page table that changes, and no byte is copied",
    );

    lab.part("a block in the heap, with another one behind it");
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let p = subject.place("p", &Call::malloc("p", SMALL))?;
    subject.call(&Call::malloc("fence", SMALL))?;
    subject.call(&Call::fill(p, SMALL))?;
    lab.look(&mut subject)?;
    let larger = subject.place("p", &Call::realloc(p, GROWN))?;
    let faults = subject.faults();
    lab.look(&mut subject)?;
    lab.expect(
        larger.address != p.address && faults >= SMALL / page / 2,
        format!(
            "from 64 KiB to 100 KiB it is copied, to another address: {faults} faults for {} pages",
            SMALL / page
        ),
    );
    Ok(())
}
