//! The depot: full and empty magazines between the processors and the slabs.
//!
//! Two stacks, each one word. A magazine is a number; its link to the next one lies in the magazine, and the caller says how to
//! read and write it, so nothing here follows a pointer.
//!
//! ```text
//!  63            46 45         36 35                                0
//! +----------------+-------------+-----------------------------------+
//! | tag            | depth       | number of the top magazine + 1    |
//! +----------------+-------------+-----------------------------------+
//! ```
//!
//! # Concurrency
//!
//! Any processor may push and pop at any time, without a lock. A pop reads the link of a magazine that another processor may
//! have taken and pushed again meanwhile; the *tag*, which grows with every change, makes such a pop start over. Links are
//! atomic and magazines stay mapped until the cache is destroyed, so the stale read itself is harmless.
//!
//! Called by `cache`. `tests/loom.rs` tries every interleaving.

use mallow_ds::packed::{Packed, Word};
use mallow_ds::sync::{AtomicU32, Ordering};

const NUMBER_BITS: u32 = 36;
const DEPTH_BITS: u32 = 10;
const TAG_SHIFT: u32 = NUMBER_BITS + DEPTH_BITS;

/// The most magazines that a stack holds.
pub const MAX_DEPTH: u32 = (1 << DEPTH_BITS) - 1;
/// The numbers of magazines are below this.
pub const MAX_NUMBER: u64 = (1 << NUMBER_BITS) - 1;

/// The state of a stack, see the picture above. Zero is the empty stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Top(u64);

impl Word for Top {
    fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
    fn to_bits(self) -> u64 {
        self.0
    }
}

impl Top {
    /// The top magazine, in the form of a link: its number + 1, or 0 if there is none.
    const fn link(self) -> u64 {
        self.0 & MAX_NUMBER
    }

    /// The number of the top magazine.
    pub const fn number(self) -> Option<u64> {
        self.link().checked_sub(1)
    }

    /// How many magazines there are.
    pub const fn depth(self) -> u32 {
        mallow_units::word::low_half(self.0 >> NUMBER_BITS) & MAX_DEPTH
    }

    const fn next(self, link: u64, depth: u32) -> Self {
        let tag = (self.0 >> TAG_SHIFT).wrapping_add(1);
        Self(tag << TAG_SHIFT | (depth as u64) << NUMBER_BITS | link)
    }

    /// The stack with `number` on top; `None` if it is as deep as `limit`.
    #[must_use]
    pub const fn with(self, number: u64, limit: u32) -> Option<Self> {
        if self.depth() >= limit || self.depth() >= MAX_DEPTH || number >= MAX_NUMBER {
            return None;
        }
        Some(self.next(number + 1, self.depth() + 1))
    }

    /// The stack without its top, below which lies `link`; `None` if it is empty.
    #[must_use]
    pub const fn without(self, link: u64) -> Option<Self> {
        if self.link() == 0 { None } else { Some(self.next(link & MAX_NUMBER, self.depth() - 1)) }
    }
}

/// A stack of magazines.
#[derive(Debug)]
pub struct Stack {
    top: Packed<Top>,
    /// The least depth since the last look: what was not needed meanwhile. A hint for reaping.
    least: AtomicU32,
}

impl Stack {
    /// An empty stack.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { top: Packed::zeroed(), least: AtomicU32::new(0) }
    }

    /// An empty stack.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { top: Packed::zeroed(), least: AtomicU32::new(0) }
    }

    /// How many magazines there are at the moment.
    pub fn depth(&self) -> u32 {
        self.top.get().depth()
    }

    /// Puts `number`, which the caller owns, on top. `write` stores a link in that magazine.
    ///
    /// Returns false, and changes nothing, if the stack is `limit` deep.
    pub fn push(&self, number: u64, limit: u32, write: impl Fn(u64)) -> bool {
        self.top
            .update(|top| {
                write(top.link());
                top.with(number, limit)
            })
            .is_ok()
    }

    /// Takes the top magazine. `read` loads the link of a magazine by number.
    pub fn pop(&self, read: impl Fn(u64) -> u64) -> Option<u64> {
        let before = self.top.update(|top| top.without(read(top.number()?))).ok()?;
        self.note_depth(before.depth() - 1);
        before.number()
    }

    fn note_depth(&self, depth: u32) {
        // ORDERING: a hint. A lost update makes one reap keep or return a magazine too many.
        if depth < self.least.load(Ordering::Relaxed) {
            self.least.store(depth, Ordering::Relaxed);
        }
    }

    /// How deep the stack has been throughout since the last call: what the working set does not need.
    pub fn take_least(&self) -> u32 {
        let depth = self.depth();
        let least = self.least.load(Ordering::Relaxed);
        self.least.store(depth, Ordering::Relaxed);
        least.min(depth)
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;
    use core::array;
    use mallow_units::word::to_usize;

    struct Links([mallow_ds::sync::AtomicU64; 4]);

    impl Links {
        fn push(&self, stack: &Stack, number: u64, limit: u32) -> bool {
            stack.push(number, limit, |link| self.0[to_usize(number)].store(link, Ordering::Relaxed))
        }
        fn pop(&self, stack: &Stack) -> Option<u64> {
            stack.pop(|number| self.0[to_usize(number)].load(Ordering::Relaxed))
        }
    }

    #[test]
    fn the_last_magazine_in_is_the_first_out() {
        let (stack, links) = (Stack::new(), Links(array::from_fn(|_| Default::default())));
        assert_eq!(links.pop(&stack), None);
        for number in 0..4 {
            assert_eq!(links.push(&stack, number, 3), number < 3, "the limit is three");
        }
        assert_eq!(stack.depth(), 3);
        assert_eq!([(); 4].map(|()| links.pop(&stack)), [Some(2), Some(1), Some(0), None]);
    }

    #[test]
    fn the_same_stack_with_another_history_is_another_state() {
        let before = Top(0).with(1, 9).expect("room");
        let after = before.without(0).and_then(|top| top.with(1, 9)).expect("room");
        assert_eq!((before.number(), before.depth()), (after.number(), after.depth()));
        assert_ne!(before, after);
    }

    #[test]
    fn what_was_never_taken_is_not_needed() {
        let (stack, links) = (Stack::new(), Links(array::from_fn(|_| Default::default())));
        for number in 0..4 {
            assert!(links.push(&stack, number, 9));
        }
        assert_eq!(stack.take_least(), 0, "it was empty a moment ago");
        let top = links.pop(&stack).expect("four");
        assert!(links.push(&stack, top, 9));
        assert_eq!(stack.take_least(), 3);
        assert_eq!(stack.take_least(), 4);
    }
}
