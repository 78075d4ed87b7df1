//! Internal fragmentation: what is lost inside blocks.

use super::super::call::Call;
use super::super::look::Column;
use super::super::{Experiment, KIB, Lab, Obstacle};

pub(super) const ROUNDING: Experiment = Experiment {
    name: "rounding",
    title: "a block is larger than what was asked for, by a little: internal fragmentation",
    explanation: &[
        "Allocators round requests up, so that free blocks fit many of them. What the program did not ask for and nobody else \
         can use is internal fragmentation.",
        "glibc rounds the request and its header of 8 bytes up to a multiple of 16, and to 32 at least. mallow rounds up to one \
         of its size classes, of which there are eight between a power of two and the next, and has no header.",
    ],
    run,
};

const REQUESTS: [u64; 10] = [1, 24, 25, 50, 100, 129, 1000, 1025, 5000, 100_000];
/// Bytes; mallow takes larger blocks from units of 16 KiB.
const SMALL: u64 = 16 * KIB;
const UNIT: u64 = 16 * KIB;
/// Bytes: the header, and less than a step of 16. The smallest block has 32.
const MOST_BY_GLIBC: u64 = 31;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Resident]);
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let mut rows = Vec::new();
    let mut wastes = Vec::new();
    for request in REQUESTS {
        let p = subject.place("p", &Call::malloc("p", request))?;
        let usable = subject.call(&Call::usable_size(p))?;
        // A block of glibc also has its header.
        let taken = if lab.is_on_mallow() { usable } else { usable + 8 };
        let waste = taken.saturating_sub(request);
        wastes.push((request, usable, waste));
        rows.push([request, usable, taken, waste].iter().map(u64::to_string).collect());
    }
    lab.look(&mut subject)?;
    lab.table(&["asked for", "usable", "taken", "lost"], rows);
    lab.expect(
        wastes.iter().all(|(request, usable, _)| usable >= request),
        "every block has at least what was asked for",
    );
    if lab.is_on_mallow() {
        let is_small = |(request, usable, waste): &(u64, u64, u64)| match *request {
            0..=128 => *waste < 16,
            129..=SMALL => waste * 8 <= *usable,
            _ => *waste < UNIT,
        };
        lab.expect(
            wastes.iter().all(is_small),
            "at most 15 bytes are lost up to 128 bytes, an eighth up to 16 KiB, and above that less than 16 KiB, which are \
             resident only if they are touched",
        );
    } else {
        let most = wastes.iter().map(|(_, _, waste)| *waste).max().unwrap_or(0);
        lab.expect(most <= MOST_BY_GLIBC, format!("no block loses more than {most} bytes, header included"));
    }
    let usable = wastes.iter().find(|(request, ..)| *request == 1025).map_or(0, |(_, usable, _)| *usable);
    lab.expect(usable < 2048, format!("a block of 1025 bytes has {usable}, not 2048"));
    lab.remark(
        "heap management relies on a buddy scheme, which wastes memory by rounding up to powers of two",
        "neither glibc nor mallow does that. Buddies are how the kernel keeps free page frames: mallow lab buddy",
    );
    lab.remark(
        "malloc of 50 bytes is rounded up to a size class of 64 bytes plus a header",
        format!(
            "50 bytes get a block with {} that are usable; glibc rounds in steps of 16, header included",
            wastes.iter().find(|(request, ..)| *request == 50).map_or(0, |(_, usable, _)| *usable)
        ),
    );
    Ok(())
}
