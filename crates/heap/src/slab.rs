//! Slabs: runs of units cut into blocks of one size class.
//!
//! ```text
//!  start                                                     start + units * 16 KiB
//!  | block 0 | block 1 | block 2 | ...            | block n-1 | tail |
//!  |  page 0     |  page 1 (bare)  |  page 2  | ...
//! ```
//!
//! The metadata lies out of line, one 64-byte line per slab, and is never unmapped, so it is used through
//! `&'static Slab` with cells. It belongs to whoever owns the slab's heap; only `mark`, `reciprocal`, `kind`, `units`
//! and `heap_id`, which do not change while a block is live, are read by others, and `flags`, see `sleepers`.
//!
//! # Not here
//!
//! Which blocks are outstanding (`outstanding`), carving and purging (`pages`), which slab is used next (`bin`), blocks freed by other threads (`remote`), where units come from (`page_heap`).

use core::cell::Cell;
use core::fmt;
use core::mem::offset_of;

use mallow_ds::sync::{AtomicU8, Ordering};
use mallow_sys::Os;
use mallow_trace::Landmark;
use mallow_units::SizeClass;
use mallow_units::page::PAGE_BYTES;
use mallow_units::size_class;
use mallow_units::word::{low_half, to_usize};

use crate::block::{self, Block};
use crate::config::{MAX_SLAB_PAGES, UNIT_BYTES};

use core::ptr::NonNull;

/// What the units that a metadata line stands for are used as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Free, or in the middle of a run.
    Nothing = 0,
    /// A slab of small blocks.
    Slab = 1,
    /// One medium block.
    Run = 2,
    /// A run that a heap keeps for its next request.
    Kept = 3,
}

/// The metadata of a slab or of a run. All-zero bytes are the metadata of nothing.
#[repr(C, align(64))]
pub struct Slab {
    pub(crate) local: Cell<*mut Block>,
    /// The sum of the addresses of the outstanding blocks, see `outstanding`.
    pub(crate) outstanding: Cell<u64>,
    /// The address of the first unit, and above it the number of this life of the line.
    pub(crate) mark: Cell<u64>,
    pub(crate) reciprocal: Cell<u64>,
    pub(crate) next: Cell<Option<&'static Self>>,
    pub(crate) previous: Cell<Option<&'static Self>>,
    pub(crate) bare: Cell<u32>,
    pub(crate) carved: Cell<u16>,
    heap_id: Cell<u16>,
    class: Cell<SizeClass>,
    kind: Cell<Kind>,
    units: Cell<u8>,
    /// Bits, see below. Written by the owner only.
    flags: AtomicU8,
    /// `used` at the last look for pages to purge.
    looked_at: Cell<u16>,
    /// `used` when it was last entered into the heap's statistics.
    pub(crate) counted: Cell<u16>,
}

const _: () = assert!(size_of::<Slab>() == 64);

/// Bits of an address.
const ADDRESS_BITS: u32 = 48;

// SAFETY: cells are only touched by the owner of the slab's heap (`mallow_ds::owner` hands that right on with
// acquire and release), and the fields that others read do not change while they may.
unsafe impl Sync for Slab {}

/// All bare pages read as zero.
pub(crate) const ZERO: u8 = 1;
/// In a bin.
const LISTED: u8 = 2;
/// Pages were returned to the kernel since the slab was opened.
pub(crate) const PURGED: u8 = 4;
/// Looked through for free pages since the count of outstanding blocks changed.
const TRIED: u8 = 8;
/// Handed out blocks since the last look for pages to purge.
pub(crate) const ACTIVE: u8 = 16;
/// All blocks are outstanding, and it is in no bin.
pub(crate) const FULL: u8 = 32;
/// Became empty, and was kept, since it was last put into its bin.
const EMPTIED: u8 = 64;

/// Blocks that leave a slab for a thread's list.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// The first block; the chain ends with null.
    pub first: *mut Block,
    /// How many there are.
    pub block_count: u32,
    /// How many blocks have come home to the slab since it was last asked, for statistics.
    pub come_home: u32,
    /// Whether everything but the first two words of each block is zero.
    pub is_zero: bool,
}

impl Slab {
    /// Makes the line stand for a slab of `class`; `is_zero` if its memory reads as zero.
    pub fn open(&self, start: NonNull<u8>, units: u32, class: SizeClass, heap_id: u16, is_zero: bool) {
        self.stand_for(Kind::Slab, start, units, heap_id);
        self.class.set(class);
        self.reciprocal.set(class.reciprocal());
        self.local.set(block::NONE);
        self.outstanding.set(0);
        self.counted.set(0);
        self.carved.set(0);
        self.set_flags(if is_zero { ZERO } else { 0 });
        self.looked_at.set(0);
        let covered = (self.capacity() as usize * class.block_bytes()).div_ceil(PAGE_BYTES);
        self.bare.set(if covered >= MAX_SLAB_PAGES { u32::MAX } else { (1 << covered) - 1 });
    }

    /// Makes the line stand for one medium block.
    pub fn open_run(&self, start: NonNull<u8>, units: u32) {
        self.stand_for(Kind::Run, start, units, 0);
    }

    fn stand_for(&self, kind: Kind, start: NonNull<u8>, units: u32, heap_id: u16) {
        // A life never has number 0, so a mark is never an address that a program could hold.
        let life = (self.mark.get() >> ADDRESS_BITS) + 1;
        let life = if life >> (u64::BITS - ADDRESS_BITS) == 0 { life } else { 1 };
        self.mark.set(life << ADDRESS_BITS | start.expose_provenance().get() as u64);
        self.kind.set(kind);
        self.units.set(to_u8(units as usize));
        self.heap_id.set(heap_id);
    }

    /// Makes the line of a medium block stand for a run that is kept.
    pub fn keep_run(&self) {
        self.kind.set(Kind::Kept);
    }

    /// Makes the line of a run that was kept stand for one medium block again, as long as the run.
    pub fn reopen_run(&self) {
        self.kind.set(Kind::Run);
    }

    /// Makes the line stand for nothing; its units are all usable again.
    pub fn close(&self, os: &dyn Os) {
        if self.kind() == Kind::Slab && self.flags() & PURGED != 0 {
            // SAFETY: the slab's own units, which the page heap committed.
            unsafe { os.reuse(self.pointer(0), self.bytes()) };
        }
        self.kind.set(Kind::Nothing);
    }

    /// What the line stands for.
    pub fn kind(&self) -> Kind {
        self.kind.get()
    }
    /// The address of the first unit.
    pub fn start(&self) -> usize {
        to_usize(self.mark.get() & ((1 << ADDRESS_BITS) - 1))
    }
    /// How far into the slab `address` is. Wrong for addresses 4 GiB away; a slab is far shorter.
    #[inline(always)]
    pub(crate) fn offset_of(&self, address: usize) -> u64 {
        u64::from(low_half(address as u64).wrapping_sub(low_half(self.mark.get())))
    }
    /// Length in units.
    pub fn units(&self) -> u32 {
        u32::from(self.units.get())
    }
    /// Length in units, as narrow as it is.
    pub fn length(&self) -> u8 {
        self.units.get()
    }
    /// Length in bytes.
    pub fn bytes(&self) -> usize {
        self.units() as usize * UNIT_BYTES
    }
    /// The id of the heap that the slab belongs to.
    pub fn heap_id(&self) -> u16 {
        self.heap_id.get()
    }
    /// The size class of its blocks.
    pub fn class(&self) -> SizeClass {
        self.class.get()
    }
    /// Bytes in each of its blocks.
    pub fn block_bytes(&self) -> usize {
        self.class().block_bytes()
    }
    /// The mark of its free blocks: another one in each life of the line, so that a stale mark in memory that was never
    /// written since is not taken for this slab's.
    #[inline(always)]
    pub fn mark(&self) -> u64 {
        self.mark.get()
    }
    /// Blocks that were carved and not purged.
    pub fn carved(&self) -> u32 {
        u32::from(self.carved.get())
    }
    /// Blocks that fit.
    pub fn capacity(&self) -> u32 {
        to_u32(size_class::quotient(self.reciprocal.get(), self.bytes() as u64))
    }
    /// Whether it has a block to hand out.
    pub fn has_room(&self) -> bool {
        !self.local.get().is_null() || self.bare.get() != 0
    }
    pub(crate) fn flags(&self) -> u8 {
        self.flags.load(Ordering::Relaxed)
    }
    pub(crate) fn set_flags(&self, flags: u8) {
        // ORDERING: Release publishes what led to them, see `is_full`.
        self.flags.store(flags, Ordering::Release);
    }
    /// Whether all its blocks were outstanding when its owner last looked, so that he took it off his bin.
    pub(crate) fn is_full(&self) -> bool {
        // ORDERING: Acquire, for one who is not the owner: all that the owner wrote before is visible.
        self.flags.load(Ordering::Acquire) & FULL != 0
    }
    /// Whether it is in a bin.
    pub fn is_listed(&self) -> bool {
        self.flags() & LISTED != 0
    }
    /// Notes whether it is in a bin.
    pub fn set_listed(&self, listed: bool) {
        self.set_flags(if listed { self.flags() | LISTED } else { self.flags() & !LISTED });
    }

    /// Notes that it is kept although it is empty.
    pub(crate) fn note_emptied(&self) {
        self.set_flags(self.flags() | EMPTIED);
    }

    /// Forgets that; returns whether it was noted.
    pub(crate) fn forget_emptied(&self) -> bool {
        let flags = self.flags();
        self.set_flags(flags & !EMPTIED);
        flags & EMPTIED != 0
    }

    /// Whether it is noted.
    pub(crate) fn has_been_emptied(&self) -> bool {
        self.flags() & EMPTIED != 0
    }

    /// What a landmark of a slab's record is; `None` for others.
    pub(crate) const fn landmark(landmark: Landmark) -> Option<usize> {
        Some(match landmark {
            Landmark::SlabBytes => size_of::<Self>(),
            Landmark::SlabOutstanding => offset_of!(Self, outstanding),
            Landmark::SlabMark => offset_of!(Self, mark),
            Landmark::SlabBare => offset_of!(Self, bare),
            Landmark::SlabCarved => offset_of!(Self, carved),
            Landmark::SlabClass => offset_of!(Self, class),
            Landmark::SlabKind => offset_of!(Self, kind),
            Landmark::SlabUnits => offset_of!(Self, units),
            Landmark::SlabFlags => offset_of!(Self, flags),
            Landmark::FlagFull => FULL as usize,
            Landmark::FlagZero => ZERO as usize,
            _ => return None,
        })
    }

    /// Whether `address` is the start of a block of this slab, used or free.
    #[inline(always)]
    pub fn is_block_start(&self, address: usize) -> bool {
        size_class::divides(self.reciprocal.get(), self.offset_of(address))
    }

    /// Whether `address` is the start of a block of this slab, used or free, and not of its tail.
    #[inline(always)]
    pub fn is_whole_block(&self, address: usize) -> bool {
        let end = to_usize(self.offset_of(address)) + self.block_bytes();
        self.is_block_start(address) && end <= self.bytes()
    }

    /// The number of the block that `address` lies in.
    pub fn block_index(&self, address: usize) -> u32 {
        to_u32(size_class::quotient(self.reciprocal.get(), self.offset_of(address)))
    }

    /// Whether it has handed out blocks since the last look for pages to purge.
    pub(crate) fn is_active(&self) -> bool {
        self.flags() & ACTIVE != 0
    }

    /// Whether nothing has changed since the last look, so that free pages are not about to be used again.
    ///
    /// True at most once until something changes: what could go then has gone. The blocks must have been counted just before.
    pub fn is_idle(&self) -> bool {
        let used = self.counted.get();
        let tried = self.flags() & TRIED != 0;
        let was_active = self.flags() & ACTIVE != 0;
        if self.looked_at.replace(used) != used || was_active {
            self.set_flags(self.flags() & !(TRIED | ACTIVE));
            return false;
        }
        self.set_flags(self.flags() | TRIED);
        !tried
    }

    pub(crate) fn pointer(&self, offset: usize) -> NonNull<u8> {
        let pointer = core::ptr::with_exposed_provenance_mut(self.start() + offset);
        NonNull::new(pointer).unwrap_or(NonNull::dangling())
    }

    /// Checks the counts against each other and the list.
    ///
    /// # Panics
    ///
    /// If they contradict each other.
    pub fn check(&self) {
        assert!(self.kind() == Kind::Slab, "a slab in a bin is a slab");
        assert!(self.used() <= self.carved() && self.carved() <= self.capacity(), "counts out of order");
        let mut length = 0;
        for block in self.listed_blocks() {
            assert!(
                self.pages_of(self.block_index(block.addr())) & self.bare.get() == 0,
                "a listed block lies on no bare page"
            );
            // SAFETY: a block on the local list is free.
            assert!(unsafe { block::has_mark(block, self.mark()) }, "a listed block is marked");
            length += 1;
        }
        assert!(length == self.carved() - self.sound_used(), "the list is as long as the sum says");
    }
}

impl fmt::Debug for Slab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slab")
            .field("start", &format_args!("{:#x}", self.start()))
            .field("kind", &self.kind())
            .field("units", &self.units())
            .field("block_bytes", &self.block_bytes())
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "block and unit counts of a slab; config proves the limits"
)]
const fn to_u8(count: usize) -> u8 {
    count as u8
}
#[expect(clippy::cast_possible_truncation, reason = "block counts of a slab are at most 8,192")]
pub(crate) const fn to_u16(count: u32) -> u16 {
    count as u16
}
#[expect(clippy::cast_possible_truncation, reason = "block numbers of a slab are at most 8,192")]
pub(crate) const fn to_u32(count: u64) -> u32 {
    count as u32
}
