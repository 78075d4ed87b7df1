//! What always holds, as a function for tests.

use super::node::{CHILDREN, FEWEST, Node, RANGES};
use super::{MOST_KEY, NONE, RangeMap};
use crate::pool::Pool;

/// What a walk over the leaves has come to.
struct Walk {
    end: u64,
    next: u32,
    count: u32,
}

impl<P: Pool<Node>> RangeMap<P> {
    /// Checks every node.
    ///
    /// Cost: the whole tree.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        let mut walk = Walk { end: 0, next: NONE, count: 0 };
        if self.levels > 0 {
            self.check_node(self.root, self.levels, &mut walk)?;
        }
        ensure(walk.count == self.len, "the ranges are not as many as counted")?;
        ensure(walk.end == self.last_end, "the end of the last range is wrong")?;
        ensure(walk.next == NONE, "the last leaf leads on")
    }

    /// Checks what is below a node; returns its first start and its largest gap.
    fn check_node(&self, number: u32, levels: u32, walk: &mut Walk) -> Result<(u64, u64), &'static str> {
        let node = self.pool.get(number);
        let used = if levels == 1 { node.len() } else { node.len() - 1 };
        ensure(node.keys[used..].iter().all(|key| *key == MOST_KEY), "an unused key counts")?;
        if levels == 1 {
            return check_leaf(number, node, walk);
        }
        ensure((FEWEST..=CHILDREN).contains(&node.len()), "an inner node has too few children")?;
        let mut first = 0;
        for at in 0..node.len() {
            let (start, gap) = self.check_node(node.child(at), levels - 1, walk)?;
            ensure(gap == node.gap(at), "a gap is not exact")?;
            match at {
                0 => first = start,
                _ => ensure(node.start(at - 1) == start, "a key is not the first start of its child")?,
            }
        }
        Ok((first, node.inner_gap()))
    }
}

fn check_leaf(number: u32, leaf: &Node, walk: &mut Walk) -> Result<(u64, u64), &'static str> {
    ensure((1..=RANGES).contains(&leaf.len()), "a leaf is empty")?;
    ensure(walk.count == 0 || walk.next == number, "a leaf leads to the wrong one")?;
    ensure(leaf.before() == walk.end, "a leaf is wrong about what is before it")?;
    for at in 0..leaf.len() {
        ensure(walk.end <= leaf.start(at), "two ranges overlap")?;
        ensure(leaf.start(at) < leaf.end(at), "a range is empty")?;
        walk.end = leaf.end(at);
        walk.count += 1;
    }
    walk.next = leaf.next();
    Ok((leaf.start(0), leaf.leaf_gap()))
}

fn ensure(holds: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(otherwise) }
}
