//! Lists threaded through the frames: free blocks, generations of the LRU, partial slabs.
//!
//! A frame is on at most one list at a time; which one follows from its state, so two links per frame serve all of them. The list
//! itself is three words, owned by whoever holds the lock under which it may be changed.

use mallow_units::FrameNumber;

use crate::frame::{Frame, NOBODY};
use crate::table::{FrameTable, Window};

/// A list of frames of one table.
///
/// # Invariants
///
/// 1. Following `next` from `first` passes `count` frames and ends at `last`; `prev` is the way back.
/// 2. Links are places in the table's slice, which has fewer than 2^32 - 1 entries: a link to nobody finds no entry.
///
/// Every operation is given the table that the frames are in. A wrong table gives a wrong answer and nothing worse.
#[derive(Clone, Debug)]
pub struct FrameList {
    first: u32,
    last: u32,
    count: u32,
}

impl Default for FrameList {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameList {
    /// An empty list.
    pub const fn new() -> Self {
        Self { first: NOBODY, last: NOBODY, count: 0 }
    }

    /// How many frames are on it.
    #[inline]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The frame at the front.
    #[inline]
    pub fn first(&self, table: FrameTable<'_>) -> Option<FrameNumber> {
        table.regions().number_at(self.first)
    }

    /// The frame at the back.
    #[inline]
    pub fn last(&self, table: FrameTable<'_>) -> Option<FrameNumber> {
        table.regions().number_at(self.last)
    }

    /// Puts `frame`, which is on no list, at the front.
    #[inline]
    pub fn push_front(&mut self, table: FrameTable<'_>, frame: FrameNumber) {
        if let Some((entry, place)) = entry_of(table, frame) {
            self.link_front(table, place, entry);
        }
    }

    #[inline(always)]
    fn link_front(&mut self, table: FrameTable<'_>, place: u32, entry: &Frame) {
        entry.set_prev(NOBODY);
        entry.set_next(self.first);
        match table.at(self.first) {
            Some(first) => first.set_prev(place),
            None => self.last = place,
        }
        self.first = place;
        self.count += 1;
    }

    /// As [`FrameList::push_front`], for who has found the frame in a window of the table.
    #[inline(always)]
    pub fn push_front_of(
        &mut self,
        table: FrameTable<'_>,
        window: Window<'_>,
        frame: FrameNumber,
        entry: &Frame,
    ) {
        self.link_front(table, window.place_of(frame), entry);
    }

    /// Puts `frame`, which is on no list, at the back.
    #[inline]
    pub fn push_back(&mut self, table: FrameTable<'_>, frame: FrameNumber) {
        let Some((entry, place)) = entry_of(table, frame) else { return };
        entry.set_prev(self.last);
        entry.set_next(NOBODY);
        match table.at(self.last) {
            Some(last) => last.set_next(place),
            None => self.first = place,
        }
        self.last = place;
        self.count += 1;
    }

    /// Takes the frame at the front.
    #[inline]
    pub fn pop_front(&mut self, table: FrameTable<'_>) -> Option<FrameNumber> {
        let frame = self.first(table)?;
        self.unlink(table, table.at(self.first)?);
        Some(frame)
    }

    /// Takes the frame at the back.
    #[inline]
    pub fn pop_back(&mut self, table: FrameTable<'_>) -> Option<FrameNumber> {
        let frame = self.last(table)?;
        self.unlink(table, table.at(self.last)?);
        Some(frame)
    }

    /// Takes `frame`, which is on this list, out of it.
    #[inline]
    pub fn remove(&mut self, table: FrameTable<'_>, frame: FrameNumber) {
        if let Some(entry) = table.get(frame) {
            self.unlink(table, entry);
        }
    }

    /// As [`FrameList::remove`], for who has the frame's entry at hand.
    #[inline(always)]
    pub fn unlink(&mut self, table: FrameTable<'_>, entry: &Frame) {
        let (prev, next) = (entry.prev(), entry.next());
        match table.at(prev) {
            Some(before) => before.set_next(next),
            None => self.first = next,
        }
        match table.at(next) {
            Some(after) => after.set_prev(prev),
            None => self.last = prev,
        }
        self.count = self.count.wrapping_sub(1);
    }

    /// Puts `new`, which is on no list, in the place of `old`, which is on this one and then on none.
    pub fn replace(&mut self, table: FrameTable<'_>, old: FrameNumber, new: FrameNumber) {
        let Some(leaving) = table.get(old) else { return };
        let Some((coming, place)) = entry_of(table, new) else { return };
        let (prev, next) = (leaving.prev(), leaving.next());
        coming.set_prev(prev);
        coming.set_next(next);
        match table.at(prev) {
            Some(before) => before.set_next(place),
            None => self.first = place,
        }
        match table.at(next) {
            Some(after) => after.set_prev(place),
            None => self.last = place,
        }
    }

    /// Moves all frames of `other` to the back of this list.
    ///
    /// Cost: two writes, however long they are.
    pub fn append(&mut self, table: FrameTable<'_>, other: &mut Self) {
        let moved = core::mem::take(other);
        let Some(first) = table.at(moved.first) else { return };
        first.set_prev(self.last);
        match table.at(self.last) {
            Some(last) => last.set_next(moved.first),
            None => self.first = moved.first,
        }
        self.last = moved.last;
        self.count += moved.count;
    }

    /// The frames from the front to the back.
    pub fn iter<'t>(&self, table: FrameTable<'t>) -> impl Iterator<Item = FrameNumber> + use<'t> {
        let mut next = self.first;
        let mut left = self.count;
        core::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let frame = table.regions().number_at(next)?;
            next = table.at(next)?.next();
            Some(frame)
        })
    }

    /// Whether the list is whole: its links agree in both directions and with its count.
    ///
    /// Cost: a walk over the list.
    pub fn is_whole(&self, table: FrameTable<'_>) -> bool {
        let (mut before, mut place) = (NOBODY, self.first);
        for _ in 0..self.count {
            let Some(entry) = table.at(place).filter(|entry| entry.prev() == before) else { return false };
            (before, place) = (place, entry.next());
        }
        place == NOBODY && self.last == before
    }
}

/// The entry of a frame, and its place.
#[inline]
fn entry_of<'t>(table: FrameTable<'t>, frame: FrameNumber) -> Option<(&'t Frame, u32)> {
    let place = u32::try_from(table.regions().place_of(frame)?).ok()?;
    Some((table.at(place)?, place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::Regions;
    use alloc::collections::VecDeque;
    use alloc::vec::Vec;

    #[test]
    fn behaves_as_a_deque_with_removal() {
        let frames: Vec<Frame> = (0..32).map(|_| Frame::new()).collect();
        let regions = Regions::single(FrameNumber(100), 32).unwrap();
        let table = FrameTable::new(&frames, &regions).unwrap();
        let (mut list, mut model) = (FrameList::new(), VecDeque::new());
        let mut random = 1_u32;
        for _ in 0..4000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let frame = FrameNumber(100 + (random >> 8) % 32);
            let at = model.iter().position(|one| *one == frame);
            match (random >> 28, at) {
                (0..5, None) => {
                    list.push_front(table, frame);
                    model.push_front(frame);
                }
                (5..10, None) => {
                    list.push_back(table, frame);
                    model.push_back(frame);
                }
                (0..10, Some(at)) => {
                    list.remove(table, frame);
                    model.remove(at);
                }
                (10..12, _) => assert_eq!(list.pop_front(table), model.pop_front()),
                (12..14, _) => assert_eq!(list.pop_back(table), model.pop_back()),
                (14, Some(at)) => {
                    let new = (100..132).map(FrameNumber).find(|frame| !model.contains(frame));
                    if let Some(new) = new {
                        list.replace(table, frame, new);
                        model[at] = new;
                    }
                }
                _ => {
                    let mut other = FrameList::new();
                    other.append(table, &mut list);
                    list = other;
                }
            }
            assert!(list.is_whole(table));
            assert!(list.iter(table).eq(model.iter().copied()));
        }
    }

    #[test]
    fn lists_are_joined_in_order() {
        let frames: Vec<Frame> = (0..8).map(|_| Frame::new()).collect();
        let regions = Regions::single(FrameNumber(0), 8).unwrap();
        let table = FrameTable::new(&frames, &regions).unwrap();
        let (mut one, mut two) = (FrameList::new(), FrameList::new());
        (0..3).for_each(|frame| one.push_back(table, FrameNumber(frame)));
        (3..8).for_each(|frame| two.push_back(table, FrameNumber(frame)));
        one.append(table, &mut two);
        assert!(one.is_whole(table) && two.is_whole(table) && two.is_empty());
        assert!(one.iter(table).map(|frame| frame.0).eq(0..8));
    }
}
