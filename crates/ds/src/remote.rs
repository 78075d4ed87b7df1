//! The remote word of a slab: blocks that other threads have freed, waiting for the owner.
//!
//! ```text
//!  63  62          39 38       26 25        13 12         0
//! +---+--------------+-----------+------------+------------+
//! |   | sum of places |  blocks  | last place | first place |
//! +---+--------------+-----------+------------+------------+
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

const LAST_AT: u32 = PLACE_BITS;
const COUNT_AT: u32 = LAST_AT + PLACE_BITS;
const SUM_AT: u32 = COUNT_AT + COUNT_BITS;
const _: () = assert!(SUM_AT + SUM_BITS <= u64::BITS);

/// Places that a slab may have.
pub const PLACES: usize = 1 << PLACE_BITS;
/// Blocks in a chain, and their places added up, are below these.
pub const CHAIN_LIMITS: (u64, u64) = (1 << COUNT_BITS, 1 << SUM_BITS);

/// A chain of freed blocks of one slab, at least one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chain {
    /// The place of the block that the chain begins with.
    pub first: u64,
    /// The place of the block that it ends with.
    pub last: u64,
    /// How many blocks it has.
    pub block_count: u64,
    /// The places of all its blocks, added up.
    pub sum: u64,
}

impl Chain {
    /// One block.
    pub const fn of(place: u64) -> Self {
        Self { first: place, last: place, block_count: 1, sum: place }
    }

    /// This chain with one more block in front.
    #[must_use]
    pub const fn with(self, place: u64) -> Self {
        Self { first: place, block_count: self.block_count + 1, sum: self.sum + place, ..self }
    }
}

/// The chain that waits, if any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemoteWord(u64);

impl RemoteWord {
    /// No blocks.
    pub const EMPTY: Self = Self(0);

    /// The chain; `None` if there are no blocks.
    pub fn chain(self) -> Option<Chain> {
        let field = |at: u32, bits: u32| self.0 >> at & ((1 << bits) - 1);
        let chain = Chain {
            first: field(0, PLACE_BITS),
            last: field(LAST_AT, PLACE_BITS),
            block_count: field(COUNT_AT, COUNT_BITS),
            sum: field(SUM_AT, SUM_BITS),
        };
        if chain.block_count == 0 { None } else { Some(chain) }
    }

    /// Whether there are no blocks.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What waits with `chain` in front.
    ///
    /// `None` if that would not fit: more blocks than a slab has, so some were freed twice.
    pub fn with_chain(self, chain: Chain) -> Option<Self> {
        let all = match self.chain() {
            Some(older) => Chain {
                first: chain.first,
                last: older.last,
                block_count: older.block_count + chain.block_count,
                sum: older.sum + chain.sum,
            },
            None => chain,
        };
        let (too_many, too_large) = CHAIN_LIMITS;
        if all.block_count >= too_many || all.sum >= too_large {
            return None;
        }
        Some(Self(all.first | all.last << LAST_AT | all.block_count << COUNT_AT | all.sum << SUM_AT))
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

/// Puts `chain` in front of what is in `cell`; returns what was there before.
///
/// `link_last` is told what the chain's last block has to be followed by, once per attempt.
///
/// # Errors
///
/// The state of the word if the chain cannot be counted (see [`RemoteWord::with_chain`]).
pub fn splice(
    cell: &Packed<RemoteWord>,
    chain: Chain,
    mut link_last: impl FnMut(Option<Chain>),
) -> Result<RemoteWord, RemoteWord> {
    cell.update(|before| {
        link_last(before.chain());
        before.with_chain(chain)
    })
}

/// Takes the whole chain; `None` if there are no blocks.
pub fn take(cell: &Packed<RemoteWord>) -> Option<Chain> {
    cell.replace(RemoteWord::EMPTY).chain()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_all_about_its_chain() {
        let older = Chain::of(8191).with(0).with(77);
        let word = RemoteWord::EMPTY.with_chain(older).expect("fits");
        assert_eq!(word.chain(), Some(older));
        let word = word.with_chain(Chain::of(5).with(6)).expect("fits");
        assert_eq!(word.chain(), Some(Chain { first: 6, last: 8191, block_count: 5, sum: 8191 + 77 + 11 }));
        let alone = RemoteWord::EMPTY.with_chain(Chain::of(0)).expect("fits");
        assert!(!alone.is_empty(), "the block at place 0 is a block");
        assert_eq!(RemoteWord::EMPTY.chain(), None);
    }

    #[test]
    fn a_chain_beyond_any_slab_is_refused() {
        let many = Chain { first: 0, last: 1, block_count: 8000, sum: 1 };
        let word = RemoteWord::EMPTY.with_chain(many).expect("fits");
        assert_eq!(word.with_chain(Chain { block_count: 192, ..many }), None);
        let long = Chain { sum: CHAIN_LIMITS.1 - 1, ..Chain::of(1) };
        assert_eq!(RemoteWord::EMPTY.with_chain(long).and_then(|word| word.with_chain(Chain::of(1))), None);
    }
}
