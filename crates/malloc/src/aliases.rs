//! Other names of the same functions.
//!
//! Old programs, profilers and libraries linked with `RTLD_DEEPBIND` in mind call glibc's internal names. If one of
//! them were missing, glibc's own would work on glibc's own heap.

use core::ffi::{c_int, c_void};

use crate::{aligned, c_api};

macro_rules! alias {
    ($($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)? = $target:path;)*) => { $(
        #[doc = concat!("The same as [`", stringify!($target), "`].")]
        ///
        /// # Safety
        ///
        /// 1. As there.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $kind),*) $(-> $result)? {
            alias!(@call $target, $($argument),*)
        }
    )* };
    (@call $target:path, $($argument:ident),*) => {{
        let target: unsafe extern "C" fn($(alias!(@any $argument)),*) -> _ = $target;
        // SAFETY: the caller's promise, passed on (1).
        unsafe { target($($argument),*) }
    }};
    (@any $argument:ident) => { _ };
}

alias! {
    __libc_malloc(bytes: usize) -> *mut u8 = c_api::malloc;
    __libc_calloc(count: usize, bytes: usize) -> *mut u8 = c_api::calloc;
    __libc_realloc(pointer: *mut u8, bytes: usize) -> *mut u8 = c_api::realloc;
    __libc_free(pointer: *mut u8) = c_api::free;
    __libc_cfree(pointer: *mut u8) = c_api::free;
    cfree(pointer: *mut u8) = c_api::free;
    __libc_memalign(align: usize, bytes: usize) -> *mut u8 = aligned::memalign;
    __libc_valloc(bytes: usize) -> *mut u8 = aligned::valloc;
    __libc_pvalloc(bytes: usize) -> *mut u8 = aligned::pvalloc;
    __posix_memalign(out: *mut *mut u8, align: usize, bytes: usize) -> c_int = aligned::posix_memalign;
}

/// There is no state to hand out: null.
///
/// # Source
///
/// glibc before 2.25; kept for programs linked then.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_get_state() -> *mut c_void {
    core::ptr::null_mut()
}

/// No state can be taken over: -1.
///
/// # Source
///
/// glibc before 2.25; kept for programs linked then.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_set_state(_state: *mut c_void) -> c_int {
    -1
}
