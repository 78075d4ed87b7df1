//! Blocks with an alignment of the caller's choice.

use core::ffi::c_int;

use mallow_heap::process;
use mallow_units::Align;
use mallow_units::page::{self, PAGE_BYTES};

use crate::errno::{self, EINVAL, ENOMEM};

/// A block at a multiple of `align`, a power of two; alignments up to 16 are the ordinary one.
fn allocate(bytes: usize, align: Align) -> *mut u8 {
    if align <= Align::BLOCK {
        let block = process::allocate_fast(bytes);
        return if block.is_null() { process::allocate_slow(bytes) } else { block };
    }
    process::allocate_aligned(bytes, align)
}

/// Stores a block at a multiple of `align` in `*out`; returns `EINVAL` or `ENOMEM`, and leaves `errno` and, on
/// failure, `*out` alone.
///
/// # Safety
///
/// 1. `out` is valid for writing a pointer.
///
/// # Source
///
/// POSIX.1-2024 `posix_memalign()`: the alignment is a power of two and a multiple of the size of a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(out: *mut *mut u8, align: usize, bytes: usize) -> c_int {
    let Some(align) = Align::new(align).filter(|align| align.bytes() >= size_of::<*mut u8>()) else {
        return EINVAL;
    };
    let before = errno::get();
    let block = allocate(bytes, align);
    if block.is_null() {
        errno::set(before);
        return ENOMEM;
    }
    // SAFETY: by (1).
    unsafe { out.write(block) };
    0
}

/// A block at a multiple of `align`; null and `EINVAL` if that is not a power of two. Any size is allowed.
///
/// # Source
///
/// C23 7.24.3.1; glibc 2.38 and newer refuse other alignments.
#[unsafe(no_mangle)]
pub extern "C" fn aligned_alloc(align: usize, bytes: usize) -> *mut u8 {
    match Align::new(align) {
        Some(align) => errno::or_no_memory(allocate(bytes, align)),
        None => invalid(),
    }
}

/// A block at a multiple of `align`, rounded up to a power of two; null and `EINVAL` if there is none so large.
///
/// # Source
///
/// `memalign(3)`, glibc's rounding.
#[unsafe(no_mangle)]
pub extern "C" fn memalign(align: usize, bytes: usize) -> *mut u8 {
    match Align::at_least(align) {
        Some(align) => errno::or_no_memory(allocate(bytes, align)),
        None => invalid(),
    }
}

/// A block that starts at a page.
///
/// # Source
///
/// `valloc(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn valloc(bytes: usize) -> *mut u8 {
    memalign(PAGE_BYTES, bytes)
}

/// A block of whole pages; null and `ENOMEM` if rounding up overflows.
///
/// # Source
///
/// `pvalloc(3)`; as in glibc, a request of 0 bytes gets no page more than any other block.
#[unsafe(no_mangle)]
pub extern "C" fn pvalloc(bytes: usize) -> *mut u8 {
    match page::round_up(bytes) {
        Some(rounded) => memalign(PAGE_BYTES, rounded),
        None => errno::or_no_memory(core::ptr::null_mut()),
    }
}

fn invalid() -> *mut u8 {
    errno::set(EINVAL);
    core::ptr::null_mut()
}
