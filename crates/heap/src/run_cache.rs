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
    /// Units of each, so that a search that finds nothing does not read their metadata; 0 where none is.
    lengths: [Cell<u8>; RUN_CACHE_SLOTS],
    count: Cell<usize>,
    units: Cell<u32>,
    /// Units that may be kept.
    budget_units: Cell<u32>,
    /// Whether anything was taken or kept since the last call of [`RunCache::is_stale`].
    was_used: Cell<bool>,
}

impl RunCache {
    /// Nothing kept, and nothing to be kept.
    pub const fn new() -> Self {
        Self {
            kept: [const { Cell::new(None) }; RUN_CACHE_SLOTS],
            lengths: [const { Cell::new(0) }; RUN_CACHE_SLOTS],
            count: Cell::new(0),
            units: Cell::new(0),
            budget_units: Cell::new(0),
            was_used: Cell::new(false),
        }
    }

    /// The run of `units` units, or up to `spare` more, that was kept last.
    #[inline]
    pub fn take(&self, units: usize, spare: usize) -> Option<&'static Slab> {
        let lengths = self.lengths.get(..self.count.get())?;
        let found =
            lengths.iter().rposition(|length| usize::from(length.get()).wrapping_sub(units) <= spare)?;
        self.was_used.set(true);
        self.remove(found)
    }

    /// Whether another `units` units can be kept at once.
    #[inline]
    pub fn has_room(&self, units: u32) -> bool {
        self.count.get() < RUN_CACHE_SLOTS && self.units.get() + units <= self.budget_units.get()
    }

    /// Whether `units` units can be kept, if others go, see [`RunCache::surplus`].
    pub fn may_keep(&self, units: u32) -> bool {
        units <= self.budget_units.get()
    }

    /// Keeps `run`, for which there must be room.
    #[inline]
    pub fn keep(&self, run: &'static Slab) {
        let count = self.count.get();
        let (Some(slot), Some(length)) = (self.kept.get(count), self.lengths.get(count)) else { return };
        slot.set(Some(run));
        length.set(run.length());
        self.count.set(count + 1);
        self.units.set(self.units.get() + run.units());
        self.was_used.set(true);
    }

    /// The oldest run, if it has to go before another `units` units can be kept.
    pub fn surplus(&self, units: u32) -> Option<&'static Slab> {
        if self.has_room(units) { None } else { self.remove(0) }
    }

    /// The oldest run.
    pub fn take_any(&self) -> Option<&'static Slab> {
        self.remove(0)
    }

    /// Units kept.
    pub fn units(&self) -> u32 {
        self.units.get()
    }

    /// All that are kept.
    pub fn runs(&self) -> impl Iterator<Item = &'static Slab> {
        self.kept.iter().filter_map(Cell::get)
    }

    /// Whether nothing was taken or kept since the last call.
    pub fn is_stale(&self) -> bool {
        !self.was_used.replace(false)
    }

    /// Sets how many bytes may be kept from now on.
    pub fn set_budget(&self, bytes: usize) {
        self.budget_units.set(u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX));
    }

    #[inline]
    fn remove(&self, at: usize) -> Option<&'static Slab> {
        let last = self.count.get().checked_sub(1)?;
        let gone = self.kept.get(at)?.take()?;
        if at < last {
            self.close_gap(at);
        }
        self.count.set(last);
        self.units.set(self.units.get() - gone.units());
        Some(gone)
    }

    /// Moves what is newer than place `at` one place towards the oldest.
    #[inline(never)]
    fn close_gap(&self, at: usize) {
        for (to, from) in self.kept.iter().zip(self.kept.iter().skip(1)).skip(at) {
            to.set(from.take());
        }
        for (to, from) in self.lengths.iter().zip(self.lengths.iter().skip(1)).skip(at) {
            to.set(from.get());
        }
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
    fn a_cache_without_a_budget_keeps_nothing() {
        let cache = RunCache::new();
        assert!(cache.take(1, 0).is_none() && cache.take_any().is_none() && cache.surplus(1).is_none());
        assert!(cache.is_stale() && !cache.has_room(1) && !cache.may_keep(1));
    }
}
