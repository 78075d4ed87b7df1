//! Snapshots: one reading of a segment, checked once and then only asked.
//!
//! Called by the tools with bytes that come from a live process, from a file or from a core, so nothing about
//! them is trusted. The process may be counting while the bytes are copied; see [`Counter`] for what that means.

use core::error::Error;
use core::fmt;

use crate::Counter;
use crate::segment::{self, MAGIC_AT, MAX_COUNTERS, PID_WORD, SEGMENT_BYTES, VERSION_AT};

/// The counters of one process at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pid: u32,
    n_counters: usize,
    counters: [u64; Counter::COUNT],
}

impl Snapshot {
    /// Reads a segment.
    ///
    /// A segment with more counters than this crate knows is accepted, and so is one with fewer.
    ///
    /// # Errors
    ///
    /// [`SegmentError`], which names the byte where the segment stops making sense.
    pub fn decode(bytes: &[u8]) -> Result<Self, SegmentError> {
        let segment: &[u8; SEGMENT_BYTES] =
            bytes.try_into().map_err(|_| SegmentError::Length { bytes: bytes.len() })?;
        let magic = segment::word(segment, MAGIC_AT);
        if magic != segment::MAGIC {
            return Err(SegmentError::Magic { found: magic });
        }
        let (version, n_counters) = halves(segment::word(segment, VERSION_AT));
        if version != segment::VERSION {
            return Err(SegmentError::Version { found: version });
        }
        let n_counters = usize::try_from(n_counters)
            .ok()
            .filter(|&n| n <= MAX_COUNTERS)
            .ok_or(SegmentError::Counters { found: n_counters })?;
        let claim = segment::word(segment, PID_WORD);
        let pid = u32::try_from(claim).map_err(|_| SegmentError::Pid { found: claim })?;
        let counters = Counter::ALL.map(|counter| segment::word(segment, counter.word()));
        Ok(Self { pid, n_counters, counters })
    }

    /// Returns the id of the process that has claimed the segment, or `None` while nobody has.
    #[must_use]
    pub fn claimed_by(&self) -> Option<u32> {
        (self.pid != 0).then_some(self.pid)
    }

    /// Returns the value of `counter`, or `None` if the library that wrote the segment did not have it yet.
    ///
    /// Unit: see [`Counter::unit`].
    #[must_use]
    pub fn get(&self, counter: Counter) -> Option<u64> {
        let index = counter as usize;
        (index < self.n_counters).then(|| self.counters[index])
    }
}

/// Splits a word into its low and its high 32 bits.
fn halves(word: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

/// Why some bytes are not a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentError {
    /// There are too many or too few bytes.
    Length {
        /// Bytes given.
        bytes: usize,
    },
    /// The file is something else.
    Magic {
        /// The word in the place of the magic.
        found: u64,
    },
    /// The segment was written by a library that this crate is too old or too new for.
    Version {
        /// The version in the segment.
        found: u32,
    },
    /// The segment claims more counters than fit into it.
    Counters {
        /// The number of counters in the segment.
        found: u32,
    },
    /// The segment is claimed by something that is no process id.
    Pid {
        /// The word in the place of the process id.
        found: u64,
    },
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Length { bytes } => write!(f, "segment has {bytes} bytes, expected {SEGMENT_BYTES}"),
            Self::Magic { found } => {
                let at = segment::offset(MAGIC_AT);
                write!(f, "no segment: magic {found:#018x} at byte {at}, expected {:#018x}", segment::MAGIC)
            }
            Self::Version { found } => {
                let at = segment::offset(VERSION_AT);
                write!(f, "segment version {found} at byte {at}, expected {}", segment::VERSION)
            }
            Self::Counters { found } => {
                let at = segment::offset(VERSION_AT) + size_of::<u32>();
                write!(f, "{found} counters at byte {at}, at most {MAX_COUNTERS} fit")
            }
            Self::Pid { found } => {
                let at = segment::offset(PID_WORD);
                write!(f, "{found} at byte {at} is no process id")
            }
        }
    }
}

impl Error for SegmentError {}
