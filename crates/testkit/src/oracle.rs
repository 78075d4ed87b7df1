//! The oracle: everything that an allocator has promised so far, and nothing about how it keeps it.
//!
//! - A new block overlaps no live one, lies at a multiple of the alignment asked for (16 at least), and is as long as
//!   asked for.
//! - What the program wrote into a block is there until the program gives the block back.
//! - A zeroed block is zero, and a reallocated one keeps what was in it.
//!
//! Called by the tests of `heap`, which hold the blocks; here are numbers and borrowed bytes only. Every broken promise
//! is a panic that says which.

use alloc::collections::BTreeMap;

/// Bytes to which every block is aligned.
const LEAST_ALIGN: usize = 16;

/// A live block and what was written into it.
///
/// It is a value, so that a test can hand the block to another thread together with what is known about it.
#[derive(Debug)]
#[must_use = "a block that is forgotten is never freed"]
pub struct Live {
    /// Address of its first byte.
    pub start: usize,
    /// Bytes that may be used, all of which are written.
    pub usable: usize,
    /// Bytes asked for.
    pub asked: usize,
    /// Bytes of alignment asked for.
    pub align: usize,
    seed: u64,
}

impl Live {
    /// Checks that `contents`, all of the block or its beginning, is what was written.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn check(&self, contents: &[u8]) {
        let wrong = first_difference(self.seed, contents);
        assert!(
            wrong.is_none(),
            "byte {wrong:?} of the block of {} bytes at {:#x} has changed",
            self.usable,
            self.start
        );
    }
}

/// The live blocks of one thread.
#[derive(Debug, Default)]
pub struct Oracle {
    /// In no order.
    live: Vec<Live>,
    /// Where each begins and ends.
    spans: BTreeMap<usize, usize>,
    filled: u64,
}

impl Oracle {
    /// An oracle that was promised nothing yet; `seed` makes what it writes differ from what others write.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { live: Vec::new(), spans: BTreeMap::new(), filled: seed << 40 }
    }

    /// How many blocks are live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether no block is live.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Takes in a new block, whose usable bytes are `contents`, and writes into all of it.
    ///
    /// # Panics
    ///
    /// If the block breaks a promise.
    pub fn enter(&mut self, contents: &mut [u8], asked: usize, align: usize) {
        self.filled += 1;
        let live = Live {
            start: contents.as_ptr().addr(),
            usable: contents.len(),
            asked,
            align: align.max(LEAST_ALIGN),
            seed: self.filled.wrapping_mul(GOLDEN),
        };
        assert!(live.usable >= asked, "{} usable bytes instead of {asked}", live.usable);
        assert!(live.start.is_multiple_of(live.align), "{:#x} is not aligned to {}", live.start, live.align);
        fill(live.seed, contents);
        self.accept(live);
    }

    /// Takes in a block that comes from another oracle.
    ///
    /// # Panics
    ///
    /// If it overlaps a live one.
    pub fn accept(&mut self, live: Live) {
        let (start, end) = (live.start, live.start + live.usable);
        let before = self.spans.range(..end).next_back();
        assert!(
            before.is_none_or(|(_, before_end)| *before_end <= start),
            "the block at {start:#x} with {} bytes overlaps the live one at {before:#x?}",
            live.usable
        );
        self.spans.insert(start, end);
        self.live.push(live);
    }

    /// Lets go of a block, modulo their number; `None` if there is none.
    pub fn leave(&mut self, nth: usize) -> Option<Live> {
        let nth = nth.checked_rem(self.live.len())?;
        let live = self.live.swap_remove(nth);
        self.spans.remove(&live.start);
        Some(live)
    }

    /// The live blocks.
    pub fn live(&self) -> impl Iterator<Item = &Live> {
        self.live.iter()
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The eight bytes at word `index` of a block: different for each block and each place.
fn word(seed: u64, index: usize) -> [u8; 8] {
    (seed ^ (index as u64).wrapping_mul(GOLDEN)).to_ne_bytes()
}

fn fill(seed: u64, contents: &mut [u8]) {
    for (index, bytes) in contents.chunks_mut(8).enumerate() {
        let len = bytes.len();
        bytes.copy_from_slice(&word(seed, index)[..len]);
    }
}

fn first_difference(seed: u64, contents: &[u8]) -> Option<usize> {
    let wrong = contents
        .chunks(8)
        .enumerate()
        .find(|(index, bytes)| **bytes != word(seed, *index)[..bytes.len()])
        .map(|(index, _)| index);
    wrong.map(|index| index * 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(16))]
    struct Memory([u8; 128]);

    #[test]
    #[should_panic(expected = "has changed")]
    fn a_byte_that_was_overwritten_is_noticed() {
        let mut memory = Memory([0; 128]);
        let mut oracle = Oracle::new(1);
        oracle.enter(&mut memory.0, 60, 1);
        memory.0[127] ^= 1;
        oracle.leave(0).expect("one block").check(&memory.0);
    }

    #[test]
    #[should_panic(expected = "overlaps")]
    fn a_block_inside_another_is_noticed() {
        let mut memory = Memory([0; 128]);
        let mut oracle = Oracle::new(1);
        oracle.enter(&mut memory.0, 128, 16);
        oracle.enter(&mut memory.0[32..64], 32, 16);
    }

    #[test]
    #[should_panic(expected = "not aligned")]
    fn a_block_at_an_odd_place_is_noticed() {
        let mut memory = Memory([0; 128]);
        Oracle::new(1).enter(&mut memory.0[8..24], 16, 16);
    }

    #[test]
    fn an_untouched_block_passes() {
        let mut memory = Memory([0; 128]);
        let mut oracle = Oracle::new(1);
        oracle.enter(&mut memory.0, 128, 16);
        oracle.leave(7).expect("one block").check(&memory.0);
        assert!(oracle.is_empty());
    }
}
