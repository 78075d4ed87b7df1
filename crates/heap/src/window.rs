//! From an address to the slab of the thread's own heap, by the shortest way there is.
//!
//! ```text
//!  unit  = (address - base) / 16 KiB        below the limit?   else: not ours, or not known to this thread
//!  entry = map[unit]                        | slab's metadata : 48 | owner : 16 |
//!                                           owner is me?       else: another heap's, a run, or nothing
//! ```
//!
//! Called by `free` and `realloc`. In a process the four numbers lie in the thread's own words, where each is an operand of one instruction; in
//! tests, whose threads have many heaps, in the heap.

use core::ptr;

use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_sys::thread::{self, Here};
use mallow_units::word::to_usize;

use crate::allocator::OWNER_BITS;
use crate::config::UNIT_SHIFT;
use crate::slab::Slab;

/// Where the numbers are.
pub trait View: Copy {
    /// How far `address` is above unit 0.
    fn offset_of(self, address: usize) -> usize;
    /// Whether unit `unit` has an entry.
    fn has(self, unit: usize) -> bool;
    /// The address of the page map.
    fn map(self) -> usize;
    /// Whether `entry` names this heap.
    fn owns(self, entry: u64) -> bool;
}

impl View for Here {
    #[inline(always)]
    fn offset_of(self, address: usize) -> usize {
        self.offset_of(address)
    }
    #[inline(always)]
    fn has(self, unit: usize) -> bool {
        self.has(unit)
    }
    #[inline(always)]
    fn map(self) -> usize {
        self.map()
    }
    #[inline(always)]
    fn owns(self, entry: u64) -> bool {
        self.owns(entry)
    }
}

impl View for thread::Window {
    fn offset_of(self, address: usize) -> usize {
        address.wrapping_sub(self.base)
    }
    fn has(self, unit: usize) -> bool {
        unit < self.limit
    }
    fn map(self) -> usize {
        self.map
    }
    fn owns(self, entry: u64) -> bool {
        entry & u64::from(u16::MAX) == u64::from(self.owner)
    }
}

/// The page map entry of the unit that `address` is in; `None` for units that the view does not know.
#[inline(always)]
fn entry_of(view: impl View, address: usize) -> Option<u64> {
    let unit = view.offset_of(address) >> UNIT_SHIFT;
    // Not by way of an `Option` of a reference, which would be told apart by one more test for null.
    view.has(unit).then(|| entry_at(view, unit).load(Ordering::Relaxed))
}

/// The place of the page map entry of the unit that `address` is in; `None` for units that the view does not know.
#[inline(always)]
pub(crate) fn place_of_entry(view: impl View, address: usize) -> Option<&'static AtomicU64> {
    let unit = view.offset_of(address) >> UNIT_SHIFT;
    view.has(unit).then(|| entry_at(view, unit))
}

/// The page map entry of `unit`, which the view has.
#[inline(always)]
fn entry_at(view: impl View, unit: usize) -> &'static AtomicU64 {
    let map = ptr::with_exposed_provenance::<AtomicU64>(view.map());
    // SAFETY: the map has an entry for each unit below the limit.
    let entry = unsafe { map.add(unit) };
    // SAFETY: committed, never released, and atomic.
    unsafe { &*entry }
}

/// The slab, of whatever heap, that `address` is in; `None` for runs, for what is not a block, and for units that the view does
/// not know.
pub(crate) fn any_slab(view: impl View, address: usize) -> Option<&'static Slab> {
    let entry = entry_of(view, address)?;
    has_owner(entry).then(|| OwnSlab(entry).slab())
}

/// Whether a page map entry is a slab's. Runs, and units without a block, have no owner.
#[inline(always)]
pub(crate) const fn has_owner(entry: u64) -> bool {
    entry & ((1 << OWNER_BITS) - 1) != 0
}

/// A page map entry of a slab of the viewing thread's own heap. Not a reference, whose `Option` would be told apart by one more
/// test for null.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnSlab(u64);

impl OwnSlab {
    /// The one that `address` is in; `None` for everything else.
    #[inline(always)]
    pub(crate) fn around(view: impl View, address: usize) -> Option<Self> {
        let entry = entry_of(view, address)?;
        view.owns(entry).then_some(Self(entry))
    }

    /// Its metadata.
    #[inline(always)]
    pub(crate) fn slab(self) -> &'static Slab {
        let slab = ptr::with_exposed_provenance::<Slab>(to_usize(self.0 >> OWNER_BITS));
        // SAFETY: an entry with a heap's id was written by `runs::enter`, together with a slab's address.
        unsafe { &*slab }
    }
}
