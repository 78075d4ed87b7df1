//! Putting ranges in, taking them out, moving their bounds.

use super::find::{found_at, no_hint};
use super::node::{CHILDREN, FEW, FEWEST, Node, RANGES};
use super::{Found, MOST_KEY, MOST_LEVELS, NONE, RangeMap, Refusal};
use crate::pool::{Blank, Pool};

/// The way from the root to a leaf.
pub(super) struct Path {
    /// The root first; as many as the tree has levels.
    nodes: [u32; MOST_LEVELS],
    /// Which child of each node comes next.
    slots: [usize; MOST_LEVELS],
    /// Where the leaf is.
    leaf: usize,
}

impl Path {
    pub(super) const fn leaf(&self) -> u32 {
        self.nodes[self.leaf]
    }
}

impl<P: Pool<Node>> RangeMap<P> {
    /// Puts the range from `start` up to `end` in.
    ///
    /// Cost: one node per level; one in six inserts at random splits a leaf.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoRoom`] if it overlaps another, is empty or too high; [`Refusal::NoNode`].
    pub fn insert(&mut self, start: u64, end: u64, value: u32) -> Result<(), Refusal> {
        if start >= end || end > MOST_KEY {
            return Err(Refusal::NoRoom);
        }
        if self.levels == 0 {
            return self.insert_first(start, end, value);
        }
        let path = self.way_to(start);
        let leaf = self.pool.get(path.leaf());
        let at = leaf.rank(start);
        if leaf.end_before(at) > start || self.start_from(leaf, at) < end {
            return Err(Refusal::NoRoom);
        }
        let is_last = at == leaf.len();
        if leaf.len() < RANGES {
            self.pool.get_mut(path.leaf()).insert_range(at, start, end, value);
            self.refresh(&path);
            if is_last {
                self.tell_next(path.leaf());
            }
        } else {
            self.promise(self.nodes_for_split(&path))?;
            self.forget();
            self.split_leaf(&path, at, Found { start, end, value })?;
        }
        self.len += 1;
        Ok(())
    }

    /// Takes the range out that starts at `start`.
    ///
    /// Cost: one node per level; now and then a sibling on each.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoRange`].
    pub fn remove(&mut self, start: u64) -> Result<Found, Refusal> {
        let (path, at) = self.place_of(start)?;
        let leaf = self.pool.get_mut(path.leaf());
        let removed = found_at(leaf, at);
        leaf.remove_range(at);
        let (len, first) = (leaf.len(), leaf.start(0));
        self.len -= 1;
        if self.len == 0 {
            self.forget();
            self.pool.give_back(self.root);
            (self.root, self.levels, self.last_end) = (NONE, 0, 0);
            return Ok(removed);
        }
        if at == 0 && len > 0 {
            self.set_first(&path, path.leaf, first);
        }
        if at == len {
            self.tell_next(path.leaf());
        }
        self.refresh(&path);
        if len < FEW && path.leaf > 0 {
            self.join(&path);
        }
        Ok(removed)
    }

    /// Moves the bounds of the range that starts at `at`; it stays between its neighbours.
    ///
    /// Cost: one node per level. Never refused for want of a node.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoRange`], [`Refusal::NoRoom`].
    pub fn resize(&mut self, at: u64, start: u64, end: u64) -> Result<(), Refusal> {
        let (path, slot) = self.place_of(at)?;
        let leaf = self.pool.get(path.leaf());
        let has_room = leaf.end_before(slot) <= start && end <= self.start_from(leaf, slot + 1);
        if start >= end || end > MOST_KEY || !has_room {
            return Err(Refusal::NoRoom);
        }
        let leaf = self.pool.get_mut(path.leaf());
        let value = leaf.value(slot);
        leaf.set_range(slot, start, end, value);
        let is_last = slot + 1 == leaf.len();
        if slot == 0 {
            self.set_first(&path, path.leaf, start);
        }
        if is_last {
            self.tell_next(path.leaf());
        }
        self.refresh(&path);
        Ok(())
    }

    /// Gives the range that starts at `start` another value.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoRange`].
    pub fn set_value(&mut self, start: u64, value: u32) -> Result<(), Refusal> {
        let (path, at) = self.place_of(start)?;
        let leaf = self.pool.get_mut(path.leaf());
        let (start, end) = (leaf.start(at), leaf.end(at));
        leaf.set_range(at, start, end, value);
        Ok(())
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        while let Some(first) = self.at_or_after(0) {
            if self.remove(first.start).is_err() {
                return;
            }
        }
    }

    fn insert_first(&mut self, start: u64, end: u64, value: u32) -> Result<(), Refusal> {
        let mut leaf = Node::BLANK;
        leaf.insert_range(0, start, end, value);
        self.root = self.take(leaf)?;
        (self.levels, self.len, self.last_end) = (1, 1, end);
        Ok(())
    }

    /// Forgets where the last range was found: that node is no longer what it was.
    pub(super) fn forget(&mut self) {
        self.hint = no_hint();
    }

    /// The way to the leaf where a range that starts at `key` is or would be; the tree is not empty.
    pub(super) fn way_to(&self, key: u64) -> Path {
        let mut path = Path { nodes: [NONE; MOST_LEVELS], slots: [0; MOST_LEVELS], leaf: 0 };
        path.nodes[0] = self.root;
        for level in 1..self.levels as usize {
            let node = self.pool.get(path.nodes[level - 1]);
            let slot = node.rank(key);
            path.slots[level - 1] = slot;
            path.nodes[level] = node.child(slot);
            path.leaf = level;
        }
        path
    }

    fn place_of(&self, start: u64) -> Result<(Path, usize), Refusal> {
        if self.levels == 0 || start >= MOST_KEY {
            return Err(Refusal::NoRange);
        }
        let path = self.way_to(start);
        let leaf = self.pool.get(path.leaf());
        match leaf.rank(start).checked_sub(1) {
            Some(at) if leaf.start(at) == start => Ok((path, at)),
            _ => Err(Refusal::NoRange),
        }
    }

    /// The start of range `at` of `leaf`, or of the first one of the next leaf; beyond the last, no bound.
    fn start_from(&self, leaf: &Node, at: usize) -> u64 {
        match leaf.next() {
            _ if at < leaf.len() => leaf.start(at),
            NONE => MOST_KEY,
            next => self.pool.get(next).start(0),
        }
    }

    /// Brings the gaps above a leaf that has changed up to date.
    fn refresh(&mut self, path: &Path) {
        let mut gap = self.pool.get(path.leaf()).leaf_gap();
        for level in (0..path.leaf).rev() {
            let node = self.pool.get_mut(path.nodes[level]);
            let slot = path.slots[level];
            if node.gap(slot) == gap {
                return;
            }
            node.words[slot] = gap;
            gap = node.inner_gap();
        }
    }

    /// Tells the leaf after `number` where the last range before it ends.
    fn tell_next(&mut self, number: u32) {
        let leaf = self.pool.get(number);
        let (end, next) = (leaf.end_before(leaf.len()), leaf.next());
        if next == NONE {
            self.last_end = end;
            return;
        }
        let next = self.pool.get_mut(next);
        next.set_before(end);
        let first = next.start(0);
        let path = self.way_to(first);
        self.refresh(&path);
    }

    /// The first start below the node at `level` of the way has become `start`.
    fn set_first(&mut self, path: &Path, level: usize, start: u64) {
        for above in (0..level).rev() {
            if path.slots[above] > 0 {
                self.pool.get_mut(path.nodes[above]).keys[path.slots[above] - 1] = start;
                return;
            }
        }
    }

    /// Nodes that a split of the full leaf takes.
    pub(super) fn nodes_for_split(&self, path: &Path) -> usize {
        let inner = &path.nodes[..path.leaf];
        let full = inner.iter().rev().take_while(|node| self.pool.get(**node).len() == CHILDREN).count();
        1 + full + usize::from(full == inner.len())
    }

    /// Cuts a full leaf in two and puts `new` at place `at` of the whole.
    pub(super) fn split_leaf(&mut self, path: &Path, at: usize, new: Found) -> Result<(), Refusal> {
        let mut left = *self.pool.get(path.leaf());
        // What grows at one end, as address spaces do, leaves full leaves behind.
        let cut = if at == RANGES || at == 0 { at } else { RANGES / 2 };
        let mut right = Node::BLANK;
        for from in cut..RANGES {
            let Found { start, end, value } = found_at(&left, from);
            right.insert_range(from - cut, start, end, value);
        }
        for from in (cut..RANGES).rev() {
            left.remove_range(from);
        }
        let into_left = at < cut || at == 0;
        let (half, at) = if into_left { (&mut left, at) } else { (&mut right, at - cut) };
        half.insert_range(at, new.start, new.end, new.value);
        right.set_before(left.end_before(left.len()));
        right.set_next(left.next());
        let (left_gap, right_gap, first) = (left.leaf_gap(), right.leaf_gap(), right.start(0));
        let number = self.take(right)?;
        left.set_next(number);
        *self.pool.get_mut(path.leaf()) = left;
        self.add_child(path, left_gap, first, number, right_gap)?;
        self.tell_next(number);
        let path = self.way_to(new.start);
        self.refresh_all(&path);
        Ok(())
    }

    /// As `refresh`, without believing that what is right below is right above.
    fn refresh_all(&mut self, path: &Path) {
        let mut gap = self.pool.get(path.leaf()).leaf_gap();
        for level in (0..path.leaf).rev() {
            let node = self.pool.get_mut(path.nodes[level]);
            node.words[path.slots[level]] = gap;
            gap = node.inner_gap();
        }
    }

    /// The last node of the way was split: it has `left_gap` now, and right of it stands `child`, from `key` on.
    fn add_child(
        &mut self,
        path: &Path,
        mut left_gap: u64,
        mut key: u64,
        mut child: u32,
        mut gap: u64,
    ) -> Result<(), Refusal> {
        for level in (0..path.leaf).rev() {
            let (number, slot) = (path.nodes[level], path.slots[level]);
            let node = self.pool.get_mut(number);
            node.words[slot] = left_gap;
            if node.len() < CHILDREN {
                node.insert_child(slot + 1, key, child, gap);
                return Ok(());
            }
            let mut left = *node;
            let cut = match slot + 1 {
                CHILDREN => CHILDREN - FEWEST,
                1 => FEWEST,
                _ => CHILDREN / 2,
            };
            let (mut right, up) = split_inner(&mut left, cut);
            if slot < cut {
                left.insert_child(slot + 1, key, child, gap);
            } else {
                right.insert_child(slot + 1 - cut, key, child, gap);
            }
            (left_gap, gap, key) = (left.inner_gap(), right.inner_gap(), up);
            child = self.take(right)?;
            *self.pool.get_mut(number) = left;
        }
        let mut root = Node::BLANK;
        (root.links[0], root.words[0], root.count) = (self.root, left_gap, 1);
        root.insert_child(1, key, child, gap);
        self.root = self.take(root)?;
        self.levels += 1;
        Ok(())
    }

    /// The leaf of the way has few ranges: joins it with a sibling or takes some of its, and so on upwards.
    pub(super) fn join(&mut self, path: &Path) {
        self.forget();
        for level in (1..=path.leaf).rev() {
            let (above, slot) = (path.nodes[level - 1], path.slots[level - 1]);
            let right_slot = slot.max(1);
            let mut parent = *self.pool.get(above);
            let (left_number, right_number) = (parent.child(right_slot - 1), parent.child(right_slot));
            let (mut left, mut right) = (*self.pool.get(left_number), *self.pool.get(right_number));
            let is_leaf = level == path.leaf;
            if is_leaf {
                even_leaves(&mut left, &mut right);
            } else {
                even_inners(&mut left, &mut right, parent.start(right_slot - 1));
            }
            let gap_of = |node: &Node| if is_leaf { node.leaf_gap() } else { node.inner_gap() };
            parent.words[right_slot - 1] = gap_of(&left);
            if right.len() == 0 {
                if is_leaf {
                    left.set_next(right.next());
                }
                parent.remove_child(right_slot);
                self.pool.give_back(right_number);
            } else {
                parent.words[right_slot] = gap_of(&right);
                // An inner node leaves the key between the two above all of its own.
                parent.keys[right_slot - 1] =
                    if is_leaf { right.start(0) } else { left.keys[left.len() - 1] };
                if !is_leaf {
                    left.keys[left.len() - 1] = MOST_KEY;
                }
                *self.pool.get_mut(right_number) = right;
            }
            if is_leaf && slot == 0 {
                self.set_first(path, level, left.start(0));
            }
            *self.pool.get_mut(left_number) = left;
            let len = parent.len();
            *self.pool.get_mut(above) = parent;
            if level == 1 && len == 1 {
                self.pool.give_back(self.root);
                self.root = left_number;
                self.levels -= 1;
                return;
            }
            if len >= FEW || level == 1 {
                self.refresh_from(path, level - 1);
                return;
            }
        }
    }

    /// Brings the gaps above the node at `level` of the way up to date.
    fn refresh_from(&mut self, path: &Path, level: usize) {
        let mut gap = self.pool.get(path.nodes[level]).inner_gap();
        for above in (0..level).rev() {
            let node = self.pool.get_mut(path.nodes[above]);
            node.words[path.slots[above]] = gap;
            gap = node.inner_gap();
        }
    }
}

/// Moves the children from `cut` on into a new node; returns it with the key that stood between.
fn split_inner(left: &mut Node, cut: usize) -> (Node, u64) {
    let mut right = Node::BLANK;
    let (len, up) = (left.len(), left.keys[cut - 1]);
    let moved = len - cut;
    right.keys[..moved - 1].copy_from_slice(&left.keys[cut..len - 1]);
    right.words[..moved].copy_from_slice(&left.words[cut..len]);
    right.links[..moved].copy_from_slice(&left.links[cut..len]);
    right.count = count(moved);
    left.keys[cut - 1..].fill(MOST_KEY);
    left.count = count(cut);
    (right, up)
}

/// Moves all ranges of `right` into `left` if they fit well, else gives both the same number.
fn even_leaves(left: &mut Node, right: &mut Node) {
    let (have, total) = (left.len(), left.len() + right.len());
    let ranges = |at: usize| if at < have { found_at(left, at) } else { found_at(right, at - have) };
    let all: [Found; 2 * RANGES] = core::array::from_fn(|at| ranges(at.min(total - 1)));
    let goal = if total <= RANGES - 2 { total } else { total / 2 };
    let (before, next_of_left, next_of_right) = (left.before(), left.next(), right.next());
    (*left, *right) = (Node::BLANK, Node::BLANK);
    for (at, Found { start, end, value }) in all.into_iter().take(total).enumerate() {
        let (leaf, at) = if at < goal { (&mut *left, at) } else { (&mut *right, at - goal) };
        leaf.insert_range(at, start, end, value);
    }
    left.set_before(before);
    right.set_before(left.end_before(goal));
    left.set_next(next_of_left);
    right.set_next(next_of_right);
}

/// The same for inner nodes with `between` as the key between them. If both keep children, the key that now stands between
/// is left behind the last key of `left`.
fn even_inners(left: &mut Node, right: &mut Node, between: u64) {
    let (have, more) = (left.len(), right.len());
    let total = have + more;
    let mut keys = [MOST_KEY; 2 * CHILDREN];
    let (mut gaps, mut children) = ([0; 2 * CHILDREN], [NONE; 2 * CHILDREN]);
    keys[..have - 1].copy_from_slice(&left.keys[..have - 1]);
    keys[have - 1] = between;
    keys[have..total - 1].copy_from_slice(&right.keys[..more - 1]);
    gaps[..have].copy_from_slice(&left.words[..have]);
    gaps[have..total].copy_from_slice(&right.words[..more]);
    children[..have].copy_from_slice(&left.links[..have]);
    children[have..total].copy_from_slice(&right.links[..more]);
    let goal = if total < CHILDREN { total } else { total / 2 };
    let node = |from: usize, to: usize, keys_to: usize| {
        let mut node = Node::BLANK;
        node.keys[..keys_to - from].copy_from_slice(&keys[from..keys_to]);
        node.words[..to - from].copy_from_slice(&gaps[from..to]);
        node.links[..to - from].copy_from_slice(&children[from..to]);
        node.count = count(to - from);
        node
    };
    *left = node(0, goal, goal.min(total - 1));
    *right = if goal < total { node(goal, total, total - 1) } else { Node::BLANK };
}

#[expect(clippy::cast_possible_truncation, reason = "at most 13")]
const fn count(len: usize) -> u32 {
    len as u32
}
