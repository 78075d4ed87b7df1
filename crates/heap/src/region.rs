//! Regions: reserved address space with its own page map and metadata behind.
//!
//! ```text
//!  base (chunk aligned)                     header
//!  | unit 0 | unit 1 | ...                 | segment, Region | page map | slab metadata | remote words | chunk trackers |
//!    committed ───►              reserved             8 B/unit   64 B/unit       16 B/unit      about 128 B/chunk
//! ```
//!
//! The first region is as large as the address space allows (1 TiB), and its page map is what `free` reads. Where so
//! much is refused (`ulimit -v`), regions are small, there are several, and all but the first are found through
//! `directory`. All arrays are committed in step with the units that they describe, so a small process touches a page
//! of each.
//!
//! Called by `page_heap`, under its lock, and by `allocator` for look-ups, without.

use core::cell::Cell;
use core::mem::offset_of;
use core::ptr::NonNull;

use mallow_ds::mailbox::Letters;
use mallow_ds::packed::Packed;
use mallow_ds::remote::RemoteWord;
use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_sys::{Os, OsError};
use mallow_trace::Landmark;
use mallow_trace::segment::SEGMENT_BYTES;
use mallow_units::page::PAGE_BYTES;
use mallow_units::word::to_usize;

use crate::chunk::Chunk;
use crate::config::{CHUNK_BYTES, CHUNK_UNITS, COMMIT_STEP_BYTES, UNIT_BYTES, UNIT_SHIFT};
use crate::directory::GRANULE_BYTES;
use crate::slab::Slab;

/// What other threads write about a slab: apart from its owner's line, so that they do not disturb it.
#[derive(Debug)]
#[repr(C)]
pub struct Remote {
    /// Blocks that other threads freed.
    pub word: Packed<RemoteWord>,
    /// The next slab in the mailbox.
    pub letter: AtomicU64,
}

/// One array of the header: where it begins and how long it is for a number of units.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Array {
    offset: usize,
    bytes_per_chunk: usize,
}

impl Array {
    const fn committed_bytes(self, chunks: usize) -> usize {
        (chunks * self.bytes_per_chunk).next_multiple_of(PAGE_BYTES)
    }
}

const ELEMENTS: [usize; 4] = [
    CHUNK_UNITS as usize * size_of::<u64>(),
    CHUNK_UNITS as usize * size_of::<Slab>(),
    CHUNK_UNITS as usize * size_of::<Remote>(),
    size_of::<Chunk>(),
];

/// The segment costs no page: it lies in front of the record, in a page that would hold little else.
const _: () = assert!(SEGMENT_BYTES + size_of::<Region>() <= PAGE_BYTES);

/// A reserved piece of address space.
///
/// # Invariants
///
/// 1. The region and its arrays are never released.
/// 2. The arrays are committed for all units below `committed_units`, and so are those units.
#[derive(Debug)]
pub struct Region {
    header: NonNull<u8>,
    arrays: [Array; 4],
    base: NonNull<u8>,
    chunks: usize,
    header_bytes: usize,
    committed_units: AtomicU64,
    opened_chunks: Cell<usize>,
}

// SAFETY: `opened_chunks` is only touched under the page heap's lock; the rest is constant or atomic.
unsafe impl Sync for Region {}
// SAFETY: as above; nothing in it belongs to a thread.
unsafe impl Send for Region {}

impl Region {
    /// Reserves a region with `heap_bytes` of units, a multiple of the chunk size.
    ///
    /// # Errors
    ///
    /// The operating system's reason.
    pub fn reserve(os: &dyn Os, heap_bytes: usize) -> Result<&'static Self, OsError> {
        let chunks = heap_bytes / CHUNK_BYTES;
        let mut offset = (SEGMENT_BYTES + size_of::<Self>()).next_multiple_of(PAGE_BYTES);
        let arrays = ELEMENTS.map(|bytes_per_chunk| {
            let array = Array { offset, bytes_per_chunk };
            offset += array.committed_bytes(chunks);
            array
        });
        // Chunks are aligned, and the units share no granule of the directory with anything else.
        let align = CHUNK_BYTES.max(GRANULE_BYTES);
        let header_bytes = offset;
        let base = os.reserve(heap_bytes + header_bytes, align)?;
        // SAFETY: inside the reservation.
        let header = unsafe { base.byte_add(heap_bytes) };
        let region = Self {
            header,
            arrays,
            base,
            chunks,
            header_bytes,
            committed_units: AtomicU64::new(0),
            opened_chunks: Cell::new(0),
        };
        // SAFETY: reserved just now.
        let committed = unsafe { os.commit(header, arrays[0].offset) };
        if let Err(refused) = committed.and_then(|()| region.commit_chunks(os, 0, 1)) {
            // SAFETY: nobody has seen the reservation.
            unsafe { os.release(base, heap_bytes + header_bytes) };
            return Err(refused);
        }
        region.committed_units.store(u64::from(CHUNK_UNITS), Ordering::Relaxed);
        // SAFETY: the first page of the header has room for both.
        let place = unsafe { header.byte_add(SEGMENT_BYTES) }.cast::<Self>();
        // SAFETY: committed, aligned to a page, and large enough.
        unsafe { place.write(region) };
        // SAFETY: written just now, and never released (invariant 1).
        Ok(unsafe { place.as_ref() })
    }

    /// The segment's place, at the start of the header.
    pub(crate) const fn segment(&self) -> NonNull<u64> {
        self.header.cast()
    }

    /// What a landmark of a region's record is; `None` for others.
    pub(crate) const fn landmark(landmark: Landmark) -> Option<usize> {
        Some(match landmark {
            Landmark::RegionBase => offset_of!(Self, base),
            Landmark::RegionHeader => offset_of!(Self, header),
            Landmark::RegionHeaderBytes => offset_of!(Self, header_bytes),
            Landmark::RegionUnits => offset_of!(Self, committed_units),
            Landmark::RegionArrays => offset_of!(Self, arrays),
            _ => return None,
        })
    }

    /// The address of unit 0.
    pub fn base(&self) -> usize {
        self.base.as_ptr().expose_provenance()
    }

    /// Units that may be looked up.
    pub fn committed_units(&self) -> usize {
        // ORDERING: Acquire pairs with the Release in `open_chunk`: the arrays are committed up to there.
        to_usize(self.committed_units.load(Ordering::Acquire))
    }

    /// Bytes of address space, header included.
    pub fn reserved_bytes(&self) -> usize {
        self.chunks * CHUNK_BYTES + self.header_bytes
    }

    /// The page map's first entry.
    pub fn page_map(&self) -> NonNull<AtomicU64> {
        self.element::<AtomicU64>(0, 0)
    }

    /// The next chunk that was never used, committed; `Ok(None)` if the region is exhausted.
    ///
    /// # Errors
    ///
    /// The operating system's reason for not committing it.
    pub fn open_chunk(&self, os: &dyn Os) -> Result<Option<&'static Chunk>, OsError> {
        let index = self.opened_chunks.get();
        if index == self.chunks {
            return Ok(None);
        }
        let committed = self.committed_units() / CHUNK_UNITS as usize;
        if index == committed {
            let (least, most) = COMMIT_STEP_BYTES;
            let step =
                (committed / 8).clamp(least / CHUNK_BYTES, most / CHUNK_BYTES).min(self.chunks - committed);
            // A refused step is tried again with a single chunk: the limit may be near.
            let step = match self.commit_chunks(os, committed, committed + step) {
                Ok(()) => step,
                Err(refused) if step == 1 => return Err(refused),
                Err(_) => self.commit_chunks(os, committed, committed + 1).map(|()| 1)?,
            };
            let units = (committed + step) as u64 * u64::from(CHUNK_UNITS);
            // ORDERING: Release, see `committed_units`.
            self.committed_units.store(units, Ordering::Release);
        }
        self.opened_chunks.set(index + 1);
        let chunk = self.chunk_of(index * CHUNK_UNITS as usize);
        let lines = self.element::<Slab>(1, index * CHUNK_UNITS as usize).cast();
        // SAFETY: inside the reservation.
        chunk.open(unsafe { self.base.byte_add(index * CHUNK_BYTES) }, lines);
        Ok(Some(chunk))
    }

    /// How many chunks were ever opened: the first ones.
    pub fn opened_chunks(&self) -> usize {
        self.opened_chunks.get()
    }

    /// Commits the units of chunks `from..to`, and what the arrays need for them.
    fn commit_chunks(&self, os: &dyn Os, from: usize, to: usize) -> Result<(), OsError> {
        for array in self.arrays {
            let (have, want) = (array.committed_bytes(from), array.committed_bytes(to));
            let have = if from == 0 { 0 } else { have };
            if want > have {
                // SAFETY: the array lies in the header.
                let start = unsafe { self.header.byte_add(array.offset + have) };
                // SAFETY: reserved; committing a page twice after a refused step is harmless: it stays as it is.
                unsafe { os.commit(start, want - have) }?;
            }
        }
        // SAFETY: inside the reservation.
        let start = unsafe { self.base.byte_add(from * CHUNK_BYTES) };
        // SAFETY: reserved and not in use yet.
        unsafe { os.commit(start, (to - from) * CHUNK_BYTES) }
    }

    /// Whether `address` lies in the reservation, and not in a part that was given back for ever.
    pub fn has_reserved(&self, address: usize) -> bool {
        let offset = address.wrapping_sub(self.base());
        let is_unit = offset >> UNIT_SHIFT < self.committed_units();
        offset < self.reserved_bytes() && (!is_unit || self.unit_of(address).is_some())
    }

    /// The number of the unit that `address` lies in, if it is a committed unit of this region.
    ///
    /// The address space of a retired chunk may be another region's by now, or anybody's.
    pub fn unit_of(&self, address: usize) -> Option<usize> {
        let unit = address.wrapping_sub(self.base()) >> UNIT_SHIFT;
        (unit < self.committed_units() && !self.chunk_of(unit).is_retired()).then_some(unit)
    }

    /// The page map entry of a committed unit.
    pub fn entry(&self, unit: usize) -> &'static AtomicU64 {
        let entry = self.element::<AtomicU64>(0, unit);
        // SAFETY: committed (invariant 2, the callers' units are), never released, and atomic.
        unsafe { entry.as_ref() }
    }

    /// The metadata line of a committed unit.
    pub fn slab(&self, unit: usize) -> &'static Slab {
        let slab = self.element::<Slab>(1, unit);
        // SAFETY: committed (invariant 2), never released; all-zero bytes are a valid line, and cells allow sharing.
        unsafe { slab.as_ref() }
    }

    /// What other threads write about the slab that begins at a committed unit.
    pub fn remote(&self, unit: usize) -> &'static Remote {
        let remote = self.element::<Remote>(2, unit);
        // SAFETY: committed (invariant 2), never released; all-zero bytes are valid, and the words are atomic.
        unsafe { remote.as_ref() }
    }

    /// The tracker of the chunk that a committed unit lies in.
    pub fn chunk_of(&self, unit: usize) -> &'static Chunk {
        let chunk = self.element::<Chunk>(3, unit / CHUNK_UNITS as usize);
        // SAFETY: committed (invariant 2) and never released; all-zero bytes are valid, and cells allow sharing.
        unsafe { chunk.as_ref() }
    }

    /// Where element `index` of array `array` lies.
    fn element<T>(&self, array: usize, index: usize) -> NonNull<T> {
        let offset = self.arrays[array].offset + index * size_of::<T>();
        // SAFETY: inside the header for units and chunks of this region.
        unsafe { self.header.byte_add(offset) }.cast()
    }

    /// The unit that starts at `address`, which lies in this region.
    pub fn unit_at(&self, address: usize) -> usize {
        (address - self.base()) / UNIT_BYTES
    }
}

/// The mailbox's word for a slab.
pub fn letter_of(slab: &'static Slab) -> u64 {
    core::ptr::from_ref(slab).expose_provenance() as u64
}

/// The slab behind the first of `letters`.
pub fn slab_of(letter: u64) -> Option<&'static Slab> {
    let slab = core::ptr::with_exposed_provenance::<Slab>(to_usize(letter));
    // SAFETY: letters are made by `letter_of` only, and metadata is never released.
    unsafe { slab.as_ref() }
}

/// The first slab in a mailbox.
pub fn first_slab(letters: Letters) -> Option<&'static Slab> {
    slab_of(letters.first())
}
