//! Warm heaps: what a short thread leaves as it is for the next one.
//!
//! ```text
//!  owned ── small, and few are warm ──► warm ── adopted ──► owned
//!        └── otherwise: cleared out ──► cold ◄── cleared out by a tick or a trim, when nobody has come
//! ```
//!
//! A thread that lives for a few hundred blocks would spend most of its time on opening slabs, and on closing them again. So
//! its lists, its empty slabs and the runs that it kept stay in the heap, and its successor allocates at once. Warm heaps
//! are adopted first, the one that was left last before the others, so those that are too many grow old.
//!
//! Called by `threads` at the end of a thread, by `idle`. The list of warm heaps is the registry's.

use mallow_ds::sync::Ordering;

use crate::allocator::Allocator;
use crate::bin::Bin;
use crate::config::{UNIT_BYTES, WARM_HEAP_BYTES, WARM_SLABS};
use crate::heap::Heap;
use crate::idle::Zeal;
use crate::slab::Slab;

impl Allocator {
    /// Lets go of the calling thread's heap as it is; false if it has too much for that, or there are enough warm heaps.
    pub(crate) fn leave_warm(&'static self, heap: &'static Heap) -> bool {
        {
            let _busy = heap.enter();
            self.send_parcels(heap);
            self.drain_mailbox(heap);
            if heap.listed_slabs.get() > WARM_SLABS {
                return false;
            }
            let bytes = idle_bytes(heap);
            if bytes == 0 || bytes > WARM_HEAP_BYTES {
                return false;
            }
            self.settle(heap);
            heap.left_ms.set(self.os().now_ms());
            if !self.registry.offer_warm(heap, bytes, self.shared.early_heaps()) {
                return false;
            }
        }
        self.leave(heap);
        true
    }

    /// Clears out the warm heap that was left first, if that is long enough ago.
    pub(crate) fn cool_oldest(&'static self, now_ms: u64) {
        let decay_ms = self.decay_ms.load(Ordering::Relaxed);
        if let Some(heap) = self.registry.next_to_cool(now_ms.saturating_sub(decay_ms)) {
            let busy = heap.enter();
            self.clear_out(heap, Zeal::Empty);
            drop(busy);
            self.leave(heap);
        }
    }

    /// Calls `f` with each warm heap that nobody else visits. Cost: a look at every heap.
    pub(crate) fn visit_each_warm(&'static self, f: impl Fn(&'static Heap)) {
        for heap in self.registry.vacant_heaps() {
            if heap.is_warm() {
                f(heap);
            }
            self.leave(heap);
        }
    }
}

/// Bytes that are resident in slabs with room and in kept runs, at most.
fn idle_bytes(heap: &Heap) -> usize {
    let resident = |slab: &'static Slab| slab.bytes() - slab.bare_bytes();
    let in_slabs: usize = heap.bins.iter().flat_map(Bin::slabs).map(resident).sum();
    in_slabs + heap.runs.units() as usize * UNIT_BYTES
}
