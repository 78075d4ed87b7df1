//! Medium blocks, of 16 KiB to 1 MiB: runs of units that the program holds.
//!
//! A thread that takes and frees buffers in turn has, most of the time, just given up a run of the length that it asks for. That
//! run is still its own (`run_cache`), and its page map entries still lead to its metadata line, all but the first: the
//! first alone says whether the block is live, so the way back and forth is a store, whatever the length. Everything
//! else takes the way through `runs`.
//!
//! Called by `allocate` and `free`. Calls `run_cache` and `runs`.

use core::ptr;

use mallow_ds::sync::{AtomicU64, Ordering};

use crate::allocator::Allocator;
use crate::config::{CLOCK_PERIOD, SPARE_SHARE, UNIT_BYTES};
use crate::counters::Change;
use crate::free::freed;
use crate::heap::Heap;
use crate::misuse::{self, Pointer};
use crate::runs;
use crate::slab::{Kind, Slab};
use crate::window::{self, View};

impl Allocator {
    /// A block of at least `bytes`, more than a size class has, from the runs that `heap` keeps; null if it has none of that length, or if it is time to
    /// look at the clock, as a thread that needs nothing else must do now and then, too.
    #[inline(always)]
    pub(crate) fn allocate_kept(&self, view: impl View, heap: &Heap, bytes: usize) -> *mut u8 {
        let requests = heap.pace.refills_since_tick.get().wrapping_add(1);
        if requests.is_multiple_of(CLOCK_PERIOD) || self.is_slow_mode() {
            return ptr::null_mut();
        }
        let _busy = heap.enter();
        let units = bytes.div_ceil(UNIT_BYTES);
        let Some(run) = heap.runs.take(units, units / SPARE_SHARE) else { return ptr::null_mut() };
        let entry = window::place_of_entry(view, run.start()).or_else(|| self.entry_of(run.start()));
        let Some(entry) = entry else { return ptr::null_mut() };
        run.reopen_run();
        // ORDERING: who looks the block up got it from us, directly or through other threads.
        entry.store(runs::entry_for(run, 0), Ordering::Relaxed);
        heap.pace.refills_since_tick.set(requests);
        heap.note_change(Change { allocations: 1, allocated_bytes: run.bytes(), ..Change::default() });
        run.pointer(0).as_ptr()
    }

    /// The page map entry of the unit at `address`, in whatever region.
    #[cold]
    #[inline(never)]
    fn entry_of(&self, address: usize) -> Option<&'static AtomicU64> {
        let region = self.region_of(address)?;
        Some(region.entry(region.unit_at(address)))
    }

    /// Frees the medium block at `address`, whose page map entry is `entry`, if `heap` has room to keep its run; returns whether it did.
    #[inline(always)]
    pub(crate) fn keep_block(&self, heap: &Heap, entry: &AtomicU64, address: usize) -> bool {
        let Some(run) = runs::run_in(entry.load(Ordering::Relaxed)) else { return false };
        let is_block = run.kind() == Kind::Run && run.start() == address;
        if !is_block || !heap.runs.has_room(run.units()) || self.is_slow_mode() {
            return false;
        }
        let _busy = heap.enter();
        // ORDERING: of two threads that free the same run, one finds the entry gone.
        if entry.swap(0, Ordering::Relaxed) == 0 {
            return false;
        }
        run.keep_run();
        heap.runs.keep(run);
        heap.note_change(freed(run.bytes()));
        true
    }

    /// Frees the medium block at `pointer`, of `run`; stops the process if there is none.
    pub(crate) fn free_run(&'static self, heap: &'static Heap, run: &'static Slab, pointer: *mut u8) {
        let bytes = checked_run("free", run, pointer.addr());
        self.perturb_freed(pointer, bytes);
        if !self.give_up_run(heap, run) {
            misuse::stop("free", pointer.addr(), Pointer::Freed);
        }
        if heap.id() == 0 {
            self.counters.settle(freed(bytes));
        } else {
            heap.note_change(freed(bytes));
            self.pass_by(heap);
        }
    }
}

/// The length of `run`; stops the process if `address` is not its start.
pub(crate) fn checked_run(operation: &str, run: &Slab, address: usize) -> usize {
    if address != run.start() {
        misuse::stop(operation, address, Pointer::Interior { block: run.start(), bytes: run.bytes() });
    }
    run.bytes()
}
