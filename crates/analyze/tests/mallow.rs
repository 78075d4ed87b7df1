//! The heap of a process on mallow, made up byte by byte: each part is what it is, and whatever is damaged is read or refused.

#![cfg(test)]

extern crate alloc;

use alloc::collections::BTreeMap;

use mallow_analyze::mallow::{self, Part, Reader, View};
use mallow_analyze::read::smaps::{self, Mapping};
use mallow_trace::{Landmark, segment};
use proptest::prelude::*;

const PAGE: u64 = 4096;
const UNIT: u64 = 16 << 10;
const CHUNK: u64 = 2 << 20;
const BASE: u64 = 0x7000_0000_0000;
const HEADER: u64 = BASE + 2 * CHUNK;
const REGION: u64 = HEADER + 3072;
const LARGE: u64 = 0x7100_0000_0000;
const SLABS: u64 = HEADER + 0x2000;
const REMOTES: u64 = HEADER + 0x4000;
const CHUNKS: u64 = HEADER + 0x5000;
const WORDS: u64 = HEADER + 0x6000;
const HEAP: u64 = HEADER + 0x8000;
const LEAF: u64 = HEADER + 0xa000;
/// Life 5 of the slab in unit 0.
const MARK: u64 = 5 << 48 | BASE;
const BLOCK: u64 = 1024;

/// Memory with the pages that were written to.
#[derive(Clone, Default)]
struct Process(BTreeMap<u64, Vec<u8>>);

impl Process {
    fn write(&mut self, address: u64, bytes: &[u8]) {
        for (address, byte) in (address..).zip(bytes) {
            let page = self.0.entry(address / PAGE).or_insert_with(|| vec![0; 4096]);
            page[usize::try_from(address % PAGE).unwrap()] = *byte;
        }
    }

    fn word(&mut self, address: u64, value: u64) {
        self.write(address, &value.to_le_bytes());
    }

    fn touch(&mut self, address: u64, pages: u64) {
        for page in 0..pages {
            self.write(address + page * PAGE, &[1]);
        }
    }

    /// The record of the run that begins in a unit.
    fn run(&mut self, unit: u64, mark: u64, kind: u8, units: u8) {
        self.word(SLABS + unit * 64, mark);
        self.write(SLABS + unit * 64 + 23, &[kind, units]);
        for other in unit..unit + u64::from(units) {
            self.word(HEADER + 0x1000 + other * 8, (SLABS + unit * 64) << 16);
        }
    }

    fn smaps(&self) -> Vec<Mapping> {
        let mappings = [
            (BASE, BASE + CHUNK, "rw-p"),
            (BASE + CHUNK, HEADER, "---p"),
            (HEADER, HEADER + 0x20000, "rw-p"),
            (LARGE, LARGE + 32 * PAGE, "rw-p"),
        ];
        let mut text = String::new();
        for (start, end, permissions) in mappings {
            let pages = self.0.range(start / PAGE..end / PAGE).count();
            text += &format!("{start:x}-{end:x} {permissions} 0 00:00 0\nRss: {} kB\n", pages * 4);
        }
        smaps::parse(text.as_bytes()).unwrap()
    }

    fn view(&self) -> Option<Result<View, String>> {
        mallow::view(self, &self.smaps())
    }
}

impl Reader for Process {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        (address..).zip(into).all(|(address, byte)| {
            let page = self.0.get(&(address / PAGE));
            page.is_some_and(|page| {
                *byte = page[usize::try_from(address % PAGE).unwrap()];
                true
            })
        })
    }

    fn page_map(&self, offset: u64, into: &mut [u8]) -> bool {
        for (page, entry) in (offset / 8..).zip(into.chunks_exact_mut(8)) {
            entry.copy_from_slice(&(u64::from(self.0.contains_key(&page)) << 63).to_le_bytes());
        }
        true
    }
}

const fn landmark(landmark: Landmark) -> u64 {
    match landmark {
        Landmark::Segment | Landmark::Shown => HEADER,
        Landmark::UnitBytes => UNIT,
        Landmark::ChunkUnits => 128,
        Landmark::Region => REGION,
        Landmark::RegionBase | Landmark::SlabMark | Landmark::HeapLists | Landmark::ChunkUsed => 0,
        Landmark::RegionHeader | Landmark::SlabOutstanding | Landmark::RemoteBytes => 8,
        Landmark::RegionHeaderBytes | Landmark::SlabBare | Landmark::ChunkBacked => 16,
        Landmark::RegionUnits | Landmark::SlabUnits => 24,
        Landmark::RegionArrays | Landmark::ChunkZero => 32,
        Landmark::SlabBytes => 64,
        Landmark::SlabCarved => 20,
        Landmark::SlabClass => 22,
        Landmark::SlabKind => 23,
        Landmark::SlabFlags => 25,
        Landmark::FlagFull => 32,
        Landmark::FlagZero => 1,
        Landmark::RemoteCount => 26 | 13 << 8,
        Landmark::ChunkBytes => 256,
        Landmark::HeapTable => WORDS,
        Landmark::HeapTableBytes => 64,
        Landmark::HeapCount => WORDS + 8,
        Landmark::HeapBytes => 4096,
        Landmark::Classes => 1,
        Landmark::Directory => WORDS + 16,
        Landmark::DirectoryLeaves => 4,
        Landmark::LeafEntries => 8,
    }
}

/// A slab of 16 blocks of which 7 are live, 6 free, 2 on a list and 1 on its way; a medium block of 8 pages of which 3 were touched; a
/// kept run; a free unit that was used, and one that was not; a large block with 5 pages, and a kept one with 2.
fn process() -> Process {
    let mut process = Process::default();
    process.write(HEADER, &segment::blank());
    process.word(HEADER + 24, Landmark::COUNT as u64);
    for one in Landmark::ALL {
        process.word(HEADER + segment::offset(one.word()) as u64, landmark(one));
    }
    process.word(HEADER + segment::offset(segment::CLASSES_AT) as u64, BLOCK);
    let region = [BASE, HEADER, 0x7000, 128, 0x1000, 0, 0x2000, 0, 0x4000, 0, 0x5000, 0];
    for (nth, word) in (0..).zip(region) {
        process.word(REGION + nth * 8, word);
    }
    process.touch(BASE, 4);
    process.run(0, MARK, 1, 1);
    let sum: u64 = (0..10).map(|nth| BASE + nth * BLOCK).sum();
    process.word(SLABS + 8, sum);
    process.write(SLABS + 20, &[16, 0, 0]);
    process.word(REMOTES, 1 << 26);
    process.word(BASE, BASE + BLOCK);
    process.word(BASE + 8, MARK);
    process.word(BASE + BLOCK, 0);
    process.word(BASE + BLOCK + 8, MARK);
    process.word(HEAP, BASE);
    for (nth, word) in (0..).zip([HEADER + 0x7000, 1, HEADER + 0x9000]) {
        process.word(WORDS + nth * 8, word);
    }
    process.word(HEADER + 0x7008, HEAP);
    process.word(HEADER + 0x9000, LEAF);
    process.word(LEAF, LARGE);
    process.word(LEAF + 8, (16 * PAGE) | 3);
    process.run(1, BASE + UNIT, 2, 2);
    process.touch(BASE + UNIT, 3);
    process.run(3, BASE + 3 * UNIT, 3, 1);
    process.touch(BASE + 3 * UNIT, 4);
    process.word(CHUNKS, 0b1111);
    process.word(CHUNKS + 16, 0b11_0000);
    process.word(CHUNKS + 32, 0b10_0000);
    process.touch(BASE + 4 * UNIT, 4);
    process.touch(BASE + 5 * UNIT, 1);
    process.touch(LARGE, 5);
    process.touch(LARGE + 16 * PAGE, 2);
    process.word(HEADER + segment::offset(segment::KEPT_AT) as u64, LARGE + 16 * PAGE);
    process.word(HEADER + segment::offset(segment::KEPT_AT + 1) as u64, 16 * PAGE);
    process
}

#[test]
fn every_byte_is_in_its_part() {
    let process = process();
    let view = process.view().unwrap().unwrap();
    let parts = Part::ALL.map(|part| (part, view.resident(part)));
    let header_pages = process.0.range(HEADER / PAGE..(HEADER + 0x7000) / PAGE).count() as u64;
    let expected = [
        (Part::Live, 7 * BLOCK + 3 * PAGE + 5 * PAGE),
        (Part::Rounding, 0),
        (Part::Fragmentation, 6 * BLOCK),
        (Part::Caches, 2 * BLOCK + UNIT),
        (Part::Waiting, BLOCK),
        (Part::Kept, UNIT + 2 * PAGE),
        (Part::Padding, PAGE),
        // The header, the table of heaps, the heap, the directory's root and its leaf.
        (Part::Metadata, (header_pages + 4) * PAGE),
    ];
    assert_eq!(parts, expected);
    let [class] = &view.classes[..] else { panic!("{view:?}") };
    assert_eq!((class.block_bytes, class.slabs, class.resident), (BLOCK, 1, UNIT));
    let blocks = [class.live_blocks, class.listed_blocks, class.waiting_blocks, class.free_blocks];
    assert_eq!(blocks, [7, 2, 1, 6]);
    assert_eq!((view.medium_blocks, view.medium_bytes), (1, 2 * UNIT));
    assert_eq!((view.large_blocks, view.large_bytes), (1, 16 * PAGE));
    assert!(view.has_all_lists && view.odd_slabs == 0 && view.heaps == 1);
}

#[test]
fn parts_add_up_to_what_the_kernel_has() {
    let process = process();
    let sum: u64 = process.view().unwrap().unwrap().shares.iter().map(|share| share.resident).sum();
    let resident: u64 = process.smaps().iter().map(Mapping::resident_bytes).sum();
    assert_eq!(sum, resident);
}

#[test]
fn a_full_slab_counts_downwards() {
    let mut process = process();
    process.write(SLABS + 25, &[32]);
    // One block came home since it was full, the last.
    process.word(SLABS + 8, 0_u64.wrapping_sub(BASE + 15 * BLOCK));
    let view = process.view().unwrap().unwrap();
    assert_eq!(view.classes[0].free_blocks, 1);
    assert_eq!(view.classes[0].live_blocks, 12);
}

#[test]
fn a_list_that_leads_nowhere_is_not_followed() {
    let mut process = process();
    // The second block is in use again, and the first one's link points at itself.
    process.word(BASE + BLOCK + 8, 7);
    assert_eq!(process.view().unwrap().unwrap().classes[0].listed_blocks, 1);
    process.word(BASE, BASE);
    assert!(
        process.view().unwrap().unwrap().classes[0].listed_blocks <= 10,
        "no longer than what is outstanding"
    );
}

#[test]
fn a_copy_of_a_segment_is_none() {
    let mut process = process();
    process.word(HEADER + segment::offset(Landmark::Segment.word()) as u64, HEADER + CHUNK);
    assert_eq!(process.view(), None);
    process.write(HEADER, b"something");
    assert_eq!(process.view(), None);
}

#[test]
fn a_damaged_segment_is_refused_with_its_place() {
    let mut process = process();
    process.word(HEADER + 8, 7);
    let reason = process.view().unwrap().unwrap_err();
    assert_eq!(reason, "the segment at 0x700000400000: segment version 7 at byte 8, expected 2");
}

#[test]
fn no_page_is_read_that_is_not_there() {
    struct Strict(Process);
    impl Reader for Strict {
        fn read(&self, address: u64, into: &mut [u8]) -> bool {
            assert!(self.0.read(address, into), "{address:#x}: {} bytes", into.len());
            true
        }
        fn page_map(&self, offset: u64, into: &mut [u8]) -> bool {
            self.0.page_map(offset, into)
        }
    }
    let process = process();
    let mappings = process.smaps();
    assert!(mallow::view(&Strict(process), &mappings).unwrap().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever stands in the segment, in a record, in a heap or in the directory.
    #[test]
    fn any_damage_is_read_or_refused(
        damages in proptest::collection::vec((0..20_usize, 0..PAGE, prop_oneof![any::<u64>(), 0..300_u64, BASE..HEADER + 0x20000]), 1..12),
    ) {
        let mut process = process();
        let pages: Vec<u64> = process.0.keys().copied().collect();
        for (page, offset, value) in damages {
            process.word(pages[page % pages.len()] * PAGE + offset / 8 * 8, value);
        }
        if let Some(Ok(view)) = process.view() {
            prop_assert!(view.classes.iter().all(|class| class.slabs > 0));
        }
    }

    /// Each landmark at any value that it may have.
    #[test]
    fn any_landmarks_are_read_or_refused(which in 0..Landmark::COUNT, share in 0..=1000_u64) {
        let one = Landmark::ALL[which];
        let (least, most) = one.range();
        let mut process = process();
        let value = least + (most - least) / 1000 * share;
        process.word(HEADER + segment::offset(one.word()) as u64, value);
        let _ = process.view();
    }
}
