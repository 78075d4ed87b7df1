//! Runs of bits in a 128-bit map, as pure functions.
//!
//! Used by the page heap: one bit per unit of a chunk.

/// Bits in a map.
pub const BITS: u32 = u128::BITS;

/// The mask of `len` bits from `start`; `start + len` is at most [`BITS`].
pub const fn mask(start: u32, len: u32) -> u128 {
    let ones = if len >= BITS { u128::MAX } else { (1 << len) - 1 };
    if start >= BITS { 0 } else { ones << start }
}

/// The lowest start of a run of `len` set bits, if there is one. `len` is at least 1.
///
/// Cost: about log2(len) shifts.
pub const fn find_run(map: u128, len: u32) -> Option<u32> {
    let starts = run_starts(map, len);
    if starts == 0 { None } else { Some(starts.trailing_zeros()) }
}

/// The set of positions at which a run of `len` set bits begins.
pub const fn run_starts(map: u128, len: u32) -> u128 {
    if len == 0 || len > BITS {
        return 0;
    }
    // After each step a bit stands for a run of `have` bits; doubling until `len` is reached.
    let mut starts = map;
    let mut have = 1;
    while have < len {
        let step = if len - have < have { len - have } else { have };
        starts &= starts >> step;
        have += step;
    }
    starts
}

/// The length of the longest run of set bits.
///
/// Cost: a shift per bit of the answer's logarithm, twice.
pub const fn longest_run(map: u128) -> u32 {
    if map == 0 {
        return 0;
    }
    // `doubled[k]` has a bit for each run of 2^k set bits.
    let mut doubled = [map; BITS.ilog2() as usize + 1];
    let mut top = 0;
    while top + 1 < doubled.len() {
        let next = doubled[top] & (doubled[top] >> (1 << top));
        if next == 0 {
            break;
        }
        top += 1;
        doubled[top] = next;
    }
    // The longest is made of runs of falling powers of two, one after the other.
    let (mut starts, mut len) = (doubled[top], 1 << top);
    while top > 0 && len < BITS {
        top -= 1;
        let longer = starts & (doubled[top] >> len);
        if longer != 0 {
            starts = longer;
            len += 1 << top;
        }
    }
    len
}

/// The maximal runs of set bits, lowest first, as `(start, len)`.
pub fn runs(mut map: u128) -> impl Iterator<Item = (u32, u32)> {
    core::iter::from_fn(move || {
        if map == 0 {
            return None;
        }
        let start = map.trailing_zeros();
        let len = (map >> start).trailing_ones();
        map &= !mask(start, len);
        Some((start, len))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive_longest(map: u128) -> u32 {
        let mut best = 0;
        let mut run = 0;
        for bit in 0..BITS {
            run = if map >> bit & 1 == 1 { run + 1 } else { 0 };
            best = best.max(run);
        }
        best
    }

    #[test]
    fn agrees_with_counting_bit_by_bit() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u128;
        for round in 0..2000 {
            state = state.wrapping_mul(0x2545_f491_4f6c_dd1d_0b4b_1f31_9f1c_6a4d).wrapping_add(round);
            let map = match round % 4 {
                0 => state,
                1 => state | state << 1 | state << 2,
                2 => state & state >> 1,
                _ => mask((state % 128) as u32, 1) | mask(0, (state % 129) as u32),
            };
            let longest = naive_longest(map);
            assert_eq!(longest_run(map), longest, "{map:#x}");
            if longest > 0 {
                let start = find_run(map, longest).expect("the longest run exists");
                assert_eq!(map & mask(start, longest), mask(start, longest));
            }
            assert_eq!(find_run(map, longest + 1), None);
            assert_eq!(runs(map).map(|(start, len)| mask(start, len)).fold(0, |all, run| all | run), map);
        }
    }

    #[test]
    fn full_and_empty_maps() {
        assert_eq!(longest_run(u128::MAX), 128);
        assert_eq!(find_run(u128::MAX, 128), Some(0));
        assert_eq!(find_run(0, 1), None);
        assert_eq!(mask(128, 0), 0);
    }
}
