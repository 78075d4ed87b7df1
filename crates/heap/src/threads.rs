//! Threads come, go and fork: who gets which heap.
//!
//! A new thread takes over the heap that was vacated last, with all its slabs, or gets a new one. A thread that exits
//! leaves a small heap as it is (`warm`); otherwise it returns what is free and leaves the rest in its heap for the next. Before a fork all locks are taken, so the child finds
//! them in order; the heaps of threads that the child does not have become vacant if they were at rest and are
//! frozen if not.
//!
//! Called by `process`, and by tests with heaps of their own.

use mallow_ds::owner::Owner;
use mallow_trace::Counter;

use crate::allocator::Allocator;
use crate::config::SPARSE_FROM_SLABS;
use crate::heap::Heap;
use crate::idle::Zeal;
use crate::registry;

impl Allocator {
    /// A heap for the calling thread; `None` if there is no memory.
    pub fn attach(&'static self) -> Option<&'static Heap> {
        self.registry.acquire(self.os()).map(|heap| self.prepare(heap))
    }

    /// The same for a thread that may not need one: if a vacant heap is at hand, or if there are few heaps.
    pub(crate) fn attach_early(&'static self) -> Option<&'static Heap> {
        let most = self.shared.early_heaps();
        self.registry.acquire_early(self.os(), most).map(|heap| self.prepare(heap))
    }

    /// Makes a heap that the caller has just got ready for use.
    pub(crate) fn prepare(&'static self, heap: &'static Heap) -> &'static Heap {
        heap.set_frees_fast(!self.is_slow_mode());
        self.show_units(heap);
        self.counters.raise(Counter::Heaps, self.registry.heap_count());
        heap
    }

    /// Lets go of the calling thread's heap.
    pub fn detach(&'static self, heap: &'static Heap) {
        heap.exit_rounds.set(0);
        if self.leave_warm(heap) {
            return;
        }
        {
            let _busy = heap.enter();
            // What a small thread leaves, the next one will use; much is worth the look.
            let is_large = heap.listed_slabs.get() >= SPARSE_FROM_SLABS;
            self.clear_out(heap, if is_large { Zeal::All } else { Zeal::Empty });
        }
        self.leave(heap);
        self.registry.offer(heap);
    }

    /// Returns what the thread that has just exited left behind.
    pub fn purge_after_exit(&'static self) {
        let now_ms = self.os().now_ms();
        if !self.page_heap().is_exit_due(now_ms) {
            return;
        }
        self.visit_each_shared(|heap| {
            // A long look is for the ticks.
            if heap.listed_slabs.get() < SPARSE_FROM_SLABS {
                let _busy = heap.enter();
                self.clear_out(heap, Zeal::Empty);
            }
        });
        self.cool_oldest(now_ms);
        self.page_heap().purge_after_exit(self.os(), &self.counters, now_ms);
    }

    /// Takes all locks, in their order.
    pub fn prepare_fork(&'static self) {
        self.registry.nursery_lock().lock_for_fork();
        self.page_heap_lock().lock_for_fork();
        self.large.state.lock_for_fork();
    }

    /// Lets go of all locks, in the parent.
    ///
    /// # Safety
    ///
    /// 1. This thread called [`Allocator::prepare_fork`] and has not let go since.
    pub unsafe fn after_fork_in_parent(&'static self) {
        // SAFETY: taken by `prepare_fork` (1).
        unsafe { self.large.state.unlock_after_fork() };
        // SAFETY: as above.
        unsafe { self.page_heap_lock().unlock_after_fork() };
        // SAFETY: as above.
        unsafe { self.registry.nursery_lock().unlock_after_fork() };
    }

    /// Lets go of all locks in the child, and takes care of the heaps of all threads but this one, which has `own`.
    ///
    /// # Safety
    ///
    /// 1. As [`Allocator::after_fork_in_parent`], for the thread that called fork.
    pub unsafe fn after_fork_in_child(&'static self, own: &'static Heap) {
        // SAFETY: by (1); there is no other thread.
        unsafe { self.after_fork_in_parent() };
        for heap in self.registry.heaps().filter(|heap| !core::ptr::eq(*heap, own)) {
            // A heap in a state without an owner stays as it is.
            if heap.owner.update(|state| Owner::orphaned(state, !heap.was_busy())).is_ok() {
                heap.is_inherited.set(true);
            }
        }
        self.shared.forget_frozen(&self.registry);
        registry::relist(&mut self.registry.lock(), self.registry.heaps());
    }
}
