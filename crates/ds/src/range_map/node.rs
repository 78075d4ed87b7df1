//! A node: one layout of 256 bytes, read as a leaf or as an inner node.

use crate::pool::Blank;

/// The largest key that a range may end at: keys are compared by the sign of a difference, several at a time.
pub const MOST_KEY: u64 = i64::MAX.cast_unsigned();

/// Ranges in a full leaf, and keys in a full inner node.
pub(super) const RANGES: usize = 12;
/// Children of a full inner node.
pub(super) const CHILDREN: usize = RANGES + 1;
/// A node that comes to have fewer is joined or evened out with a sibling.
pub(super) const FEW: usize = 4;
/// Children of an inner node that was split at its end and awaits more.
pub(super) const FEWEST: usize = 2;

/// One node of a [`super::RangeMap`], as a pool holds it.
///
/// # Invariants
///
/// 1. Keys that are not in use are [`MOST_KEY`], so that no search counts them.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Node {
    /// Leaf: starts. Inner: the first start of child 1, 2, ...
    pub(super) keys: [u64; RANGES],
    /// Leaf: ends, and last the end of the range before the first. Inner: the largest gap in each child.
    pub(super) words: [u64; CHILDREN],
    /// Leaf: values, and last the next leaf. Inner: children.
    pub(super) links: [u32; CHILDREN],
    /// Leaf: ranges. Inner: children.
    pub(super) count: u32,
}

const _: () = assert!(size_of::<Node>() == 256);

/// The word that holds the end of the range before a leaf's first, and the link that leads to the next leaf.
const LAST: usize = RANGES;

impl Blank for Node {
    const BLANK: Self =
        Self { keys: [MOST_KEY; RANGES], words: [0; CHILDREN], links: [super::NONE; CHILDREN], count: 0 };
}

impl Node {
    pub(super) const fn len(&self) -> usize {
        self.count as usize
    }

    /// How many keys are at most `key`.
    #[inline(never)]
    pub(super) fn rank(&self, key: u64) -> usize {
        // COST: all keys are compared, without a branch and two at a time; a binary search mispredicts. Out of line, because
        // the compiler otherwise folds the sum into an address, key by key (14.6 ns instead of 11.0 for a lookup among
        // a thousand ranges, 24.2 instead of 18.1 among ten thousand).
        let above = key.wrapping_add(1);
        let ranks = self.keys.iter().map(|one| one.wrapping_sub(above) >> 63);
        mallow_units::word::to_usize(ranks.sum())
    }

    // Leaf.

    pub(super) const fn start(&self, at: usize) -> u64 {
        self.keys[at]
    }

    pub(super) const fn end(&self, at: usize) -> u64 {
        self.words[at]
    }

    pub(super) const fn value(&self, at: usize) -> u32 {
        self.links[at]
    }

    /// The end of the range before the first; 0 if there is none.
    pub(super) const fn before(&self) -> u64 {
        self.words[LAST]
    }

    pub(super) const fn set_before(&mut self, end: u64) {
        self.words[LAST] = end;
    }

    pub(super) const fn next(&self) -> u32 {
        self.links[LAST]
    }

    pub(super) const fn set_next(&mut self, leaf: u32) {
        self.links[LAST] = leaf;
    }

    /// The end of the range before range `at`.
    pub(super) const fn end_before(&self, at: usize) -> u64 {
        if at == 0 { self.before() } else { self.words[at - 1] }
    }

    pub(super) const fn set_range(&mut self, at: usize, start: u64, end: u64, value: u32) {
        self.keys[at] = start;
        self.words[at] = end;
        self.links[at] = value;
    }

    /// Makes place for a range and puts it there; the leaf is not full.
    pub(super) fn insert_range(&mut self, at: usize, start: u64, end: u64, value: u32) {
        let len = self.len();
        self.keys.copy_within(at..len, at + 1);
        self.words.copy_within(at..len, at + 1);
        self.links.copy_within(at..len, at + 1);
        self.set_range(at, start, end, value);
        self.count += 1;
    }

    pub(super) fn remove_range(&mut self, at: usize) {
        let len = self.len();
        self.keys.copy_within(at + 1..len, at);
        self.words.copy_within(at + 1..len, at);
        self.links.copy_within(at + 1..len, at);
        self.keys[len - 1] = MOST_KEY;
        self.count -= 1;
    }

    /// The largest gap of a leaf.
    pub(super) fn leaf_gap(&self) -> u64 {
        let (mut before, mut gap) = (self.before(), 0);
        for at in 0..self.len() {
            gap = gap.max(self.keys[at] - before);
            before = self.words[at];
        }
        gap
    }

    // Inner.

    pub(super) const fn child(&self, at: usize) -> u32 {
        self.links[at]
    }

    pub(super) const fn gap(&self, at: usize) -> u64 {
        self.words[at]
    }

    /// Makes place for a child, which is not the first, and puts it there; the node is not full.
    pub(super) fn insert_child(&mut self, at: usize, key: u64, child: u32, gap: u64) {
        let len = self.len();
        self.keys.copy_within(at - 1..len - 1, at);
        self.words.copy_within(at..len, at + 1);
        self.links.copy_within(at..len, at + 1);
        self.keys[at - 1] = key;
        self.words[at] = gap;
        self.links[at] = child;
        self.count += 1;
    }

    /// Removes a child, which is not the first.
    pub(super) fn remove_child(&mut self, at: usize) {
        let len = self.len();
        self.keys.copy_within(at..len - 1, at - 1);
        self.words.copy_within(at + 1..len, at);
        self.links.copy_within(at + 1..len, at);
        self.keys[len - 2] = MOST_KEY;
        self.count -= 1;
    }

    /// The largest gap of an inner node.
    pub(super) fn inner_gap(&self) -> u64 {
        self.words[..self.len()].iter().copied().fold(0, u64::max)
    }
}
