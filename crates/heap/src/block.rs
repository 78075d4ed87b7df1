//! Free blocks: the two words that a block holds while nobody else uses it.
//!
//! ```text
//!  block          + 8            + 16
//!  | next block   | mark         | whatever the last user left ...
//! ```
//!
//! The *mark* is a number that only this slab's free blocks have, see [`crate::slab::Slab::mark`]. `free` finds it in a block that is already free, which catches
//! a double free before anything is damaged; handing a block out clears it. Blocks are at least 16 bytes.
//!
//! This file is all the access to client memory that the small path has.

use core::ptr;

use mallow_units::size_class::QUANTUM;

/// The first words of a free block.
#[derive(Debug)]
#[repr(C)]
pub struct Block {
    next: *mut Self,
    mark: u64,
}

const _: () = assert!(size_of::<Block>() <= QUANTUM && align_of::<Block>() <= QUANTUM);

/// No block.
pub const NONE: *mut Block = ptr::null_mut();

/// The block after this one in its list.
///
/// # Safety
///
/// 1. `block` is free and in a list.
#[inline(always)]
pub unsafe fn next(block: *mut Block) -> *mut Block {
    // SAFETY: a free block in a list holds a link (1).
    unsafe { (*block).next }
}

/// Makes `next` the block after this one.
///
/// # Safety
///
/// 1. `block` is free, and the caller is the only one who may touch it.
#[inline(always)]
pub unsafe fn set_next(block: *mut Block, next: *mut Block) {
    // SAFETY: ours alone (1), and large enough.
    unsafe { (*block).next = next };
}

/// Whether the block carries `mark`.
///
/// # Safety
///
/// 1. `block` is the start of a block of a slab; if it is in use, by the caller.
#[inline(always)]
pub unsafe fn has_mark(block: *mut Block, mark: u64) -> bool {
    // SAFETY: a block has at least 16 bytes (1).
    unsafe { (*block).mark == mark }
}

/// Marks the block as free.
///
/// # Safety
///
/// 1. As [`set_next`].
#[inline(always)]
pub unsafe fn set_mark(block: *mut Block, mark: u64) {
    // SAFETY: ours alone (1), and large enough.
    unsafe { (*block).mark = mark };
}

/// Removes the mark, as the block is about to be handed out.
///
/// # Safety
///
/// 1. As [`set_next`].
#[inline(always)]
pub unsafe fn clear_mark(block: *mut Block) {
    // SAFETY: ours alone (1), and large enough.
    unsafe { (*block).mark = 0 };
}

/// Clears both words.
///
/// # Safety
///
/// 1. As [`set_next`].
#[inline(always)]
pub unsafe fn clear_words(block: *mut Block) {
    // SAFETY: ours alone (1), and large enough.
    unsafe { block.write(Block { next: NONE, mark: 0 }) };
}
