//! Snapshots: one reading of a segment, checked once and then only asked.
//!
//! Called by the tools with bytes that come from a live process, from a file or from a core, so nothing about
//! them is trusted. The process may be counting while the bytes are copied; see [`Counter`] for what that means.

use core::error::Error;
use core::fmt;

use crate::segment::{
    self, CLASS_COUNT_AT, CLASSES_AT, CLASSES_PER_WORD, FILE_BYTES, KEPT_AT, KEPT_PLACES, LANDMARK_COUNT_AT,
    MAGIC_AT, MAX_CLASSES, MAX_COUNTERS, MAX_LANDMARKS, PID_WORD, SEGMENT_BYTES, TRIM_ASKED_AT,
    TRIM_BYTES_AT, TRIM_DONE_AT, TRIM_TAKEN_AT, VERSION_AT,
};
use crate::{Counter, Landmark};

/// The counters of one process at one moment, and where its heap lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pid: u32,
    n_counters: usize,
    counters: [u64; Counter::COUNT],
    /// All of them, or none.
    landmarks: Option<[u64; Landmark::COUNT]>,
    classes: [u16; MAX_CLASSES],
    /// Of each class; `None` if they are not counted.
    class_counters: Option<[ClassCounters; MAX_CLASSES]>,
    kept: [(u64, u64); KEPT_PLACES],
    trims: Trims,
}

/// How far the trims have got that tools have asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trims {
    /// The number of the last one asked for.
    pub asked: u64,
    /// The number of the last one begun.
    pub taken: u64,
    /// The number of the last one done.
    pub done: u64,
    /// Bytes that it returned to the kernel.
    pub bytes: u64,
}

/// What a program took and gave back of one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassCounters {
    /// Blocks handed out.
    pub allocations: u64,
    /// Blocks given back.
    pub frees: u64,
}

impl ClassCounters {
    /// Returns the blocks that are handed out now.
    #[must_use]
    pub const fn live(self) -> u64 {
        // Two counters may be of different moments.
        self.allocations.saturating_sub(self.frees)
    }
}

impl Snapshot {
    /// Reads a segment: a process's own, or a file of a tool.
    ///
    /// A segment with more counters or landmarks than this crate knows is accepted, and so is one with fewer counters.
    ///
    /// # Errors
    ///
    /// [`SegmentError`], which names the byte where the segment stops making sense.
    pub fn decode(bytes: &[u8]) -> Result<Self, SegmentError> {
        let length = SegmentError::Length { bytes: bytes.len() };
        let (segment, behind) = match bytes.len() {
            SEGMENT_BYTES | FILE_BYTES => bytes.split_at(SEGMENT_BYTES),
            _ => return Err(length),
        };
        let segment: &[u8; SEGMENT_BYTES] = segment.try_into().map_err(|_| length)?;
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
        let landmarks = landmarks(segment)?;
        let counters = Counter::ALL.map(|counter| segment::word(segment, counter.word()));
        let classes = classes(segment, landmarks)?;
        let class_counters = class_counters(segment, behind)?;
        let kept = core::array::from_fn(|place| {
            let at = KEPT_AT + 2 * place;
            (segment::word(segment, at), segment::word(segment, at + 1))
        });
        let word = |index| segment::word(segment, index);
        let trims = Trims {
            asked: word(TRIM_ASKED_AT),
            taken: word(TRIM_TAKEN_AT),
            done: word(TRIM_DONE_AT),
            bytes: word(TRIM_BYTES_AT),
        };
        Ok(Self { pid, n_counters, counters, landmarks, classes, class_counters, kept, trims })
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

    /// Returns the value of every landmark, in order, or `None` while the process has no heap.
    #[must_use]
    pub fn landmarks(&self) -> Option<&[u64; Landmark::COUNT]> {
        self.landmarks.as_ref()
    }

    /// Returns the bytes in a block of each size class, in order; empty while the process has no heap.
    #[must_use]
    pub fn class_bytes(&self) -> &[u16] {
        let count = self.landmarks.map_or(0, |landmarks| landmarks[Landmark::Classes as usize]);
        &self.classes[..usize::try_from(count).unwrap_or(0).min(MAX_CLASSES)]
    }

    /// Returns what was counted of each size class, with the bytes in its blocks, smallest first; `None` in a process's own segment, and if the
    /// library that wrote the file did not count them.
    #[must_use]
    pub fn class_counters(&self) -> Option<impl Iterator<Item = (u16, ClassCounters)> + '_> {
        let counters = self.class_counters.as_ref()?;
        Some(self.class_bytes().iter().copied().zip(counters.iter().copied()))
    }

    /// Returns the large blocks that were freed and are kept, as address and bytes. They are as of a moment ago: one of them may be in use
    /// again or gone.
    pub fn kept_blocks(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.kept.iter().copied().filter(|(start, bytes)| *start != 0 && start.checked_add(*bytes).is_some())
    }

    /// Returns how far the trims have got that tools have asked for.
    #[must_use]
    pub fn trims(&self) -> Trims {
        self.trims
    }
}

/// All landmarks, each in its range; `None` while there are none.
fn landmarks(segment: &[u8; SEGMENT_BYTES]) -> Result<Option<[u64; Landmark::COUNT]>, SegmentError> {
    let found = segment::word(segment, LANDMARK_COUNT_AT);
    match usize::try_from(found) {
        Ok(0) => return Ok(None),
        Ok(Landmark::COUNT..=MAX_LANDMARKS) => {}
        _ => return Err(SegmentError::Landmarks { found }),
    }
    for landmark in Landmark::ALL {
        let found = segment::word(segment, landmark.word());
        let (least, most) = landmark.range();
        if found < least || found > most {
            return Err(SegmentError::Landmark { landmark, found });
        }
    }
    Ok(Some(Landmark::ALL.map(|landmark| segment::word(segment, landmark.word()))))
}

/// The size of the blocks of each class: growing, and no block is empty.
fn classes(
    segment: &[u8; SEGMENT_BYTES],
    landmarks: Option<[u64; Landmark::COUNT]>,
) -> Result<[u16; MAX_CLASSES], SegmentError> {
    let classes: [u16; MAX_CLASSES] = core::array::from_fn(|class| {
        let word = segment::word(segment, CLASSES_AT + class / CLASSES_PER_WORD).to_le_bytes();
        let at = class % CLASSES_PER_WORD * 2;
        u16::from_le_bytes([word[at], word[at + 1]])
    });
    let count = landmarks.map_or(0, |landmarks| landmarks[Landmark::Classes as usize]);
    let count = usize::try_from(count).unwrap_or(0).min(MAX_CLASSES);
    for class in 0..count {
        let below = if class == 0 { 0 } else { classes[class - 1] };
        if classes[class] <= below {
            return Err(SegmentError::Class { class, found: classes[class] });
        }
    }
    Ok(classes)
}

/// The counters of size classes, `behind` the segment in a file; `None` if there are none.
fn class_counters(
    segment: &[u8; SEGMENT_BYTES],
    behind: &[u8],
) -> Result<Option<[ClassCounters; MAX_CLASSES]>, SegmentError> {
    let found = if behind.is_empty() { 0 } else { segment::word(segment, CLASS_COUNT_AT) };
    let count = usize::try_from(found)
        .ok()
        .filter(|count| *count <= MAX_CLASSES)
        .ok_or(SegmentError::ClassCounters { found })?;
    let mut counters = [ClassCounters::default(); MAX_CLASSES];
    let words = behind.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    let mut words = words.take(2 * count);
    for class in &mut counters {
        let (Some(allocations), Some(frees)) = (words.next(), words.next()) else { break };
        *class = ClassCounters { allocations, frees };
    }
    Ok((count > 0).then_some(counters))
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
    /// The segment claims more landmarks than fit into it, or has fewer than this crate needs.
    Landmarks {
        /// The number of landmarks in the segment.
        found: u64,
    },
    /// The file claims counters for more size classes than fit into it.
    ClassCounters {
        /// The number of classes in the file.
        found: u64,
    },
    /// A landmark has a value that it cannot have.
    Landmark {
        /// Which.
        landmark: Landmark,
        /// Its value.
        found: u64,
    },
    /// The blocks of a size class are not larger than those of the one before.
    Class {
        /// The index of the class.
        class: usize,
        /// Bytes in its blocks.
        found: u16,
    },
}

impl SegmentError {
    /// Returns the byte where the segment stops making sense.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match *self {
            Self::Length { bytes } => {
                if bytes < SEGMENT_BYTES {
                    bytes
                } else {
                    SEGMENT_BYTES
                }
            }
            Self::Magic { .. } => segment::offset(MAGIC_AT),
            Self::Version { .. } => segment::offset(VERSION_AT),
            Self::Counters { .. } => segment::offset(VERSION_AT) + size_of::<u32>(),
            Self::Pid { .. } => segment::offset(PID_WORD),
            Self::Landmarks { .. } => segment::offset(LANDMARK_COUNT_AT),
            Self::ClassCounters { .. } => segment::offset(CLASS_COUNT_AT),
            Self::Landmark { landmark, .. } => segment::offset(landmark.word()),
            Self::Class { class, .. } => segment::offset(CLASSES_AT) + class * size_of::<u16>(),
        }
    }
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.offset();
        match *self {
            Self::Length { bytes } => {
                write!(f, "segment has {bytes} bytes, expected {SEGMENT_BYTES}, or {FILE_BYTES} in a file")
            }
            Self::Magic { found } => {
                write!(f, "no segment: magic {found:#018x} at byte {at}, expected {:#018x}", segment::MAGIC)
            }
            Self::Version { found } => {
                write!(f, "segment version {found} at byte {at}, expected {}", segment::VERSION)
            }
            Self::Counters { found } => {
                write!(f, "{found} counters at byte {at}, at most {MAX_COUNTERS} fit")
            }
            Self::Pid { found } => write!(f, "{found} at byte {at} is no process id"),
            Self::Landmarks { found } => {
                let least = Landmark::COUNT;
                write!(f, "{found} landmarks at byte {at}, expected 0 or {least} to {MAX_LANDMARKS}")
            }
            Self::ClassCounters { found } => {
                write!(f, "counters of {found} size classes at byte {at}, at most {MAX_CLASSES} fit")
            }
            Self::Landmark { landmark, found } => {
                let (least, most) = landmark.range();
                write!(f, "{}: {found} at byte {at}, expected {least} to {most}", landmark.name())
            }
            Self::Class { class, found } => {
                write!(f, "size class {class} has {found} bytes at byte {at}, not more than the one before")
            }
        }
    }
}

impl Error for SegmentError {}
