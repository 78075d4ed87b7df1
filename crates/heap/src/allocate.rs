//! Allocating: the paths from a request to a list, a run of units, or a large block.
//!
//! Called by `process`, `realloc` and tests. Calls `refill` when a list is dry, `runs` for medium blocks, `large` above.

use core::ptr::{self, NonNull};

use mallow_units::page::PAGE_BYTES;
use mallow_units::size_class::{MAX_CLASS_BYTES, MAX_INDEXED_BYTES};
use mallow_units::{Align, SizeClass};

use crate::allocator::Allocator;
use crate::chunk::{End, Wish};
use crate::config::{CHUNK_BYTES, CHUNK_UNITS, MAX_RUN_BYTES, UNIT_BYTES};
use crate::counters::Change;
use crate::heap::Heap;
use crate::options::Key;

impl Allocator {
    /// A block from the list of its size class; null if the list is empty or the request is not small.
    #[inline(always)]
    pub fn allocate_fast(&self, heap: &Heap, bytes: usize) -> *mut u8 {
        if bytes <= MAX_INDEXED_BYTES { heap.pop(heap.class_for(bytes)).cast() } else { ptr::null_mut() }
    }

    /// A block of at least `bytes`, aligned to 16; null if there is no memory. The caller owns `heap`.
    pub fn allocate(&'static self, heap: &'static Heap, bytes: usize) -> *mut u8 {
        if bytes > MAX_CLASS_BYTES {
            let kept = self.allocate_kept(heap.window(), heap, bytes);
            if !kept.is_null() {
                return kept;
            }
        }
        self.allocate_anew(heap, bytes)
    }

    /// As [`Allocator::allocate`], but not from the runs that `heap` keeps, if that is all there is to do.
    pub(crate) fn allocate_anew(&'static self, heap: &'static Heap, bytes: usize) -> *mut u8 {
        let block = match SizeClass::for_bytes(bytes) {
            Some(class) => self.allocate_class(heap, class),
            None => self
                .allocate_long(heap, bytes, Align::BLOCK, false)
                .map_or(ptr::null_mut(), |long| long.start.as_ptr()),
        };
        self.perturb_new(block, bytes);
        block
    }

    /// A block of at least `bytes` at a multiple of `align`; null if there is no memory.
    pub fn allocate_aligned(&'static self, heap: &'static Heap, bytes: usize, align: Align) -> *mut u8 {
        let by_class = align.bytes() <= PAGE_BYTES;
        let class = if by_class { SizeClass::for_aligned(bytes, align.bytes()) } else { None };
        let block = match class {
            Some(class) => self.allocate_class(heap, class),
            None => self
                .allocate_long(heap, bytes, align, false)
                .map_or(ptr::null_mut(), |long| long.start.as_ptr()),
        };
        self.perturb_new(block, bytes);
        block
    }

    /// A block of at least `bytes` zero bytes; null if there is no memory.
    pub fn allocate_zeroed(&'static self, heap: &'static Heap, bytes: usize) -> *mut u8 {
        let Some(class) = SizeClass::for_bytes(bytes) else {
            return self.allocate_long_zeroed(heap, bytes);
        };
        let block = heap.pop_zeroed(class, bytes);
        if !block.is_null() || !self.restock(heap, class) && !self.refill(heap, class) {
            return block;
        }
        heap.pop_zeroed(class, bytes)
    }

    /// The first block of a list, refilled if necessary.
    fn allocate_class(&'static self, heap: &'static Heap, class: SizeClass) -> *mut u8 {
        let block = heap.pop(class);
        if !block.is_null() {
            return block.cast();
        }
        if !self.restock(heap, class) && !self.refill(heap, class) {
            return ptr::null_mut();
        }
        heap.pop(class).cast()
    }

    fn allocate_long(
        &'static self,
        heap: &'static Heap,
        bytes: usize,
        align: Align,
        wants_zero: bool,
    ) -> Option<Long> {
        self.pass_by(heap);
        let long = self.take_long(heap, bytes, align, wants_zero)?;
        heap.note_change(Change { allocations: 1, allocated_bytes: long.bytes, ..Change::default() });
        if long.bytes > MAX_RUN_BYTES {
            self.settle(heap);
        }
        Some(long)
    }

    fn take_long(
        &'static self,
        heap: &'static Heap,
        bytes: usize,
        align: Align,
        wants_zero: bool,
    ) -> Option<Long> {
        if bytes > CHUNK_BYTES || align.bytes() > CHUNK_BYTES / 2 {
            return self.take_large(heap, bytes, align, wants_zero);
        }
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).ok()?;
        let wish = Wish { units, align_units: run_align(align), end: End::High };
        let threshold = self.options.get(Key::MmapThreshold);
        let (slab, run) = if bytes as u64 <= threshold {
            self.take_run(heap, wish)?
        } else {
            // What is resident anyway is used before a mapping takes more, unless that would be zero and this has to be cleared.
            let may_be_run = threshold == MAX_RUN_BYTES as u64 && !wants_zero;
            match may_be_run.then(|| self.take_resident_run(heap, wish)).flatten() {
                Some(taken) => taken,
                None => return self.take_large(heap, bytes, align, wants_zero),
            }
        };
        slab.open_run(run.start, run.units);
        Some(Long { start: run.start, bytes: slab.bytes(), is_zero: run.is_zero })
    }

    /// Out of line, so that a medium block does not pay for what this keeps in registers.
    #[inline(never)]
    fn take_large(
        &'static self,
        heap: &'static Heap,
        bytes: usize,
        align: Align,
        wants_zero: bool,
    ) -> Option<Long> {
        let zero_bytes = if wants_zero { bytes } else { 0 };
        let map = || self.large.allocate(self.os(), &self.counters, bytes, align.bytes(), zero_bytes);
        let mapped = map().or_else(|| self.reclaim(heap, bytes).then(map).flatten())?;
        Some(Long { start: mapped.start, bytes: mapped.bytes, is_zero: wants_zero })
    }

    fn allocate_long_zeroed(&'static self, heap: &'static Heap, bytes: usize) -> *mut u8 {
        let Some(long) = self.allocate_long(heap, bytes, Align::BLOCK, true) else { return ptr::null_mut() };
        if !long.is_zero {
            // SAFETY: the block is ours until we return it, and at least `bytes` long.
            unsafe { long.start.write_bytes(0, bytes) };
        }
        long.start.as_ptr()
    }
}

/// A block above the size classes.
#[derive(Clone, Copy, Debug)]
struct Long {
    start: NonNull<u8>,
    bytes: usize,
    is_zero: bool,
}

/// The alignment of a run in units: 1 unless it is above a unit.
fn run_align(align: Align) -> u32 {
    u32::try_from(align.bytes() / UNIT_BYTES).unwrap_or(CHUNK_UNITS).max(1)
}

const _: () = assert!(MAX_RUN_BYTES <= CHUNK_BYTES);
