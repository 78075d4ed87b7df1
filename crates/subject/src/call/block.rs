//! Blocks: `malloc` and its family.
//!
//! What libc has had only since some release is looked up when it is asked for, so that the subject starts everywhere.

use core::ffi::CStr;
use core::hint::black_box;
use core::mem::transmute;
use core::ptr;

use super::{address, pointer};
use crate::Answer;
use crate::wire::Request;

pub(super) fn malloc(request: &Request<'_>) -> Answer {
    // SAFETY: any size may be asked for.
    address(black_box(unsafe { libc::malloc(request.number(1)) }))
}

pub(super) fn calloc(request: &Request<'_>) -> Answer {
    // SAFETY: any size may be asked for.
    address(black_box(unsafe { libc::calloc(request.number(1), request.number(2)) }))
}

pub(super) fn realloc(request: &Request<'_>) -> Answer {
    // SAFETY: the block is one that an answer gave, by promise 1 of the crate.
    address(black_box(unsafe { libc::realloc(pointer(request.number(1)), request.number(2)) }))
}

pub(super) fn free(request: &Request<'_>) -> Answer {
    // SAFETY: the block is one that an answer gave, or this is the mistake to be shown, by promise 1 of the crate.
    unsafe { libc::free(pointer(black_box(request.number(1)))) };
    Ok(0)
}

pub(super) fn memalign(request: &Request<'_>) -> Answer {
    let mut block = ptr::null_mut();
    // SAFETY: `block` has room for the answer; wrong alignments are refused by the call.
    let errno = unsafe { libc::posix_memalign(&raw mut block, request.number(1), request.number(2)) };
    if errno == 0 { address(black_box(block)) } else { Err(errno) }
}

pub(super) fn usable(request: &Request<'_>) -> Answer {
    // SAFETY: the block is one that an answer gave, by promise 1 of the crate.
    Ok(unsafe { libc::malloc_usable_size(pointer(request.number(1))) } as u64)
}

pub(super) fn mallopt(request: &Request<'_>) -> Answer {
    // SAFETY: parameters that do not exist are refused by the call.
    let is_done = unsafe { libc::mallopt(request.int(1), request.int(2)) };
    if is_done == 1 { Ok(1) } else { Err(libc::EINVAL) }
}

pub(super) fn trim(request: &Request<'_>) -> Answer {
    // SAFETY: free memory is given back; nobody uses it.
    Ok(u64::from(unsafe { libc::malloc_trim(request.number(1)) } == 1))
}

/// One number of `mallinfo2`, by its place in the structure: 0 is the size of the main arena, 4 what is in
/// mappings of their own, 7 what is in use, 8 what is free.
pub(super) fn info(request: &Request<'_>) -> Answer {
    let found = symbol(c"mallinfo2").ok_or(libc::ENOSYS)?;
    // SAFETY: that is the function's type wherever it exists.
    let mallinfo2 = unsafe { transmute::<*mut libc::c_void, extern "C" fn() -> libc::mallinfo2>(found) };
    let info = mallinfo2();
    let numbers = [
        info.arena,
        info.ordblks,
        info.smblks,
        info.hblks,
        info.hblkhd,
        info.usmblks,
        info.fsmblks,
        info.uordblks,
        info.fordblks,
        info.keepcost,
    ];
    numbers.get(request.number(1)).map(|number| *number as u64).ok_or(libc::EINVAL)
}

/// Linked, not looked up: a look-up does not find the one in the debugging library, which has an old version only.
pub(super) fn mtrace(_request: &Request<'_>) -> Answer {
    mtrace_of_libc();
    Ok(0)
}

unsafe extern "C" {
    #[link_name = "mtrace"]
    safe fn mtrace_of_libc();
}

/// What the loader finds under a name.
fn symbol(name: &CStr) -> Option<*mut libc::c_void> {
    // SAFETY: the name ends with a zero byte.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}
