//! A thread's heap: one list of free blocks per size class, and the bins and parcels behind them.
//!
//! ```text
//!  heap.lists[class] ──► block ──► block ──► ...      taken wholesale from one slab; `malloc` pops
//!  heap.bins[class]  ──► slab ──► slab ──► ...        slabs that may have room; `free` pushes on the slab's own list
//!  heap.parcels      ──► blocks of other heaps' slabs, to be sent in one piece
//! ```
//!
//! Only the thread that owns the heap (`mallow_ds::owner`) touches it, except `owner`, `mailbox`, `awake_ms` and `is_busy`.
//!
//! Called by `allocator`. The slow paths are in `refill`, `remote` and `idle`.

use core::cell::Cell;
use core::fmt;
use core::mem::offset_of;
use core::sync::atomic::compiler_fence;

use mallow_ds::mailbox::Letters;
use mallow_ds::owner::Owner;
use mallow_ds::packed::Packed;
use mallow_ds::sync::{AtomicU32, AtomicU64, Ordering};
use mallow_sys::thread::Window;
use mallow_units::SizeClass;
use mallow_units::size_class::{CLASS_COUNT, QUANTUM, SMALL_INDEX};

use crate::bin::Bin;
use crate::block::{self, Block};
use crate::config::{HEAP_STRIDE, PARCEL_SLOTS};
use crate::counters::{Change, Passed};
use crate::remote::Parcel;
use crate::run_cache::RunCache;
use crate::slab::{Batch, Slab};

/// An owner that no page map entry names: every free of such a heap takes the slow path.
const NO_OWNER: u16 = u16::MAX;

/// A heap.
#[repr(C)]
pub struct Heap {
    lists: [Cell<*mut Block>; CLASS_COUNT],
    /// The class of a small request. Here and not in a table of its own because the heap's address is at hand: that is one
    /// instruction of `malloc`.
    index: [SizeClass; SMALL_INDEX.len()],
    /// What a free needs to recognise this heap's blocks. Its owner is the id, or [`NO_OWNER`].
    window: Cell<Window>,
    /// One bit per list: all but the first two words of its blocks is zero.
    zero_lists: Cell<u64>,
    id: Cell<u16>,
    /// Rounds of thread-exit destructors seen.
    pub(crate) exit_rounds: Cell<u8>,
    is_busy: AtomicU32,
    pub(crate) bins: [Bin; CLASS_COUNT],
    pub(crate) parcels: [Cell<Parcel>; PARCEL_SLOTS],
    /// Runs that it has given up a moment ago.
    pub(crate) runs: RunCache,
    /// Who may touch the heap.
    pub owner: Packed<Owner>,
    /// Slabs with blocks that other threads freed.
    pub mailbox: Packed<Letters>,
    /// The next heap in the registry's list of vacant heaps.
    pub(crate) next_vacant: Cell<Option<&'static Self>>,
    pub(crate) pace: Pace,
    /// Slabs in bins.
    pub(crate) listed_slabs: Cell<usize>,
    /// Units in those of them that became empty and were kept.
    pub(crate) emptied_units: Cell<u32>,
    /// The class that the next tick looks at first, and how many of its slabs have not been looked at in this round.
    pub(crate) scan_at: Cell<(usize, usize)>,
    /// When the present round of looks at all slabs began.
    pub(crate) round_ms: Cell<u64>,
    /// Bytes of pages in slabs that were given to the kernel, and taken back, since the last tick.
    pub(crate) pages_given: Cell<usize>,
    pub(crate) pages_taken_back: Cell<usize>,
    /// Whether the thread that had the heap was left behind by a fork: a block that it was freeing at that moment may be
    /// neither in use nor on a list.
    pub(crate) is_inherited: Cell<bool>,
    /// Whether it belongs to no thread for longer than a call, see `shared`.
    pub(crate) is_shared: Cell<bool>,
    /// Whether it is shared only because threads lose their processor in the middle of a visit to another: that passes, and what it
    /// would keep at hand would add up.
    pub(crate) is_spare: Cell<bool>,
    /// Bytes that it has in case it is adopted soon, see `warm`; 0 if it is not warm.
    pub(crate) warm_bytes: Cell<usize>,
    /// When its last thread left it warm.
    pub(crate) left_ms: Cell<u64>,
    /// When its thread last ticked, or somebody looked into its mailbox in its place.
    pub(crate) awake_ms: AtomicU64,
    /// The allocator's count of trims when this heap last followed one.
    pub(crate) trims_seen: Cell<u64>,
    /// What is of no size class and has not been entered into the statistics.
    change: Cell<Change>,
    /// The same of each size class. Behind the heap, because the heaps of those who have none do not need it.
    tally: Cell<Option<&'static Tally>>,
}

/// What has passed of each size class and has not been entered into the statistics.
#[derive(Debug)]
pub(crate) struct Tally {
    /// One bit for each class of which something has.
    noted: Cell<u64>,
    passed: [Cell<Passed>; CLASS_COUNT],
}

impl Tally {
    pub(crate) const fn new() -> Self {
        Self { noted: Cell::new(0), passed: [const { Cell::new(Passed::NOTHING) }; CLASS_COUNT] }
    }

    #[inline(always)]
    fn note(&self, class: SizeClass, more: Passed) {
        let passed = &self.passed[class.index()];
        passed.set(passed.get().and(more));
        self.noted.set(self.noted.get() | 1 << class.index());
    }

    /// Takes what there is of the first class of which there is something.
    fn take_first(&self) -> Option<(SizeClass, Passed)> {
        let noted = self.noted.get();
        let class = SizeClass::at(noted.trailing_zeros() as usize)?;
        self.noted.set(noted & noted.wrapping_sub(1));
        Some((class, self.passed[class.index()].replace(Passed::NOTHING)))
    }
}

/// How fast the thread allocates, in cycles.
#[derive(Debug)]
pub(crate) struct Pace {
    pub(crate) last_refill: Cell<u64>,
    pub(crate) last_tick: Cell<u64>,
    /// From one tick to the next, at least.
    pub(crate) pause: Cell<u64>,
    pub(crate) refills_since_tick: Cell<u32>,
    /// Whether the thread did something else for a while before its last refill.
    pub(crate) is_slow: Cell<bool>,
    /// Blocks that may go out or come home before the next look at the clock; none in a slow thread.
    pub(crate) credit: Cell<u32>,
}

impl Pace {
    /// Whether `blocks` blocks may go by without a look at the clock; if so, there is less credit for the next.
    #[inline(always)]
    pub(crate) fn spend(&self, blocks: u32) -> bool {
        let credit = self.credit.get();
        self.credit.set(credit.saturating_sub(blocks));
        credit != 0
    }
}

// SAFETY: cells are touched by the owner only; `mallow_ds::owner` hands that right on with acquire and release.
unsafe impl Sync for Heap {}
// SAFETY: as above; a heap is not bound to the thread that made it.
unsafe impl Send for Heap {}

impl Heap {
    /// A heap with nothing in it and without an id: its thread has to ask the slow path for everything.
    pub const fn empty() -> Self {
        Self {
            lists: [const { Cell::new(block::NONE) }; CLASS_COUNT],
            index: SMALL_INDEX,
            window: Cell::new(Window { base: 0, limit: 0, map: 0, owner: NO_OWNER }),
            zero_lists: Cell::new(0),
            id: Cell::new(0),
            exit_rounds: Cell::new(0),
            is_busy: AtomicU32::new(0),
            bins: [const { Bin::new() }; CLASS_COUNT],
            parcels: [const { Cell::new(Parcel::EMPTY) }; PARCEL_SLOTS],
            runs: RunCache::new(),
            owner: Packed::zeroed(),
            mailbox: Packed::zeroed(),
            next_vacant: Cell::new(None),
            pace: Pace {
                last_refill: Cell::new(0),
                last_tick: Cell::new(0),
                pause: Cell::new(0),
                refills_since_tick: Cell::new(0),
                is_slow: Cell::new(false),
                credit: Cell::new(0),
            },
            listed_slabs: Cell::new(0),
            emptied_units: Cell::new(0),
            scan_at: Cell::new((0, 0)),
            round_ms: Cell::new(0),
            pages_given: Cell::new(0),
            pages_taken_back: Cell::new(0),
            is_inherited: Cell::new(false),
            is_shared: Cell::new(false),
            is_spare: Cell::new(false),
            warm_bytes: Cell::new(0),
            left_ms: Cell::new(0),
            awake_ms: AtomicU64::new(0),
            trims_seen: Cell::new(0),
            change: Cell::new(Change { allocations: 0, frees: 0, allocated_bytes: 0, freed_bytes: 0 }),
            tally: Cell::new(None),
        }
    }

    /// Where the lists are, for tools that read them.
    pub(crate) const LISTS_AT: usize = offset_of!(Self, lists);

    /// Gives a new heap its tally.
    pub(crate) fn count_in(&self, tally: &'static Tally) {
        self.tally.set(Some(tally));
    }

    /// Gives a new heap its id.
    pub(crate) fn set_id(&self, id: u16) {
        self.id.set(id);
        self.set_frees_fast(true);
    }

    /// The id, 0 for a heap that belongs to no thread.
    pub fn id(&self) -> u16 {
        self.id.get()
    }

    /// Whether it belongs to no thread for longer than a call.
    pub fn is_shared(&self) -> bool {
        self.is_shared.get()
    }

    /// Whether it was left as it was for the next thread.
    pub(crate) fn is_warm(&self) -> bool {
        self.warm_bytes.get() != 0
    }

    /// Whether frees of its own blocks may take the fast path.
    pub(crate) fn set_frees_fast(&self, fast: bool) {
        let owner = if fast { self.id.get() } else { NO_OWNER };
        self.window.set(Window { owner, ..self.window.get() });
    }

    /// Lets frees of its own blocks find the units of the first region.
    pub(crate) fn see_units(&self, base: usize, limit: usize, map: usize) {
        self.window.set(Window { base, limit, map, ..self.window.get() });
    }

    /// What a free needs to recognise this heap's blocks.
    #[inline(always)]
    pub fn window(&self) -> Window {
        self.window.get()
    }

    /// The class for a request of at most `MAX_INDEXED_BYTES` bytes.
    #[inline(always)]
    pub fn class_for(&self, bytes: usize) -> SizeClass {
        self.index[bytes.div_ceil(QUANTUM)]
    }

    /// Takes the first block of a list; null if the list is empty.
    #[inline(always)]
    pub fn pop(&self, class: SizeClass) -> *mut Block {
        // SAFETY: there is a list for each class (`SizeClass`, invariant 1).
        let list = unsafe { self.lists.get_unchecked(class.index()) };
        let first = list.get();
        if !first.is_null() {
            // SAFETY: blocks on a list of this thread's heap are free and its own.
            list.set(unsafe { block::next(first) });
            // SAFETY: as above; it leaves the list now.
            unsafe { block::clear_mark(first) };
        }
        first
    }

    /// Takes the first block of a list and clears `bytes` bytes of it, which it has; null if the list is empty.
    #[inline]
    pub fn pop_zeroed(&self, class: SizeClass, bytes: usize) -> *mut u8 {
        let block = self.pop(class);
        if block.is_null() {
            return block.cast();
        }
        if self.zero_lists.get() >> class.index() & 1 == 1 {
            // SAFETY: the block is ours until we return it; the rest of it is zero.
            unsafe { block::clear_words(block) };
        } else {
            // SAFETY: as above, and at least `bytes` long.
            unsafe { block.cast::<u8>().write_bytes(0, bytes) };
        }
        block.cast()
    }

    /// Where it collects the blocks of `slab`: no two classes of one heap share a place, and hardly two heaps.
    #[inline(always)]
    pub(crate) fn parcel_slot(&self, slab: &Slab) -> &Cell<Parcel> {
        &self.parcels[(slab.class().index() + usize::from(slab.heap_id()) * HEAP_STRIDE) % PARCEL_SLOTS]
    }

    /// Replaces a list.
    pub(crate) fn set_list(&self, class: usize, first: *mut Block, is_zero: bool) {
        self.lists[class].set(first);
        let bit = 1 << class;
        self.zero_lists.set(if is_zero { self.zero_lists.get() | bit } else { self.zero_lists.get() & !bit });
    }

    /// Cuts a list behind its first `kept` blocks, of which there are more; returns the rest.
    pub(crate) fn split_list(&self, class: usize, kept: u32) -> *mut Block {
        let mut last = self.lists[class].get();
        for _ in 1..kept {
            // SAFETY: the list is longer than `kept`.
            last = unsafe { block::next(last) };
        }
        // SAFETY: as above.
        let rest = unsafe { block::next(last) };
        // SAFETY: blocks on a list of this thread's heap are free and its own.
        unsafe { block::set_next(last, block::NONE) };
        rest
    }

    /// Empties a list and returns what was on it.
    pub(crate) fn take_list(&self, class: usize) -> *mut Block {
        self.lists[class].replace(block::NONE)
    }

    /// Enters into the statistics what left a slab of `class` and what had come home to it.
    #[inline(always)]
    pub(crate) fn note(&self, class: SizeClass, batch: Batch) {
        self.note_passed(class, Passed::new(batch.block_count, batch.come_home));
    }

    /// Enters into the statistics what has come home to `slab`.
    pub(crate) fn note_frees(&self, slab: &Slab) {
        self.note_passed(slab.class(), Passed::new(0, slab.count()));
    }

    /// Enters into the statistics that `blocks` blocks have come home to `slab`.
    pub(crate) fn note_home(&self, slab: &Slab, blocks: u32) {
        self.note_passed(slab.class(), Passed::new(0, blocks));
    }

    /// Undoes the hand-out of `blocks` blocks that never reached the program.
    pub(crate) fn note_unused(&self, slab: &Slab, blocks: u32) {
        self.note_passed(slab.class(), Passed::unused(blocks));
    }

    #[inline(always)]
    fn note_passed(&self, class: SizeClass, more: Passed) {
        if let Some(tally) = self.tally.get() {
            tally.note(class, more);
        }
    }

    /// Enters a change that is of no size class into the statistics.
    pub(crate) fn note_change(&self, more: Change) {
        let mut change = self.change.get();
        change.add(more);
        self.change.set(change);
    }

    /// Takes what has come together for the statistics and is of no size class.
    pub(crate) fn take_unclassed(&self) -> Change {
        self.change.take()
    }

    /// Takes what has come together for the statistics, after `each` has seen what is of a size class.
    pub(crate) fn take_change(&self, mut each: impl FnMut(SizeClass, Change)) -> Change {
        let mut change = self.take_unclassed();
        while let Some((class, passed)) = self.tally.get().and_then(Tally::take_first) {
            let of_class = passed.change(class);
            each(class, of_class);
            change.add(of_class);
        }
        change
    }

    /// Says that the heap is in the middle of a step, until the answer is dropped.
    ///
    /// A child that was forked meanwhile must not touch the heap. The flag is for that child only, which has one
    /// thread and sees memory in program order, so it needs a compiler fence and no more.
    pub(crate) fn enter(&self) -> Busy<'_> {
        let was_busy = self.was_busy();
        self.is_busy.store(1, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        Busy { heap: self, was_busy }
    }

    /// Whether somebody was in the middle of a step when this process was forked.
    pub(crate) fn was_busy(&self) -> bool {
        self.is_busy.load(Ordering::Relaxed) != 0
    }
}

/// While it lives, the heap is in the middle of a step, which may be a part of a longer one.
#[derive(Debug)]
pub(crate) struct Busy<'a> {
    heap: &'a Heap,
    was_busy: bool,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        self.heap.is_busy.store(u32::from(self.was_busy), Ordering::Relaxed);
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("id", &self.id()).field("owner", &self.owner).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_inside_a_step_does_not_end_it() {
        let heap = Heap::empty();
        let outer = heap.enter();
        drop(heap.enter());
        assert!(heap.was_busy());
        drop(outer);
        assert!(!heap.was_busy());
    }
}
