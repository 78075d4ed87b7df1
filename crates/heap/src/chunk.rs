//! Chunk trackers: which units of a 2 MiB chunk are in use, and which free ones may be resident.
//!
//! ```text
//!  units   0 1 2 3 4 5 6 7 ...        used    handed out
//!  used    1 1 1 0 0 0 1 0            backed  free, and may hold pages with old contents
//!  backed  0 0 0 1 1 0 0 0            neither free, not resident, zero when touched
//!  purged  0 0 0 0 0 1 0 0            free, and given back to the kernel
//!  zero    0 0 0 1 0 1 1 1            free, and reads as zero
//! ```
//!
//! Called by `page_heap`, which alone may touch a tracker, under its lock. Nothing is stored in the units themselves.

use core::cell::Cell;
use core::mem::offset_of;
use core::ptr::NonNull;

use mallow_ds::bitmap;

use mallow_ds::sync::{AtomicU32, Ordering};
use mallow_sys::Os;
use mallow_trace::Landmark;
use mallow_units::page::PAGE_BYTES;

use crate::config::{CHUNK_BYTES, CHUNK_UNITS, UNIT_BYTES};
use crate::rooms::Room;
use crate::slab::Slab;

/// All units of a chunk.
const ALL_UNITS: u128 = bitmap::mask(0, CHUNK_UNITS);

/// Bytes of the metadata lines of a chunk: whole pages.
const LINES_BYTES: usize = CHUNK_UNITS as usize * size_of::<Slab>();

/// Resident pages from which on the rest of a chunk does not count: fifteen sixteenths.
const DENSE_PAGES: usize = CHUNK_BYTES / PAGE_BYTES / 16 * 15;

const _: () = assert!(LINES_BYTES.is_multiple_of(PAGE_BYTES));

/// A tracker. All-zero bytes are a tracker that was never opened.
#[derive(Debug)]
#[repr(C)]
pub struct Chunk {
    used: Cell<u128>,
    backed: Cell<u128>,
    purged: Cell<u128>,
    zero: Cell<u128>,
    /// Units that were backed at the last look for what has aged, and have not been used since.
    aged: Cell<u128>,
    /// Whether huge pages were asked for.
    huge: Cell<bool>,
    /// Whether huge pages were refused.
    small: Cell<bool>,
    /// Whether all units were in use at the last look for chunks to collapse, and whether that was tried since.
    full: Cell<Fullness>,
    /// Whether it was a huge page and has lost parts of it, so that these come back in small pages.
    split: Cell<bool>,
    start: Cell<Option<NonNull<u8>>>,
    /// The metadata lines of its units.
    lines: Cell<Option<NonNull<u8>>>,
    /// Not 0 once the chunk was given back for ever. Read without the lock, by look-ups.
    retired: AtomicU32,
    /// Whether the lines were decommitted, because no unit is used or backed.
    lines_dropped: Cell<bool>,
    /// Its place by the longest free run.
    pub(crate) by_free: Room,
    /// Its place by the longest backed run.
    pub(crate) by_backed: Room,
    /// Neighbours in the list of chunks with backed units, oldest free first.
    pub(crate) by_age: Links,
    /// When a unit of this chunk was last freed.
    pub(crate) freed_ms: Cell<u64>,
    /// Whether the chunk is in the list of `by_age`.
    pub(crate) is_dirty: Cell<bool>,
}

/// A place in a doubly linked list of chunks.
#[derive(Debug)]
#[repr(C)]
pub struct Links {
    pub(crate) next: Cell<Option<&'static Chunk>>,
    pub(crate) previous: Cell<Option<&'static Chunk>>,
}

/// Which run to look for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Its length.
    pub units: u32,
    /// Its start is a multiple of this.
    pub align_units: u32,
    /// From which end of the chunk to look.
    pub end: End,
}

/// An end of a chunk. Slabs grow from one and medium blocks from the other, and take units that are still resident from
/// the far end of those: so a slab seldom begins where a medium block was just freed, and a second free of that block finds
/// no block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Lowest address first.
    Low,
    /// Highest address first.
    High,
}

impl End {
    const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// What [`Chunk::take`] handed out.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Units of it that were not backed: they become resident when touched.
    pub fresh_units: u32,
    /// Units of it that were backed.
    pub backed_units: u32,
    /// Units of it that had been given back to the kernel.
    pub purged_units: u32,
    /// Whether all of it reads as zero.
    pub is_zero: bool,
}

/// What the looks for chunks to collapse have found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Fullness {
    /// A unit was free at the last look.
    Room = 0,
    /// Every unit was in use.
    Full = 1,
    /// The same, and it was tried.
    Tried = 2,
}

impl Chunk {
    /// Begins to track the chunk at `start`, whose metadata lines are at `lines`: nothing used, nothing backed.
    pub fn open(&self, start: NonNull<u8>, lines: NonNull<u8>) {
        self.start.set(Some(start));
        self.zero.set(ALL_UNITS);
        self.lines.set(Some(lines));
    }

    /// Whether no unit is used or may be resident.
    pub fn is_bare(&self) -> bool {
        self.used.get() | self.backed.get() == 0
    }

    /// Returns the metadata lines of a bare chunk to the kernel: no page map entry refers to them.
    pub fn drop_lines(&self, os: &dyn Os) {
        if let Some(lines) = self.lines.get().filter(|_| self.is_bare() && !self.lines_dropped.get()) {
            // SAFETY: committed with the chunk, and nothing refers to them. Refusal changes nothing.
            self.lines_dropped.set(unsafe { os.decommit(lines, LINES_BYTES) }.is_ok());
        }
    }

    /// Makes dropped metadata lines usable again: they stand for nothing.
    fn reuse_lines(&self, os: &dyn Os) {
        if let Some(lines) = self.lines.get().filter(|_| self.lines_dropped.replace(false)) {
            // SAFETY: committed with the chunk.
            unsafe { os.reuse(lines, LINES_BYTES) };
        }
    }

    /// Whether the chunk was given back for ever.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire) != 0
    }

    /// Gives the whole chunk, which has no used unit, back to the operating system for ever.
    pub fn retire(&self, os: &dyn Os) {
        if let Some(start) = self.start.take() {
            self.used.set(ALL_UNITS);
            self.backed.set(0);
            // ORDERING: set before the address space can be anybody else's; who gets an address in it got it after that.
            self.retired.store(1, Ordering::Release);
            // SAFETY: no unit of it is in use, and none will be.
            unsafe { os.release(start, CHUNK_BYTES) };
        }
    }

    /// Where unit `index` lies.
    pub fn unit_start(&self, index: u32) -> NonNull<u8> {
        let start = self.start.get().unwrap_or(NonNull::dangling());
        // SAFETY: an open chunk covers CHUNK_UNITS units from its start, and `index` is one of them or the end.
        unsafe { start.byte_add(index as usize * UNIT_BYTES) }
    }

    /// The length in units of the longest free run.
    pub fn longest_free(&self) -> u32 {
        bitmap::longest_run(self.free())
    }

    /// The length in units of the longest run of backed units.
    pub fn longest_backed(&self) -> u32 {
        bitmap::longest_run(self.backed.get())
    }

    /// Has the whole chunk, of which nothing is resident, become resident at the first touch: one huge page. Every unit then counts as
    /// backed from the start.
    ///
    /// Returns how many units of it had been given back to the kernel.
    pub fn become_huge(&self, os: &dyn Os) -> u32 {
        if let Some(start) = self.start.get() {
            // Parts that were purged one by one have left an empty page table, in which the kernel would put small pages.
            if self.purged.get() != 0 {
                // SAFETY: committed since the chunk was opened, and no unit of it holds anything.
                let _ = unsafe { os.decommit(start, CHUNK_BYTES) };
            }
            // SAFETY: committed since the chunk was opened.
            unsafe { os.advise_huge(start, CHUNK_BYTES, true) };
            self.huge.set(true);
            self.small.set(false);
            self.split.set(false);
            self.backed.set(ALL_UNITS);
        }
        self.purged.replace(0).count_ones()
    }

    /// Makes one huge page of the chunk if all of it was in use at two looks and nearly all of it is resident; returns whether that was
    /// tried. Costs a copy.
    pub fn collapse(&self, os: &dyn Os) -> bool {
        let found = if self.used.get() == ALL_UNITS { Fullness::Full } else { Fullness::Room };
        let before = self.full.get();
        if found == Fullness::Room || before == Fullness::Room {
            self.full.set(found);
        }
        let Some(start) = self.start.get() else { return false };
        if found == Fullness::Room || before != Fullness::Full || self.huge.get() {
            return false;
        }
        self.full.set(Fullness::Tried);
        if os.resident_pages(start, CHUNK_BYTES).is_none_or(|pages| pages < DENSE_PAGES) {
            return false;
        }
        if self.small.replace(false) {
            // SAFETY: committed since the chunk was opened.
            unsafe { os.advise_huge(start, CHUNK_BYTES, true) };
        }
        // SAFETY: committed since the chunk was opened, and a chunk is one huge page.
        self.huge.set(unsafe { os.collapse(start, CHUNK_BYTES) });
        self.split.set(self.split.get() && !self.huge.get());
        true
    }

    /// Keeps the kernel from making a huge page again of what is left of the chunk after a part was given back.
    pub fn stay_split(&self, os: &dyn Os) {
        if self.huge.get() && !self.is_bare() {
            self.huge.set(false);
            self.split.set(true);
            self.stay_small(os);
        }
    }

    /// Whether it was a huge page and has lost parts of it.
    pub fn is_split(&self) -> bool {
        self.split.get()
    }

    /// Has the chunk become resident page by page, although the system would give huge pages to everybody.
    pub fn stay_small(&self, os: &dyn Os) {
        if let Some(start) = self.start.get() {
            // SAFETY: committed since the chunk was opened.
            unsafe { os.advise_huge(start, CHUNK_BYTES, false) };
            self.small.set(true);
        }
    }

    /// How many free units may be resident.
    pub fn backed_units(&self) -> u32 {
        self.backed.get().count_ones()
    }

    /// How many units are handed out.
    pub fn used_units(&self) -> u32 {
        self.used.get().count_ones()
    }

    /// The free run that `wish` describes; if `backed`, one of backed units, from the other end.
    pub fn find(&self, wish: Wish, backed: bool) -> Option<u32> {
        let map = if backed { self.backed.get() } else { self.free() };
        let end = if backed { wish.end.other() } else { wish.end };
        let mut starts = bitmap::run_starts(map, wish.units);
        while starts != 0 {
            let start = match end {
                End::Low => starts.trailing_zeros(),
                End::High => bitmap::BITS - 1 - starts.leading_zeros(),
            };
            if start.is_multiple_of(wish.align_units) {
                return Some(start);
            }
            starts &= !bitmap::mask(start, 1);
        }
        None
    }

    /// Hands out `units` from unit `start`, which [`Chunk::find`] found.
    pub fn take(&self, os: &dyn Os, start: u32, units: u32) -> Taken {
        self.reuse_lines(os);
        let mask = bitmap::mask(start, units);
        let backed_units = (self.backed.get() & mask).count_ones();
        let purged_units = (self.purged.get() & mask).count_ones();
        let is_zero = self.zero.get() & mask == mask;
        self.used.set(self.used.get() | mask);
        for map in [&self.backed, &self.purged, &self.zero, &self.aged] {
            map.set(map.get() & !mask);
        }
        Taken { fresh_units: units - backed_units, backed_units, purged_units, is_zero }
    }

    /// Takes back `units` from unit `start`; they may be resident.
    pub fn give_back(&self, start: u32, units: u32) {
        let mask = bitmap::mask(start, units);
        self.used.set(self.used.get() & !mask);
        self.backed.set(self.backed.get() | mask);
    }

    /// The runs of units that have been backed and free since the last call, as `(start, units)`.
    pub fn take_aged(&self) -> impl Iterator<Item = (u32, u32)> + use<> {
        bitmap::runs(self.aged.replace(self.backed.get()) & self.backed.get())
    }

    /// The runs of backed units, as `(start, units)`.
    pub fn backed_runs(&self) -> impl Iterator<Item = (u32, u32)> + use<> {
        bitmap::runs(self.backed.get())
    }

    /// Notes that `units` from unit `start` are no longer resident.
    pub fn purged(&self, start: u32, units: u32) {
        let mask = bitmap::mask(start, units);
        self.backed.set(self.backed.get() & !mask);
        self.purged.set(self.purged.get() | mask);
        self.zero.set(self.zero.get() | mask);
    }

    fn free(&self) -> u128 {
        ALL_UNITS & !self.used.get()
    }

    /// What a landmark of a chunk's record is; `None` for others.
    pub(crate) const fn landmark(landmark: Landmark) -> Option<usize> {
        Some(match landmark {
            Landmark::ChunkBytes => size_of::<Self>(),
            Landmark::ChunkUsed => offset_of!(Self, used),
            Landmark::ChunkBacked => offset_of!(Self, backed),
            Landmark::ChunkZero => offset_of!(Self, zero),
            _ => return None,
        })
    }

    /// Checks the maps against each other.
    ///
    /// # Panics
    ///
    /// If they contradict each other.
    pub fn check(&self) {
        assert!(self.used.get() & self.backed.get() == 0, "a unit is used and free");
        assert!(self.used.get() & (self.purged.get() | self.zero.get()) == 0, "a unit is used and free");
        assert!(self.purged.get() & self.backed.get() == 0, "a unit is purged and resident");
        assert!((self.used.get() | self.backed.get()) | ALL_UNITS == ALL_UNITS, "a unit beyond the chunk");
        assert!(self.is_dirty.get() == (self.backed_units() > 0), "the dirty list is wrong");
    }
}
