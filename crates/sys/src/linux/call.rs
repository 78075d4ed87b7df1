//! One function per system call, with types.
//!
//! None of them touches `errno`, allocates, or can be cancelled.

use core::ffi::CStr;
use core::ptr::NonNull;

use mallow_units::page::PAGE_BYTES;

use crate::cpu::{number, syscall};
use crate::os::OsError;

/// What an anonymous mapping allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// Nothing; and no commit charge.
    None,
    /// Reading and writing.
    ReadWrite,
}

const PROT_READ_WRITE: usize = 3;
const MAP_SHARED: usize = 0x1;
const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
const MAP_NORESERVE: usize = 0x4000;
const MADV_DONTNEED: usize = 4;
const MADV_HUGEPAGE: usize = 14;
const MADV_NOHUGEPAGE: usize = 15;
const MADV_COLLAPSE: usize = 25;
const MREMAP_MAYMOVE: usize = 1;
const MREMAP_FIXED: usize = 2;
const O_RDWR_CLOEXEC: usize = 0o2_000_002;
const O_RDONLY_CLOEXEC: usize = 0o2_000_000;
const CLOCK_MONOTONIC_COARSE: usize = 6;
const RLIMIT_AS: usize = 9;
const FUTEX_WAIT_PRIVATE: usize = 128;
const FUTEX_WAKE_PRIVATE: usize = 129;
const EINTR: i32 = 4;

pub(super) fn result(returned: isize) -> Result<usize, OsError> {
    match usize::try_from(returned) {
        Ok(value) => Ok(value),
        Err(_) => Err(OsError(i32::try_from(-returned).unwrap_or(i32::MAX))),
    }
}

pub(super) fn pointer(returned: isize) -> Result<NonNull<u8>, OsError> {
    let address = result(returned)?;
    NonNull::new(core::ptr::with_exposed_provenance_mut(address)).ok_or(OsError::NO_MEMORY)
}

/// Maps private anonymous memory where the kernel likes.
///
/// # Errors
///
/// The kernel's reason.
///
/// # Source
///
/// `mmap(2)`; `MAP_NORESERVE` so that a large block is charged by touch, as far as the overcommit mode allows.
pub fn map_anonymous(bytes: usize, protection: Protection) -> Result<NonNull<u8>, OsError> {
    map_anonymous_near(0, bytes, protection)
}

/// As [`map_anonymous`], at the address `hint` if that is free; 0 is no hint.
///
/// # Errors
///
/// The kernel's reason.
///
/// # Source
///
/// `mmap(2)`.
pub fn map_anonymous_near(hint: usize, bytes: usize, protection: Protection) -> Result<NonNull<u8>, OsError> {
    let prot = if protection == Protection::None { 0 } else { PROT_READ_WRITE };
    let flags = MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE;
    // SAFETY: a new mapping at an address of the kernel's choice, which the hint does not force, overlaps nothing.
    pointer(unsafe { syscall(number::MMAP, [hint, bytes, prot, flags, usize::MAX, 0]) })
}

/// Maps the first `bytes` of an open file, shared.
///
/// # Errors
///
/// The kernel's reason.
///
/// # Source
///
/// `mmap(2)`.
pub fn map_shared(fd: usize, bytes: usize) -> Result<NonNull<u8>, OsError> {
    // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
    pointer(unsafe { syscall(number::MMAP, [0, bytes, PROT_READ_WRITE, MAP_SHARED, fd, 0]) })
}

/// Makes a span readable and writable.
///
/// # Errors
///
/// The kernel's reason.
///
/// # Safety
///
/// 1. Nobody relies on the span's protection.
///
/// # Source
///
/// `mprotect(2)`.
pub unsafe fn protect_read_write(start: NonNull<u8>, bytes: usize) -> Result<(), OsError> {
    // SAFETY: by (1).
    result(unsafe { syscall(number::MPROTECT, [start.addr().get(), bytes, PROT_READ_WRITE, 0, 0, 0]) })
        .map(drop)
}

/// Makes a span inaccessible.
///
/// # Errors
///
/// The kernel's reason.
///
/// # Safety
///
/// 1. Nothing reads or writes the span until it is made accessible again.
///
/// # Source
///
/// `mprotect(2)`.
pub unsafe fn protect_none(start: NonNull<u8>, bytes: usize) -> Result<(), OsError> {
    // SAFETY: by (1).
    result(unsafe { syscall(number::MPROTECT, [start.addr().get(), bytes, 0, 0, 0, 0]) }).map(drop)
}

/// Drops the contents of private anonymous memory.
///
/// # Errors
///
/// The kernel's reason, `EINVAL` for locked memory.
///
/// # Safety
///
/// 1. Nothing needs the contents of the span.
///
/// # Source
///
/// `madvise(2)`, `MADV_DONTNEED`.
pub unsafe fn discard(start: NonNull<u8>, bytes: usize) -> Result<(), OsError> {
    // SAFETY: by (1).
    result(unsafe { syscall(number::MADVISE, [start.addr().get(), bytes, MADV_DONTNEED, 0, 0, 0]) }).map(drop)
}

/// Asks for huge pages in a span, or refuses them; nothing happens if the kernel has none.
///
/// # Safety
///
/// 1. The span is private anonymous memory of ours.
///
/// # Source
///
/// `madvise(2)`, `MADV_HUGEPAGE` and `MADV_NOHUGEPAGE`.
pub unsafe fn advise_huge(start: NonNull<u8>, bytes: usize, wanted: bool) {
    let advice = if wanted { MADV_HUGEPAGE } else { MADV_NOHUGEPAGE };
    // SAFETY: by (1); the contents stay as they are.
    let _ = unsafe { syscall(number::MADVISE, [start.addr().get(), bytes, advice, 0, 0, 0]) };
}

/// Makes huge pages of a span, now, whatever the system's setting.
///
/// # Errors
///
/// The kernel's reason: older than 6.1, huge pages refused for the span, no huge page left.
///
/// # Safety
///
/// 1. The span is private anonymous memory of ours.
///
/// # Source
///
/// `madvise(2)`, `MADV_COLLAPSE`.
pub unsafe fn collapse(start: NonNull<u8>, bytes: usize) -> Result<(), OsError> {
    // SAFETY: by (1); the contents stay as they are.
    let returned = unsafe { syscall(number::MADVISE, [start.addr().get(), bytes, MADV_COLLAPSE, 0, 0, 0]) };
    result(returned).map(drop)
}

/// Reads the beginning of a file into `buffer`; the bytes read, 0 if that fails.
pub fn read_file(path: &CStr, buffer: &mut [u8]) -> usize {
    let Ok(fd) = open(path, false) else { return 0 };
    // SAFETY: the kernel writes into the buffer, at most its length.
    let count = unsafe {
        syscall(number::READ, [fd, buffer.as_mut_ptr().expose_provenance(), buffer.len(), 0, 0, 0])
    };
    close(fd);
    usize::try_from(count).unwrap_or(0)
}

/// Removes mappings; does nothing about spans that are not mapped.
///
/// # Safety
///
/// 1. Nothing uses the span any more.
///
/// # Source
///
/// `munmap(2)`.
pub unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
    // SAFETY: by (1). A failure (a split that would exceed the mapping limit) leaves the span mapped, which is safe.
    let _ = unsafe { syscall(number::MUNMAP, [start.addr().get(), bytes, 0, 0, 0, 0]) };
}

/// Resizes a mapping.
///
/// # Errors
///
/// The kernel's reason.
///
/// # Safety
///
/// 1. The span is one private anonymous mapping of ours; if it may move, old pointers are not used afterwards.
///
/// # Source
///
/// `mremap(2)`.
pub unsafe fn remap(
    start: NonNull<u8>,
    old_bytes: usize,
    new_bytes: usize,
    may_move: bool,
) -> Result<NonNull<u8>, OsError> {
    let flags = if may_move { MREMAP_MAYMOVE } else { 0 };
    // SAFETY: by (1).
    pointer(unsafe { syscall(number::MREMAP, [start.addr().get(), old_bytes, new_bytes, flags, 0, 0]) })
}

/// Moves a mapping to `room`, and resizes it.
///
/// # Errors
///
/// The kernel's reason; the mapping is then as it was, but `room` may be gone.
///
/// # Safety
///
/// 1. The span is one private anonymous mapping of ours, and old pointers are not used afterwards.
/// 2. `room` is mapped by us for `new_bytes`, apart from the span, and nothing uses it.
///
/// # Source
///
/// `mremap(2)`, `MREMAP_FIXED`.
pub unsafe fn remap_to(
    start: NonNull<u8>,
    old_bytes: usize,
    new_bytes: usize,
    room: NonNull<u8>,
) -> Result<NonNull<u8>, OsError> {
    let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    let arguments = [start.addr().get(), old_bytes, new_bytes, flags, room.addr().get(), 0];
    // SAFETY: by (1) and (2).
    pointer(unsafe { syscall(number::MREMAP, arguments) })
}

/// Writes for each page of a span whether it is resident, in the lowest bit of a byte of `pages`, which has one for each.
///
/// # Errors
///
/// The kernel's reason.
///
/// # Source
///
/// `mincore(2)`.
pub fn resident(start: NonNull<u8>, bytes: usize, pages: &mut [u8]) -> Result<(), OsError> {
    let bytes = bytes.min(pages.len() * PAGE_BYTES);
    let arguments = [start.addr().get(), bytes, pages.as_mut_ptr().expose_provenance(), 0, 0, 0];
    // SAFETY: writes one byte per page, and there is one for each.
    result(unsafe { syscall(number::MINCORE, arguments) }).map(drop)
}

/// Asks a device or a special file; `argument` is both question and answer. Returns what the call returns.
///
/// # Errors
///
/// The kernel's reason, `ENOTTY` if the file knows no such request.
///
/// # Safety
///
/// 1. The request reads and writes an argument of this type, and no other memory than it names and the caller gives.
///
/// # Source
///
/// `ioctl(2)`.
pub unsafe fn ask_file<T>(fd: usize, request: usize, argument: &mut T) -> Result<usize, OsError> {
    let argument = core::ptr::from_mut(argument).expose_provenance();
    // SAFETY: by (1).
    result(unsafe { syscall(number::IOCTL, [fd, request, argument, 0, 0, 0]) })
}

/// Whether the eight bytes at `address` can be read.
///
/// # Source
///
/// `rt_sigprocmask(2)`: the kernel reads the new mask before it looks at what to do with it, so a call that asks for nothing
/// sensible is refused with `EFAULT` if the mask cannot be read and with `EINVAL` if it can.
pub fn is_readable(address: usize) -> bool {
    const NO_SUCH_ACTION: usize = usize::MAX;
    const MASK_BYTES: usize = 8;
    const EFAULT: OsError = OsError(14);
    // SAFETY: an action that does not exist changes nothing; the kernel checks the address itself.
    let answer = unsafe { syscall(number::SIGPROCMASK, [NO_SUCH_ACTION, address, 0, MASK_BYTES, 0, 0]) };
    result(answer) != Err(EFAULT)
}

/// Milliseconds since some point, to the scheduler's tick.
///
/// # Source
///
/// `clock_gettime(2)`, `CLOCK_MONOTONIC_COARSE`.
pub fn coarse_ms() -> u64 {
    let mut time = [0_u64; 2];
    // SAFETY: writes a `struct timespec`, two 64-bit words, to our array.
    let _ = unsafe {
        syscall(
            number::CLOCK_GETTIME,
            [CLOCK_MONOTONIC_COARSE, time.as_mut_ptr().expose_provenance(), 0, 0, 0, 0],
        )
    };
    time[0] * 1000 + time[1] / 1_000_000
}

/// Bytes that the process may map in all (`ulimit -v`), if that is limited.
///
/// # Source
///
/// `getrlimit(2)`, `RLIMIT_AS`.
pub fn address_space_limit() -> Option<usize> {
    let mut limit = [u64::MAX; 2];
    // SAFETY: writes a `struct rlimit`, two 64-bit words, to our array.
    let _ = unsafe {
        syscall(number::GETRLIMIT, [RLIMIT_AS, limit.as_mut_ptr().expose_provenance(), 0, 0, 0, 0])
    };
    if limit[0] == u64::MAX { None } else { usize::try_from(limit[0]).ok() }
}

/// How many processors this thread may run on; `None` if the kernel does not say.
///
/// # Source
///
/// `sched_getaffinity(2)`: a mask of at most 8,192 bits.
pub fn processor_count() -> Option<u64> {
    let mut mask = [0_u64; 128];
    let arguments = [0, size_of_val(&mask), mask.as_mut_ptr().expose_provenance(), 0, 0, 0];
    // SAFETY: writes at most this many bytes to our array.
    result(unsafe { syscall(number::SCHED_GETAFFINITY, arguments) }).ok()?;
    Some(mask.iter().map(|word| u64::from(word.count_ones())).sum())
}

/// Sleeps while `*word == seen`; may wake early.
pub fn futex_wait(word: *const u32, seen: u32) {
    // SAFETY: the kernel reads the word; a bad address is an error, not a fault.
    let _ = unsafe {
        syscall(number::FUTEX, [word.expose_provenance(), FUTEX_WAIT_PRIVATE, seen as usize, 0, 0, 0])
    };
}

/// Wakes one thread that waits on `word`.
pub fn futex_wake_one(word: *const u32) {
    // SAFETY: the kernel only uses the address as a key.
    let _ = unsafe { syscall(number::FUTEX, [word.expose_provenance(), FUTEX_WAKE_PRIVATE, 1, 0, 0, 0]) };
}

/// Opens an existing file for reading, or for reading and writing.
///
/// # Errors
///
/// The kernel's reason.
///
/// # Source
///
/// `open(2)`, with `O_CLOEXEC`.
pub fn open(path: &CStr, writable: bool) -> Result<usize, OsError> {
    let flags = if writable { O_RDWR_CLOEXEC } else { O_RDONLY_CLOEXEC };
    // SAFETY: the kernel reads the string.
    result(unsafe { syscall(number::OPEN, [path.as_ptr().expose_provenance(), flags, 0, 0, 0, 0]) })
}

/// Reads up to the length of `buffer`; 0 at the end of the file.
///
/// # Errors
///
/// The kernel's reason.
pub fn read(fd: usize, buffer: &mut [u8]) -> Result<usize, OsError> {
    // SAFETY: the kernel writes at most the buffer's length to it.
    result(unsafe {
        syscall(number::READ, [fd, buffer.as_mut_ptr().expose_provenance(), buffer.len(), 0, 0, 0])
    })
}

/// Closes a file descriptor that this library opened.
pub fn close(fd: usize) {
    // SAFETY: closes what the caller opened; memory is not concerned.
    let _ = unsafe { syscall(number::CLOSE, [fd, 0, 0, 0, 0, 0]) };
}

/// Writes all of `bytes` to a file descriptor, or as much as it takes.
pub fn write_all(fd: usize, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: the kernel reads at most the slice's length from it.
        let written =
            unsafe { syscall(number::WRITE, [fd, rest.as_ptr().expose_provenance(), rest.len(), 0, 0, 0]) };
        match result(written) {
            Ok(0) => return,
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(OsError(EINTR)) => {}
            Err(_) => return,
        }
    }
}

/// The process id.
pub fn process_id() -> u64 {
    // SAFETY: only returns a number.
    let id = unsafe { syscall(number::GETPID, [0; 6]) };
    u64::try_from(id).unwrap_or(0)
}
