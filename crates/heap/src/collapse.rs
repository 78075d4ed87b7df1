//! Huge pages for chunks that became resident in small ones: before the heap was large, or in a heap shared by many threads.
//!
//! A program that runs through its memory misses the processor's table of pages less often in huge pages: a cache of
//! strings of 70 MB, of which the first 16 were in small ones, ran 14 % longer. Only chunks that stay full, and resident, are
//! worth a copy; and then it takes no more memory.
//!
//! Called by `purge` at each tick, under the page heap's lock.

use mallow_sys::{HugePages, Os};

use crate::config::{
    CHUNK_UNITS, COLLAPSE_FROM_BYTES, COLLAPSE_MS, COLLAPSE_STEP, COLLAPSE_VISITS, UNIT_BYTES,
};
use crate::page_heap::PageHeap;

impl PageHeap {
    /// Makes huge pages of a few chunks that were full at the last look too.
    pub(crate) fn collapse_some(&mut self, os: &dyn Os) {
        let Some(region) = self.region else { return };
        let is_large = self.used_units * UNIT_BYTES >= COLLAPSE_FROM_BYTES;
        let is_due = self.now_ms >= self.collapsed_ms + COLLAPSE_MS;
        if !is_due || !is_large || self.huge_pages(os) == HugePages::Never {
            return;
        }
        self.collapsed_ms = self.now_ms;
        let opened = region.opened_chunks();
        let mut tried = 0;
        for _ in 0..opened.min(COLLAPSE_VISITS) {
            self.collapse_at = (self.collapse_at + 1) % opened;
            tried += usize::from(region.chunk_of(self.collapse_at * CHUNK_UNITS as usize).collapse(os));
            if tried == COLLAPSE_STEP {
                return;
            }
        }
    }
}
