//! Words: 64-bit numbers that hold addresses and lengths.

const _: () = assert!(size_of::<usize>() == size_of::<u64>(), "mallow runs on 64-bit processors");

/// The address or length that a word holds.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits, see above")]
pub const fn to_usize(word: u64) -> usize {
    word as usize
}

/// The low 32 bits of a word.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the high bits are cut on purpose")]
pub const fn low_half(word: u64) -> u32 {
    word as u32
}
