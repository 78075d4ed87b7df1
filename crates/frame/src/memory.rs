//! The bytes behind the numbers.

use core::ptr::NonNull;

use mallow_units::FrameNumber;

/// Physical memory, as far as it can be read and written by frame number.
///
/// A kernel implements it by its direct map, a simulator by a buffer. All methods take a shared reference: who may touch a frame is settled by
/// who owns it, not here. A frame that does not exist is never touched; such calls do nothing and say so.
pub trait Memory {
    /// The first byte of `frame`; the bytes of frames in a row lie in a row. `None` if there is no such frame.
    fn base(&self, frame: FrameNumber) -> Option<NonNull<u8>>;

    /// Fills `frame` with zeros; whether there is one.
    fn zero(&self, frame: FrameNumber) -> bool;

    /// Copies the bytes of `from` to `to`; whether there are both.
    fn copy(&self, from: FrameNumber, to: FrameNumber) -> bool;

    /// Reads bytes of `frame` from `offset`; whether they are within it.
    fn read(&self, frame: FrameNumber, offset: usize, bytes: &mut [u8]) -> bool;

    /// Writes bytes to `frame` at `offset`; whether they are within it.
    fn write(&self, frame: FrameNumber, offset: usize, bytes: &[u8]) -> bool;

    /// Reads the `at`-th word of `frame`, as a page table is read; `None` beyond the last.
    fn read_word(&self, frame: FrameNumber, at: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(frame, at.checked_mul(8)?, &mut bytes).then(|| u64::from_le_bytes(bytes))
    }

    /// Writes the `at`-th word of `frame`; whether it is within it.
    fn write_word(&self, frame: FrameNumber, at: usize, word: u64) -> bool {
        at.checked_mul(8).is_some_and(|offset| self.write(frame, offset, &word.to_le_bytes()))
    }
}
