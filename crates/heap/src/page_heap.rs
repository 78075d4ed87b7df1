//! The page heap: packs runs of units densely into 2 MiB chunks, for all threads.
//!
//! A run goes to the smallest sufficient free run, and units that are still resident are used before fresh ones. Memory
//! that comes back stays resident until growth needs the room in the budget (*grow gate*) or it has aged (*decay*).
//!
//! Called by `refill` for slabs and by `allocator` for medium blocks; one lock around all of it. Calls `region`, `chunk`
//! and the operating system.

use mallow_sys::{HugePages, Os};
use mallow_trace::Counter;

use crate::chunk::{Chunk, Wish};
use crate::config::{
    CHUNK_BYTES, CHUNK_UNITS, DIRTY_FLOOR_BYTES, FREED_FLOOR_BYTES, FREED_STEP_BYTES, HUGE_FROM_BYTES,
    LATELY_TICKS, MIN_PURGED_UNITS, PARTS_SHARE, PURGE_STEP_BYTES, PURGE_VISITS, RESERVATION_LADDER, TICK_MS,
    UNIT_BYTES,
};
use crate::counters::Counters;
use crate::patience::Patience;
use crate::region::Region;
use crate::rooms::{self, Rooms};

use core::cell::Cell;
use core::ptr::NonNull;

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
    by_free: Rooms,
    /// Chunks by their longest run that is free and may be resident.
    by_backed: Rooms,
    oldest_dirty: Option<&'static Chunk>,
    newest_dirty: Option<&'static Chunk>,
    region: Option<&'static Region>,
    used_units: usize,
    dirty_units: usize,
    /// The most that was in use, fading away.
    lately_used_units: usize,
    /// The clock at the last tick.
    now_ms: u64,
    /// The clock at the last look for what has aged.
    looked_ms: u64,
    /// How much to keep resident.
    patience: Patience,
    /// Who gets huge pages, once that was asked.
    huge_pages: Option<HugePages>,
    /// The clock when a thread's exit last led to a purge.
    purged_exit_ms: u64,
    /// Bytes; the dirty budget's floor (`M_TRIM_THRESHOLD`).
    dirty_floor_bytes: usize,
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
            lately_used_units: 0,
            now_ms: 0,
            looked_ms: 0,
            patience: Patience::new(),
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
        let units = wish.units;
        let (chunk, start) = match self.find(wish) {
            Some(found) => found,
            None => {
                let chunk = self.grow(os, counters, add_region)?;
                (chunk, chunk.find(wish, false)?)
            }
        };
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
        Some(Run { start: chunk.unit_start(start), units, is_zero: taken.is_zero })
    }

    /// Decides how `chunk`, of which nothing is resident, becomes resident: as one huge page if so much is in use that what the
    /// program leaves of it does not count. Returns the units that do so although nobody has asked for them.
    fn choose_page_size(&mut self, os: &dyn Os, counters: &Counters, chunk: &'static Chunk) -> usize {
        let huge_pages = *self.huge_pages.get_or_insert_with(|| os.huge_pages());
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
        self.lately_used_units = self.lately_used_units.max(self.used_units);
        self.used_units -= units as usize;
        self.dirty_units += units as usize;
        self.file(chunk);
        let lately = self.lately_used_units * UNIT_BYTES;
        let budget = self.patience.budget(lately, FREED_FLOOR_BYTES);
        let dirty = self.dirty_units * UNIT_BYTES;
        if chunk.used_units() == 0 && dirty > budget {
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

    /// Notes the time and purges what has aged; returns the bytes.
    pub fn tick(&mut self, os: &dyn Os, counters: &Counters, now_ms: u64) -> usize {
        self.now_ms = now_ms;
        self.patience.tick(now_ms);
        self.lately_used_units -= self.lately_used_units / LATELY_TICKS;
        // What was free at the last look and has not been used since goes.
        if now_ms < self.looked_ms + self.patience.decay_ms() / 2 {
            return 0;
        }
        self.looked_ms = now_ms;
        let mut purged = 0;
        let mut next = self.oldest_dirty;
        while purged < PURGE_STEP_BYTES
            && let Some(chunk) = next
        {
            next = chunk.by_age.next.get();
            purged += self.purge_runs(os, counters, chunk, chunk.take_aged());
        }
        self.patience.gave(purged);
        self.count(counters);
        purged
    }

    /// Purges everything that is free down to `keep` bytes; returns the bytes.
    pub fn trim(&mut self, os: &dyn Os, counters: &Counters, keep: usize) -> usize {
        let dirty = self.dirty_units * UNIT_BYTES;
        self.purge(os, counters, dirty.saturating_sub(keep), 1, |_| true)
    }

    /// Whether it is time to purge what threads left behind that have exited.
    pub fn is_exit_due(&self, now_ms: u64) -> bool {
        now_ms >= self.purged_exit_ms + TICK_MS
    }

    /// Purges what a thread left behind when it exited, at most once per tick, so that short-lived threads find the memory of
    /// their predecessors still resident.
    pub fn purge_after_exit(&mut self, os: &dyn Os, counters: &Counters, now_ms: u64) {
        if self.is_exit_due(now_ms) {
            self.purged_exit_ms = now_ms;
            // Little is left to the next thread, if there was one each time.
            let used = self.used_units * UNIT_BYTES;
            let keep =
                if self.patience.is_at_rest() { 0 } else { self.patience.budget(used, DIRTY_FLOOR_BYTES) };
            let purged = self.trim(os, counters, keep);
            self.patience.gave(purged);
        }
    }

    /// Gives whole chunks that are free back to the operating system for ever, so that their address space and their charge
    /// can serve something else; returns the bytes.
    pub fn retire_free_chunks(&mut self, os: &dyn Os, counters: &Counters) -> usize {
        let mut bytes = 0;
        while let Some(chunk) = { self.by_free.whole().next() } {
            self.dirty_units -= chunk.backed_units() as usize;
            chunk.retire(os);
            self.file(chunk);
            bytes += CHUNK_BYTES;
        }
        counters.add(Counter::PurgedBytes, bytes);
        self.count(counters);
        bytes
    }

    /// Sets the floor of the dirty budget.
    pub fn set_dirty_floor(&mut self, bytes: usize) {
        self.dirty_floor_bytes = bytes;
    }

    /// Growth by `fresh_units` must not push the resident memory beyond what is in use plus the budget.
    fn pass_grow_gate(&mut self, os: &dyn Os, counters: &Counters, fresh_units: usize) {
        let used = self.used_units * UNIT_BYTES;
        let is_large = used >= HUGE_FROM_BYTES;
        let speculated = if is_large { CHUNK_BYTES } else { 0 };
        let budget = self.patience.budget(used, self.dirty_floor_bytes) + speculated;
        let dirty = self.dirty_units * UNIT_BYTES;
        if dirty > budget {
            let purged = self.purge_whole_chunks(os, counters, fresh_units * UNIT_BYTES);
            if purged == 0 && (!is_large || dirty > self.parts_budget(budget, used)) {
                self.purge_some(os, counters, fresh_units * UNIT_BYTES);
            }
        }
    }

    /// Bytes of free memory beyond which parts of chunks are purged: huge pages are split by it, so more than `budget` once that
    /// was in vain.
    fn parts_budget(&self, budget: usize, used: usize) -> usize {
        if self.patience.is_at_rest() { budget } else { budget.max(used / PARTS_SHARE) }
    }

    /// Purges `bytes` bytes in chunks of which nothing is in use, as far as a few of them are resident: they come back as huge
    /// pages, and the others do not.
    fn purge_whole_chunks(&mut self, os: &dyn Os, counters: &Counters, bytes: usize) -> usize {
        let mut purged = 0;
        for chunk in self.by_free.whole().take(PURGE_VISITS as usize) {
            if purged >= bytes {
                break;
            }
            if chunk.backed_units() > 0 {
                purged += self.purge_chunk(os, counters, chunk, 1);
            }
        }
        self.patience.gave(purged);
        purged
    }

    /// Purges `bytes` bytes in long runs, as far as a few chunks have them.
    fn purge_some(&mut self, os: &dyn Os, counters: &Counters, bytes: usize) {
        let visits = Cell::new(PURGE_VISITS);
        let may_visit = |_: &Chunk| visits.replace(visits.get().saturating_sub(1)) > 0;
        let purged = self.purge(os, counters, bytes, MIN_PURGED_UNITS, may_visit);
        self.patience.gave(purged);
    }

    /// Purges chunks, longest unused first, while `eligible` says so and until `bytes` have gone; no runs below `min_units`.
    fn purge(
        &mut self,
        os: &dyn Os,
        counters: &Counters,
        bytes: usize,
        min_units: u32,
        eligible: impl Fn(&Chunk) -> bool,
    ) -> usize {
        let mut purged = 0;
        let mut next = self.oldest_dirty;
        while purged < bytes
            && let Some(chunk) = next.filter(|chunk| eligible(chunk))
        {
            next = chunk.by_age.next.get();
            purged += self.purge_chunk(os, counters, chunk, min_units);
        }
        self.count(counters);
        purged
    }

    /// Purges the free runs of `chunk` that have at least `min_units` units; returns the bytes.
    fn purge_chunk(
        &mut self,
        os: &dyn Os,
        counters: &Counters,
        chunk: &'static Chunk,
        min_units: u32,
    ) -> usize {
        let long_enough = chunk.backed_runs().filter(|(_, units)| *units >= min_units);
        let purged = self.purge_runs(os, counters, chunk, long_enough);
        if purged == 0 {
            // Refused (locked memory), or too short: it is not the first to be looked at again.
            chunk.freed_ms.set(self.now_ms);
            self.file(chunk);
        }
        purged
    }

    /// Purges `runs`, which are free and backed, of `chunk`; returns the bytes.
    fn purge_runs(
        &mut self,
        os: &dyn Os,
        counters: &Counters,
        chunk: &'static Chunk,
        runs: impl Iterator<Item = (u32, u32)>,
    ) -> usize {
        let mut purged = 0;
        for (start, units) in runs {
            let len = units as usize * UNIT_BYTES;
            // SAFETY: free units of a committed chunk: nothing needs their contents.
            if unsafe { os.decommit(chunk.unit_start(start), len) }.is_ok() {
                chunk.purged(start, units);
                purged += len;
            }
        }
        if purged == 0 {
            return 0;
        }
        self.dirty_units -= purged / UNIT_BYTES;
        chunk.stay_split(os);
        self.file(chunk);
        chunk.drop_lines(os);
        counters.add(Counter::PurgedBytes, purged);
        purged
    }

    /// The smallest sufficient run that is still resident, or else the smallest sufficient one.
    fn find(&self, wish: Wish) -> Option<(&'static Chunk, u32)> {
        let found = |chunk: &'static Chunk, backed| Some((chunk, chunk.find(wish, backed)?));
        let backed = self.by_backed.sufficient(wish.units).find_map(|chunk| found(chunk, true));
        backed.or_else(|| self.by_free.sufficient(wish.units).find_map(|chunk| found(chunk, false)))
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
    fn file(&mut self, chunk: &'static Chunk) {
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

    fn count(&self, counters: &Counters) {
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
