//! Compaction: how a page gets another frame, so that those that are free come to lie together.
//!
//! ```text
//!  frame ─► who maps it ─► hidden from all processors ─► bytes copied ─► every entry names the new frame
//! ```
//!
//! Called by the slow path of an allocation that needs a run. `buddy` says which frame goes where; here is what it does not know: the
//! bytes, the entries, the page cache and the lists of reclaim.
//!
//! Private memory moves, pages of files and shared memory do; and locked pages, since `mlock` promises no fault that waits, not a frame. What
//! stays: a page that somebody holds besides its entries and the cache, because its frame is known to him; a page that is being
//! reclaimed; and the parts of a huge page, which lie together already.
//!
//! # Source
//!
//! Locked pages move in Linux as long as `vm.compact_unevictable_allowed` is 1, which it is unless somebody sets it.

use alloc::vec::Vec;

use mallow_buddy::Request;
use mallow_buddy::compact::{Ending, Mover, Thoroughness};
use mallow_buddy::slow::Progress;
use mallow_ds::sync::AtomicU64;
use mallow_frame::{FrameTable, Memory};
use mallow_paging::{Entry, Level, Tables};
use mallow_units::FrameNumber;

use crate::files::Files;
use crate::lru::Lru;
use crate::mm::Mm;
use crate::ram::{Ram, WORDS};
use crate::rmap::{self, Place, Rmap};
use crate::sim::tlb::Tlbs;
use crate::world::World;

impl World {
    /// Moves pages together until there is a run for `request`.
    pub(crate) fn compact(&mut self, thoroughness: Thoroughness, request: &Request) -> Progress {
        // A frame in the array of a processor is a hole that nobody can fill.
        self.drain();
        let (ram, table, node) = self.physical.parts();
        let mut mover = Migration {
            ram,
            mms: &mut self.mms,
            rmap: &self.rmap,
            files: &mut self.files,
            tlbs: &mut self.tlbs,
            lru: &mut self.pressure.lru,
        };
        let done = node.compact(table, &mut mover, thoroughness, request, u32::MAX);
        let (counts, costs) = (&mut self.pressure.counts, self.pressure.costs);
        counts.compactions += u64::from(done.ending > Ending::Deferred);
        counts.compacted += u64::from(done.ending == Ending::Success);
        counts.moved += u64::from(done.moved);
        counts.not_moved += u64::from(done.refused);
        self.pressure.spent_ns +=
            u64::from(done.moved) * costs.migrate + u64::from(done.refused) * costs.scan;
        done.into()
    }
}

/// All that points to a frame of a process or file.
struct Migration<'w> {
    ram: &'w Ram,
    mms: &'w mut [Option<Mm>],
    rmap: &'w Rmap,
    files: &'w mut Files,
    tlbs: &'w mut Tlbs,
    lru: &'w mut Lru,
}

impl Mover for Migration<'_> {
    fn relocate(&mut self, table: FrameTable<'_>, from: FrameNumber, to: FrameNumber) -> bool {
        let Some(info) = table.get(from) else { return false };
        let places: Vec<Place> = self.rmap.places(info).collect();
        if rmap::is_held(info, places.len()) {
            return false;
        }
        let mut tables = Leaves { ram: self.ram, table };
        let Some(entries) = self.entries(&tables, from, &places) else { return false };
        if let Some((file, index)) = rmap::file_of(info) {
            let cached = self.files.get_mut(file).and_then(|found| found.pages.get_mut(&index));
            let Some(cached) = cached.filter(|cached| **cached == from) else { return false };
            *cached = to;
        }
        // Nobody writes to it from here on without a fault, and a fault waits for whoever has the world.
        for place in &places {
            self.tlbs.flush_page(place.pid, place.page);
        }
        self.ram.copy(from, to);
        for (place, entry) in places.iter().zip(entries) {
            if let Some(mm) = self.mms.get_mut(place.pid.0 as usize).and_then(Option::as_mut) {
                let set = mm.table.set(&mut tables, place.page, entry.with_frame(to));
                debug_assert_eq!(set, Ok(entry), "the entry is there, in a table of its own level");
            }
        }
        let is_moved = table.hand_over(from, to);
        self.lru.relocate(table, from, to);
        is_moved
    }
}

impl Migration<'_> {
    /// The entries at `places`; `None` if one of them is more than a page.
    fn entries(&self, tables: &Leaves<'_>, frame: FrameNumber, places: &[Place]) -> Option<Vec<Entry>> {
        let entry = |place: &Place| {
            let mm = self.mms.get(place.pid.0 as usize)?.as_ref()?;
            let (level, entry) = mm.table.get(tables, place.page);
            (level == Level::Page && entry.mapped() == Some(frame)).then_some(entry)
        };
        places.iter().map(entry).collect()
    }
}

/// Tables of which entries are replaced, and nothing else: there are none to be had, and none becomes empty.
struct Leaves<'t> {
    ram: &'t Ram,
    table: FrameTable<'t>,
}

impl Tables for Leaves<'_> {
    const WALKED_BY_PROCESSOR: bool = false;

    fn allocate(&mut self) -> Option<FrameNumber> {
        None
    }

    fn free(&mut self, table: FrameNumber) {
        debug_assert!(false, "{table:?} has become empty, though every entry was replaced by another");
    }

    fn words(&self, table: FrameNumber) -> &[AtomicU64; WORDS] {
        self.ram.words(table)
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most 512 entries")]
    fn used(&self, table: FrameNumber) -> u32 {
        self.table.get(table).map_or(0, |entry| entry.index() as u32)
    }

    fn set_used(&mut self, table: FrameNumber, used: u32) {
        if let Some(entry) = self.table.get(table) {
            entry.set_index(used.into());
        }
    }
}
