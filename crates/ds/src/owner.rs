//! Who may touch a heap: the state word of every heap, and its legal moves.
//!
//! ```text
//!            open                      exit
//!   UNUSED ───────► OWNED ◄────────┐ ────────► VACANT ◄──┐
//!                     │     adopt  └───────────  │  ▲    │ leave
//!                     │ fork (in the child,      │  └────┤
//!                     ▼  owner was mid-step)     │ visit │
//!                   FROZEN                       └────► VISITED
//! ```
//!
//! *OWNED*: one thread allocates from it. *VACANT*: its thread has exited; nobody may touch it. *VISITED*: a
//! thread that frees into it, trims, or has no heap of its own yet, acts as its owner for a moment. *FROZEN*: in a forked child, a heap whose
//! thread was in the middle of a slow path; it takes frees but is never touched again.
//!
//! # Concurrency
//!
//! A sender posts to the mailbox and then tries [`visit`]; whoever lets go of a heap does so with [`vacate`] and then
//! looks at the mailbox. Both looks are read-modify-writes ([`Packed::observe`], [`Packed::update`]), so at least one
//! of the two sees the other's write: a letter to a vacant heap is never forgotten. `tests/loom.rs` checks it.

use crate::mailbox::Letters;
use crate::packed::{Packed, Word};

/// The state of a heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Owner {
    /// Never used.
    Unused = 0,
    /// A thread allocates from it.
    Owned = 1,
    /// Its thread has exited.
    Vacant = 2,
    /// Another thread acts as its owner for a moment.
    Visited = 3,
    /// Its thread did not survive a fork, in the middle of a step.
    Frozen = 4,
}

impl Owner {
    /// A new heap gets its first thread.
    pub const fn opened(self) -> Option<Self> {
        if matches!(self, Self::Unused) { Some(Self::Owned) } else { None }
    }
    /// A new thread takes over a vacant heap.
    pub const fn adopted(self) -> Option<Self> {
        if matches!(self, Self::Vacant) { Some(Self::Owned) } else { None }
    }
    /// A thread takes a vacant heap for a moment.
    pub const fn visited(self) -> Option<Self> {
        if matches!(self, Self::Vacant) { Some(Self::Visited) } else { None }
    }
    /// The owner or the visitor lets go.
    pub const fn vacated(self) -> Option<Self> {
        if matches!(self, Self::Owned | Self::Visited) { Some(Self::Vacant) } else { None }
    }
    /// The owner did not survive a fork: at rest the heap becomes vacant, mid-step it is frozen.
    pub const fn orphaned(self, at_rest: bool) -> Option<Self> {
        match self {
            Self::Owned | Self::Visited => Some(if at_rest { Self::Vacant } else { Self::Frozen }),
            Self::Unused | Self::Vacant | Self::Frozen => None,
        }
    }
}

impl Word for Owner {
    fn from_bits(bits: u64) -> Self {
        match bits {
            1 => Self::Owned,
            2 => Self::Vacant,
            3 => Self::Visited,
            4 => Self::Frozen,
            _ => Self::Unused,
        }
    }
    fn to_bits(self) -> u64 {
        self as u64
    }
}

/// Tries to become the visitor of a vacant heap.
pub fn visit(owner: &Packed<Owner>) -> bool {
    owner.update(Owner::visited).is_ok()
}

/// Lets go of a heap and sees to it that no letter is left behind: as long as there are letters and nobody
/// else has taken the heap, takes it again and calls `drain`.
pub fn vacate(owner: &Packed<Owner>, mailbox: &Packed<Letters>, mut drain: impl FnMut()) {
    loop {
        let let_go = owner.update(Owner::vacated);
        debug_assert!(let_go.is_ok(), "only an owner or a visitor vacates");
        if mailbox.observe().is_empty() || !visit(owner) {
            return;
        }
        drain();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Owner; 5] = [Owner::Unused, Owner::Owned, Owner::Vacant, Owner::Visited, Owner::Frozen];

    #[test]
    fn states_survive_the_word() {
        for state in ALL {
            assert_eq!(Owner::from_bits(state.to_bits()), state);
        }
    }

    #[test]
    fn nobody_takes_a_heap_that_somebody_holds() {
        for held in [Owner::Owned, Owner::Visited, Owner::Frozen] {
            assert_eq!((held.opened(), held.adopted(), held.visited()), (None, None, None));
        }
    }

    #[test]
    fn a_frozen_heap_stays_frozen() {
        let frozen = Owner::Frozen;
        assert_eq!((frozen.vacated(), frozen.orphaned(true), frozen.orphaned(false)), (None, None, None));
    }
}
