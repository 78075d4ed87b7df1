//! Areas: `vma` beside the maps that kernels keep their areas in, and without a system call around it.
//!
//! Every second area is writable, with two free pages after each six, so that no two become one. Lookups are at random
//! pages; the peers hold the same ranges.

use std::collections::BTreeMap;
use std::hint::black_box;

use mallow_units::{PageNumber, VirtAddr};
use mallow_vma::{Growing, Layout, Limits, MapRequest, Prot, Space, Unbacked};

use crate::measure::{Metric, Random, time};

const PAGE_BYTES: u64 = 4096;
/// The first page, pages from one area to the next, and pages of an area.
const FIRST: u64 = 0x1_0000_0000;
const STRIDE: u64 = 8;
const PAGES: u64 = 6;
/// Lookups and calls in a round: about a millisecond, so that some rounds pass without an interruption.
const LOOKUPS: u32 = 1 << 16;
const CALLS: u32 = 4_000;
const RW: Prot = Prot::READ.with(Prot::WRITE);

/// A space with so many areas, and what stands behind it.
struct Areas {
    space: Space<Growing>,
    world: Unbacked,
    count: u32,
}

impl Areas {
    fn new(count: u32) -> Self {
        let space = Space::new(Default::default(), Default::default(), Layout::X86_64, Limits::ORDINARY);
        let mut made = Self { space, world: Unbacked::default(), count };
        for (at, page) in starts(count).enumerate() {
            let prot = if at % 2 == 0 { RW } else { Prot::READ };
            let request = MapRequest::anonymous(PAGES * PAGE_BYTES, prot).at(PageNumber(page).start());
            made.space.mmap(&request, &mut made.world).expect("there is room");
        }
        made
    }

    /// Maps anywhere, and unmaps.
    fn map_and_unmap(&mut self) {
        let bytes = 4 * PAGE_BYTES;
        let request = MapRequest::anonymous(bytes, RW);
        let at = self.space.mmap(&request, &mut self.world).expect("there is room");
        self.space.munmap(at, bytes, &mut self.world).expect("it is there");
    }

    /// Makes three areas of one, and one of three.
    fn split_and_merge(&mut self) {
        let middle = VirtAddr((FIRST + u64::from(self.count / 4 * 2) * STRIDE + 2) * PAGE_BYTES);
        for prot in [Prot::READ, RW] {
            self.space.mprotect(middle, 2 * PAGE_BYTES, prot, &mut self.world).expect("it is there");
        }
    }
}

/// Where areas start.
fn starts(count: u32) -> impl Iterator<Item = u64> {
    (0..u64::from(count)).map(|at| FIRST + at * STRIDE)
}

/// Pages that are mapped, in no order.
fn mapped(count: u32) -> Vec<u64> {
    let mut random = Random::new();
    let mut page = || FIRST + u64::from(random.below(count)) * STRIDE + u64::from(random.below(PAGES as u32));
    (0..LOOKUPS).map(|_| page()).collect()
}

/// Times `find` at each of the pages, [`LOOKUPS`] of them.
fn lookups<T>(keys: &[u64], mut find: impl FnMut(u64) -> T) -> f64 {
    time(LOOKUPS, || {
        for key in keys {
            black_box(find(*key));
        }
    })
}

fn find(count: u32, bar: f64) -> Metric {
    Metric::new(format!("find one of {count} areas"), Some(bar))
        .with("mallow", move || {
            let (areas, keys) = (Areas::new(count), mapped(count));
            move || lookups(&keys, |page| areas.space.find(PageNumber(page)).is_some())
        })
        .with("BTreeMap", move || {
            let tree: BTreeMap<u64, u64> = starts(count).map(|start| (start, start + PAGES)).collect();
            let keys = mapped(count);
            move || lookups(&keys, |page| tree.range(..=page).next_back().is_some_and(|(_, end)| page < *end))
        })
        .with("sorted array", move || {
            let array: Vec<(u64, u64)> = starts(count).map(|start| (start, start + PAGES)).collect();
            let keys = mapped(count);
            move || {
                lookups(&keys, |page| {
                    let after = array.partition_point(|(start, _)| *start <= page);
                    after.checked_sub(1).is_some_and(|at| page < array[at].1)
                })
            }
        })
}

fn find_again(count: u32) -> Metric {
    Metric::new(format!("find the area of last time, of {count}"), Some(2.0)).with("mallow", move || {
        let areas = Areas::new(count);
        let keys = vec![FIRST + u64::from(count / 2) * STRIDE; LOOKUPS as usize];
        move || lookups(&keys, |page| areas.space.find(PageNumber(page)).is_some())
    })
}

fn calls(name: &str, bar: f64, count: u32, call: fn(&mut Areas)) -> Metric {
    Metric::new(format!("{name}, {count} areas"), Some(bar)).with("mallow", move || {
        let mut areas = Areas::new(count);
        move || time(CALLS, || (0..CALLS).for_each(|_| call(&mut areas)))
    })
}

/// Everything about areas.
pub fn metrics() -> Vec<Metric> {
    let mut all = vec![find(1_000, 12.0), find(10_000, 20.0), find_again(1_000)];
    for count in [1_000, 10_000] {
        all.push(calls("mmap and munmap", 300.0, count, Areas::map_and_unmap));
        all.push(calls("mprotect that splits and merges", 350.0, count, Areas::split_and_merge));
    }
    all
}
