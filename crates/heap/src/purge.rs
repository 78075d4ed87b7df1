//! What the page heap gives back to the kernel, and when: what has aged, what growth needs the room of, what a thread or a trim leaves.
//!
//! Called by `page_heap` for its gates, by `idle` for ticks and trims, by `threads` when a thread exits; all under the page heap's lock.

use core::cell::Cell;

use mallow_sys::Os;
use mallow_trace::Counter;

use crate::chunk::Chunk;
use crate::config::{
    CHUNK_BYTES, DIRTY_FLOOR_BYTES, HUGE_FROM_BYTES, MIN_PURGED_UNITS, PARTS_SHARE, PURGE_STEP_BYTES,
    PURGE_VISITS, TICK_MS, UNIT_BYTES,
};
use crate::counters::Counters;
use crate::page_heap::PageHeap;

impl PageHeap {
    /// Notes the time and purges what has aged; returns the bytes.
    pub fn tick(&mut self, os: &dyn Os, counters: &Counters, now_ms: u64) -> usize {
        self.now_ms = now_ms;
        self.patience.tick(now_ms);
        self.collapse_some(os);
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
            self.patience.note_used(self.used_units * UNIT_BYTES);
            let lately = self.patience.lately();
            let keep =
                if self.patience.is_at_rest() { 0 } else { self.patience.budget(lately, DIRTY_FLOOR_BYTES) };
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

    /// Growth by `fresh_units` must not push the resident memory beyond what is in use plus the budget.
    pub(crate) fn pass_grow_gate(&mut self, os: &dyn Os, counters: &Counters, fresh_units: usize) {
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
    pub(crate) fn parts_budget(&self, budget: usize, used: usize) -> usize {
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
    pub(crate) fn purge_some(&mut self, os: &dyn Os, counters: &Counters, bytes: usize) {
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
    pub(crate) fn purge_chunk(
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
}
