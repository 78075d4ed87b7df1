//! The segment: little-endian words in which a process shows its counters, and where its heap lies.
//!
//! ```text
//!  word  byte
//!     0     0   magic, the bytes "MALLOWSG"
//!     1     8   version (low 32 bits), number of counters (high 32 bits)
//!     2    16   id of the process that has claimed a segment that a tool made, 0 while nobody has
//!     3    24   number of landmarks, 0 while there is no heap
//!     4    32   trims: asked for, taken up, done, and the bytes that the last one returned
//!     8    64   counters, in the order of `Counter::ALL`
//!    40   320   landmarks, in the order of `Landmark::ALL`
//!   104   832   bytes in a block of each size class, 16 bits each
//!   120   960   freed large blocks that are kept: address and bytes of each, 0 for an empty place
//!   376  3008   number of size classes that are counted one by one in a file, 0 if none is
//!   377  3016   not used, 0
//!   384  3072   end of a process's own segment; in a file: blocks of each size class handed out, and given back
//!   512  4096   end of a file
//! ```
//!
//! Each process on mallow has one in memory of its own, in a page that is dirty anyway. A tool that wants to read it after
//! the process has ended makes a [`blank`] one in a file and passes its path. The first library that finds [`PID_WORD`] zero claims that by
//! writing its process id there, and from then on stores in it what it stored in its own.
//! Children of that process inherit the path but find the segment taken. A process that replaces its program
//! keeps its id: the new program's library finds its own process id there and starts again from zero.
//!
//! Called by `heap` (the word indices) and by the tools (all of it). The version changes when a word changes
//! its meaning; appending a counter or a landmark only raises their number. Field by field: `docs/segment-format.md`.

use crate::{Counter, Landmark};

/// Bytes. Less than a page, so that there is room behind it in the page that it shares.
pub const SEGMENT_BYTES: usize = 3072;

/// Words in a segment.
pub const WORDS: usize = SEGMENT_BYTES / WORD_BYTES;

/// The version that this crate reads and writes.
pub const VERSION: u32 = 2;

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

/// Index of the word that says how many landmarks there are.
pub const LANDMARK_COUNT_AT: usize = 3;

/// Index of the word that a tool raises by one to ask for a trim.
pub const TRIM_ASKED_AT: usize = 4;

/// Index of the word into which the library copies that number when it begins with the trim.
pub const TRIM_TAKEN_AT: usize = 5;

/// Index of the word into which it copies the number when the trim is done.
pub const TRIM_DONE_AT: usize = 6;

/// Index of the word with the bytes that the last trim returned.
pub const TRIM_BYTES_AT: usize = 7;

/// Index of the first counter's word.
pub const COUNTERS_AT: usize = 8;

/// The most counters that fit.
pub const MAX_COUNTERS: usize = LANDMARKS_AT - COUNTERS_AT;

/// Index of the first landmark's word.
pub const LANDMARKS_AT: usize = 40;

/// The most landmarks that fit.
pub const MAX_LANDMARKS: usize = CLASSES_AT - LANDMARKS_AT;

/// Index of the first word with sizes of blocks.
pub const CLASSES_AT: usize = 104;

/// Sizes of blocks in one word, 16 bits each, the first one lowest.
pub const CLASSES_PER_WORD: usize = 4;

/// The most size classes that fit.
pub const MAX_CLASSES: usize = (KEPT_AT - CLASSES_AT) * CLASSES_PER_WORD;

/// Index of the first word about large blocks that are kept: two for each place.
pub const KEPT_AT: usize = 120;

/// Places for large blocks that are kept.
pub const KEPT_PLACES: usize = 128;

/// Index of the word that says of how many size classes a file has counters of their own.
pub const CLASS_COUNT_AT: usize = 376;

/// Index of the first of these counters' words, behind a process's own segment: for each class blocks handed out, and blocks given back.
pub const CLASS_COUNTERS_AT: usize = WORDS;

/// Bytes. A file of a tool: a segment, and the counters of size classes; a page, which it takes anyway.
pub const FILE_BYTES: usize = SEGMENT_BYTES + 2 * MAX_CLASSES * WORD_BYTES;

/// Bytes in a word.
const WORD_BYTES: usize = size_of::<u64>();

const _: () = {
    assert!(SEGMENT_BYTES.is_multiple_of(WORD_BYTES));
    assert!(MAGIC_AT < VERSION_AT && VERSION_AT < PID_WORD && PID_WORD < LANDMARK_COUNT_AT);
    assert!(LANDMARK_COUNT_AT < TRIM_ASKED_AT && TRIM_BYTES_AT < COUNTERS_AT);
    assert!(Counter::COUNT <= MAX_COUNTERS && Landmark::COUNT <= MAX_LANDMARKS);
    assert!(KEPT_AT + 2 * KEPT_PLACES <= CLASS_COUNT_AT && CLASS_COUNT_AT < WORDS);
    assert!(FILE_BYTES == 4096);
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
