//! Ordered ranges that do not overlap, each with a number: areas of an address space, runs of free space.
//!
//! A B+ tree whose nodes fill four lines of the cache. The caller gives the pool in which they lie, so the map
//! needs no heap, and a change that finds no room for a node is refused before it has changed anything.
//!
//! ```text
//!  inner   | first key of children 1..13 | gap of each child | numbers of children 0..13 |
//!  leaf    | starts | ends | before | values | next leaf |
//! ```
//!
//! The *gap* of a range is the room between it and the range below; of a node, the largest gap of the ranges in it.
//! It leads a search for room to a place that has enough, without looking at any other. *before* is the end of the last
//! range of the leaf below: the gap of a leaf's first range then depends on nothing outside the leaf.
//!
//! Used by `vma`: `find` at a page fault, the gaps at `mmap`. Calls `pool`.
//!
//! # Concurrency
//!
//! Changes need the map alone. Lookups may run side by side; they share a hint, one word that says where the last
//! range was found, and read and write it without order: a hint is checked before it is believed, and a change
//! that makes a node something else forgets it.
//!
//! # Not here
//!
//! When ranges that touch are to be joined, and what cutting one in two means for its value: only the caller knows.

mod change;
mod check;
mod find;
mod gap;
mod node;
mod touch;

use crate::pool::Pool;
use crate::sync::AtomicU64;

pub use self::node::{MOST_KEY, Node};

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

/// Why a change was refused. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The pool has no node left.
    NoNode,
    /// The range is empty, goes beyond [`MOST_KEY`], or would overlap another.
    NoRoom,
    /// No range starts there.
    NoRange,
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoNode => "the pool has no node left",
            Self::NoRoom => "the range is empty, too high, or overlaps another",
            Self::NoRange => "no range starts there",
        })
    }
}

impl core::error::Error for Refusal {}

/// Levels of a tree with 2^32 leaves and few children in each inner node.
const MOST_LEVELS: usize = 17;

/// No node.
const NONE: u32 = u32::MAX;

/// Ranges in order, each with a number.
///
/// ```
/// use mallow_ds::pool::ArrayPool;
/// use mallow_ds::range_map::RangeMap;
/// let mut map = RangeMap::new(ArrayPool::<_, 8>::default());
/// map.insert(16, 20, 7).unwrap();
/// map.insert(24, 32, 8).unwrap();
/// assert_eq!(map.find(19).unwrap().value, 7);
/// assert!(map.find(20).is_none());
/// assert_eq!(map.highest_room(0, 32, 4), Some(20));
/// ```
#[derive(Debug)]
pub struct RangeMap<P> {
    pool: P,
    root: u32,
    /// Levels of the tree; 0 without a root, 1 if the root is a leaf.
    levels: u32,
    len: u32,
    /// The end of the highest range; 0 if there is none.
    last_end: u64,
    /// Nodes that the pool has promised and that have not been taken.
    promised: usize,
    hint: AtomicU64,
}

impl<P: Pool<Node>> RangeMap<P> {
    /// An empty map, with nodes in `pool`.
    pub fn new(pool: P) -> Self {
        Self { pool, root: NONE, levels: 0, len: 0, last_end: 0, promised: 0, hint: find::no_hint() }
    }

    /// How many ranges there are.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The end of the highest range; 0 if there is none.
    pub const fn last_end(&self) -> u64 {
        self.last_end
    }

    /// The pool, to give it more.
    pub const fn pool_mut(&mut self) -> &mut P {
        &mut self.pool
    }

    /// Makes sure that the next `inserts` calls of [`RangeMap::insert`] find their nodes, whatever else happens in between.
    ///
    /// Asks the pool for as many nodes as they could need at worst: one per level and insert, and a new root.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoNode`].
    pub fn reserve(&mut self, inserts: usize) -> Result<(), Refusal> {
        // A new root takes eleven more children before it is full, and nobody reserves that many inserts twice over.
        let roots = 1 + inserts / 8;
        let nodes = inserts * self.levels.max(1) as usize + roots;
        self.promise(nodes)
    }

    /// Has the pool promise that the next `nodes` are there, unless it has already.
    fn promise(&mut self, nodes: usize) -> Result<(), Refusal> {
        if self.promised < nodes {
            if !self.pool.reserve(nodes) {
                return Err(Refusal::NoNode);
            }
            self.promised = nodes;
        }
        Ok(())
    }

    /// Takes a node.
    fn take(&mut self, node: Node) -> Result<u32, Refusal> {
        self.promised = self.promised.saturating_sub(1);
        self.pool.take(node).ok_or(Refusal::NoNode)
    }
}
