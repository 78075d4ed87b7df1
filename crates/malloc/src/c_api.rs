//! malloc and free, and what is directly around them.

use mallow_heap::process;

use crate::{errno, foreign};

/// A block of at least `bytes` bytes, aligned to 16; null and `ENOMEM` if there is none.
///
/// `malloc(0)` is a block of its own.
///
/// # Source
///
/// C23 7.24.3.6, `malloc(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn malloc(bytes: usize) -> *mut u8 {
    let block = process::allocate_fast(bytes);
    if block.is_null() { allocate_slow(bytes) } else { block }
}

#[cold]
#[inline(never)]
pub(crate) extern "C" fn allocate_slow(bytes: usize) -> *mut u8 {
    errno::or_no_memory(process::allocate_slow(bytes))
}

/// Gives the block at `pointer` back; null is ignored. `errno` stays as it is.
///
/// # Safety
///
/// 1. `pointer` is null or a live block, and nobody uses it any more.
///
/// # Source
///
/// C23 7.24.3.3, POSIX.1-2024 `free()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(pointer: *mut u8) {
    // SAFETY: by (1).
    if !unsafe { process::free_fast(pointer) } {
        // SAFETY: by (1).
        unsafe { free_slow(pointer) };
    }
}

/// # Safety
///
/// 1. As [`free`].
#[cold]
#[inline(never)]
unsafe extern "C" fn free_slow(pointer: *mut u8) {
    // SAFETY: by (1).
    if unsafe { process::free_slow(pointer) }.is_err() {
        // SAFETY: by (1).
        unsafe { foreign::free(pointer) };
    }
}

/// A block for `count` elements of `bytes` bytes each, all zero; null and `ENOMEM` if the product overflows.
///
/// # Source
///
/// C23 7.24.3.2.
#[unsafe(no_mangle)]
pub extern "C" fn calloc(count: usize, bytes: usize) -> *mut u8 {
    let block = match count.checked_mul(bytes) {
        Some(total) => process::allocate_zeroed(total),
        None => core::ptr::null_mut(),
    };
    errno::or_no_memory(block)
}

/// Resizes the block at `pointer`; null and `ENOMEM` if there is no memory, and the block is then as it was.
///
/// A null pointer is as `malloc`. Size 0 frees the block and returns null, as glibc does.
///
/// # Safety
///
/// 1. As [`free`], if the block moves or `bytes` is 0.
///
/// # Source
///
/// `realloc(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(pointer: *mut u8, bytes: usize) -> *mut u8 {
    if pointer.is_null() {
        return malloc(bytes);
    }
    if bytes == 0 {
        // SAFETY: by (1).
        unsafe { free(pointer) };
        return core::ptr::null_mut();
    }
    // SAFETY: by (1).
    match unsafe { process::reallocate(pointer, bytes) } {
        Ok(block) => errno::or_no_memory(block),
        // SAFETY: by (1).
        Err(_) => unsafe { foreign::reallocate(pointer, bytes) },
    }
}

/// [`realloc`] to `count` elements of `bytes` bytes each; null and `ENOMEM` if the product overflows.
///
/// # Safety
///
/// 1. As [`realloc`].
///
/// # Source
///
/// `reallocarray(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(pointer: *mut u8, count: usize, bytes: usize) -> *mut u8 {
    match count.checked_mul(bytes) {
        // SAFETY: by (1).
        Some(total) => unsafe { realloc(pointer, total) },
        None => errno::or_no_memory(core::ptr::null_mut()),
    }
}

/// [`free`] for a caller that knows the size it asked for. The size is not needed.
///
/// # Safety
///
/// 1. As [`free`].
///
/// # Source
///
/// C23 7.24.3.4.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_sized(pointer: *mut u8, _bytes: usize) {
    // SAFETY: by (1).
    unsafe { free(pointer) };
}

/// [`free`] for a caller that knows the alignment and the size it asked for. Neither is needed.
///
/// # Safety
///
/// 1. As [`free`].
///
/// # Source
///
/// C23 7.24.3.5.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_aligned_sized(pointer: *mut u8, _align: usize, _bytes: usize) {
    // SAFETY: by (1).
    unsafe { free(pointer) };
}

/// Bytes that may be used of the block at `pointer`; 0 for null.
///
/// # Safety
///
/// 1. `pointer` is null or a live block.
///
/// # Source
///
/// `malloc_usable_size(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_usable_size(pointer: *mut u8) -> usize {
    if pointer.is_null() {
        return 0;
    }
    match process::ROOT.usable_bytes("malloc_usable_size", pointer) {
        Ok(bytes) => bytes,
        // SAFETY: by (1).
        Err(_) => unsafe { foreign::usable_bytes(pointer) },
    }
}
