//! Where a key is.

use super::node::Node;
use super::{Found, MOST_KEY, RangeMap};
use crate::pool::Pool;
use crate::sync::{AtomicU64, Ordering};

/// Says that nothing has been found yet.
const NO_HINT: u64 = u64::MAX;

pub(super) fn no_hint() -> AtomicU64 {
    AtomicU64::new(NO_HINT)
}

/// The leaf in the high half, the place in it in the low half.
const fn hint_of(leaf: u32, at: usize) -> u64 {
    (leaf as u64) << 32 | at as u64
}

impl<P: Pool<Node>> RangeMap<P> {
    /// The range that holds `key`.
    ///
    /// Cost: one node per level; two reads if the last lookup found the same range.
    #[inline]
    pub fn find(&self, key: u64) -> Option<Found> {
        // ORDERING: Relaxed; see the module's notes on concurrency.
        let hint = self.hint.load(Ordering::Relaxed);
        if hint != NO_HINT {
            let at = usize::from(hint.to_le_bytes()[0]);
            let leaf = self.pool.get(mallow_units::word::low_half(hint >> 32));
            let found = found_at(leaf, at);
            // COST: one comparison; the two that it stands for go either way and mispredict (22 ns instead of 14 at random).
            let is_within = key.wrapping_sub(found.start) < found.end.wrapping_sub(found.start);
            if is_within && at < leaf.len() {
                return Some(found);
            }
        }
        self.find_slow(key)
    }

    /// Not inlined, so that the caller of [`RangeMap::find`] takes in the way of a good hint alone.
    #[inline(never)]
    fn find_slow(&self, key: u64) -> Option<Found> {
        let (number, leaf) = self.leaf_from_root(key)?;
        let at = leaf.rank(key.min(MOST_KEY - 1)).checked_sub(1)?;
        let found = found_at(leaf, at);
        if key >= found.end {
            return None;
        }
        self.hint.store(hint_of(number, at), Ordering::Relaxed);
        Some(found)
    }

    /// The first range that ends above `key`: the one that holds it, or the next.
    pub fn at_or_after(&self, key: u64) -> Option<Found> {
        if key >= self.last_end {
            return None;
        }
        let (_, leaf) = self.leaf_of(key)?;
        let after = leaf.rank(key.min(MOST_KEY - 1));
        if let Some(at) = after.checked_sub(1)
            && key < leaf.end(at)
        {
            return Some(found_at(leaf, at));
        }
        if after < leaf.len() {
            return Some(found_at(leaf, after));
        }
        (leaf.next() != super::NONE).then(|| found_at(self.pool.get(leaf.next()), 0))
    }

    /// The last range that ends at or below `key`.
    pub fn before(&self, key: u64) -> Option<Found> {
        let (_, leaf) = self.leaf_of(key)?;
        let after = leaf.rank(key.min(MOST_KEY - 1));
        match after.checked_sub(1) {
            Some(at) if leaf.end(at) <= key => Some(found_at(leaf, at)),
            Some(at) => self.ending_at(leaf.end_before(at)),
            None => self.ending_at(leaf.before()),
        }
    }

    /// The range that ends at `end`, which some range does unless it is 0.
    fn ending_at(&self, end: u64) -> Option<Found> {
        let last = end.checked_sub(1)?;
        let (_, leaf) = self.leaf_of(last)?;
        Some(found_at(leaf, leaf.rank(last).checked_sub(1)?))
    }

    /// All ranges that end above `key`, in order.
    pub fn iter_from(&self, key: u64) -> impl Iterator<Item = Found> {
        let mut next = key;
        core::iter::from_fn(move || {
            let found = self.at_or_after(next)?;
            next = found.end;
            Some(found)
        })
    }

    /// All ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = Found> {
        self.iter_from(0)
    }

    /// The leaf where a range that starts at `key` would be.
    ///
    /// Cost: one node per level, or one if it is the leaf of the last lookup or change.
    #[inline]
    pub(super) fn leaf_of(&self, key: u64) -> Option<(u32, &Node)> {
        let hint = self.hint.load(Ordering::Relaxed);
        if hint != NO_HINT {
            let number = mallow_units::word::low_half(hint >> 32);
            let leaf = self.pool.get(number);
            let first = leaf.start(0);
            let end = if leaf.next() == super::NONE { u64::MAX } else { leaf.end_before(leaf.len()) };
            if key.wrapping_sub(first) < end - first {
                return Some((number, leaf));
            }
        }
        let (number, leaf) = self.leaf_from_root(key)?;
        self.hint.store(hint_of(number, 0), Ordering::Relaxed);
        Some((number, leaf))
    }

    #[inline]
    fn leaf_from_root(&self, key: u64) -> Option<(u32, &Node)> {
        if self.levels == 0 {
            return None;
        }
        let key = key.min(MOST_KEY - 1);
        let mut number = self.root;
        let mut node = self.pool.get(number);
        for _ in 1..self.levels {
            number = node.child(node.rank(key));
            node = self.pool.get(number);
        }
        Some((number, node))
    }
}

pub(super) fn found_at(leaf: &Node, at: usize) -> Found {
    Found { start: leaf.start(at), end: leaf.end(at), value: leaf.value(at) }
}
