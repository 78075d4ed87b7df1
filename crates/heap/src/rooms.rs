//! Chunks by the length of one of their longest runs, so that the smallest sufficient one is found at once.
//!
//! Called by `page_heap`, under its lock, which has two: by the longest free run, and by the longest resident one.

use mallow_ds::bitmap;

use crate::chunk::{Chunk, Links};
use crate::config::CHUNK_UNITS;

const BUCKETS: usize = CHUNK_UNITS as usize + 1;

/// Where a chunk notes its place in one of these.
#[derive(Debug)]
#[repr(C)]
pub struct Room {
    links: Links,
    /// The length by which it is filed; 0 if it is not.
    units: core::cell::Cell<u32>,
}

/// Chunks in lists, one list per length.
#[derive(Debug)]
pub struct Rooms {
    /// `buckets[n]`: chunks whose longest run is `n` units; none for 0.
    buckets: [Option<&'static Chunk>; BUCKETS],
    /// Bit `n - 1` is set if `buckets[n]` is not empty.
    filled: u128,
    room_of: fn(&Chunk) -> &Room,
}

impl Rooms {
    /// None yet; `room_of` says where chunks note their place.
    pub const fn new(room_of: fn(&Chunk) -> &Room) -> Self {
        Self { buckets: [None; BUCKETS], filled: 0, room_of }
    }

    /// Files `chunk` by `units`, the length of its longest run now.
    pub fn file(&mut self, chunk: &'static Chunk, units: u32) {
        let room = (self.room_of)(chunk);
        let before = room.units.replace(units);
        if before == units {
            return;
        }
        let of = self.room_of;
        if before != 0 {
            let bucket = &mut self.buckets[before as usize];
            unlink(bucket, chunk, |chunk| &of(chunk).links);
            if bucket.is_none() {
                self.filled &= !bitmap::mask(before - 1, 1);
            }
        }
        if units != 0 {
            push_front(&mut self.buckets[units as usize], chunk, |chunk| &of(chunk).links);
            self.filled |= bitmap::mask(units - 1, 1);
        }
    }

    /// The first chunk of each list with runs of at least `units`, shortest runs first.
    pub fn sufficient(&self, units: u32) -> impl Iterator<Item = &'static Chunk> + '_ {
        let mut left = self.filled & !bitmap::mask(0, units - 1);
        core::iter::from_fn(move || {
            let bucket = (left != 0).then(|| left.trailing_zeros() as usize + 1)?;
            left &= left - 1;
            self.buckets[bucket]
        })
    }

    /// The chunks that are one run as a whole.
    pub fn whole(&self) -> impl Iterator<Item = &'static Chunk> + use<> {
        let of = self.room_of;
        let mut next = self.buckets[CHUNK_UNITS as usize];
        core::iter::from_fn(move || {
            let chunk = next?;
            next = of(chunk).links.next.get();
            Some(chunk)
        })
    }

    /// Checks the lists against each other; `units_of` says how a chunk should be filed.
    ///
    /// # Panics
    ///
    /// If they contradict each other.
    pub fn check(&self, units_of: impl Fn(&Chunk) -> u32) {
        for (units, bucket) in self.buckets.iter().enumerate() {
            let is_filled = units > 0 && self.filled >> (units - 1) & 1 == 1;
            assert!(bucket.is_some() == is_filled, "the summary is wrong");
            let mut next = *bucket;
            while let Some(chunk) = next {
                assert!(units_of(chunk) as usize == units, "a chunk is in the wrong list");
                next = (self.room_of)(chunk).links.next.get();
            }
        }
    }
}

/// Puts `chunk` in front of the list that begins with `first`.
pub(crate) fn push_front(
    first: &mut Option<&'static Chunk>,
    chunk: &'static Chunk,
    links: impl Fn(&Chunk) -> &Links,
) {
    links(chunk).previous.set(None);
    links(chunk).next.set(*first);
    if let Some(old) = *first {
        links(old).previous.set(Some(chunk));
    }
    *first = Some(chunk);
}

/// Takes `chunk` out of the list that begins with `first`.
pub(crate) fn unlink(
    first: &mut Option<&'static Chunk>,
    chunk: &'static Chunk,
    links: impl Fn(&Chunk) -> &Links,
) {
    let (next, previous) = (links(chunk).next.take(), links(chunk).previous.take());
    match previous {
        Some(previous) => links(previous).next.set(next),
        None => *first = next,
    }
    if let Some(next) = next {
        links(next).previous.set(previous);
    }
}
