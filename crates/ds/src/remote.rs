//! The remote word of a slab: blocks that other threads have freed, waiting for the owner.
//!
//! ```text
//!  63      60 59            44 43                                    0
//! +----------+----------------+--------------------------------------+
//! |  unused  |  blocks in it  |  address of the newest block / 16    |
//! +----------+----------------+--------------------------------------+
//! ```
//!
//! Blocks form a chain through their first words. Senders splice whole chains in front; the owner takes
//! everything with one swap, so no block is ever popped from a shared list and there is no ABA problem. The send
//! that finds the word empty posts the slab to its owner's [`crate::mailbox`]; later ones need not.

use mallow_units::word::to_usize;

use crate::packed::{Packed, Word};

const ADDRESS_BITS: u32 = 44;
const COUNT_BITS: u32 = 16;
const ADDRESS_MASK: u64 = (1 << ADDRESS_BITS) - 1;

/// A chain of freed blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemoteWord(u64);

impl RemoteWord {
    /// No blocks.
    pub const EMPTY: Self = Self(0);

    /// The address of the newest block, 0 if there is none.
    pub const fn first(self) -> usize {
        to_usize((self.0 & ADDRESS_MASK) << 4)
    }

    /// How many blocks are in the chain.
    pub const fn block_count(self) -> u32 {
        ((self.0 >> ADDRESS_BITS) & ((1 << COUNT_BITS) - 1)) as u32
    }

    /// Whether there are no blocks.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// This chain with `block_count` blocks, the first of them at `first`, in front.
    ///
    /// `None` if the count would not fit: more blocks than a slab has, so some were freed twice.
    pub const fn with_chain(self, first: usize, block_count: u32) -> Option<Self> {
        let total = self.block_count() + block_count;
        if total >= 1 << COUNT_BITS {
            return None;
        }
        Some(Self((total as u64) << ADDRESS_BITS | (first as u64 >> 4)))
    }
}

impl Word for RemoteWord {
    fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
    fn to_bits(self) -> u64 {
        self.0
    }
}

/// Puts a chain of `block_count` blocks in front of what is in `cell`; returns what was there before.
///
/// `link_last` is told the address that the chain's last block has to point to, once per attempt.
///
/// # Errors
///
/// The state of the word if the chain cannot be counted (see [`RemoteWord::with_chain`]).
pub fn splice(
    cell: &Packed<RemoteWord>,
    first: usize,
    block_count: u32,
    mut link_last: impl FnMut(usize),
) -> Result<RemoteWord, RemoteWord> {
    cell.update(|before| {
        link_last(before.first());
        before.with_chain(first, block_count)
    })
}

/// Takes the whole chain.
pub fn take(cell: &Packed<RemoteWord>) -> RemoteWord {
    cell.replace(RemoteWord::EMPTY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_keeps_its_address_and_count() {
        let word = RemoteWord::EMPTY.with_chain(0x7fff_ffff_fff0, 3).expect("fits");
        assert_eq!((word.first(), word.block_count()), (0x7fff_ffff_fff0, 3));
        let word = word.with_chain(0x10, 8000).expect("fits");
        assert_eq!((word.first(), word.block_count()), (0x10, 8003));
    }

    #[test]
    fn a_count_beyond_any_slab_is_refused() {
        let word = RemoteWord::EMPTY.with_chain(0x10, 60_000).expect("fits");
        assert_eq!(word.with_chain(0x20, 6_000), None);
    }
}
