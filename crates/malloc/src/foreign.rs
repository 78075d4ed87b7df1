//! Pointers that are not ours: blocks of another allocator go back to it, anything else ends the process.
//!
//! Blocks of glibc's own heap reach us from plug-ins loaded with `RTLD_DEEPBIND`, from other link-map namespaces, and
//! from before we were loaded. Handing a pointer that is *not* one of glibc's to glibc would damage its heap, so the
//! chunk header in front of the block is examined first, as far as it can be read without risk.
//!
//! A second C library in the process (`dlmopen`) has a main heap that only it can free into. Its blocks can be read and
//! copied, but freeing one leaves it where it is.

use core::ffi::{CStr, c_void};
use core::{mem, ptr};

use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_heap::misuse::{self, Pointer};
use mallow_heap::process::ROOT;
use mallow_sys::linux::call;
use mallow_trace::Counter;
use mallow_units::page::PAGE_BYTES;

use crate::{c_api, maps};

/// Frees a block of another allocator.
///
/// # Safety
///
/// 1. If `pointer` is a block of another allocator, nobody uses it any more.
#[cold]
pub unsafe fn free(pointer: *mut u8) {
    static FREE: Next = Next::new(c"free");
    let block = recognise("free", pointer);
    ROOT.counters.add(Counter::ForeignFrees, 1);
    if let Block::OfNext = block {
        let next = FREE.find_for("free", pointer);
        // SAFETY: libc's `free` has this type.
        let next = unsafe { mem::transmute::<*const c_void, unsafe extern "C" fn(*mut u8)>(next) };
        // SAFETY: by (1), and the pointer looks like a block of libc's.
        unsafe { next(pointer) };
    }
}

/// Resizes a block of another allocator.
///
/// # Safety
///
/// 1. As [`free`].
#[cold]
pub unsafe fn reallocate(pointer: *mut u8, bytes: usize) -> *mut u8 {
    static REALLOC: Next = Next::new(c"realloc");
    match recognise("realloc", pointer) {
        Block::OfNext => {
            let next = REALLOC.find_for("realloc", pointer);
            // SAFETY: libc's `realloc` has this type.
            let next = unsafe {
                mem::transmute::<*const c_void, unsafe extern "C" fn(*mut u8, usize) -> *mut u8>(next)
            };
            // SAFETY: by (1), and the pointer looks like a block of libc's.
            unsafe { next(pointer, bytes) }
        }
        Block::OfAnotherLibc { usable_bytes } => {
            let moved = c_api::allocate_slow(bytes);
            if !moved.is_null() {
                // SAFETY: both blocks are this long, and a new block overlaps no live one.
                unsafe { ptr::copy_nonoverlapping(pointer, moved, usable_bytes.min(bytes)) };
            }
            moved
        }
    }
}

/// Bytes that may be used of a block of another allocator.
///
/// # Safety
///
/// 1. If `pointer` is a block of another allocator, it is live.
#[cold]
pub unsafe fn usable_bytes(pointer: *mut u8) -> usize {
    static USABLE: Next = Next::new(c"malloc_usable_size");
    match recognise("malloc_usable_size", pointer) {
        Block::OfNext => {
            let next = USABLE.find_for("malloc_usable_size", pointer);
            // SAFETY: libc's `malloc_usable_size` has this type.
            let next =
                unsafe { mem::transmute::<*const c_void, unsafe extern "C" fn(*mut u8) -> usize>(next) };
            // SAFETY: by (1), and the pointer looks like a block of libc's.
            unsafe { next(pointer) }
        }
        Block::OfAnotherLibc { usable_bytes } => usable_bytes,
    }
}

/// A block of another allocator.
#[derive(Clone, Copy, Debug)]
enum Block {
    /// The next library in the dynamic loader's order knows it.
    OfNext,
    /// In the main heap of a C library of another namespace.
    OfAnotherLibc {
        /// Bytes that may be used.
        usable_bytes: usize,
    },
}

/// What `pointer`, which `operation` was given, is; stops the process if it is no block at all.
fn recognise(operation: &str, pointer: *mut u8) -> Block {
    let address = pointer.addr();
    glibc_block(address).unwrap_or_else(|| {
        let what = ROOT.around(address).unwrap_or_else(|| maps::describe(address));
        misuse::stop(operation, address, what)
    })
}

/// The address of `dlsym`, null in a static program.
#[unsafe(naked)]
extern "C" fn weak_dlsym() -> *const c_void {
    core::arch::naked_asm!(".weak dlsym", "mov rax, qword ptr [rip + dlsym@GOTPCREL]", "ret")
}

/// A function of the library that is next in the dynamic loader's order, looked up on first use.
#[derive(Debug)]
struct Next {
    name: &'static CStr,
    address: AtomicU64,
}

impl Next {
    const fn new(name: &'static CStr) -> Self {
        Self { name, address: AtomicU64::new(0) }
    }

    /// The function; stops the process if there is none, because then nobody knows `pointer`.
    fn find_for(&self, operation: &str, pointer: *mut u8) -> *const c_void {
        self.find().unwrap_or_else(|| misuse::stop(operation, pointer.addr(), Pointer::Unknown))
    }

    fn find(&self) -> Option<*const c_void> {
        const RTLD_NEXT: isize = -1;
        // ORDERING: an address of code, which publishes nothing.
        let mut address = self.address.load(Ordering::Relaxed);
        if address == 0 {
            let dlsym = weak_dlsym();
            if dlsym.is_null() {
                return None;
            }
            // SAFETY: `dlsym` has this type.
            let dlsym = unsafe {
                mem::transmute::<*const c_void, unsafe extern "C" fn(isize, *const i8) -> *const c_void>(
                    dlsym,
                )
            };
            // SAFETY: a name, and the handle that means "after this library".
            address = unsafe { dlsym(RTLD_NEXT, self.name.as_ptr()) }.expose_provenance() as u64;
            self.address.store(address, Ordering::Relaxed);
        }
        let address = usize::try_from(address).ok().filter(|address| *address != 0)?;
        Some(ptr::with_exposed_provenance(address))
    }
}

const HEADER_BYTES: usize = 16;
const LEAST_CHUNK_BYTES: usize = 32;
const PREVIOUS_IN_USE: usize = 1;
const IS_MMAPPED: usize = 2;
const NON_MAIN_ARENA: usize = 4;
const FLAGS: usize = 7;
/// Bytes; alignment and size of a heap of a secondary arena.
const ARENA_HEAP_BYTES: usize = 64 << 20;

/// The block of glibc's at `address`, if what lies in front of it is what glibc puts in front of its blocks.
///
/// # Source
///
/// glibc `malloc/malloc.c`, "Chunk representation": the previous chunk's size, then this one's size and three flags.
fn glibc_block(address: usize) -> Option<Block> {
    if !address.is_multiple_of(HEADER_BYTES) || address < PAGE_BYTES {
        return None;
    }
    let (before, word) = (read_word(address - 16)?, read_word(address - 8)?);
    let (bytes, flags) = (word & !FLAGS, word & FLAGS);
    let chunk = address - HEADER_BYTES;
    let end = chunk.checked_add(bytes)?;
    if bytes < LEAST_CHUNK_BYTES || !bytes.is_multiple_of(HEADER_BYTES) {
        return None;
    }
    if flags & IS_MMAPPED != 0 {
        let is_whole = |value: usize| value.is_multiple_of(PAGE_BYTES);
        let fits = before <= chunk && is_whole(chunk - before) && is_whole(before.checked_add(bytes)?);
        return (fits && call::is_readable(end - size_of::<usize>())).then_some(Block::OfNext);
    }
    if flags & NON_MAIN_ARENA != 0 {
        // A heap begins with its arena's address, the previous heap's, and its size.
        let heap = address & !(ARENA_HEAP_BYTES - 1);
        let (arena, heap_bytes) = (read_word(heap)?, read_word(heap + 16)?);
        let fits = heap_bytes <= ARENA_HEAP_BYTES && end <= heap + heap_bytes && read_word(arena).is_some();
        return fits.then_some(Block::OfNext);
    }
    // A main heap: a chunk in use is noted in the next one.
    if read_word(end + size_of::<usize>())? & PREVIOUS_IN_USE == 0 {
        return None;
    }
    if maps::is_in_break_heap(address) {
        return Some(Block::OfNext);
    }
    let is_anonymous = matches!(maps::describe(address), Pointer::Unknown);
    is_anonymous.then_some(Block::OfAnotherLibc { usable_bytes: bytes - size_of::<usize>() })
}

/// The word at `address`, if it can be read.
fn read_word(address: usize) -> Option<usize> {
    if !address.is_multiple_of(size_of::<usize>()) || !call::is_readable(address) {
        return None;
    }
    let word = ptr::with_exposed_provenance::<usize>(address);
    // SAFETY: aligned, and the kernel has just read it.
    Some(unsafe { word.read_volatile() })
}
