//! Address space and the pages in it: mappings, the break, and touching memory.

use core::hint::black_box;
use core::ptr;
use core::sync::atomic::{AtomicU8, Ordering};

use super::{address, done, errno, pointer};
use crate::Answer;
use crate::wire::Request;

/// Pages that `mincore` is asked about at most.
const MOST_PAGES: usize = 1 << 16;
static IS_RESIDENT: [AtomicU8; MOST_PAGES] = [const { AtomicU8::new(0) }; MOST_PAGES];

/// `fill ADDRESS BYTES VALUE`.
pub(super) fn fill(request: &Request<'_>) -> Answer {
    let memory = pointer(request.number(1));
    // SAFETY: the memory is what an answer gave, by promise 1 of the crate.
    address(unsafe { libc::memset(memory, request.int(3), request.number(2)) })
}

/// `read ADDRESS BYTES STEP`: reads a byte in every step; their sum.
pub(super) fn read(request: &Request<'_>) -> Answer {
    let start: *const u8 = pointer(request.number(1)).cast();
    let mut sum = 0;
    for offset in (0..request.number(2)).step_by(request.number(3).max(1)) {
        // SAFETY: the memory is what an answer gave, by promise 1 of the crate.
        let byte = unsafe { ptr::read_volatile(start.wrapping_add(offset)) };
        sum += u64::from(byte);
    }
    Ok(sum)
}

/// `poke ADDRESS BYTES STEP`: writes a byte in every step.
pub(super) fn poke(request: &Request<'_>) -> Answer {
    let start: *mut u8 = pointer(request.number(1)).cast();
    for offset in (0..request.number(2)).step_by(request.number(3).max(1)) {
        // SAFETY: the memory is what an answer gave, by promise 1 of the crate.
        unsafe { ptr::write_volatile(start.wrapping_add(offset), 1) };
    }
    Ok(0)
}

/// `word ADDRESS`: the eight bytes there.
pub(super) fn word(request: &Request<'_>) -> Answer {
    let word: *const u64 = pointer(request.number(1)).cast();
    // SAFETY: the memory is what an answer gave, by promise 1 of the crate.
    Ok(unsafe { ptr::read_unaligned(black_box(word)) })
}

pub(super) fn brk(request: &Request<'_>) -> Answer {
    // SAFETY: what is above the new break was moved there by the experiment itself.
    done(unsafe { libc::brk(pointer(request.number(1))) })
}

/// `sbrk BYTES`: the old break.
pub(super) fn sbrk(request: &Request<'_>) -> Answer {
    // SAFETY: what is above the new break was moved there by the experiment itself.
    let old = unsafe { libc::sbrk(request.number(1).cast_signed()) };
    if old == libc::MAP_FAILED { Err(errno()) } else { address(old) }
}

/// `mmap BYTES FLAGS`: private memory for reading and writing, wherever the kernel likes.
pub(super) fn mmap(request: &Request<'_>) -> Answer {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping replaces none.
    let start = unsafe { libc::mmap(ptr::null_mut(), request.number(1), protection, request.int(2), -1, 0) };
    if start == libc::MAP_FAILED { Err(errno()) } else { address(start) }
}

pub(super) fn munmap(request: &Request<'_>) -> Answer {
    // SAFETY: the mapping is the experiment's own, by promise 1 of the crate.
    done(unsafe { libc::munmap(pointer(request.number(1)), request.number(2)) })
}

/// `madvise ADDRESS BYTES ADVICE`.
pub(super) fn madvise(request: &Request<'_>) -> Answer {
    // SAFETY: the mapping is the experiment's own, by promise 1 of the crate.
    done(unsafe { libc::madvise(pointer(request.number(1)), request.number(2), request.int(3)) })
}

pub(super) fn mlock(request: &Request<'_>) -> Answer {
    // SAFETY: locking changes nothing in the memory.
    done(unsafe { libc::mlock(pointer(request.number(1)), request.number(2)) })
}

pub(super) fn munlock(request: &Request<'_>) -> Answer {
    // SAFETY: unlocking changes nothing in the memory.
    done(unsafe { libc::munlock(pointer(request.number(1)), request.number(2)) })
}

/// `mincore ADDRESS BYTES PAGE_BYTES`: how many of the pages the kernel calls resident.
pub(super) fn mincore(request: &Request<'_>) -> Answer {
    let pages = request.number(2).div_ceil(request.number(3).max(1));
    let answers = IS_RESIDENT.get(..pages).ok_or(libc::ERANGE)?;
    let room = answers.as_ptr().cast_mut().cast();
    // SAFETY: there is room for an answer per page, in memory that may be written through shared references.
    done(unsafe { libc::mincore(pointer(request.number(1)), request.number(2), room) })?;
    Ok(answers.iter().filter(|answer| answer.load(Ordering::Relaxed) & 1 == 1).count() as u64)
}
