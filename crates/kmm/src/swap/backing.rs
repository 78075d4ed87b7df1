//! What is behind the compressed store: a file, a partition, another machine, or nothing.

use mallow_units::errno::Errno;

use super::codec::PageBytes;
use super::slots::Slot;

/// A place of one page for each slot.
///
/// A page is written before it is read, and read as often as somebody wants it until it is discarded.
pub trait Backing {
    /// Keeps `page` for `slot`.
    ///
    /// # Errors
    ///
    /// `EIO`, `ENOSPC`: the page is not kept, and whoever wanted to be rid of it keeps its frame.
    fn write(&mut self, slot: Slot, page: &PageBytes) -> Result<(), Errno>;

    /// Fills `page` with what was written for `slot`.
    ///
    /// # Errors
    ///
    /// `EIO`: the contents are lost.
    fn read(&mut self, slot: Slot, page: &mut PageBytes) -> Result<(), Errno>;

    /// Nobody will read `slot` before it is written again.
    fn discard(&mut self, slot: Slot) {
        let _ = slot;
    }
}

/// Nothing: what the compressed store does not take stays in its frame. This is what `zram` is without a disk behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoBacking;

impl Backing for NoBacking {
    fn write(&mut self, _: Slot, _: &PageBytes) -> Result<(), Errno> {
        Err(Errno::ENOSPC)
    }

    fn read(&mut self, _: Slot, _: &mut PageBytes) -> Result<(), Errno> {
        Err(Errno::EIO)
    }
}
