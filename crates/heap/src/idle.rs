//! What a thread does from time to time: give back what is not in use.
//!
//! Called by `refill` every few milliseconds of activity (*tick*), by `malloc_trim`, and when a thread exits. Works
//! through a heap's slabs in portions, so that no request waits long, and through the heaps of threads that have exited.

use mallow_ds::owner;
use mallow_ds::sync::Ordering;
use mallow_trace::Counter;
use mallow_units::size_class::CLASS_COUNT;

use crate::allocator::Allocator;
use crate::bin::Bin;
use crate::config::{DECAY_MS, SCAN_LIMITS, SCAN_SHARE, SPARSE_FROM_SLABS};
use crate::heap::Heap;
use crate::outstanding::Blocks;

/// Blocks that are looked at when the program ends: some microseconds.
const LAST_LOOK_BLOCKS: usize = 4096;

/// What to look for in a slab.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Zeal {
    /// Only whether it is empty.
    Empty,
    /// Free pages, only in slabs that have been idle since the last look.
    Idle,
    /// The same, and in slabs of which little is in use: the thread only frees, and may fall silent.
    Sparse,
    /// Free pages, in every slab.
    All,
}

impl Allocator {
    /// Looks at the clock and at a part of the heap.
    pub fn tick(&'static self, heap: &'static Heap) {
        if let Some(asked) = self.counters.take_up_trim() {
            let bytes = self.trim(heap, 0);
            self.counters.trim_is_done(asked, bytes);
        }
        if self.follow_trim(heap) {
            self.page_heap().trim(self.os(), &self.counters, 0);
        }
        let busy = heap.enter();
        let only_frees = heap.pace.refills_since_tick.replace(0) == 0;
        if only_frees {
            // It need not keep blocks at hand, and must not, or it might not come by again.
            self.return_lists(heap);
        }
        self.send_parcels(heap);
        self.drain_mailbox(heap);
        let now_ms = self.os().now_ms();
        heap.note_awake(now_ms);
        // Nobody waits for what was returned in vain.
        let at_rest = self.decay_ms.load(Ordering::Relaxed) <= DECAY_MS;
        let is_worth_it = only_frees && at_rest && heap.listed_slabs.get() >= SPARSE_FROM_SLABS;
        self.purge_slabs(heap, now_ms, if is_worth_it { Zeal::Sparse } else { Zeal::Idle });
        if heap.runs.is_stale() {
            self.give_back_kept_runs(heap);
        }
        self.set_run_budget(heap);
        self.settle(heap);
        drop(busy);
        self.look_after_next(heap, now_ms);
        self.cool_oldest(now_ms);
        let (given, taken_back) = (heap.pages_given.take(), heap.pages_taken_back.take());
        let decay_ms = {
            let mut page_heap = self.page_heap();
            page_heap.learn(given, taken_back);
            page_heap.tick(self.os(), &self.counters, now_ms);
            page_heap.decay_ms()
        };
        self.decay_ms.store(decay_ms, Ordering::Relaxed);
        self.large.purge(self.os(), &self.counters, now_ms, false);
    }

    /// Returns all free memory that this thread can reach to the kernel, but for `keep` bytes; the bytes returned.
    pub fn trim(&'static self, heap: &'static Heap, keep: usize) -> usize {
        let before = self.counters.get(Counter::PurgedBytes);
        // Other threads follow when they next come by the slow path.
        self.trims.fetch_add(1, Ordering::Relaxed);
        self.relieve_all(heap);
        self.follow_trim(heap);
        for vacant in self.registry.vacant_heaps() {
            let busy = vacant.enter();
            self.clear_out(vacant, Zeal::All);
            drop(busy);
            self.leave(vacant);
        }
        self.large.purge(self.os(), &self.counters, self.os().now_ms(), true);
        self.page_heap().trim(self.os(), &self.counters, keep);
        usize::try_from(self.counters.get(Counter::PurgedBytes) - before).unwrap_or(usize::MAX)
    }

    /// Returns all free memory of `heap` if somebody has called for a trim since the last time; whether that is so.
    pub(crate) fn follow_trim(&'static self, heap: &'static Heap) -> bool {
        let trims = self.trims.load(Ordering::Relaxed);
        if heap.trims_seen.replace(trims) == trims {
            return false;
        }
        let _busy = heap.enter();
        self.clear_out(heap, Zeal::All);
        true
    }

    /// Sends and takes in what is on its way, returns the lists, and purges every slab.
    pub(crate) fn clear_out(&'static self, heap: &'static Heap, zeal: Zeal) {
        self.return_lists(heap);
        self.send_parcels(heap);
        self.drain_mailbox(heap);
        for class in 0..CLASS_COUNT {
            self.purge_bin(heap, class, heap.bins[class].slabs().count(), zeal);
        }
        self.give_back_kept_runs(heap);
        self.settle(heap);
    }

    /// Puts the blocks on the heap's lists back into their slabs.
    pub(crate) fn return_lists(&'static self, heap: &'static Heap) {
        for class in 0..CLASS_COUNT {
            let first = heap.take_list(class);
            let Some(slab) = self.slab_of_own_block(first) else { continue };
            // SAFETY: a list of this heap holds free blocks of one slab.
            let blocks = unsafe { Blocks::from(first) };
            // What the program has freed meanwhile counts; what comes back now never reached it.
            heap.note_frees(slab);
            // SAFETY: outstanding blocks of this slab, marked as free, which no thread has seen.
            unsafe { slab.push_chain(blocks) };
            let _ = slab.count();
            heap.note_unused(slab, blocks.block_count);
            self.after_frees(heap, slab);
        }
    }

    /// Looks at some slabs, each in its turn, for pages and slabs to give back. A slab that has not changed for a round, or two
    /// looks, is idle, so a round takes half the time that free memory is to stay.
    fn purge_slabs(&'static self, heap: &'static Heap, now_ms: u64, zeal: Zeal) {
        let mut left = (heap.listed_slabs.get() / SCAN_SHARE).clamp(SCAN_LIMITS.0, SCAN_LIMITS.1);
        for _ in 0..=CLASS_COUNT {
            let (class, in_class) = heap.scan_at.get();
            if zeal == Zeal::Idle && class == 0 && in_class == heap.bins[0].slabs().count() {
                if now_ms < heap.round_ms.get() + self.decay_ms.load(Ordering::Relaxed) / 2 {
                    return;
                }
                heap.round_ms.set(now_ms);
            }
            let looked = in_class.min(left);
            self.purge_bin(heap, class, looked, zeal);
            left -= looked;
            if looked < in_class {
                heap.scan_at.set((class, in_class - looked));
                return;
            }
            let next = (class + 1) % CLASS_COUNT;
            heap.scan_at.set((next, heap.bins[next].slabs().count()));
        }
    }

    /// Looks at `count` slabs of a bin, from its front, and moves each to the back.
    fn purge_bin(&'static self, heap: &'static Heap, class: usize, count: usize, zeal: Zeal) {
        for _ in 0..count {
            let Some(slab) = heap.bins[class].first() else { return };
            self.unlist(heap, slab);
            self.list(heap, slab);
            heap.note_frees(slab);
            let is_idle = slab.is_idle();
            let is_wanted = match zeal {
                Zeal::Empty => false,
                Zeal::Idle => is_idle,
                Zeal::Sparse => is_idle || slab.is_sparse(),
                Zeal::All => true,
            };
            if slab.is_empty() && (is_idle || zeal != Zeal::Idle) {
                self.close_slab(heap, slab);
            } else if is_wanted {
                let purged = slab.purge_pages(self.os(), heap.is_inherited.get());
                if purged > 0
                    && let Some(region) = self.region_of(slab.start())
                {
                    let chunk = region.chunk_of(region.unit_at(slab.start()));
                    self.page_heap().gave_pages(self.os(), chunk);
                }
                heap.pages_given.set(heap.pages_given.get() + purged);
                self.counters.add(Counter::PurgedBytes, purged);
            }
        }
    }

    /// Looks after one other heap, if its thread has exited or sleeps.
    fn look_after_next(&'static self, heap: &'static Heap, now_ms: u64) {
        let Some(other) = self.registry.next_to_look_at() else { return };
        if !owner::visit(&other.owner) {
            self.relieve_sleeper(heap, other, now_ms);
            return;
        }
        let busy = other.enter();
        self.drain_mailbox(other);
        if other.is_shared() {
            self.rest(other);
        }
        self.purge_slabs(other, now_ms, Zeal::Idle);
        self.settle(other);
        drop(busy);
        self.leave(other);
    }

    /// Sends and returns what a shared heap holds in case somebody comes, if nobody has come since the last look.
    fn rest(&'static self, heap: &'static Heap) {
        self.send_parcels(heap);
        if heap.pace.refills_since_tick.replace(0) == 0 {
            self.return_lists(heap);
        }
        if heap.runs.is_stale() {
            self.give_back_kept_runs(heap);
        }
    }

    /// Enters into the counters everything that has happened in `heap` and in those that have no owner and hold blocks.
    pub fn take_stock(&'static self, heap: &'static Heap) {
        self.take_stock_of(heap);
        self.visit_each_shared(|shared| self.take_stock_of(shared));
        self.visit_each_warm(|warm| self.take_stock_of(warm));
    }

    fn take_stock_of(&'static self, heap: &'static Heap) {
        let _busy = heap.enter();
        self.return_lists(heap);
        for slab in heap.bins.iter().flat_map(Bin::slabs) {
            heap.note_frees(slab);
        }
        self.settle(heap);
    }

    /// Looks at blocks that were freed last, as far as a moment lasts, and stops the process if one is not what it must be.
    pub(crate) fn look_over_lists(&'static self, heap: &'static Heap) {
        look_over(heap);
        self.visit_each_shared(look_over);
        self.visit_each_warm(look_over);
    }

    /// Enters into the counters what `heap` has counted.
    pub(crate) fn settle(&self, heap: &Heap) {
        let change = if self.counters.is_waiting() {
            heap.take_unclassed()
        } else {
            heap.take_change(|class, change| self.counters.settle_class(class, change))
        };
        self.counters.settle(change);
    }
}

/// Looks at some of the blocks that were freed last.
fn look_over(heap: &Heap) {
    let mut left = LAST_LOOK_BLOCKS;
    for slab in heap.bins.iter().flat_map(Bin::slabs) {
        for _ in slab.listed_blocks().take(left) {
            left -= 1;
        }
    }
}
