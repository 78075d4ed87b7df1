//! mallow as the allocator of a Rust program.
//!
//! ```
//! use mallow::Mallow;
//!
//! #[global_allocator]
//! static GLOBAL: Mallow = Mallow;
//!
//! fn main() {
//!     let words: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
//!     assert_eq!(words.len(), 1000);
//!     assert!(mallow::stats().live_bytes > 0);
//!     mallow::trim();
//! }
//! ```
//!
//! The allocator is the one of `libmallow.so`; see the crate `mallow-heap` for how it works. It is used by this program's
//! Rust code only: C libraries in the same process keep the C library's `malloc`, and the two do not mix.
//!
//! Options are read from the environment variable `MALLOW` when the program starts; see the project's README.

#![no_std]

mod start;
mod stats;

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;

use mallow_heap::misuse::{self, Pointer};
use mallow_heap::process;
use mallow_units::Align;
use mallow_units::size_class::MAX_CLASS_BYTES;

pub use stats::{Stats, stats};

/// The allocator. All values are the same one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mallow;

/// Returns all free memory that this thread can reach to the kernel; the bytes returned.
///
/// Cost: looks at every slab of this thread and of threads that have exited; a system call per free run of pages.
pub fn trim() -> usize {
    process::trim(0)
}

// SAFETY: blocks are as large and as aligned as the layout says, overlap no live block, and nothing unwinds.
unsafe impl GlobalAlloc for Mallow {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match large_align(layout) {
            None => {
                let block = process::allocate_fast(layout.size());
                if block.is_null() { process::allocate_slow(layout.size()) } else { block }
            }
            Some(align) => process::allocate_aligned(layout.size(), align),
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match large_align(layout) {
            None => process::allocate_zeroed(layout.size()),
            Some(align) => {
                let block = process::allocate_aligned(layout.size(), align);
                if !block.is_null() {
                    // SAFETY: a new block of this size.
                    unsafe { block.write_bytes(0, layout.size()) };
                }
                block
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // The size is known where this is compiled, and spares a large block the look at the page map.
        // SAFETY: the caller gives up a live block, allocated with this layout.
        if layout.size() > MAX_CLASS_BYTES || !unsafe { process::free_fast(block) } {
            // SAFETY: as above.
            unsafe { free_slow(block) };
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if large_align(layout).is_none() {
            // SAFETY: the caller gives up a live block if it moves.
            return match unsafe { process::reallocate(block, bytes) } {
                Ok(moved) => moved,
                Err(_) => misuse::stop("realloc", block.addr(), Pointer::Unknown),
            };
        }
        // SAFETY: the caller's size, which it keeps below the limit of a layout, and the old alignment.
        let layout_now = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        // SAFETY: a layout that is not empty, as `realloc` demands of `bytes`.
        let moved = unsafe { self.alloc(layout_now) };
        if !moved.is_null() {
            // SAFETY: both blocks are this long, and a new block overlaps no live one.
            unsafe { ptr::copy_nonoverlapping(block, moved, bytes.min(layout.size())) };
            // SAFETY: the caller gives up the old block.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}

/// # Safety
///
/// 1. The caller gives up a live block.
#[cold]
unsafe fn free_slow(block: *mut u8) {
    // SAFETY: by (1).
    if unsafe { process::free_slow(block) }.is_err() {
        misuse::stop("dealloc", block.addr(), Pointer::Unknown);
    }
}

/// The alignment of `layout` if it is more than every block has.
#[inline(always)]
fn large_align(layout: Layout) -> Option<Align> {
    if layout.align() <= Align::BLOCK.bytes() { None } else { Align::new(layout.align()) }
}

/// The README, so that the program in it is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
