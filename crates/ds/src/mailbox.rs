//! A heap's mailbox: slabs with remote frees, posted by many threads, taken all at once by the heap's owner.
//!
//! The slabs form a stack through a link that lives beside each slab's remote word. A slab is posted only by the
//! sender that found its remote word empty, so it is in at most one mailbox, once. The owner takes the whole
//! stack with one swap and must read a slab's link *before* it takes the slab's remote word: after that a sender
//! may post the slab again and overwrite the link.

use crate::packed::{Packed, Word};

/// The address of the newest letter, 0 if the mailbox is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Letters(u64);

impl Letters {
    /// An empty mailbox.
    pub const NONE: Self = Self(0);

    /// The newest letter, 0 if there is none.
    pub const fn first(self) -> u64 {
        self.0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Word for Letters {
    fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
    fn to_bits(self) -> u64 {
        self.0
    }
}

/// Posts `letter` (not 0); `link` is told what the letter has to point to, once per attempt.
pub fn post(mailbox: &Packed<Letters>, letter: u64, mut link: impl FnMut(u64)) {
    let posted = mailbox.update(|before| {
        link(before.first());
        Some(Letters(letter))
    });
    debug_assert!(posted.is_ok(), "the step above refuses no state");
}

/// Takes all letters.
pub fn take_all(mailbox: &Packed<Letters>) -> Letters {
    mailbox.replace(Letters::NONE)
}
