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
/// Places that are looked at inside of a mapping: those of the last 256 MiB. The header of a region of 1 TiB has 96 MiB.
const MOST_INSIDE: u64 = 128;

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
        // What follows a header is reserved for it, so it is not far from the end.
        let inside = |mapping: &Mapping| {
            let first = (mapping.start + 1).next_multiple_of(STEP);
            let places = mapping.end.saturating_sub(first).div_ceil(STEP);
            let nearest = places.saturating_sub(MOST_INSIDE);
            (nearest..places).map(move |place| first + place * STEP)
        };
        for address in mappings.iter().filter(may_have).flat_map(inside) {
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

#[cfg(test)]
mod tests {
    use core::cell::RefCell;

    use super::*;
    use crate::read::smaps;

    /// A process full of zeros; notes the addresses that are read.
    #[derive(Default)]
    struct Zeros(RefCell<Vec<u64>>);

    impl Reader for Zeros {
        fn read(&self, address: u64, into: &mut [u8]) -> bool {
            self.0.borrow_mut().push(address);
            into.fill(0);
            true
        }

        fn page_map(&self, _: u64, _: &mut [u8]) -> bool {
            false
        }
    }

    #[test]
    fn a_long_mapping_is_looked_at_where_a_header_may_be() {
        let smaps =
            b"7f0000001000-7f0280001000 rw-p 00000000 00:00 0 \nSize: 10485760 kB\nRss: 10485760 kB\n";
        let memory = Zeros::default();
        let found = find(&memory, &smaps::parse(smaps).expect("as the kernel writes it"));
        assert_eq!(found, Ok(Vec::new()));
        let looked_at = memory.0.into_inner();
        let last = 0x7f02_8000_0000;
        assert_eq!(looked_at, (0..128).map(|place| last - (127 - place) * STEP).collect::<Vec<_>>());
    }
}
