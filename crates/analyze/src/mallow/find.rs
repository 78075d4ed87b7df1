//! Finding the segment of a process: in the header of its heap's first region.
//!
//! ```text
//!  | units in use  rw- | reserved  --- | segment, header  rw- | reserved  --- |
//!  ^ n * 2 MiB                         ^ m * 2 MiB
//! ```
//!
//! So it is where memory without a file begins at a multiple of 2 MiB; if the whole region is in use, it is at one inside. Called by
//! the command, before [`super::look`].

use mallow_trace::{Landmark, SegmentError, Snapshot, segment};

use super::pages::Pages;
use super::reader::Reader;
use crate::read::smaps::Mapping;

/// Bytes; where a region's header begins is a multiple.
const STEP: u64 = 2 << 20;
/// Places that are looked at inside of mappings.
const MOST_INSIDE: usize = 1 << 16;

/// A segment, and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its address in the process.
    pub address: u64,
    /// What it says.
    pub snapshot: Snapshot,
}

/// The segments of a process, which has one for each copy of the library in it: none if it is not on mallow, or has not
/// allocated anything yet. `mappings` are all that it has.
///
/// # Errors
///
/// What is wrong with one that begins as a segment does: its address in the process, and the error.
pub fn find(memory: &impl Reader, mappings: &[Mapping]) -> Result<Vec<Found>, (u64, SegmentError)> {
    let pages = Pages::new(memory, mappings);
    let may_have = |mapping: &&Mapping| {
        let is_plain = mapping.name.is_empty() || mapping.name.starts_with(b"[anon:");
        is_plain && mapping.permissions.write && !mapping.permissions.shared
    };
    let mut found = Vec::new();
    for mapping in mappings.iter().filter(may_have).filter(|mapping| mapping.start.is_multiple_of(STEP)) {
        found.extend(read(&pages, mapping.start)?);
    }
    if found.is_empty() {
        let inside = |mapping: &Mapping| {
            let first = (mapping.start + 1).next_multiple_of(STEP);
            (first..mapping.end).step_by(usize::try_from(STEP).unwrap_or(usize::MAX))
        };
        for address in mappings.iter().filter(may_have).flat_map(inside).take(MOST_INSIDE) {
            found.extend(read(&pages, address)?);
        }
    }
    Ok(found)
}

/// The segment that is in use, if the process's own one is at `address`.
fn read(pages: &Pages<'_, impl Reader>, address: u64) -> Result<Option<Found>, (u64, SegmentError)> {
    if pages.lone_word(address) != Some(segment::MAGIC) {
        return Ok(None);
    }
    let own = decode(pages, address)?;
    let Some(landmarks) = own.landmarks() else { return Ok(None) };
    // Anybody may hold a copy of a segment, which says where the original is.
    if landmarks[Landmark::Segment as usize] != address {
        return Ok(None);
    }
    let shown = landmarks[Landmark::Shown as usize];
    if shown == address {
        return Ok(Some(Found { address, snapshot: own }));
    }
    decode(pages, shown).map(|snapshot| Some(Found { address: shown, snapshot }))
}

fn decode(pages: &Pages<'_, impl Reader>, address: u64) -> Result<Snapshot, (u64, SegmentError)> {
    let mut bytes = [0; segment::SEGMENT_BYTES];
    let length = if pages.read(address, &mut bytes) { bytes.len() } else { 0 };
    Snapshot::decode(&bytes[..length]).map_err(|error| (address, error))
}
