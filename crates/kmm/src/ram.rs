//! The memory of a simulated machine: bytes by frame number.
//!
//! One block of the host's memory, zero at first, of which the host gives pages only as they are touched: a machine with much
//! memory boots as fast as one with little. Called by `physical`.

#![expect(unsafe_code, reason = "bytes by address")]

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use mallow_ds::sync::AtomicU64;
use mallow_frame::Memory;
use mallow_units::FrameNumber;
use mallow_units::page::PAGE_BYTES;

/// Words in a frame.
pub const WORDS: usize = PAGE_BYTES / size_of::<u64>();

/// The bytes of frames 0 up to a number.
///
/// # Invariants
///
/// 1. `start` is valid for reads and writes of `frames` pages, aligned to a page, for as long as the value lives; every byte has
///    a value.
/// 2. Only this value and what was made from `start` before refers to these bytes; nobody has an exclusive reference to them.
pub struct Ram {
    start: NonNull<u8>,
    frames: usize,
    /// What goes back to the allocator; it begins up to a page before `start`.
    block: Option<NonNull<u8>>,
}

impl Ram {
    /// Memory of `frames` frames; `None` if the host has no room for it.
    pub fn new(frames: u32) -> Option<Self> {
        let frames = frames as usize;
        let layout = Self::layout(frames)?;
        // SAFETY: the size is not zero.
        let block = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        let padding = block.addr().get().wrapping_neg() % PAGE_BYTES;
        // SAFETY: less than a page, and the block has a page more than the frames need.
        let start = unsafe { block.byte_add(padding) };
        // INVARIANT: 1 and 2 by the contract of the allocator, for what follows `start` in the block.
        Some(Self { start, frames, block: Some(block) })
    }

    /// Memory that somebody else has made, and that outlives the value.
    ///
    /// # Safety
    ///
    /// 1. `start` is valid for reads and writes of `frames` pages and aligned to a page.
    /// 2. Nobody makes an exclusive reference to it, and what else writes to it does so as another processor would.
    pub unsafe fn of_host(start: NonNull<u8>, frames: u32) -> Self {
        // INVARIANT: 1 and 2 by the caller's promise.
        Self { start, frames: frames as usize, block: None }
    }

    /// The block for `frames` frames, with a page to align them in.
    ///
    /// COST: not aligned by itself, because the standard library then writes the zeros one by one: 80 ms for 64 MiB.
    fn layout(frames: usize) -> Option<Layout> {
        let bytes = frames.checked_mul(PAGE_BYTES).filter(|bytes| *bytes > 0)?;
        Layout::from_size_align(bytes.checked_add(PAGE_BYTES)?, 1).ok()
    }

    /// How many frames it has.
    pub const fn frames(&self) -> usize {
        self.frames
    }

    /// The words of `frame`, or of frame 0 if there is no such frame.
    #[inline]
    pub fn words(&self, frame: FrameNumber) -> &[AtomicU64; WORDS] {
        let start = self.base(frame).unwrap_or(self.start).cast::<[AtomicU64; WORDS]>();
        // SAFETY: a whole frame by invariant 1, aligned to a page; atomics may be shared (invariant 2).
        unsafe { start.as_ref() }
    }

    /// The bytes of `frame` from `offset` on, if they are within it.
    #[inline]
    fn bytes(&self, frame: FrameNumber, offset: usize, count: usize) -> Option<NonNull<u8>> {
        if offset.checked_add(count)? > PAGE_BYTES {
            return None;
        }
        let base = self.base(frame)?;
        // SAFETY: within the frame, as was compared above.
        Some(unsafe { base.byte_add(offset) })
    }
}

impl Memory for Ram {
    #[inline]
    fn base(&self, frame: FrameNumber) -> Option<NonNull<u8>> {
        let number = frame.0 as usize;
        if number >= self.frames {
            return None;
        }
        // SAFETY: within the block, by invariant 1.
        Some(unsafe { self.start.byte_add(number * PAGE_BYTES) })
    }

    fn zero(&self, frame: FrameNumber) -> bool {
        let Some(base) = self.base(frame) else { return false };
        // SAFETY: a whole frame, by invariant 1.
        unsafe { base.write_bytes(0, PAGE_BYTES) };
        true
    }

    fn copy(&self, from: FrameNumber, to: FrameNumber) -> bool {
        let (Some(from), Some(to)) = (self.base(from), self.base(to)) else { return false };
        // SAFETY: two whole frames, by invariant 1; they may be the same.
        unsafe { from.copy_to(to, PAGE_BYTES) };
        true
    }

    #[inline]
    fn read(&self, frame: FrameNumber, offset: usize, bytes: &mut [u8]) -> bool {
        let Some(from) = self.bytes(frame, offset, bytes.len()) else { return false };
        let to = NonNull::from(bytes);
        // SAFETY: as many bytes within the frame; `bytes` is exclusive, so it does not overlap (invariant 2).
        unsafe { from.copy_to_nonoverlapping(to.cast(), to.len()) };
        true
    }

    #[inline]
    fn write(&self, frame: FrameNumber, offset: usize, bytes: &[u8]) -> bool {
        let Some(to) = self.bytes(frame, offset, bytes.len()) else { return false };
        let from = NonNull::from(bytes);
        // SAFETY: as many bytes within the frame; a slice that somebody reads is not in it (invariant 2).
        unsafe { to.copy_from_nonoverlapping(from.cast(), from.len()) };
        true
    }
}

impl Drop for Ram {
    fn drop(&mut self) {
        if let (Some(block), Some(layout)) = (self.block, Self::layout(self.frames)) {
            // SAFETY: allocated with this layout, and not used any more.
            unsafe { dealloc(block.as_ptr(), layout) };
        }
    }
}

// SAFETY: `start` blocks the automatic impl; the bytes belong to the value (invariant 2), wherever it is.
unsafe impl Send for Ram {}

impl fmt::Debug for Ram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ram({} frames)", self.frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_do_not_overlap_and_have_ends() {
        let ram = Ram::new(3).expect("room for 3 frames");
        assert!(ram.write(FrameNumber(1), PAGE_BYTES - 2, &[7, 8]));
        assert!(!ram.write(FrameNumber(1), PAGE_BYTES - 2, &[1, 2, 3]));
        assert!(!ram.write(FrameNumber(3), 0, &[1]));
        assert!(ram.copy(FrameNumber(1), FrameNumber(2)) && ram.zero(FrameNumber(1)));
        let mut bytes = [1; 2];
        assert!(ram.read(FrameNumber(2), PAGE_BYTES - 2, &mut bytes));
        assert_eq!(bytes, [7, 8]);
        assert!(ram.read(FrameNumber(1), PAGE_BYTES - 2, &mut bytes));
        assert_eq!(bytes, [0, 0]);
        assert_eq!(ram.read_word(FrameNumber(2), WORDS - 1), Some(0x0807_0000_0000_0000));
    }
}
