//! Freeing: from a pointer to the list, parcel, run or mapping that its block goes back to; and what a pointer must be.
//!
//! Called by `process`, `realloc` and tests. A block of the caller's own heap goes to its slab's list at once; everything else
//! takes the slow path. Of the mistakes, the double free is seen at once by its mark; a pointer into the middle of a block is seen
//! by the slow path, or, on the fast one, before its list is used (`docs/decisions/0001-misuse-is-checked-at-free.md`).

use crate::allocator::{Allocator, Foreign, Place};
use crate::block::{self, Block};
use crate::counters::Change;
use crate::heap::Heap;
use crate::medium;
use crate::misuse::{self, Pointer};
use crate::slab::Slab;
use crate::window::{self, OwnSlab, View};

impl Allocator {
    /// Frees the block at `pointer` if that is simple: a block of a slab of the heap behind `view`. Returns whether it did.
    ///
    /// # Safety
    ///
    /// 1. If `pointer` is a live block, nobody uses it any more.
    /// 2. The caller owns the heap behind `view`, which is what `heap` returns.
    #[inline(always)]
    pub unsafe fn free_fast(
        &'static self,
        view: impl View,
        heap: impl FnOnce() -> &'static Heap,
        pointer: *mut u8,
    ) -> bool {
        let Some(own) = OwnSlab::around(view, pointer.addr()) else { return false };
        let slab = own.slab();
        let block = pointer.cast::<Block>();
        // SAFETY: in a block of this thread's, live or free (1, 2).
        if unsafe { block::has_mark(block, slab.mark()) } {
            return false;
        }
        // SAFETY: not free yet, and given up (1). Whether it is the start of its block is checked before the list is used.
        if unsafe { slab.push_local(block) } {
            self.look_after(heap(), slab);
        }
        true
    }

    /// Frees the block at `pointer`; null is ignored. Stops the process if `pointer` is the allocator's, but no live block.
    ///
    /// # Errors
    ///
    /// [`Foreign`] if it is not the allocator's.
    ///
    /// # Safety
    ///
    /// 1. As for [`Allocator::free_fast`].
    pub unsafe fn free(&'static self, heap: &'static Heap, pointer: *mut u8) -> Result<(), Foreign> {
        // SAFETY: the caller's promise, passed on.
        if unsafe { self.free_fast(heap.window(), || heap, pointer) } {
            return Ok(());
        }
        // SAFETY: as above.
        if unsafe { self.free_nearby(heap.window(), heap, pointer) } {
            return Ok(());
        }
        // SAFETY: as above.
        unsafe { self.free_slow(heap, pointer) }
    }

    /// Frees the block at `pointer` if that is nearly as simple as for [`Allocator::free_fast`], which has refused it: it goes into a parcel, or
    /// its run to those that `heap` keeps. Returns whether it did.
    ///
    /// # Safety
    ///
    /// 1. As for [`Allocator::free_fast`].
    #[inline(always)]
    pub(crate) unsafe fn free_nearby(
        &'static self,
        view: impl View,
        heap: &'static Heap,
        pointer: *mut u8,
    ) -> bool {
        // SAFETY: the caller's promise, passed on.
        if unsafe { self.free_remote_fast(heap, pointer) } {
            return true;
        }
        let entry = window::place_of_entry(view, pointer.addr());
        entry.is_some_and(|entry| self.keep_block(heap, entry, pointer.addr()))
    }

    /// All that `free_fast` does not do: other heaps' blocks, runs, large blocks, poisoning, and mistakes.
    ///
    /// # Errors
    ///
    /// [`Foreign`] if the pointer is not the allocator's.
    ///
    /// # Safety
    ///
    /// 1. As for [`Allocator::free_fast`].
    #[cold]
    #[inline(never)]
    pub unsafe fn free_slow(&'static self, heap: &'static Heap, pointer: *mut u8) -> Result<(), Foreign> {
        let address = pointer.addr();
        // Most often, it is another heap's block.
        if let Some(slab) = window::any_slab(heap.window(), address) {
            // SAFETY: the caller's promise, passed on.
            unsafe { self.free_in(heap, slab, pointer) };
            return Ok(());
        }
        if pointer.is_null() {
            return Ok(());
        }
        let place = self.place_of(address);
        if heap.id() != 0 && matches!(place, Place::Slab(_) | Place::Run(_)) {
            // Committed since this thread last allocated; one that only frees would stay on this way for ever.
            self.show_units(heap);
        }
        match place {
            // SAFETY: the caller's promise, passed on.
            Place::Slab(slab) => unsafe { self.free_in(heap, slab, pointer) },
            Place::Run(run) => self.free_run(heap, run, pointer),
            Place::Large(large) => {
                self.perturb_freed(pointer, large.bytes);
                if !self.large.free(self.os(), &self.counters, large) {
                    misuse::stop("free", address, Pointer::Freed);
                }
                self.counters.settle(freed(large.bytes));
                if heap.id() != 0 {
                    self.pass_by(heap);
                }
            }
            Place::Nothing => misuse::stop("free", address, Pointer::NoBlock),
            Place::Foreign => return Err(Foreign),
        }
        Ok(())
    }

    /// Frees a block of `slab`, after every check there is.
    ///
    /// # Safety
    ///
    /// 1. As for [`Allocator::free_fast`].
    unsafe fn free_in(&'static self, heap: &'static Heap, slab: &'static Slab, pointer: *mut u8) {
        let block = checked_block("free", slab, pointer);
        self.perturb_freed(pointer, slab.block_bytes());
        if heap.id() != slab.heap_id() {
            // SAFETY: a live block, as far as can be told.
            unsafe { self.free_remote(heap, slab, block) };
            return;
        }
        if slab.is_on_bare_page(pointer.addr()) {
            misuse::stop("free", pointer.addr(), Pointer::NoBlock);
        }
        // SAFETY: a live block, as far as can be told, of a slab of this heap.
        if unsafe { slab.push_local(block) } {
            self.look_after(heap, slab);
        }
    }

    /// Bytes that the program may use of the block at `pointer`, which `operation` was given.
    ///
    /// Stops the process if `pointer` is the allocator's, but no live block.
    ///
    /// # Errors
    ///
    /// [`Foreign`] if it is not the allocator's.
    pub fn usable_bytes(&self, operation: &str, pointer: *mut u8) -> Result<usize, Foreign> {
        match self.place_of(pointer.addr()) {
            Place::Slab(slab) => {
                let _ = checked_block(operation, slab, pointer);
                Ok(slab.block_bytes())
            }
            Place::Run(run) => Ok(medium::checked_run(operation, run, pointer.addr())),
            Place::Large(large) => Ok(large.bytes),
            Place::Nothing => misuse::stop(operation, pointer.addr(), Pointer::NoBlock),
            Place::Foreign => Err(Foreign),
        }
    }

    /// The large block that `address` lies in, behind its start: for messages about foreign pointers.
    pub fn around(&self, address: usize) -> Option<Pointer> {
        /// 64 GiB; the search is for an error message and may take a millisecond.
        const FAR: usize = 1 << 16;
        let large = self.large.directory.find_around(address, FAR)?;
        Some(Pointer::Interior { block: large.start, bytes: large.bytes })
    }
}

/// One block of `bytes` bytes was freed.
pub(crate) fn freed(bytes: usize) -> Change {
    Change { frees: 1, freed_bytes: bytes, ..Change::default() }
}

/// The block of `slab` that starts at `pointer`; stops the process if none does, or if it is free.
fn checked_block(operation: &str, slab: &'static Slab, pointer: *mut u8) -> *mut Block {
    let address = pointer.addr();
    let index = slab.block_index(address);
    if index >= slab.capacity() {
        misuse::stop(operation, address, Pointer::NoBlock);
    }
    if !slab.is_block_start(address) {
        misuse::stop(operation, address, slab.interior(address));
    }
    let block = pointer.cast::<Block>();
    // SAFETY: the start of a block of a slab; its program is done with it or holds it.
    if unsafe { block::has_mark(block, slab.mark()) } {
        misuse::stop(operation, address, Pointer::Freed);
    }
    block
}
