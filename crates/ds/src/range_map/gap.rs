//! Where there is room.

use super::node::Node;
use super::{MOST_KEY, RangeMap};
use crate::pool::Pool;

/// Room is looked for from `low` up to `high`, `len` keys of it.
#[derive(Clone, Copy)]
struct Wanted {
    low: u64,
    high: u64,
    len: u64,
}

/// How the search of a part ended.
enum Search {
    /// There is room from this key.
    Room(u64),
    /// None here, but there may be in the next part.
    Next,
    /// None, and the parts to come lie beyond `low` or `high`.
    Over,
}

impl Wanted {
    /// The highest room in the gap from `start` up to `end`.
    fn highest_in(self, start: u64, end: u64) -> Option<u64> {
        let at = end.min(self.high).checked_sub(self.len)?;
        (at >= start.max(self.low)).then_some(at)
    }

    /// The lowest room in that gap.
    fn lowest_in(self, start: u64, end: u64) -> Option<u64> {
        let at = start.max(self.low);
        (at.checked_add(self.len)? <= end.min(self.high)).then_some(at)
    }
}

impl<P: Pool<Node>> RangeMap<P> {
    /// The highest key from which `len` keys are free, not below `low` and ending at most at `high`; `len` is not 0.
    ///
    /// Cost: about two nodes per level.
    pub fn highest_room(&self, low: u64, high: u64, len: u64) -> Option<u64> {
        let wanted = Wanted { low, high: high.min(MOST_KEY), len };
        if let Some(at) = wanted.highest_in(self.last_end, MOST_KEY) {
            return Some(at);
        }
        match self.highest_below(self.root, self.levels, wanted) {
            Search::Room(at) => Some(at),
            Search::Next | Search::Over => None,
        }
    }

    /// The lowest key from which `len` keys are free, not below `low` and ending at most at `high`; `len` is not 0.
    ///
    /// Cost: about two nodes per level.
    pub fn lowest_room(&self, low: u64, high: u64, len: u64) -> Option<u64> {
        let wanted = Wanted { low, high: high.min(MOST_KEY), len };
        match self.lowest_below(self.root, self.levels, wanted) {
            Search::Room(at) => Some(at),
            Search::Over => None,
            Search::Next => wanted.lowest_in(self.last_end, MOST_KEY),
        }
    }

    fn highest_below(&self, number: u32, levels: u32, wanted: Wanted) -> Search {
        if levels == 0 {
            return Search::Over;
        }
        let node = self.pool.get(number);
        if levels == 1 {
            return highest_in_leaf(node, wanted);
        }
        // The gap of a child's first range begins in the child before it, so one child more than those with keys below.
        let last = (node.rank(wanted.high) + 1).min(node.len() - 1);
        for at in (0..=last).rev() {
            if node.gap(at) >= wanted.len {
                match self.highest_below(node.child(at), levels - 1, wanted) {
                    Search::Next => {}
                    over => return over,
                }
            }
            if at > 0 && node.start(at - 1) < wanted.low {
                return Search::Over;
            }
        }
        Search::Next
    }

    fn lowest_below(&self, number: u32, levels: u32, wanted: Wanted) -> Search {
        if levels == 0 {
            return Search::Next;
        }
        let node = self.pool.get(number);
        if levels == 1 {
            return lowest_in_leaf(node, wanted);
        }
        for at in node.rank(wanted.low)..node.len() {
            if node.gap(at) >= wanted.len {
                match self.lowest_below(node.child(at), levels - 1, wanted) {
                    Search::Next => {}
                    over => return over,
                }
            }
            // All of this child starts above `high`, and so does the gap that follows it.
            if at > 0 && node.start(at - 1) >= wanted.high {
                return Search::Over;
            }
        }
        Search::Next
    }
}

fn highest_in_leaf(leaf: &Node, wanted: Wanted) -> Search {
    for at in (0..leaf.len()).rev() {
        if let Some(room) = wanted.highest_in(leaf.end_before(at), leaf.start(at)) {
            return Search::Room(room);
        }
        if leaf.start(at) < wanted.low {
            return Search::Over;
        }
    }
    Search::Next
}

fn lowest_in_leaf(leaf: &Node, wanted: Wanted) -> Search {
    for at in 0..leaf.len() {
        if let Some(room) = wanted.lowest_in(leaf.end_before(at), leaf.start(at)) {
            return Search::Room(room);
        }
        if leaf.end(at) >= wanted.high {
            return Search::Over;
        }
    }
    Search::Next
}
