//! Reading untouched memory shows one page of zeros.

use super::super::call::Call;
use super::super::look::Column;
use super::super::{Experiment, KIB, Lab, MIB, Obstacle, page_bytes, size};

pub(super) const ZERO_PAGE: Experiment = Experiment {
    name: "zero-page",
    title: "reading untouched memory maps one shared page of zeros; writing makes a page",
    explanation: &[
        "A first read needs no memory either: the kernel enters the same frame of zeros everywhere, read-only. That takes a \
         fault and room in the page table, but the frame is nobody's and is not counted in RSS. The first write to such a \
         page faults again and gets a frame of its own.",
        "mincore asks the page table only, so to it the page of zeros is there.",
    ],
    run,
};

const BLOCK: u64 = 16 * MIB;
const WRITTEN: u64 = MIB;
/// Page faults that a call may take beside those that it is about.
const ASIDE: u64 = 64;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Mapped, Column::Resident, Column::PageTables]);
    let page = page_bytes();
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let p = subject.place("p", &Call::mmap("p", BLOCK))?;
    let mapped = lab.look(&mut subject)?;
    subject.call(&Call::read(p, BLOCK, page))?;
    let faults = subject.faults();
    let read = lab.look(&mut subject)?;
    let present = subject.call(&Call::mincore(p, BLOCK, page))?;
    subject.call(&Call::poke(p, WRITTEN, page))?;
    let write_faults = subject.faults();
    let written = lab.look(&mut subject)?;

    let pages = BLOCK / page;
    let is_one_each = (pages..pages + ASIDE).contains(&faults);
    lab.expect(is_one_each, format!("reading 16 MiB takes {faults} faults, one for each of {pages} pages"));
    let resident = read.above(&mapped, Column::Resident);
    lab.expect(resident < MIB, format!("it makes {} resident", size(resident)));
    let tables = read.above(&mapped, Column::PageTables);
    lab.expect(tables >= BLOCK / page * 8 / 2, format!("it makes page tables of {}", size(tables)));
    let resident = written.above(&read, Column::Resident);
    let is_as_written = (WRITTEN..WRITTEN + 256 * KIB).contains(&resident);
    lab.expect(is_as_written, format!("writing 1 MiB of it makes {} resident", size(resident)));
    let pages = WRITTEN / page;
    let is_one_each = (pages..pages + ASIDE).contains(&write_faults);
    lab.expect(is_one_each, format!("it takes {write_faults} faults more, one for each of {pages} pages"));
    lab.remark(
        "mincore tells exactly which pages are in physical memory",
        format!("it calls {present} pages resident, of which the process has none in its RSS: they are all the page of zeros"),
    );
    Ok(())
}
