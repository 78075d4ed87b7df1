//! The calls, each by the verb that asks for it.
//!
//! Called by `main`. A verb is one call of C, or one touch of memory; what it means is the experiment's affair.

mod block;
mod library;
pub(crate) mod process;
mod slots;
mod space;
mod stack;
mod thread;

use core::ffi::{c_int, c_void};

use crate::Answer;
use crate::wire::Request;

type Call = fn(&Request<'_>) -> Answer;

/// Every verb.
#[rustfmt::skip]
pub(crate) const VERBS: &[(&str, Call)] = &[
    ("malloc", block::malloc), ("calloc", block::calloc), ("realloc", block::realloc), ("free", block::free),
    ("memalign", block::memalign), ("usable", block::usable), ("mallopt", block::mallopt), ("trim", block::trim),
    ("info", block::info), ("mtrace", block::mtrace),

    ("slots", slots::ready), ("mallocs", slots::mallocs), ("frees", slots::frees), ("fills", slots::fills),

    ("fill", space::fill), ("read", space::read), ("word", space::word), ("poke", space::poke),
    ("brk", space::brk), ("sbrk", space::sbrk), ("mmap", space::mmap), ("munmap", space::munmap),
    ("madvise", space::madvise), ("mlock", space::mlock), ("munlock", space::munlock), ("mincore", space::mincore),

    ("recurse", stack::recurse), ("below", stack::below), ("alloca", stack::alloca), ("vla", stack::vla),

    ("threads", thread::start), ("join", thread::join),

    ("dlopen", library::open), ("dlclose", library::close),

    ("fork", process::fork), ("exit", process::exit), ("getrlimit", process::getrlimit),
    ("setrlimit", process::setrlimit), ("setuid", process::setuid), ("huge_pages", process::huge_pages),
    ("cpus", process::cpus), ("glibc", process::glibc), ("online", process::online),
];

/// The error number of the last call that failed.
pub(crate) fn errno() -> c_int {
    // SAFETY: the C library gives each thread a place for it.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: see above; nobody else uses this thread's.
    unsafe { *place }
}

/// The pointer to an address from a request.
fn pointer(address: usize) -> *mut c_void {
    core::ptr::with_exposed_provenance_mut(address)
}

/// A pointer as an answer; none is an error.
fn address(pointer: *mut c_void) -> Answer {
    if pointer.is_null() { Err(errno()) } else { Ok(pointer.expose_provenance() as u64) }
}

/// What calls that give 0 or -1 gave.
fn done(result: c_int) -> Answer {
    if result == 0 { Ok(0) } else { Err(errno()) }
}
