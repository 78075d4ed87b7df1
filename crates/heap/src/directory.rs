//! The directory: from any address to the large block or the extra region that begins near it.
//!
//! A radix tree over the 47-bit address space in steps of 1 MiB (*granules*). No two large blocks begin in one granule,
//! because each takes at least one; a region takes an entry for each of its granules. The root and the leaves are
//! mapped on first use and never given back.
//!
//! Called by `large` and `page_heap` to enter, under their locks; by `allocator` to look up, without one.

use core::ptr::NonNull;

use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_sys::{Os, OsError};
use mallow_trace::Landmark;
use mallow_units::bytes::MIB;
use mallow_units::page::PAGE_BYTES;
use mallow_units::word::to_usize;

use crate::backing::Backing;
use crate::region::Region;

/// Bytes; the step of the directory and the least address space that a large block takes.
pub const GRANULE_BYTES: usize = MIB;
const LEAF_ENTRIES: usize = 1 << 14;
const ROOT_ENTRIES: usize = 1 << 13;

const _: () = assert!(GRANULE_BYTES * LEAF_ENTRIES * ROOT_ENTRIES == 1 << 47);

/// What begins in a granule.
#[derive(Debug)]
#[repr(C)]
struct Entry {
    /// Address of the first byte of a large block; or of a region's metadata, plus one; or 0.
    start: AtomicU64,
    /// Bytes mapped for the large block, whole pages; and its backing, in the bits below.
    bytes: AtomicU64,
}

/// The radix tree.
#[derive(Debug)]
pub struct Directory {
    root: AtomicU64,
    spare_leaf: AtomicU64,
}

/// What an address belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Owner {
    /// The large block that starts exactly there.
    Large(Large),
    /// A unit of this region.
    Region(&'static Region),
}

/// A large block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Large {
    /// Its address.
    pub start: usize,
    /// Bytes mapped, all usable.
    pub bytes: usize,
    /// What is known of its pages.
    pub backing: Backing,
}

impl Large {
    /// Where it begins, for those who own it.
    pub fn pointer(self) -> NonNull<u8> {
        NonNull::new(core::ptr::with_exposed_provenance_mut(self.start)).unwrap_or(NonNull::dangling())
    }

    fn from_words(start: u64, bytes: u64) -> Self {
        let backing = Backing::from_bits(bytes);
        Self { start: to_usize(start), bytes: to_usize(bytes) & !(PAGE_BYTES - 1), backing }
    }
}

impl Directory {
    /// An empty directory.
    pub const fn new() -> Self {
        Self { root: AtomicU64::new(0), spare_leaf: AtomicU64::new(0) }
    }

    /// What a landmark of a directory is; `None` for others.
    pub(crate) fn landmark(&self, landmark: Landmark) -> Option<usize> {
        Some(match landmark {
            Landmark::Directory => core::ptr::from_ref(&self.root).expose_provenance(),
            Landmark::DirectoryLeaves => ROOT_ENTRIES,
            Landmark::LeafEntries => LEAF_ENTRIES,
            _ => return None,
        })
    }

    /// Makes sure that the next [`Directory::enter_large`] needs no memory. Under the lock of `large`.
    ///
    /// # Errors
    ///
    /// The operating system's reason.
    pub fn prepare(&self, os: &dyn Os) -> Result<(), OsError> {
        self.map_once(&self.root, os, ROOT_ENTRIES * size_of::<u64>())?;
        self.map_once(&self.spare_leaf, os, LEAF_ENTRIES * size_of::<Entry>())
    }

    fn map_once(&self, word: &AtomicU64, os: &dyn Os, bytes: usize) -> Result<(), OsError> {
        // ORDERING: only written under the same lock; readers use Acquire.
        if word.load(Ordering::Relaxed) == 0 {
            let start = os.map(bytes, PAGE_BYTES)?;
            // ORDERING: Release publishes the zeroed memory.
            word.store(start.as_ptr().expose_provenance() as u64, Ordering::Release);
        }
        Ok(())
    }

    /// Enters a large block. [`Directory::prepare`] has succeeded since the last entry, under the same lock.
    pub fn enter_large(&self, large: Large) {
        if let Some(entry) = self.entry_or_spare(large.start) {
            // ORDERING: `start` is stored last, with Release: who finds it sees `bytes`.
            entry.bytes.store(large.bytes as u64 | large.backing.bits(), Ordering::Relaxed);
            entry.start.store(large.start as u64, Ordering::Release);
        }
    }

    /// Enters an extra region. Under the lock of `large`.
    ///
    /// # Errors
    ///
    /// The operating system's reason for refusing memory for the tree.
    pub fn enter_region(
        &self,
        os: &dyn Os,
        region: &'static Region,
        heap_bytes: usize,
    ) -> Result<(), OsError> {
        let tagged = core::ptr::from_ref(region).expose_provenance() as u64 + 1;
        for granule in (region.base()..region.base() + heap_bytes).step_by(GRANULE_BYTES) {
            self.prepare(os)?;
            if let Some(entry) = self.entry_or_spare(granule) {
                entry.start.store(tagged, Ordering::Release);
            }
        }
        Ok(())
    }

    /// What `address` belongs to. For a large block only its first byte counts.
    pub fn find(&self, address: usize) -> Option<Owner> {
        let entry = self.entry(address)?;
        // ORDERING: Acquire pairs with the Release of `enter_*`.
        let start = entry.start.load(Ordering::Acquire);
        if start & 1 == 1 {
            let region = NonNull::new(core::ptr::with_exposed_provenance_mut::<Region>(to_usize(start - 1)))?;
            // SAFETY: entered by `enter_region` from a reference that lives for ever.
            return Some(Owner::Region(unsafe { region.as_ref() }));
        }
        let large = Large::from_words(start, entry.bytes.load(Ordering::Relaxed));
        (start != 0 && large.start == address).then_some(Owner::Large(large))
    }

    /// The large block that `address` lies in, at most `granules` granules behind its start. For messages.
    pub fn find_around(&self, address: usize, granules: usize) -> Option<Large> {
        (0..granules).find_map(|step| {
            let entry = self.entry(address.checked_sub(step * GRANULE_BYTES)?)?;
            let start = entry.start.load(Ordering::Acquire);
            let large = Large::from_words(start, entry.bytes.load(Ordering::Relaxed));
            let begins = start != 0 && start & 1 == 0 && address >= large.start;
            let inside = begins && address - large.start < large.bytes;
            inside.then_some(large)
        })
    }

    /// Strikes a large block out; false if somebody else did, so it was freed twice.
    pub fn strike(&self, large: Large) -> bool {
        let Some(entry) = self.entry(large.start) else { return false };
        // ORDERING: AcqRel, so that exactly one of two threads goes on to unmap, after all uses of the entry.
        entry.start.compare_exchange(large.start as u64, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn entry(&self, address: usize) -> Option<&'static Entry> {
        let slot = self.root_slot(address)?;
        // ORDERING: Acquire pairs with the Release of `entry_or_spare`: the leaf is zeroed memory.
        entry_in(slot.load(Ordering::Acquire), address)
    }

    fn entry_or_spare(&self, address: usize) -> Option<&'static Entry> {
        let slot = self.root_slot(address)?;
        if slot.load(Ordering::Relaxed) == 0 {
            slot.store(self.spare_leaf.swap(0, Ordering::AcqRel), Ordering::Release);
        }
        entry_in(slot.load(Ordering::Relaxed), address)
    }

    fn root_slot(&self, address: usize) -> Option<&'static AtomicU64> {
        let index = address / GRANULE_BYTES / LEAF_ENTRIES;
        // ORDERING: Acquire pairs with the Release of `map_once`.
        let root =
            core::ptr::with_exposed_provenance::<AtomicU64>(to_usize(self.root.load(Ordering::Acquire)));
        if root.is_null() || index >= ROOT_ENTRIES {
            return None;
        }
        // SAFETY: the root has ROOT_ENTRIES words.
        let slot = unsafe { root.add(index) };
        // SAFETY: mapped for ever, zero or written by this module, and atomic.
        Some(unsafe { &*slot })
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

fn entry_in(leaf: u64, address: usize) -> Option<&'static Entry> {
    let leaf = core::ptr::with_exposed_provenance::<Entry>(to_usize(leaf));
    if leaf.is_null() {
        return None;
    }
    // SAFETY: a leaf has LEAF_ENTRIES entries.
    let entry = unsafe { leaf.add(address / GRANULE_BYTES % LEAF_ENTRIES) };
    // SAFETY: mapped for ever, zero or written by this module, and atomic.
    Some(unsafe { &*entry })
}
