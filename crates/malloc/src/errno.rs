//! The C library's `errno`.

use core::ffi::c_int;

/// No memory.
pub(crate) const ENOMEM: c_int = 12;
/// An argument is wrong.
pub(crate) const EINVAL: c_int = 22;

unsafe extern "C" {
    safe fn __errno_location() -> *mut c_int;
}

/// Sets `errno`.
#[cold]
pub(crate) fn set(value: c_int) {
    // SAFETY: the C library returns the address of this thread's `errno`.
    unsafe { __errno_location().write(value) };
}

/// Reads `errno`.
pub(crate) fn get() -> c_int {
    // SAFETY: as in `set`.
    unsafe { __errno_location().read() }
}

/// Passes a block on; for null, says that there was no memory.
pub(crate) fn or_no_memory(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        set(ENOMEM);
    }
    block
}
