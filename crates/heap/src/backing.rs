//! Backing: what is known of the pages behind a large block, in the bits of its length that whole pages leave free.
//!
//! Called by `directory`, which stores it, and by `large`, `mapping` and `clearing`, which need it.

use mallow_units::page::PAGE_BYTES;

const HUGE: u64 = 1;
const FRESH: u64 = 2;
const ZEROED: u64 = 4;
const SHARE_SHIFT: u32 = 3;

/// What is known of the pages behind a large block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backing {
    /// Huge pages were asked for, for all of it.
    pub is_huge: bool,
    /// Nothing was resident when it was handed out, and the pages are small: what is resident now, its user has touched.
    pub is_fresh: bool,
    /// It was asked for as zero, so that what has become resident since is what such a user needs.
    pub is_zeroed: bool,
    /// Resident part, in 255ths rounded up, at the first clearing by hand since nothing was resident; 0 if there was none.
    pub cleared_share: u8,
}

const _: () = assert!((u8::MAX as u64) << SHARE_SHIFT < PAGE_BYTES as u64);

impl Backing {
    /// As bits below [`PAGE_BYTES`].
    pub const fn bits(self) -> u64 {
        (self.is_huge as u64 * HUGE)
            | (self.is_fresh as u64 * FRESH)
            | (self.is_zeroed as u64 * ZEROED)
            | (self.cleared_share as u64) << SHARE_SHIFT
    }

    /// From [`Backing::bits`], whatever is above them.
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            is_huge: bits & HUGE != 0,
            is_fresh: bits & FRESH != 0,
            is_zeroed: bits & ZEROED != 0,
            cleared_share: (bits >> SHARE_SHIFT).to_le_bytes()[0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backing_survives_beside_a_length() {
        for bits in 0..1 << (SHARE_SHIFT + u8::BITS) {
            let backing = Backing::from_bits(bits | PAGE_BYTES as u64);
            assert_eq!(backing.bits(), bits);
        }
    }
}
