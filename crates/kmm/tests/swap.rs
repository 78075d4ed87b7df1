//! A swap area against a map from slots to pages, with frames and a backing that refuse.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

extern crate alloc;

use alloc::collections::{BTreeMap, BTreeSet};

use mallow_kmm::swap::codec::PageBytes;
use mallow_kmm::swap::{Backing, Cluster, Cursor, Entry, Frames, NoBacking, Slab, Slot, Swap, SwapStorage};
use mallow_units::page::PAGE_BYTES;
use mallow_units::{Errno, FrameNumber};
use proptest::prelude::*;

/// Frames in a vector, of which the n-th request may be refused.
#[derive(Debug)]
struct Few {
    bytes: Vec<PageBytes>,
    unused: BTreeSet<u32>,
    refuse: Option<u32>,
}

impl Few {
    fn new(count: u32) -> Self {
        Self { bytes: vec![[0xdd; PAGE_BYTES]; count as usize], unused: (0..count).collect(), refuse: None }
    }
}

impl Frames for Few {
    fn take(&mut self) -> Option<FrameNumber> {
        match &mut self.refuse {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        self.unused.pop_last().map(FrameNumber)
    }

    fn give(&mut self, frame: FrameNumber) {
        assert!(self.unused.insert(frame.0), "{frame:?} was not taken");
        self.bytes[frame.0 as usize].fill(0xdd);
    }

    fn read(&self, frame: FrameNumber, offset: usize, bytes: &mut [u8]) {
        assert!(!self.unused.contains(&frame.0), "{frame:?} was not taken");
        bytes.copy_from_slice(&self.bytes[frame.0 as usize][offset..][..bytes.len()]);
    }

    fn write(&mut self, frame: FrameNumber, offset: usize, bytes: &[u8]) {
        assert!(!self.unused.contains(&frame.0), "{frame:?} was not taken");
        self.bytes[frame.0 as usize][offset..][..bytes.len()].copy_from_slice(bytes);
    }
}

/// A disk in a map, with room for some pages.
#[derive(Debug, Default)]
struct Disk {
    pages: BTreeMap<u32, Box<PageBytes>>,
    room: usize,
}

impl Backing for Disk {
    fn write(&mut self, slot: Slot, page: &PageBytes) -> Result<(), Errno> {
        if self.pages.len() >= self.room {
            return Err(Errno::EIO);
        }
        assert!(self.pages.insert(slot.0, Box::new(*page)).is_none(), "{slot:?} is written twice");
        Ok(())
    }

    fn read(&mut self, slot: Slot, page: &mut PageBytes) -> Result<(), Errno> {
        page.copy_from_slice(&**self.pages.get(&slot.0).ok_or(Errno::EIO)?);
        Ok(())
    }

    fn discard(&mut self, slot: Slot) {
        assert!(self.pages.remove(&slot.0).is_some(), "{slot:?} was never written");
    }
}

type Area<Back> = Swap<Vec<Cluster>, Vec<Entry>, Vec<Slab>, Back>;

fn area<Back: Backing>(slots: u32, pool_frames: u32, backing: Back) -> Area<Back> {
    let storage = SwapStorage {
        clusters: vec![Cluster::new(); slots.div_ceil(64) as usize],
        entries: vec![Entry::NOTHING; slots as usize],
        slabs: vec![Slab::new(); pool_frames as usize],
    };
    Swap::new(storage, slots, pool_frames, backing).expect("the storage is large enough")
}

/// A page whose seed says everything about it: `noise` of 256 words are random, the others repeat.
fn page(seed: u64, noise: u64) -> PageBytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut page = [0; PAGE_BYTES];
    for (at, word) in page.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if at as u64 * 7 % 256 < noise {
            word[..8].copy_from_slice(&state.to_le_bytes());
            word[8..].copy_from_slice(&state.rotate_left(17).wrapping_mul(3).to_le_bytes());
        } else {
            word.fill(noise.to_le_bytes()[0]);
        }
    }
    page
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Put { cpu: usize, seed: u64, noise: u64 },
    Get { nth: usize },
    Share { nth: usize },
    Release { nth: usize },
    WriteBack { count: u32 },
    Refuse { after: Option<u32> },
    Room { room: usize },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..2_usize, any::<u64>(), 0..=256_u64).prop_map(|(cpu, seed, noise)| Op::Put { cpu, seed, noise }),
        3 => any::<usize>().prop_map(|nth| Op::Get { nth }),
        1 => any::<usize>().prop_map(|nth| Op::Share { nth }),
        5 => any::<usize>().prop_map(|nth| Op::Release { nth }),
        1 => (0..9_u32).prop_map(|count| Op::WriteBack { count }),
        1 => prop::option::of(0..5_u32).prop_map(|after| Op::Refuse { after }),
        1 => (0..60_usize).prop_map(|room| Op::Room { room }),
    ]
}

proptest! {
    #[test]
    fn every_page_comes_back(ops in prop::collection::vec(op(), 0..300)) {
        let mut frames = Few::new(24);
        let mut swap = area(100, 20, Disk { room: 40, ..Disk::default() });
        let mut cpus: [Cursor; 2] = Default::default();
        let mut model: BTreeMap<u32, (PageBytes, u16)> = BTreeMap::new();
        for op in ops {
            let nth = |nth: usize| model.keys().copied().nth(nth % model.len().max(1));
            match op {
                Op::Put { cpu, seed, noise } => {
                    let page = page(seed, noise);
                    match swap.put(&mut cpus[cpu], &page, &mut frames) {
                        Ok(slot) => prop_assert!(model.insert(slot.0, (page, 1)).is_none()),
                        Err(errno) => {
                            let is_full = model.len() == 100;
                            prop_assert_eq!(errno, if is_full { Errno::ENOSPC } else { Errno::EIO });
                            let is_refused = swap.backing().pages.len() >= swap.backing().room;
                            prop_assert!(is_full || is_refused, "{errno}");
                        }
                    }
                }
                Op::Get { nth: at } => if let Some(slot) = nth(at) {
                    let mut back = [0; PAGE_BYTES];
                    prop_assert_eq!(swap.get(Slot(slot), &mut back, &frames), Ok(()));
                    prop_assert!(back == model[&slot].0, "other bytes came back");
                },
                Op::Share { nth: at } => if let Some(slot) = nth(at) {
                    prop_assert_eq!(swap.share(Slot(slot)), Ok(()));
                    model.get_mut(&slot).unwrap().1 += 1;
                },
                Op::Release { nth: at } => if let Some(slot) = nth(at) {
                    let left = &mut model.get_mut(&slot).unwrap().1;
                    *left -= 1;
                    let was_last = *left == 0;
                    prop_assert_eq!(swap.release(Slot(slot), &mut frames), Ok(was_last));
                    if was_last {
                        model.remove(&slot);
                    }
                },
                Op::WriteBack { count } => prop_assert!(swap.write_back(count, &mut frames) <= count),
                Op::Refuse { after } => frames.refuse = after,
                Op::Room { room } => swap.backing_mut().room = room,
            }
            prop_assert_eq!(swap.check(), Ok(()));
            prop_assert_eq!(24 - frames.unused.len(), swap.compressed().frames as usize);
            prop_assert_eq!(swap.free() as usize, 100 - model.len());
        }
        for (slot, (page, references)) in model {
            let mut back = [0; PAGE_BYTES];
            prop_assert_eq!(swap.get(Slot(slot), &mut back, &frames), Ok(()));
            prop_assert!(back == page, "other bytes came back");
            (0..references).for_each(|_| { swap.release(Slot(slot), &mut frames).unwrap(); });
        }
        prop_assert_eq!(swap.check(), Ok(()));
        prop_assert!(swap.backing().pages.is_empty() && frames.unused.len() == 24);
    }
}

#[test]
fn what_compresses_takes_less_room_than_it_had() {
    let mut frames = Few::new(400);
    let mut swap = area(1000, 400, NoBacking);
    let mut cpu = Cursor::new();
    // About half of each page is random.
    let slots: Vec<Slot> =
        (0..500).map(|seed| swap.put(&mut cpu, &page(seed, 120), &mut frames).unwrap()).collect();
    let usage = swap.compressed();
    assert_eq!(usage.packed, 500);
    assert!(u64::from(usage.frames) * 4096 < usage.packed_bytes * 11 / 10, "{usage:?}");
    for (slot, seed) in slots.into_iter().zip(0..) {
        let mut back = [0; PAGE_BYTES];
        swap.get(slot, &mut back, &frames).unwrap();
        assert!(back == page(seed, 120));
        swap.release(slot, &mut frames).unwrap();
    }
    assert_eq!(frames.unused.len(), 400);
}

#[test]
fn a_page_of_zeroes_takes_no_frame() {
    let mut frames = Few::new(0);
    let mut swap = area(64, 0, NoBacking);
    let slot = swap.put(&mut Cursor::new(), &[0; PAGE_BYTES], &mut frames).unwrap();
    let mut back = [1; PAGE_BYTES];
    assert_eq!(swap.get(slot, &mut back, &frames), Ok(()));
    assert_eq!(back, [0; PAGE_BYTES]);
    assert_eq!(swap.put(&mut Cursor::new(), &page(1, 256), &mut frames), Err(Errno::ENOSPC));
    assert_eq!(swap.free(), 63, "the slot of the refused page is free again");
}

#[test]
fn a_full_pool_makes_room_for_what_is_younger() {
    let mut frames = Few::new(8);
    let mut swap = area(200, 8, Disk { room: 200, ..Disk::default() });
    let mut cpu = Cursor::new();
    let slots: Vec<Slot> =
        (0..100).map(|seed| swap.put(&mut cpu, &page(seed, 60), &mut frames).unwrap()).collect();
    assert!(swap.counts().written_back > 0);
    assert!(swap.backing().pages.contains_key(&slots[0].0), "the oldest has moved");
    assert!(!swap.backing().pages.contains_key(&slots[99].0), "the youngest has not");
    assert_eq!(swap.check(), Ok(()));
}

#[test]
fn a_slot_that_nobody_has_is_an_error() {
    let mut swap = area(10, 0, NoBacking);
    let mut frames = Few::new(0);
    for slot in [0, 9, 10, u32::MAX].map(Slot) {
        assert_eq!(swap.get(slot, &mut [0; PAGE_BYTES], &frames), Err(Errno::EINVAL));
        assert!(swap.release(slot, &mut frames).is_err());
        assert!(swap.share(slot).is_err());
    }
}
