//! What `munmap` gives back.

use super::super::call::Call;
use super::super::look::Column;
use super::super::{Experiment, KIB, Lab, Obstacle, size};

pub(super) const MUNMAP: Experiment = Experiment {
    name: "munmap",
    title: "a mapping of its own goes back to the kernel at once",
    explanation: &[
        "mmap makes a region that depends on nothing around it, and munmap takes it away with all its pages, whatever else is \
         live. That is why allocators map large blocks, and why programs that give memory back do it in mappings.",
        "maps joins regions that lie side by side and are alike, so a new mapping may show as an old line that has grown.",
    ],
    run,
};

const BLOCK: u64 = 132 * KIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Mapped, Column::Anonymous]);
    let mut subject = lab.start()?;
    let before = lab.look(&mut subject)?;
    let p = subject.place("p", &Call::mmap("p", BLOCK))?;
    let mapped = lab.look(&mut subject)?;
    subject.call(&Call::fill(p, BLOCK))?;
    let filled = lab.look(&mut subject)?;
    subject.call(&Call::munmap(p, BLOCK))?;
    let after = lab.look(&mut subject)?;

    let bytes = mapped.above(&before, Column::Mapped);
    lab.expect(bytes == BLOCK, format!("mmap of 132 KiB adds {} of address space", size(bytes)));
    let resident = filled.above(&mapped, Column::Anonymous);
    lab.expect(resident >= BLOCK, format!("writing to it makes {} resident", size(resident)));
    lab.expect(after.mapping_of(p).is_none(), "after munmap there is nothing at its address");
    let bytes = after.above(&before, Column::Mapped);
    lab.expect(bytes == 0, format!("{} more address space than at first are left", size(bytes)));
    let resident = filled.above(&after, Column::Anonymous);
    lab.expect(resident >= BLOCK, format!("{} are resident no more", size(resident)));
    let line = mapped.mapping_of(p).map_or(0, |mapping| mapping.bytes());
    let here = if line > BLOCK {
        format!(
            "132 KiB are 33 pages, and that is what is mapped. The line in maps is one of {}, because the region lies beside \
             another one that is like it: so it was in their listing, which shows the neighbour before and after",
            size(line)
        )
    } else {
        "132 KiB are 33 pages, and that is what is mapped. In their listing the region is one with a neighbour of 4 KiB, which \
         it shows before and after"
            .to_owned()
    };
    lab.remark("mmap of 132 KiB makes a region of 136 KiB, rounded up for alignment", here);
    Ok(())
}
