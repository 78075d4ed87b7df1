//! Runs that a thread has given up a moment ago, kept for its next request of the same length.
//!
//! The page heap has one lock and a search; a thread that opens and closes slabs, or takes and frees medium blocks, in turn,
//! would pay for both each time. To the page heap these runs are in use. They go back when they have not been used for a
//! tick, when there is no room for newer ones, when the thread exits, and at every trim.
//!
//! Called by `runs` and `idle`, for heaps that the caller owns.

use core::cell::Cell;

use crate::config::{RUN_CACHE_BYTES, RUN_CACHE_SHARE, RUN_CACHE_SLOTS, RUN_CACHE_TOTAL_BYTES, UNIT_BYTES};
use crate::slab::Slab;

/// The kept runs of one heap, oldest first.
#[derive(Debug)]
pub struct RunCache {
    kept: [Cell<Option<&'static Slab>>; RUN_CACHE_SLOTS],
    count: Cell<usize>,
    units: Cell<u32>,
    /// Whether anything was taken or kept since the last call of [`RunCache::is_stale`].
    was_used: Cell<bool>,
}

impl RunCache {
    /// Nothing kept.
    pub const fn new() -> Self {
        Self {
            kept: [const { Cell::new(None) }; RUN_CACHE_SLOTS],
            count: Cell::new(0),
            units: Cell::new(0),
            was_used: Cell::new(false),
        }
    }

    /// The run of exactly `units` units that was kept last.
    pub fn take(&self, units: u32) -> Option<&'static Slab> {
        let slots = self.kept.get(..self.count.get())?;
        let found = slots.iter().rposition(|slot| slot.get().is_some_and(|run| run.units() == units))?;
        self.was_used.set(true);
        self.remove(found)
    }

    /// Keeps `run`; returns false if it is too long for `budget` bytes. There must be room, see [`RunCache::surplus`].
    pub fn keep(&self, run: &'static Slab, budget: usize) -> bool {
        if run.bytes() > budget {
            return false;
        }
        let Some(slot) = self.kept.get(self.count.get()) else { return false };
        slot.set(Some(run));
        self.count.set(self.count.get() + 1);
        self.units.set(self.units.get() + run.units());
        self.was_used.set(true);
        true
    }

    /// The oldest run, if it has to go before another `bytes` bytes fit into `budget`.
    pub fn surplus(&self, bytes: usize, budget: usize) -> Option<&'static Slab> {
        let is_full = self.count.get() == RUN_CACHE_SLOTS;
        let is_over = self.units.get() as usize * UNIT_BYTES + bytes > budget;
        if is_full || is_over { self.remove(0) } else { None }
    }

    /// The oldest run.
    pub fn take_any(&self) -> Option<&'static Slab> {
        self.remove(0)
    }

    /// Whether nothing was taken or kept since the last call.
    pub fn is_stale(&self) -> bool {
        !self.was_used.replace(false)
    }

    fn remove(&self, at: usize) -> Option<&'static Slab> {
        let count = self.count.get();
        let gone = self.kept.get(at)?.take()?;
        for index in at + 1..count {
            self.kept[index - 1].set(self.kept[index].take());
        }
        self.count.set(count - 1);
        self.units.set(self.units.get() - gone.units());
        Some(gone)
    }
}

impl Default for RunCache {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes that each of `heap_count` heaps, at least one, may keep while `run_bytes` are in use.
pub fn budget(run_bytes: usize, heap_count: usize) -> usize {
    let (least, most) = RUN_CACHE_BYTES;
    let floor = (RUN_CACHE_TOTAL_BYTES / heap_count).clamp(least, most);
    floor.max(run_bytes / RUN_CACHE_SHARE / heap_count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallow_units::bytes::{KIB, MIB};

    #[test]
    fn many_heaps_keep_less_each() {
        assert_eq!(budget(0, 1), 256 * KIB);
        assert_eq!(budget(0, 1000), 32 * KIB);
        assert_eq!(budget(64 * MIB, 1), 4 * MIB);
        assert_eq!(budget(64 * MIB, 4), MIB);
    }

    #[test]
    fn nothing_fits_into_an_empty_cache_that_is_too_small() {
        let cache = RunCache::new();
        assert!(cache.take(1).is_none() && cache.take_any().is_none() && cache.surplus(1, 0).is_none());
        assert!(cache.is_stale());
    }
}
