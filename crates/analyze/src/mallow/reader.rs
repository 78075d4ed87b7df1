//! The memory of another process, in small steps.
//!
//! Called by all of `mallow`; implemented by the command, and by tests.

/// What can be read of a process.
pub trait Reader {
    /// Reads as many bytes as `into` has from `address`; false if that cannot be read.
    fn read(&self, address: u64, into: &mut [u8]) -> bool;

    /// Reads as many bytes as `into` has of `/proc/PID/pagemap`, from byte `offset` on; false if that cannot be read.
    ///
    /// # Source
    ///
    /// `pagemap` in the kernel's documentation: 8 bytes for each page.
    fn page_map(&self, offset: u64, into: &mut [u8]) -> bool;
}

/// A little-endian number of up to eight bytes, as long as `bytes`.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The number of `len` bytes at `at` in a record; `None` if that is not inside.
pub(super) fn field(record: &[u8], at: usize, len: usize) -> Option<u64> {
    record.get(at..at.checked_add(len)?).map(number)
}
