//! Changes among ranges that touch: cut one in two, make one of two, move the bound between two.
//!
//! None of them makes or fills a gap. In the common case, where all that changes lies in one leaf, nothing above that leaf
//! changes, and no way from the root is needed.

use super::find::found_at;
use super::node::{FEW, Node, RANGES};
use super::{Found, RangeMap, Refusal};
use crate::pool::Pool;

impl<P: Pool<Node>> RangeMap<P> {
    /// Cuts the range that has `at` inside in two; the upper one has `value`.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoRange`] if no range has `at` inside, [`Refusal::NoNode`].
    pub fn split(&mut self, at: u64, value: u32) -> Result<(), Refusal> {
        let (number, leaf) = self.leaf_of(at).ok_or(Refusal::NoRange)?;
        let slot = slot_of(leaf, at).ok_or(Refusal::NoRange)?;
        let (start, end) = (leaf.start(slot), leaf.end(slot));
        if start == at || end <= at {
            return Err(Refusal::NoRange);
        }
        if leaf.len() < RANGES {
            let leaf = self.pool.get_mut(number);
            leaf.words[slot] = at;
            leaf.insert_range(slot + 1, at, end, value);
        } else {
            let path = self.way_to(at);
            self.promise(self.nodes_for_split(&path))?;
            self.forget();
            self.pool.get_mut(number).words[slot] = at;
            self.split_leaf(&path, slot + 1, Found { start: at, end, value })?;
        }
        self.len += 1;
        Ok(())
    }

    /// Makes one range of the one that starts at `start` and the next, which touches it; returns the next as it was.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoRange`] if no range starts there, or the next does not touch it.
    pub fn absorb(&mut self, start: u64) -> Result<Found, Refusal> {
        let (number, leaf) = self.leaf_of(start).ok_or(Refusal::NoRange)?;
        let slot = slot_of(leaf, start).ok_or(Refusal::NoRange)?;
        let (range, next) = (found_at(leaf, slot), slot + 1);
        if range.start != start {
            return Err(Refusal::NoRange);
        }
        if next == leaf.len() {
            let above = self.at_or_after(range.end).ok_or(Refusal::NoRange)?;
            if above.start != range.end {
                return Err(Refusal::NoRange);
            }
            self.remove(above.start)?;
            self.resize(start, start, above.end)?;
            return Ok(above);
        }
        let above = found_at(leaf, next);
        if above.start != range.end {
            return Err(Refusal::NoRange);
        }
        let leaf = self.pool.get_mut(number);
        leaf.remove_range(next);
        leaf.words[slot] = above.end;
        self.len -= 1;
        if leaf.len() < FEW && self.levels > 1 {
            let path = self.way_to(start);
            self.join(&path);
        }
        Ok(above)
    }

    /// Moves the bound `at` between two ranges that touch to `to`, inside one of them.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoRange`] if no two ranges touch there, [`Refusal::NoRoom`] if `to` is not inside.
    pub fn shift(&mut self, at: u64, to: u64) -> Result<(), Refusal> {
        let below = at.checked_sub(1).and_then(|last| self.find(last)).ok_or(Refusal::NoRange)?;
        let above = self.find(at).filter(|above| above.start == at).ok_or(Refusal::NoRange)?;
        if to <= below.start || above.end <= to {
            return Err(Refusal::NoRoom);
        }
        let (number, leaf) = self.leaf_of(below.start).ok_or(Refusal::NoRange)?;
        let slot = slot_of(leaf, below.start).ok_or(Refusal::NoRange)?;
        if slot + 1 < leaf.len() {
            let leaf = self.pool.get_mut(number);
            leaf.words[slot] = to;
            leaf.keys[slot + 1] = to;
        } else if to < at {
            self.resize(below.start, below.start, to)?;
            self.resize(at, to, above.end)?;
        } else {
            self.resize(at, to, above.end)?;
            self.resize(below.start, below.start, to)?;
        }
        Ok(())
    }
}

/// The last range of `leaf` that starts at or below `key`.
fn slot_of(leaf: &Node, key: u64) -> Option<usize> {
    leaf.rank(key.min(super::MOST_KEY - 1)).checked_sub(1)
}
