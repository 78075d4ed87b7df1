//! The remote word of a slab: blocks that other threads have freed, waiting for the owner.
//!
//! ```text
//!  63 62           39 38      26 25        13 12         0
//! +--+---------------+----------+------------+-------------+
//! |  | sum of places |  blocks  | last place | first place |
//! +--+---------------+----------+------------+-------------+
//! ```
//!
//! A *place* is where a block begins, in steps of 16 bytes from the start of its slab. Blocks form a chain through their
//! first words. Senders splice whole chains in front; the owner takes everything with one swap, so no block is ever popped
//! from a shared list and there is no ABA problem. The word says all that the owner has to know about the chain, so he need
//! not follow it, block by block, through lines that other processors wrote. The send that finds the word empty posts
//! the slab to its owner's [`crate::mailbox`]; later ones need not.

use crate::packed::{Packed, Word};

const PLACE_BITS: u32 = 13;
const COUNT_BITS: u32 = 13;
const SUM_BITS: u32 = 24;

const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;
const LAST_AT: u32 = PLACE_BITS;
const COUNT_AT: u32 = LAST_AT + PLACE_BITS;
const SUM_AT: u32 = COUNT_AT + COUNT_BITS;
const _: () = assert!(SUM_AT + SUM_BITS <= u64::BITS);

/// Places that a slab may have.
pub const PLACES: usize = 1 << PLACE_BITS;
/// Blocks in a chain, and their places added up, are below these.
pub const CHAIN_LIMITS: (u64, u64) = (1 << COUNT_BITS, 1 << SUM_BITS);

/// Where the number of blocks is in the word, for tools that read it: its lowest bit, and its length in bits times 256.
pub const COUNT_FIELD: u32 = COUNT_AT | COUNT_BITS << 8;

/// A chain of freed blocks of one slab.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemoteWord(u64);

impl RemoteWord {
    /// No blocks.
    pub const EMPTY: Self = Self(0);

    /// One block.
    #[inline(always)]
    pub const fn of(place: u64) -> Self {
        Self(place | place << LAST_AT | 1 << COUNT_AT | place << SUM_AT)
    }

    /// This chain, not empty, with one more block in front. It must not be longer than a slab.
    #[inline(always)]
    #[must_use]
    pub const fn with(self, place: u64) -> Self {
        // Count and sum do not overflow, and nothing is above them.
        Self((self.0 & !PLACE_MASK | place) + (1 << COUNT_AT) + (place << SUM_AT))
    }

    /// The place of the block that the chain begins with.
    #[inline(always)]
    pub const fn first(self) -> u64 {
        self.0 & PLACE_MASK
    }

    /// The place of the block that it ends with.
    pub const fn last(self) -> u64 {
        self.0 >> LAST_AT & PLACE_MASK
    }

    /// How many blocks it has.
    #[inline(always)]
    pub const fn block_count(self) -> u64 {
        self.0 >> COUNT_AT & ((1 << COUNT_BITS) - 1)
    }

    /// The places of all its blocks, added up.
    pub const fn sum(self) -> u64 {
        self.0 >> SUM_AT
    }

    /// Whether there are no blocks.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What waits, with `chain`, which is not empty, in front.
    ///
    /// `None` if that would not fit: more blocks than a slab has, so some were freed twice.
    pub const fn with_chain(self, chain: Self) -> Option<Self> {
        let (too_many, too_large) = CHAIN_LIMITS;
        let fits =
            self.block_count() + chain.block_count() < too_many && self.sum() + chain.sum() < too_large;
        let last = if self.is_empty() { chain.last() } else { self.last() };
        let both =
            (self.block_count() + chain.block_count()) << COUNT_AT | (self.sum() + chain.sum()) << SUM_AT;
        if fits { Some(Self(chain.first() | last << LAST_AT | both)) } else { None }
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

/// Puts `chain`, which is not empty, in front of what is in `cell`; returns what was there before.
///
/// `link_last` is told what the chain's last block has to be followed by, once per attempt.
///
/// # Errors
///
/// The state of the word if the chain cannot be counted (see [`RemoteWord::with_chain`]).
pub fn splice(
    cell: &Packed<RemoteWord>,
    chain: RemoteWord,
    mut link_last: impl FnMut(RemoteWord),
) -> Result<RemoteWord, RemoteWord> {
    cell.update(|before| {
        link_last(before);
        before.with_chain(chain)
    })
}

/// Takes the whole chain.
pub fn take(cell: &Packed<RemoteWord>) -> RemoteWord {
    cell.replace(RemoteWord::EMPTY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(word: RemoteWord) -> (u64, u64, u64, u64) {
        (word.first(), word.last(), word.block_count(), word.sum())
    }

    #[test]
    fn a_word_says_all_about_its_chain() {
        let older = RemoteWord::of(8191).with(0).with(77);
        assert_eq!(parts(older), (77, 8191, 3, 8191 + 77));
        assert_eq!(RemoteWord::EMPTY.with_chain(older), Some(older));
        let both = older.with_chain(RemoteWord::of(5).with(6)).expect("fits");
        assert_eq!(parts(both), (6, 8191, 5, 8191 + 77 + 11));
        assert!(!RemoteWord::of(0).is_empty(), "the block at place 0 is a block");
    }

    #[test]
    fn a_chain_beyond_any_slab_is_refused() {
        let (mut many, mut long) = (RemoteWord::of(0), RemoteWord::of(8191));
        for _ in 1..8000 {
            many = many.with(0);
        }
        let few = (1..192).fold(RemoteWord::of(0), |few, _| few.with(0));
        assert_eq!(many.with_chain(few), None, "8,192 blocks");
        for _ in 1..2048 {
            long = long.with(8191);
        }
        assert_eq!(long.with_chain(RemoteWord::of(8191)), None, "2,049 times the last place");
    }
}
