//! A window: address space that shows pages of a memory file, each where somebody wants it.
//!
//! For a simulated machine whose programs are ordinary code of this process: its memory is the file, and what it has mapped
//! for a program is shown at the program's addresses. Called by `kmm::sim`; the allocator does not use it.

use core::ptr::NonNull;

use mallow_units::page::PAGE_BYTES;

use super::call::{self, Protection, pointer, result};
use crate::cpu::{number, syscall};
use crate::os::OsError;

const MAP_SHARED_FIXED: usize = 0x11;
const MAP_PRIVATE_ANONYMOUS_FIXED: usize = 0x32;
const MAP_NORESERVE: usize = 0x4000;
const MFD_CLOEXEC: usize = 1;
/// Where the first window begins, so that what is seen through it has the same addresses each time. The kernel lays nothing there
/// by itself: it begins at the top.
const START: usize = 1 << 45;

/// What a page in a window allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// Reading.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// A memory file, all of it mapped once, and a window on it.
///
/// # Invariants
///
/// 1. `memory` is a shared mapping of the whole file `fd`, and stays as long as the process.
/// 2. `start` and `bytes` are a mapping of nobody else's, and stay as long as the process.
#[derive(Debug)]
pub struct Window {
    fd: usize,
    memory: NonNull<u8>,
    memory_bytes: usize,
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the pointers block the automatic impl; the mappings are there for every thread.
unsafe impl Send for Window {}
// SAFETY: as above; the calls on it are the kernel's, which takes them from any thread.
unsafe impl Sync for Window {}

impl Window {
    /// A file of `memory_bytes` zeros, and a window of `bytes` through which nothing is seen yet. Both are for ever.
    ///
    /// # Errors
    ///
    /// The kernel's reason.
    ///
    /// # Source
    ///
    /// `memfd_create(2)`, `ftruncate(2)`, `mmap(2)`.
    pub fn open(memory_bytes: usize, bytes: usize) -> Result<Self, OsError> {
        let name = c"mallow-machine".as_ptr().addr();
        // SAFETY: the name is a C string that outlives the call, which writes nothing.
        let fd = result(unsafe { syscall(number::MEMFD_CREATE, [name, MFD_CLOEXEC, 0, 0, 0, 0]) })?;
        // SAFETY: the length of our own new file.
        result(unsafe { syscall(number::FTRUNCATE, [fd, memory_bytes, 0, 0, 0, 0]) })?;
        let memory = call::map_shared(fd, memory_bytes)?;
        let start = call::map_anonymous_near(START, bytes, Protection::None)?;
        // INVARIANT: 1 and 2, by the mappings made just now, which nobody unmaps.
        Ok(Self { fd, memory, memory_bytes, start, bytes })
    }

    /// The file's bytes.
    pub const fn memory(&self) -> NonNull<u8> {
        self.memory
    }

    /// Where the window begins.
    pub const fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How long it is.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether `address` is in it.
    pub fn holds(&self, address: usize) -> bool {
        address.wrapping_sub(self.start.addr().get()) < self.bytes
    }

    fn is_span(&self, address: usize, bytes: usize) -> bool {
        let Some(end) = address.checked_add(bytes) else { return false };
        let start = self.start.addr().get();
        address.is_multiple_of(PAGE_BYTES) && address >= start && end <= start + self.bytes && bytes > 0
    }

    /// Shows a page of the file at `address`; nothing happens unless both are pages of the window and the file.
    ///
    /// # Errors
    ///
    /// The kernel's reason: too many mappings.
    ///
    /// # Safety
    ///
    /// 1. Nobody has a reference to what is at `address` now.
    ///
    /// # Source
    ///
    /// `mmap(2)`, `MAP_FIXED`.
    pub unsafe fn show(&self, address: usize, page: usize, shown: Shown) -> Result<(), OsError> {
        let Some(offset) = page.checked_mul(PAGE_BYTES).filter(|offset| *offset < self.memory_bytes) else {
            return Ok(());
        };
        if !self.is_span(address, PAGE_BYTES) {
            return Ok(());
        }
        let protection = if shown == Shown::ReadWrite { 3 } else { 1 };
        let arguments = [address, PAGE_BYTES, protection, MAP_SHARED_FIXED, self.fd, offset];
        // SAFETY: replaces a page of the window (invariant 2), to which nobody refers (1).
        pointer(unsafe { syscall(number::MMAP, arguments) }).map(drop)
    }

    /// Shows nothing from `address` on; nothing happens unless the span is part of the window.
    ///
    /// # Errors
    ///
    /// The kernel's reason: too many mappings.
    ///
    /// # Safety
    ///
    /// 1. Nobody has a reference to what is there now.
    ///
    /// # Source
    ///
    /// `mmap(2)`, `MAP_FIXED`.
    pub unsafe fn hide(&self, address: usize, bytes: usize) -> Result<(), OsError> {
        if !self.is_span(address, bytes) {
            return Ok(());
        }
        let flags = MAP_PRIVATE_ANONYMOUS_FIXED | MAP_NORESERVE;
        // SAFETY: replaces a part of the window (invariant 2), to which nobody refers (1).
        pointer(unsafe { syscall(number::MMAP, [address, bytes, 0, flags, usize::MAX, 0]) }).map(drop)
    }
}
