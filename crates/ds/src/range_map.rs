//! Ordered ranges that do not overlap, each with a number.

use crate::pool::{Blank, Pool};

/// A node of a [`RangeMap`].
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Node {
    /// The keys.
    pub words: [u64; 32],
}

const _: () = assert!(size_of::<Node>() == 256);

impl Blank for Node {
    const BLANK: Self = Self { words: [0; 32] };
}

/// A range and its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// The first key.
    pub start: u64,
    /// The key after the last.
    pub end: u64,
    /// The number.
    pub value: u32,
}

/// Ranges in order.
#[derive(Debug)]
pub struct RangeMap<P> {
    pool: P,
}

impl<P: Pool<Node>> RangeMap<P> {
    /// An empty map.
    pub const fn new(pool: P) -> Self {
        Self { pool }
    }

    /// How many ranges there are.
    pub fn len(&self) -> usize {
        let _ = &self.pool;
        0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The range that holds `key`.
    pub fn find(&self, key: u64) -> Option<Found> {
        let _ = key;
        None
    }

    /// The first range that ends above `key`.
    pub fn at_or_after(&self, key: u64) -> Option<Found> {
        let _ = key;
        None
    }

    /// The last range that ends at or below `key`.
    pub fn before(&self, key: u64) -> Option<Found> {
        let _ = key;
        None
    }
}
