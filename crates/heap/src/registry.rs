//! The registry: all heaps by id, and those whose threads have exited.
//!
//! A heap is never unmapped and never changes its id, so page map entries stay valid when a new thread takes over a
//! vacant heap with everything in it.
//!
//! Called by `threads`, and by `remote` to find the owner of a slab. One lock around making and adopting heaps;
//! looking up an id takes none.

use core::ptr::NonNull;

use mallow_ds::owner::{self, Owner};
use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_sys::Os;
use mallow_sys::lock::{Guard, Lock};
use mallow_trace::Landmark;
use mallow_units::bytes::KIB;
use mallow_units::page::{self, PAGE_BYTES};
use mallow_units::word::to_usize;

use crate::config::{MAX_HEAPS, WARM_TOTAL_BYTES};
use crate::heap::{Heap, Tally};

/// Bytes mapped at a time for heaps.
const NURSERY_BYTES: usize = 64 * KIB;
/// Bytes of the table of heaps; ids count from 1.
const TABLE_BYTES: usize = (MAX_HEAPS + 1) * size_of::<u64>();
/// Vacant heaps tried before a new one is made; a visitor may be in the first ones.
const ADOPTION_TRIES: usize = 8;

/// What the lock protects.
#[derive(Debug)]
pub struct Nursery {
    /// Left as they were, see `warm`.
    warm: Option<&'static Heap>,
    warm_heaps: u64,
    warm_bytes: usize,
    /// Cleared out.
    cold: Option<&'static Heap>,
    free: Option<NonNull<u8>>,
    free_bytes: usize,
}

// SAFETY: the memory in it belongs to the nursery alone, and heaps are `Sync`.
unsafe impl Send for Nursery {}

/// A heap, and what it counts in.
#[repr(C)]
struct Placed {
    heap: Heap,
    tally: Tally,
}

/// The heaps of one allocator.
#[derive(Debug)]
pub struct Registry {
    /// Address of an array of heap addresses; ids count from 1.
    table: AtomicU64,
    count: AtomicU64,
    looked_at: AtomicU64,
    nursery: Lock<Nursery>,
}

impl Registry {
    /// No heaps.
    pub const fn new() -> Self {
        Self {
            table: AtomicU64::new(0),
            count: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
            nursery: Lock::new(Nursery::new()),
        }
    }

    /// Bytes from one heap to the next.
    pub(crate) const HEAP_BYTES: usize = size_of::<Placed>().next_multiple_of(64);

    /// What a landmark of the table of heaps is; `None` for others.
    pub(crate) fn landmark(&self, landmark: Landmark) -> Option<usize> {
        Some(match landmark {
            Landmark::HeapTable => core::ptr::from_ref(&self.table).expose_provenance(),
            Landmark::HeapCount => core::ptr::from_ref(&self.count).expose_provenance(),
            Landmark::HeapTableBytes => TABLE_BYTES,
            Landmark::HeapBytes => Self::HEAP_BYTES,
            _ => return None,
        })
    }

    /// Waits for the right to make and adopt heaps.
    pub(crate) fn lock(&self) -> Guard<'_, Nursery> {
        self.nursery.lock()
    }

    /// The lock itself, for fork.
    pub(crate) fn nursery_lock(&self) -> &Lock<Nursery> {
        &self.nursery
    }

    /// The heap with this id.
    pub fn heap(&self, id: u16) -> Option<&'static Heap> {
        // ORDERING: Acquire pairs with the Release in `make`: a heap that is counted is entered.
        if id == 0 || u64::from(id) > self.count.load(Ordering::Acquire) {
            return None;
        }
        let slot = self.slot(usize::from(id))?;
        let heap = core::ptr::with_exposed_provenance::<Heap>(to_usize(slot.load(Ordering::Relaxed)));
        // SAFETY: entered by `make`; heaps live for ever.
        unsafe { heap.as_ref() }
    }

    /// All heaps.
    pub fn heaps(&self) -> impl Iterator<Item = &'static Heap> + '_ {
        let count = u16::try_from(self.count.load(Ordering::Acquire)).unwrap_or(u16::MAX);
        (1..=count).filter_map(|id| self.heap(id))
    }

    /// How many heaps were ever made.
    pub fn heap_count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// A different heap at each call, in turn.
    pub(crate) fn next_to_look_at(&self) -> Option<&'static Heap> {
        let turn = self.looked_at.fetch_add(1, Ordering::Relaxed);
        let id = turn % self.heap_count().max(1) + 1;
        self.heap(u16::try_from(id).ok()?)
    }

    /// A heap for a new thread: the one that was left last, or a new one; `None` if there is no memory or no id.
    pub(crate) fn acquire(&self, os: &dyn Os) -> Option<&'static Heap> {
        let mut nursery = self.lock();
        nursery.adopt().or_else(|| self.make(&mut nursery, os))
    }

    /// The same, but a new heap only while there are fewer than `most`.
    pub(crate) fn acquire_early(&self, os: &dyn Os, most: u64) -> Option<&'static Heap> {
        let mut nursery = self.lock();
        nursery.adopt().or_else(|| if self.heap_count() < most { self.make(&mut nursery, os) } else { None })
    }

    /// Notes that a heap was cleared out and vacated.
    pub(crate) fn offer(&self, heap: &'static Heap) {
        push(&mut self.lock().cold, heap);
    }

    /// Notes that the caller is about to vacate its heap as it is, with `bytes` bytes at hand, which are not 0; false if there
    /// are `most` such heaps, or enough bytes in them.
    pub(crate) fn offer_warm(&self, heap: &'static Heap, bytes: usize, most: u64) -> bool {
        let mut nursery = self.lock();
        if nursery.warm_heaps >= most || nursery.warm_bytes + bytes > WARM_TOTAL_BYTES {
            return false;
        }
        heap.warm_bytes.set(bytes);
        nursery.push_warm(heap);
        true
    }

    /// The heap that is warm for the longest time, if it was left before `left_ms`, visited by the caller; it is warm no
    /// more.
    pub(crate) fn next_to_cool(&self, left_ms: u64) -> Option<&'static Heap> {
        let mut nursery = self.lock();
        let heap = nursery.remove_warm(|heap| {
            heap.next_vacant.get().is_none() && heap.left_ms.get() < left_ms && owner::visit(&heap.owner)
        })?;
        push(&mut nursery.cold, heap);
        Some(heap)
    }

    /// All heaps without an owner that nobody else visits: the caller visits one after the other, and has to leave each.
    pub(crate) fn vacant_heaps(&self) -> impl Iterator<Item = &'static Heap> + '_ {
        self.heaps().filter(|heap| owner::visit(&heap.owner))
    }

    /// A new heap, which the caller owns.
    pub(crate) fn make(&self, nursery: &mut Nursery, os: &dyn Os) -> Option<&'static Heap> {
        let id = usize::try_from(self.count.load(Ordering::Relaxed)).ok()? + 1;
        if id > MAX_HEAPS {
            return None;
        }
        if self.table.load(Ordering::Relaxed) == 0 {
            let table = os.map(page::round_up(TABLE_BYTES)?, PAGE_BYTES).ok()?;
            // ORDERING: Release publishes the zeroed table.
            self.table.store(table.as_ptr().expose_provenance() as u64, Ordering::Release);
        }
        let place = nursery.place(os)?;
        // SAFETY: fresh memory, aligned and large enough for a heap and its tally.
        unsafe { place.write(Placed { heap: Heap::empty(), tally: Tally::new() }) };
        // SAFETY: written just now, and never released.
        let Placed { heap, tally } = unsafe { place.as_ref() };
        heap.count_in(tally);
        heap.set_id(u16::try_from(id).ok()?);
        heap.owner.update(Owner::opened).ok()?;
        self.slot(id)?.store(place.as_ptr().expose_provenance() as u64, Ordering::Relaxed);
        // ORDERING: Release publishes the heap and its slot.
        self.count.store(id as u64, Ordering::Release);
        Some(heap)
    }

    fn slot(&self, id: usize) -> Option<&'static AtomicU64> {
        // ORDERING: Acquire pairs with the Release in `make`.
        let table =
            core::ptr::with_exposed_provenance::<AtomicU64>(to_usize(self.table.load(Ordering::Acquire)));
        if table.is_null() || id > MAX_HEAPS {
            return None;
        }
        // SAFETY: the table has MAX_HEAPS + 1 words.
        let slot = unsafe { table.add(id) };
        // SAFETY: mapped for ever, zero or written by this module, and atomic.
        Some(unsafe { &*slot })
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Nursery {
    const fn new() -> Self {
        Self { warm: None, warm_heaps: 0, warm_bytes: 0, cold: None, free: None, free_bytes: 0 }
    }

    /// Takes over a vacant heap, a warm one if possible.
    fn adopt(&mut self) -> Option<&'static Heap> {
        let is_adopted = |heap: &Heap| heap.owner.update(Owner::adopted).is_ok();
        self.remove_warm(is_adopted).or_else(|| remove(&mut self.cold, ADOPTION_TRIES, is_adopted))
    }

    fn push_warm(&mut self, heap: &'static Heap) {
        self.warm_heaps += 1;
        self.warm_bytes += heap.warm_bytes.get();
        push(&mut self.warm, heap);
    }

    /// Takes out the first warm heap for which `has_come` says that it is the caller's now.
    fn remove_warm(&mut self, has_come: impl Fn(&Heap) -> bool) -> Option<&'static Heap> {
        let heap = remove(&mut self.warm, usize::MAX, has_come)?;
        self.warm_heaps -= 1;
        self.warm_bytes -= heap.warm_bytes.take();
        Some(heap)
    }

    fn place(&mut self, os: &dyn Os) -> Option<NonNull<Placed>> {
        const STRIDE: usize = Registry::HEAP_BYTES;
        if self.free_bytes < STRIDE {
            self.free = Some(os.map(NURSERY_BYTES, PAGE_BYTES).ok()?);
            self.free_bytes = NURSERY_BYTES;
        }
        let place = self.free?;
        // SAFETY: STRIDE bytes are left in the mapping.
        self.free = Some(unsafe { place.byte_add(STRIDE) });
        self.free_bytes -= STRIDE;
        Some(place.cast())
    }
}

/// Puts `heap` in front of a list of vacant heaps.
fn push(first: &mut Option<&'static Heap>, heap: &'static Heap) {
    heap.next_vacant.set(*first);
    *first = Some(heap);
}

/// Takes that heap out of a list, among the first `tries`, for which `has_come` says that it is the caller's now.
fn remove(
    first: &mut Option<&'static Heap>,
    tries: usize,
    has_come: impl Fn(&Heap) -> bool,
) -> Option<&'static Heap> {
    let mut previous: Option<&'static Heap> = None;
    let mut candidate = *first;
    for _ in 0..tries {
        let heap = candidate?;
        if has_come(heap) {
            let next = heap.next_vacant.take();
            match previous {
                Some(previous) => previous.next_vacant.set(next),
                None => *first = next,
            }
            return Some(heap);
        }
        previous = candidate;
        candidate = heap.next_vacant.get();
    }
    None
}

/// Rebuilds the lists of vacant heaps in a forked child.
pub(crate) fn relist(nursery: &mut Nursery, heaps: impl Iterator<Item = &'static Heap>) {
    (nursery.warm, nursery.warm_heaps, nursery.warm_bytes, nursery.cold) = (None, 0, 0, None);
    for heap in heaps.filter(|heap| heap.owner.get() == Owner::Vacant && !heap.is_shared()) {
        if heap.is_warm() {
            nursery.push_warm(heap);
        } else {
            push(&mut nursery.cold, heap);
        }
    }
}
