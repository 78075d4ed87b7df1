//! The segment: a 4096-byte file of little-endian words through which a process shows its counters.
//!
//! ```text
//!  word  byte
//!     0     0   magic, the bytes "MALLOWSG"
//!     1     8   version (low 32 bits), number of counters (high 32 bits)
//!     2    16   id of the process that has claimed the segment, 0 while nobody has
//!     3    24   reserved, 0
//!     8    64   counters, in the order of `Counter::ALL`
//!   512  4096   end
//! ```
//!
//! A tool makes a [`blank`] segment and passes its path to a process. The first library that finds
//! [`PID_WORD`] zero claims the segment by writing its process id there, and from then on stores its counters.
//! Children of that process inherit the path but find the segment taken. A process that replaces its program
//! keeps its id: the new program's library finds its own process id there and starts again from zero.
//!
//! Called by `heap` (the word indices) and by the tools (all of it). The version changes when a word changes
//! its meaning; appending a counter only raises the number of counters.

use crate::Counter;

/// Bytes. One page, so that mapping it costs one page and no arithmetic.
pub const SEGMENT_BYTES: usize = 4096;

/// Words in a segment.
pub const WORDS: usize = SEGMENT_BYTES / WORD_BYTES;

/// The version that this crate reads and writes.
pub const VERSION: u32 = 1;

/// The value of word [`MAGIC_AT`].
pub const MAGIC: u64 = u64::from_le_bytes(*b"MALLOWSG");

/// The value of word [`VERSION_AT`]: version and number of counters.
pub const VERSION_WORD: u64 = (Counter::COUNT as u64) << 32 | VERSION as u64;

/// Index of the word that marks the file as a segment.
pub const MAGIC_AT: usize = 0;

/// Index of the word that says how to read the rest.
pub const VERSION_AT: usize = 1;

/// Index of the word that names the process which has claimed the segment.
pub const PID_WORD: usize = 2;

/// Index of the first counter's word.
pub const COUNTERS_AT: usize = 8;

/// The most counters that fit.
pub const MAX_COUNTERS: usize = WORDS - COUNTERS_AT;

/// Bytes in a word.
const WORD_BYTES: usize = size_of::<u64>();

const _: () = {
    assert!(SEGMENT_BYTES.is_multiple_of(WORD_BYTES));
    assert!(MAGIC_AT < VERSION_AT && VERSION_AT < PID_WORD && PID_WORD < COUNTERS_AT);
    assert!(Counter::COUNT <= MAX_COUNTERS);
};

/// Returns a segment that nobody has claimed, with every counter at zero.
#[must_use]
pub const fn blank() -> [u8; SEGMENT_BYTES] {
    let mut segment = [0; SEGMENT_BYTES];
    put(&mut segment, MAGIC_AT, MAGIC);
    put(&mut segment, VERSION_AT, VERSION_WORD);
    segment
}

/// Writes word `index` of `segment`.
///
/// # Panics
///
/// If `index` is [`WORDS`] or more.
pub const fn put(segment: &mut [u8; SEGMENT_BYTES], index: usize, value: u64) {
    let (_, tail) = segment.split_at_mut(offset(index));
    let (word, _) = tail.split_at_mut(WORD_BYTES);
    word.copy_from_slice(&value.to_le_bytes());
}

/// Returns word `index` of `segment`.
///
/// # Panics
///
/// If `index` is [`WORDS`] or more.
#[must_use]
pub const fn word(segment: &[u8; SEGMENT_BYTES], index: usize) -> u64 {
    let (_, tail) = segment.split_at(offset(index));
    match tail.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => panic!("word index beyond the segment"),
    }
}

/// Returns where word `index` begins, in bytes from the start of the segment.
#[must_use]
pub const fn offset(index: usize) -> usize {
    index * WORD_BYTES
}
