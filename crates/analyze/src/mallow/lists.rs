//! Lists: the free blocks that threads have at hand.
//!
//! A block on a list counts as outstanding in its slab, and only the list tells that the program does not have it. So each list is
//! followed, in the slab that it is of. Called by `view`.

use alloc::collections::BTreeMap;

use mallow_trace::Landmark;

use super::layout::Layout;
use super::pages::{Pages, index};
use super::reader::{Reader, field, number};
use super::region::Region;
use super::slab::{Slab, Use};

/// Bytes of slabs that are read for this at most, so that thousands of threads do not take seconds.
const MOST_BYTES: u64 = 512 << 20;
/// Most heaps that a process may have.
const MOST_HEAPS: u64 = 1 << 17;

/// Which blocks are on lists.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    /// For each slab with a list of its blocks, how many are on it.
    pub(super) blocks: BTreeMap<u64, u64>,
    /// The heaps, by address.
    pub(super) heaps: Vec<u64>,
    /// Whether all lists were followed to their end.
    pub(super) is_complete: bool,
}

/// Follows the lists of all heaps.
pub(super) fn read(pages: &Pages<'_, impl Reader>, layout: &Layout, regions: &[Region]) -> Lists {
    let mut lists = Lists { is_complete: true, ..Lists::default() };
    lists.heaps = heaps(pages, layout);
    let mut left = MOST_BYTES;
    let length = layout.class_bytes().len() * 8;
    let mut firsts = vec![0; length];
    for heap in &lists.heaps {
        let at = heap.saturating_add(layout.get(Landmark::HeapLists));
        if !pages.read(at, &mut firsts) {
            lists.is_complete = false;
            continue;
        }
        for (class, first) in firsts.chunks_exact(8).map(number).enumerate() {
            if first == 0 {
                continue;
            }
            let run = regions.iter().find_map(|region| region.run_around(pages, layout, first));
            let Some((run, Use::Slab(slab))) = run.map(|run| (run, run.usage)) else { continue };
            let bytes = run.units * layout.unit_bytes();
            if slab.class != class || bytes > left {
                lists.is_complete &= slab.class != class;
                continue;
            }
            left -= bytes;
            let mut memory = vec![0; index(bytes)];
            if pages.read(run.start, &mut memory) {
                *lists.blocks.entry(run.start).or_default() += length_of(&memory, run.start, first, &slab);
            }
        }
    }
    lists
}

/// The addresses of all heaps.
fn heaps(pages: &Pages<'_, impl Reader>, layout: &Layout) -> Vec<u64> {
    let table = pages.word(layout.get(Landmark::HeapTable)).unwrap_or(0);
    let count = pages.word(layout.get(Landmark::HeapCount)).unwrap_or(0);
    let most = (layout.get(Landmark::HeapTableBytes) / 8).saturating_sub(1).min(MOST_HEAPS);
    let mut words = vec![0; index(count.min(most)) * 8];
    // Ids count from 1.
    if table == 0 || !pages.read(table.saturating_add(8), &mut words) {
        return Vec::new();
    }
    words.chunks_exact(8).map(number).filter(|heap| *heap != 0).collect()
}

/// How many blocks the list that begins with `first` has, as far as they are free blocks of this slab, whose memory begins at `start`.
fn length_of(memory: &[u8], start: u64, first: u64, slab: &Slab) -> u64 {
    let mut block = first;
    let mut length = 0;
    while block != 0 && length < slab.outstanding {
        let Some(offset) = block.checked_sub(start) else { break };
        let at = index(offset);
        let (Some(next), Some(mark)) = (field(memory, at, 8), field(memory, at.saturating_add(8), 8)) else {
            break;
        };
        if mark != slab.mark {
            break;
        }
        length += 1;
        block = next;
    }
    length
}
