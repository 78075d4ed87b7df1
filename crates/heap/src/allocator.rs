//! The allocator: everything that the heaps of one process share, and the paths that do not end in a list.
//!
//! ```text
//!  allocate ─► list of the size class ─► refill ─► slab ─► page heap ─► region ─► Os      up to 16 KiB
//!           └► run of units ──────────────────────────────► page heap                     up to 1 MiB
//!           └► large block ───────────────────────────────────────────────────► Os        above
//!  free ─────► page map ─► slab of this heap: its local list     of another heap: parcel ─► remote word
//!                      └► run: page heap        not in the map: directory ─► large block, or not ours
//! ```
//!
//! Called by `process` (the one allocator of a process) and by tests, which make their own.
//!
//! # Lock order
//!
//! 1. registry, 2. page heap, 3. large blocks. None is held while the program's code runs.

use core::fmt;
use core::ptr::{self};

use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_sys::Os;
use mallow_sys::lock::{Guard, Lock};
use mallow_units::word::to_usize;

use crate::block::Block;
use crate::config::DECAY_MS;
use crate::counters::Counters;
use crate::directory::{self, Large};
use crate::heap::Heap;
use crate::large::LargeBlocks;
use crate::options::Options;
use crate::page_heap::PageHeap;
use crate::region::{Region, Remote};
use crate::registry::Registry;
use crate::shared::SharedHeaps;
use crate::slab::{Kind, Slab};

/// Bits of a page map entry below the address of the slab's metadata: the id of the heap that owns the slab, or 0 if frees have
/// to take the slow path. They are the low bits because one 16-bit comparison tells whether a block is the thread's own.
pub(crate) const OWNER_BITS: u32 = u16::BITS;

/// All that the heaps share.
#[repr(C)]
pub struct Allocator {
    /// The heap of every thread that has none: answers "ask the slow path" to everything.
    pub empty: Heap,
    /// The heap of every thread that is past its last destructor.
    pub exited: Heap,
    /// Address of the first region.
    pub(crate) first_region: AtomicU64,
    os: &'static dyn Os,
    page_heap: Lock<PageHeap>,
    pub(crate) large: LargeBlocks,
    pub(crate) registry: Registry,
    /// The heaps of threads that need little.
    pub(crate) shared: SharedHeaps,
    /// Milliseconds that free memory stays resident, as the page heap last said.
    pub(crate) decay_ms: AtomicU64,
    /// How often `trim` was called.
    pub(crate) trims: AtomicU64,
    /// What it has counted.
    pub counters: Counters,
    /// How it is set.
    pub options: Options,
}

/// What an address is to the allocator.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In a slab.
    Slab(&'static Slab),
    /// In the run of a medium block.
    Run(&'static Slab),
    /// The first byte of a large block.
    Large(Large),
    /// In units that hold no block.
    Nothing,
    /// Somewhere else.
    Foreign,
}

/// The pointer is not the allocator's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Foreign;

impl Allocator {
    /// An allocator that has not asked `os` for anything yet.
    pub const fn new(os: &'static dyn Os) -> Self {
        Self {
            empty: Heap::empty(),
            exited: Heap::empty(),
            first_region: AtomicU64::new(0),
            os,
            page_heap: Lock::new(PageHeap::new()),
            large: LargeBlocks::new(),
            registry: Registry::new(),
            shared: SharedHeaps::new(),
            decay_ms: AtomicU64::new(DECAY_MS),
            trims: AtomicU64::new(0),
            counters: Counters::new(),
            options: Options::new(),
        }
    }

    /// The same for a process, which will say when it has started.
    pub(crate) const fn before_start(os: &'static dyn Os) -> Self {
        Self { counters: Counters::before_start(), ..Self::new(os) }
    }

    /// The operating system under it.
    pub fn os(&self) -> &'static dyn Os {
        self.os
    }

    /// How many heaps share what is in use: at least one.
    pub(crate) fn heap_count(&self) -> usize {
        to_usize(self.registry.heap_count()).max(1)
    }

    /// Waits for the page heap.
    pub(crate) fn page_heap(&self) -> Guard<'_, PageHeap> {
        self.page_heap.lock()
    }

    /// The page heap's lock, for fork.
    pub(crate) fn page_heap_lock(&self) -> &Lock<PageHeap> {
        &self.page_heap
    }

    pub(crate) fn first_region(&self) -> Option<&'static Region> {
        // ORDERING: Acquire pairs with the Release in `add_region`.
        let region =
            ptr::with_exposed_provenance::<Region>(to_usize(self.first_region.load(Ordering::Acquire)));
        // SAFETY: written by `add_region` from a reference that lives for ever.
        unsafe { region.as_ref() }
    }

    /// The region that `address` is a committed unit of.
    pub(crate) fn region_of(&self, address: usize) -> Option<&'static Region> {
        let first = self.first_region()?;
        if first.unit_of(address).is_some() {
            return Some(first);
        }
        match self.large.directory.find(address) {
            Some(directory::Owner::Region(region)) => region.unit_of(address).map(|_| region),
            _ => None,
        }
    }

    /// What other threads write about `slab`.
    pub(crate) fn remote_of(&self, slab: &Slab) -> Option<&'static Remote> {
        let region = self.region_of(slab.start())?;
        Some(region.remote(region.unit_at(slab.start())))
    }

    /// The slab of the block at the front of one of the caller's lists; `None` for null.
    pub(crate) fn slab_of_own_block(&self, block: *mut Block) -> Option<&'static Slab> {
        match self.place_of(block.addr()) {
            Place::Slab(slab) => Some(slab),
            _ => None,
        }
    }

    /// What `address` is.
    pub(crate) fn place_of(&self, address: usize) -> Place {
        let first = self.first_region();
        let region = match first.filter(|region| region.unit_of(address).is_some()) {
            Some(first) => first,
            None => match self.large.directory.find(address) {
                Some(directory::Owner::Large(large)) => return Place::Large(large),
                Some(directory::Owner::Region(region)) => region,
                None if first.is_some_and(|first| first.has_reserved(address)) => return Place::Nothing,
                None => return Place::Foreign,
            },
        };
        // Not a unit: a retired chunk whose address space nobody of ours has taken since.
        let Some(unit) = region.unit_of(address) else { return Place::Foreign };
        let entry = region.entry(unit).load(Ordering::Relaxed);
        let Some(slab) = slab_in(entry) else { return Place::Nothing };
        match slab.kind() {
            Kind::Slab => Place::Slab(slab),
            Kind::Run => Place::Run(slab),
            Kind::Nothing | Kind::Kept => Place::Nothing,
        }
    }
}

impl fmt::Debug for Allocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allocator").field("counters", &self.counters).finish_non_exhaustive()
    }
}

/// The slab that a page map entry stands for.
pub(crate) fn slab_in(entry: u64) -> Option<&'static Slab> {
    let slab = ptr::with_exposed_provenance::<Slab>(to_usize(entry >> OWNER_BITS));
    // SAFETY: entries are written by `take_run` only, and metadata is never released.
    unsafe { slab.as_ref() }
}
