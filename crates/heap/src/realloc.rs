//! Resizing a block: in place, by moving pages, or by copying.
//!
//! Called by `process`. A block stays where it is while the new size needs the same size class, or is at least half of
//! what it has. A large block is remapped by the kernel, which moves page table entries instead of bytes; where the kernel refuses,
//! it is copied too.

use core::ptr;

use mallow_units::SizeClass;

use crate::allocator::{Allocator, Foreign, Place};
use crate::block;
use crate::counters::Change;
use crate::heap::Heap;
use crate::options::Key;
use crate::window::{OwnSlab, View};

impl Allocator {
    /// Bytes of the block at `pointer`, if it is a live one of a slab of the heap behind `view`.
    ///
    /// # Safety
    ///
    /// 1. If `pointer` is a live block, nobody uses it during the call.
    #[inline(always)]
    pub unsafe fn own_block_bytes(&self, view: impl View, pointer: *mut u8) -> Option<usize> {
        let own = OwnSlab::around(view, pointer.addr())?;
        let slab = own.slab();
        let is_live = slab.is_block_start(pointer.addr())
            // SAFETY: the start of a block of this thread's, live or free (1).
            && !unsafe { block::has_mark(pointer.cast(), slab.mark()) };
        is_live.then(|| slab.block_bytes())
    }

    /// Resizes the live block at `pointer` to at least `bytes`; null if there is no memory, and the block is then as
    /// it was.
    ///
    /// # Errors
    ///
    /// [`Foreign`] if the pointer is not the allocator's.
    ///
    /// # Safety
    ///
    /// 1. `pointer` is not null, and if it is a live block, nobody uses it during the call, or, if it moves, after.
    /// 2. The caller owns `heap`.
    pub unsafe fn reallocate(
        &'static self,
        heap: &'static Heap,
        pointer: *mut u8,
        bytes: usize,
    ) -> Result<*mut u8, Foreign> {
        let old_bytes = self.usable_bytes("realloc", pointer)?;
        if fits_in_place(old_bytes, bytes) {
            return Ok(pointer);
        }
        if let Place::Large(large) = self.place_of(pointer.addr())
            && bytes as u64 > self.options.get(Key::MmapThreshold)
        {
            // SAFETY: a live large block that the caller lets go of if it moves (1).
            let resize = || unsafe { self.large.resize(self.os(), &self.counters, large, bytes) };
            let resized = resize().or_else(|| self.reclaim(heap, bytes).then(resize).flatten());
            if let Some(now) = resized {
                heap.note_change(Change {
                    allocated_bytes: now.bytes,
                    freed_bytes: large.bytes,
                    ..Change::default()
                });
                return Ok(ptr::with_exposed_provenance_mut(now.start));
            }
        }
        let new = self.allocate(heap, bytes);
        if new.is_null() {
            return Ok(new);
        }
        // SAFETY: both blocks are this long, and a new block overlaps no live one.
        unsafe { ptr::copy_nonoverlapping(pointer, new, old_bytes.min(bytes)) };
        // SAFETY: the caller lets go of the old block (1).
        unsafe { self.free(heap, pointer) }?;
        Ok(new)
    }
}

/// Whether a block of `old_bytes` should serve a request for `bytes` as it is.
#[inline]
pub(crate) fn fits_in_place(old_bytes: usize, bytes: usize) -> bool {
    let same_class = SizeClass::for_bytes(bytes).is_some_and(|class| class.block_bytes() == old_bytes);
    same_class || (bytes <= old_bytes && bytes >= old_bytes / 2)
}
