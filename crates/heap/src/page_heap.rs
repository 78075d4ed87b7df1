//! The page heap: packs runs of units densely into 2 MiB chunks, for all threads.
//!
//! A run goes to the smallest sufficient free run, and units that are still resident are used before fresh ones. Memory
//! that comes back stays resident until growth needs the room in the budget (*grow gate*) or it has aged (*decay*).
//!
//! Called by `runs`; one lock around all of it. Calls `region` and `chunk`. What goes back to the kernel is in `purge`.

use core::ptr::NonNull;

use mallow_sys::{HugePages, Os};
use mallow_trace::Counter;

use crate::chunk::{Chunk, Wish};
use crate::config::{
    CHUNK_BYTES, CHUNK_UNITS, DIRTY_FLOOR_BYTES, FREED_FLOOR_BYTES, FREED_STEP_BYTES, HUGE_FROM_BYTES,
    RESERVATION_LADDER, UNIT_BYTES,
};
use crate::counters::Counters;
use crate::patience::Patience;
use crate::region::Region;
use crate::rooms::{self, Rooms};

/// A run of units that was handed out.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Its first byte.
    pub start: NonNull<u8>,
    /// Its length.
    pub units: u32,
    /// Whether it reads as zero.
    pub is_zero: bool,
}

/// Everything behind the page heap's lock.
#[derive(Debug)]
pub struct PageHeap {
    /// Chunks by their longest free run.
    pub(crate) by_free: Rooms,
    /// Chunks by their longest run that is free and may be resident.
    pub(crate) by_backed: Rooms,
    pub(crate) oldest_dirty: Option<&'static Chunk>,
    newest_dirty: Option<&'static Chunk>,
    pub(crate) region: Option<&'static Region>,
    pub(crate) used_units: usize,
    pub(crate) dirty_units: usize,
    /// The clock at the last tick.
    pub(crate) now_ms: u64,
    /// The clock at the last look for what has aged.
    pub(crate) looked_ms: u64,
    /// How much to keep resident.
    pub(crate) patience: Patience,
    /// The chunk that was last looked at for making a huge page of it.
    pub(crate) collapse_at: usize,
    /// The clock when that was.
    pub(crate) collapsed_ms: u64,
    /// Who gets huge pages, once that was asked.
    huge_pages: Option<HugePages>,
    /// The clock when a thread's exit last led to a purge.
    pub(crate) purged_exit_ms: u64,
    /// Bytes; the dirty budget's floor (`M_TRIM_THRESHOLD`).
    pub(crate) dirty_floor_bytes: usize,
}

// SAFETY: reached through a lock only; the chunks and regions live for ever.
unsafe impl Send for PageHeap {}

impl PageHeap {
    /// An empty page heap.
    pub const fn new() -> Self {
        Self {
            by_free: Rooms::new(|chunk| &chunk.by_free),
            by_backed: Rooms::new(|chunk| &chunk.by_backed),
            oldest_dirty: None,
            newest_dirty: None,
            region: None,
            used_units: 0,
            dirty_units: 0,
            now_ms: 0,
            looked_ms: 0,
            patience: Patience::new(),
            collapse_at: 0,
            collapsed_ms: 0,
            huge_pages: None,
            purged_exit_ms: 0,
            dirty_floor_bytes: DIRTY_FLOOR_BYTES,
        }
    }

    /// Hands out the run that `wish` describes; `None` if the operating system refuses more.
    ///
    /// `add_region` makes another region when the present one is exhausted.
    pub fn take(
        &mut self,
        os: &dyn Os,
        counters: &Counters,
        wish: Wish,
        add_region: impl FnOnce() -> Option<&'static Region>,
    ) -> Option<Run> {
        let (chunk, start) = match self.find(wish) {
            Some(found) => found,
            None => {
                let chunk = self.grow(os, counters, add_region)?;
                (chunk, chunk.find(wish, false)?)
            }
        };
        Some(self.hand_out(os, counters, chunk, start, wish.units))
    }

    /// Hands out the run that `wish` describes if all of it is still resident. It may be as long as a chunk.
    pub fn take_resident(&mut self, os: &dyn Os, counters: &Counters, wish: Wish) -> Option<Run> {
        let (chunk, start) = self.find_resident(wish)?;
        Some(self.hand_out(os, counters, chunk, start, wish.units))
    }

    /// Hands out `units` units of `chunk` from `start`, which are free.
    fn hand_out(
        &mut self,
        os: &dyn Os,
        counters: &Counters,
        chunk: &'static Chunk,
        start: u32,
        units: u32,
    ) -> Run {
        let speculated_units = if chunk.is_bare() { self.choose_page_size(os, counters, chunk) } else { 0 };
        let taken = chunk.take(os, start, units);
        self.used_units += units as usize;
        self.dirty_units -= taken.backed_units as usize;
        self.patience.took_back(taken.purged_units as usize * UNIT_BYTES, self.now_ms);
        self.file(chunk);
        let growth = taken.fresh_units as usize + speculated_units;
        if growth > 0 {
            self.pass_grow_gate(os, counters, growth);
        }
        self.count(counters);
        Run { start: chunk.unit_start(start), units, is_zero: taken.is_zero }
    }

    /// Who gets huge pages.
    pub(crate) fn huge_pages(&mut self, os: &dyn Os) -> HugePages {
        *self.huge_pages.get_or_insert_with(|| os.huge_pages())
    }

    /// Decides how `chunk`, of which nothing is resident, becomes resident: as one huge page if so much is in use that what the
    /// program leaves of it does not count. Returns the units that do so although nobody has asked for them.
    fn choose_page_size(&mut self, os: &dyn Os, counters: &Counters, chunk: &'static Chunk) -> usize {
        let huge_pages = self.huge_pages(os);
        let used = self.used_units * UNIT_BYTES;
        // Many threads with little each have slabs that are hardly touched.
        let per_heap = used / usize::try_from(counters.get(Counter::Heaps)).unwrap_or(1).max(1);
        let is_large = used >= HUGE_FROM_BYTES && per_heap >= CHUNK_BYTES;
        if huge_pages == HugePages::Always && !is_large {
            chunk.stay_small(os);
        }
        if huge_pages == HugePages::Never || !is_large {
            return 0;
        }
        let purged_units = chunk.become_huge(os);
        self.patience.took_back(purged_units as usize * UNIT_BYTES, self.now_ms);
        chunk.freed_ms.set(self.now_ms);
        self.dirty_units += CHUNK_UNITS as usize;
        CHUNK_UNITS as usize
    }

    /// Takes back units that [`PageHeap::take`] handed out. `chunk` and `start` say which.
    ///
    /// Purges some of the oldest free memory if there is much for what was in use lately: the program may fall silent now.
    pub fn give_back(
        &mut self,
        os: &dyn Os,
        counters: &Counters,
        chunk: &'static Chunk,
        start: u32,
        units: u32,
    ) {
        chunk.give_back(start, units);
        chunk.freed_ms.set(self.now_ms);
        self.patience.note_used(self.used_units * UNIT_BYTES);
        self.used_units -= units as usize;
        self.dirty_units += units as usize;
        self.file(chunk);
        let lately = self.patience.lately();
        let budget = self.patience.budget(lately, FREED_FLOOR_BYTES);
        let dirty = self.dirty_units * UNIT_BYTES;
        if chunk.used_units() == 0 && (dirty > budget || chunk.is_split()) {
            // A whole chunk, which comes back as a huge page, if it comes back.
            let purged = self.purge_chunk(os, counters, chunk, 1);
            self.patience.gave(purged);
        } else if dirty > self.parts_budget(budget, lately) {
            self.purge_some(os, counters, FREED_STEP_BYTES);
        }
        self.count(counters);
    }

    /// Notes that pages of a slab in `chunk` were given to the kernel.
    pub fn gave_pages(&mut self, os: &dyn Os, chunk: &'static Chunk) {
        chunk.stay_split(os);
    }

    /// Notes what slabs gave to the kernel and took back since the last call.
    pub fn learn(&mut self, given: usize, taken_back: usize) {
        self.patience.gave(given);
        self.patience.took_back(taken_back, self.now_ms);
    }

    /// Milliseconds that free memory stays resident.
    pub fn decay_ms(&self) -> u64 {
        self.patience.decay_ms()
    }

    /// Sets the floor of the dirty budget.
    pub fn set_dirty_floor(&mut self, bytes: usize) {
        self.dirty_floor_bytes = bytes;
    }

    /// The smallest sufficient run that is still resident, or else the smallest sufficient one.
    fn find(&self, wish: Wish) -> Option<(&'static Chunk, u32)> {
        let found = |chunk: &'static Chunk| Some((chunk, chunk.find(wish, false)?));
        self.find_resident(wish).or_else(|| self.by_free.sufficient(wish.units).find_map(found))
    }

    /// The smallest sufficient run that is still resident.
    fn find_resident(&self, wish: Wish) -> Option<(&'static Chunk, u32)> {
        let found = |chunk: &'static Chunk| Some((chunk, chunk.find(wish, true)?));
        self.by_backed.sufficient(wish.units).find_map(found)
    }

    fn grow(
        &mut self,
        os: &dyn Os,
        counters: &Counters,
        add_region: impl FnOnce() -> Option<&'static Region>,
    ) -> Option<&'static Chunk> {
        let chunk = match self.open_chunk(os, counters)? {
            Some(chunk) => chunk,
            None => {
                self.region = Some(add_region()?);
                self.open_chunk(os, counters)??
            }
        };
        self.file(chunk);
        Some(chunk)
    }

    /// The next chunk of the present region: `None` if the operating system refuses to commit it, `Some(None)` if there is
    /// no region, or no chunk left in it.
    fn open_chunk(&self, os: &dyn Os, counters: &Counters) -> Option<Option<&'static Chunk>> {
        let Some(region) = self.region else { return Some(None) };
        let before = region.committed_units();
        let chunk = region.open_chunk(os).ok();
        counters.add(Counter::CommittedBytes, (region.committed_units() - before) * UNIT_BYTES);
        chunk
    }

    /// Puts `chunk` into the lists where it belongs now.
    pub(crate) fn file(&mut self, chunk: &'static Chunk) {
        self.by_free.file(chunk, chunk.longest_free());
        self.by_backed.file(chunk, chunk.longest_backed());
        match (chunk.backed_units() > 0, chunk.is_dirty.get()) {
            (true, false) => self.link_dirty(chunk),
            (false, true) => self.unlink_dirty(chunk),
            (true, true) if chunk.freed_ms.get() == self.now_ms => {
                self.unlink_dirty(chunk);
                self.link_dirty(chunk);
            }
            _ => {}
        }
    }

    /// Appends to the list of dirty chunks: it was freed into last.
    fn link_dirty(&mut self, chunk: &'static Chunk) {
        chunk.is_dirty.set(true);
        chunk.by_age.next.set(None);
        chunk.by_age.previous.set(self.newest_dirty);
        match self.newest_dirty {
            Some(newest) => newest.by_age.next.set(Some(chunk)),
            None => self.oldest_dirty = Some(chunk),
        }
        self.newest_dirty = Some(chunk);
    }

    fn unlink_dirty(&mut self, chunk: &'static Chunk) {
        chunk.is_dirty.set(false);
        if self.newest_dirty.is_some_and(|newest| core::ptr::eq(newest, chunk)) {
            self.newest_dirty = chunk.by_age.previous.get();
        }
        rooms::unlink(&mut self.oldest_dirty, chunk, |chunk| &chunk.by_age);
    }

    pub(crate) fn count(&self, counters: &Counters) {
        counters.set_run_bytes(self.used_units * UNIT_BYTES);
        counters.set(Counter::DirtyBytes, self.dirty_units * UNIT_BYTES);
    }

    /// Checks lists, maps and counts against each other.
    ///
    /// # Panics
    ///
    /// If they contradict each other.
    pub fn check(&self) {
        let (mut dirty_units, mut chunk) = (0, self.oldest_dirty);
        while let Some(dirty) = chunk {
            dirty.check();
            dirty_units += dirty.backed_units() as usize;
            chunk = dirty.by_age.next.get();
        }
        assert!(dirty_units == self.dirty_units, "the dirty count is the sum over the dirty list");
        self.by_free.check(Chunk::longest_free);
        self.by_backed.check(Chunk::longest_backed);
    }
}

impl Default for PageHeap {
    fn default() -> Self {
        Self::new()
    }
}

/// The first rung of the ladder to try under an address-space limit of `limit` bytes.
pub fn first_rung(limit: Option<usize>, share: usize) -> &'static [usize] {
    let Some(limit) = limit else { return RESERVATION_LADDER };
    let fits = RESERVATION_LADDER.iter().position(|rung| *rung <= limit / share);
    &RESERVATION_LADDER[fits.unwrap_or(RESERVATION_LADDER.len() - 1)..]
}
