//! Heaps that threads share which need little.
//!
//! ```text
//!  call 1             a heap of its own, if one is vacant or there are few        otherwise:
//!  calls 1 to 64      a visit to the first shared heap that nobody visits         all are visited:
//!  later              a heap of its own
//! ```
//!
//! A thread that allocates a few blocks and sleeps would keep slabs of each of their classes: some 50 KiB. So it has no heap of its own
//! until it has shown that it needs one. A shared heap is one that is vacant for ever, but for visits
//! (`mallow_ds::owner`), of which each lasts for one call. Nobody waits for a visitor.
//!
//! Called by `process`, by `idle` and `threads`, and by tests with allocators of their own. The registry's lock is taken to make one.

use mallow_ds::owner::{self, Owner};
use mallow_ds::sync::{AtomicU64, Ordering};

use crate::allocator::Allocator;
use crate::config::{EARLY_HEAPS_PER_PROCESSOR, LIKELY_PROCESSORS, SHARED_CALLS, SHARED_HEAPS};
use crate::heap::Heap;
use crate::registry::Registry;

/// Which heaps are shared.
#[derive(Debug)]
pub struct SharedHeaps {
    /// Their ids; 0 for one that was not needed yet.
    ids: [AtomicU64; SHARED_HEAPS],
    processors: AtomicU64,
}

/// A heap for a thread that had none.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// The thread's own from now on.
    Own(&'static Heap),
    /// A shared one, for one call; [`Allocator::leave`] ends that.
    Shared(&'static Heap),
}

impl Found {
    /// The heap, which the caller owns.
    pub fn heap(self) -> &'static Heap {
        match self {
            Self::Own(heap) | Self::Shared(heap) => heap,
        }
    }
}

impl SharedHeaps {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            ids: [const { AtomicU64::new(0) }; SHARED_HEAPS],
            processors: AtomicU64::new(LIKELY_PROCESSORS),
        }
    }

    /// Notes how many threads can run at the same time.
    pub(crate) fn set_processors(&self, processors: u64) {
        self.processors.store(processors, Ordering::Relaxed);
    }

    /// Up to how many heaps a new thread gets one of its own without further ado.
    pub(crate) fn early_heaps(&self) -> u64 {
        self.processors.load(Ordering::Relaxed).saturating_mul(EARLY_HEAPS_PER_PROCESSOR)
    }

    /// Has those that a forked child cannot use replaced, when they are needed.
    pub(crate) fn forget_frozen(&self, registry: &Registry) {
        for place in &self.ids {
            if heap_at(place, registry).is_some_and(|heap| heap.owner.get() == Owner::Frozen) {
                place.store(0, Ordering::Relaxed);
            }
        }
    }
}

impl Default for SharedHeaps {
    fn default() -> Self {
        Self::new()
    }
}

impl Allocator {
    /// A heap for a thread that has none and has asked `earlier_calls` times before; `None` if there is no memory.
    pub fn find_heap(&'static self, earlier_calls: usize) -> Option<Found> {
        let own = match earlier_calls {
            0 => self.attach_early(),
            1..SHARED_CALLS => None,
            _ => self.attach(),
        };
        // Where threads have their own, there may be no more of them; where they share, all may be visited.
        own.map(Found::Own)
            .or_else(|| self.visit_shared().map(Found::Shared))
            .or_else(|| self.attach().map(Found::Own))
    }

    /// Visits a shared heap; `None` if others are in all of them.
    fn visit_shared(&'static self) -> Option<&'static Heap> {
        let processors = self.shared.processors.load(Ordering::Relaxed);
        (0..).zip(&self.shared.ids).find_map(|(nth, place)| match heap_at(place, &self.registry) {
            Some(heap) => owner::visit(&heap.owner).then_some(heap),
            None => self.make_shared(place, nth >= processors),
        })
    }

    /// Calls `f` with each shared heap that nobody else visits.
    pub(crate) fn visit_each_shared(&'static self, f: impl Fn(&'static Heap)) {
        for heap in self.shared.ids.iter().filter_map(|place| heap_at(place, &self.registry)) {
            if owner::visit(&heap.owner) {
                f(heap);
                self.leave(heap);
            }
        }
    }

    /// A new shared heap, visited by the caller; `None` if there is no memory, or if somebody else has just made it.
    fn make_shared(&'static self, place: &AtomicU64, is_spare: bool) -> Option<&'static Heap> {
        let mut nursery = self.registry.lock();
        if place.load(Ordering::Relaxed) != 0 {
            return None;
        }
        let heap = self.registry.make(&mut nursery, self.os())?;
        heap.is_shared.set(true);
        heap.is_spare.set(is_spare);
        // ORDERING: Release publishes that it is shared. Until the caller leaves it, nobody gets in.
        place.store(u64::from(heap.id()), Ordering::Release);
        drop(nursery);
        Some(self.prepare(heap))
    }
}

/// The shared heap that `place` names.
fn heap_at(place: &AtomicU64, registry: &Registry) -> Option<&'static Heap> {
    // ORDERING: Acquire pairs with the Release in `make_shared`.
    registry.heap(u16::try_from(place.load(Ordering::Acquire)).unwrap_or(0))
}
