//! Size classes: the rounded request sizes that slabs are cut into.
//!
//! 16-byte steps to 128 bytes, then eight classes per doubling to 16 KiB, so that rounding wastes at most an
//! eighth. The sizes are a table made by a `const fn`; the index is a byte table for small requests and
//! arithmetic above; a `const` block proves that the two agree for every request.

/// Number of size classes.
pub const CLASS_COUNT: usize = 64;
/// Bytes; the largest request that has a size class.
pub const MAX_CLASS_BYTES: usize = 16 << 10;
/// Bytes; the largest request whose class is found by [`SMALL_INDEX`].
pub const MAX_INDEXED_BYTES: usize = 1 << 10;
/// Bytes; the step of the first classes and the alignment of every block.
pub const QUANTUM: usize = 16;

const STEPS: usize = 8;

const fn class_bytes(index: usize) -> usize {
    if index < STEPS {
        return (index + 1) * QUANTUM;
    }
    let doubling = index / STEPS - 1;
    let step = QUANTUM << doubling;
    step * STEPS + (index % STEPS + 1) * step
}

#[expect(clippy::cast_possible_truncation, reason = "the const block below compares every entry")]
const SIZES: [u16; CLASS_COUNT] = {
    let mut table = [0; CLASS_COUNT];
    let mut i = 0;
    while i < CLASS_COUNT {
        table[i] = class_bytes(i) as u16;
        i += 1;
    }
    table
};

/// `SMALL_INDEX[(n + 15) / 16]` is the class for a request of `n <= MAX_INDEXED_BYTES` bytes.
#[expect(clippy::cast_possible_truncation, reason = "an index is below CLASS_COUNT")]
pub const SMALL_INDEX: [SizeClass; MAX_INDEXED_BYTES / QUANTUM + 1] = {
    let mut table = [SizeClass::SMALLEST; MAX_INDEXED_BYTES / QUANTUM + 1];
    let mut class = 0;
    let mut slot = 0;
    while slot < table.len() {
        if slot * QUANTUM > class_bytes(class) {
            class += 1;
        }
        table[slot] = SizeClass(class as u8);
        slot += 1;
    }
    table
};

/// The index of a size class.
///
/// All-zero bytes are the smallest.
///
/// # Invariants
///
/// 1. The index is below [`CLASS_COUNT`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct SizeClass(u8);

impl SizeClass {
    /// The class of the smallest blocks.
    pub const SMALLEST: Self = Self(0);

    /// The smallest class that holds `bytes`; `None` above [`MAX_CLASS_BYTES`].
    #[inline]
    pub const fn for_bytes(bytes: usize) -> Option<Self> {
        if bytes <= MAX_INDEXED_BYTES {
            Some(Self::indexed(bytes))
        } else if bytes <= MAX_CLASS_BYTES {
            Some(Self::computed(bytes))
        } else {
            None
        }
    }

    /// The smallest class whose blocks hold `bytes` and lie at multiples of `align` when the slab does.
    ///
    /// `None` if no class does. Cost: at most eight steps.
    pub const fn for_aligned(bytes: usize, align: usize) -> Option<Self> {
        let Some(mut class) = Self::for_bytes(bytes) else { return None };
        while class.block_bytes() & (align - 1) != 0 {
            match Self::at(class.index() + 1) {
                Some(next) => class = next,
                None => return None,
            }
        }
        Some(class)
    }

    /// The class with this index, if there is one.
    #[expect(clippy::cast_possible_truncation, reason = "compared with CLASS_COUNT first")]
    pub const fn at(index: usize) -> Option<Self> {
        if index < CLASS_COUNT { Some(Self(index as u8)) } else { None }
    }

    /// All classes, smallest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..CLASS_COUNT).filter_map(Self::at)
    }

    const fn indexed(bytes: usize) -> Self {
        SMALL_INDEX[bytes.div_ceil(QUANTUM)]
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "bytes <= MAX_CLASS_BYTES keeps it below CLASS_COUNT"
    )]
    const fn computed(bytes: usize) -> Self {
        let last = bytes - 1;
        let log2 = last.ilog2() as usize;
        let step = (last >> (log2 - STEPS.ilog2() as usize)) & (STEPS - 1);
        Self(((log2 - 6) * STEPS + step) as u8)
    }

    /// The index, below [`CLASS_COUNT`].
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Bytes in each block of this class.
    #[inline]
    pub const fn block_bytes(self) -> usize {
        // The remainder changes nothing, and the compiler sees that the index is in bounds.
        SIZES[self.index() % CLASS_COUNT] as usize
    }

    /// The reciprocal of [`Self::block_bytes`] for [`divides`] and [`quotient`].
    pub const fn reciprocal(self) -> u64 {
        u64::MAX / self.block_bytes() as u64 + 1
    }
}

/// Whether the divisor of `reciprocal` divides `offset`, which must be below 2^32.
///
/// # Source
///
/// Lemire, Kaser, Kurz: "Faster remainder by direct computation" (2019).
#[inline]
pub const fn divides(reciprocal: u64, offset: u64) -> bool {
    offset.wrapping_mul(reciprocal) < reciprocal
}

/// `offset` divided by the divisor of `reciprocal`, rounded down; `offset` must be below 2^32.
#[inline]
pub const fn quotient(reciprocal: u64, offset: u64) -> u64 {
    ((offset as u128 * reciprocal as u128) >> 64) as u64
}

// Every request up to MAX_CLASS_BYTES gets the smallest class that holds it, by either way of finding it.
const _: () = {
    assert!(class_bytes(CLASS_COUNT - 1) == MAX_CLASS_BYTES);
    let mut i = 0;
    while i < CLASS_COUNT {
        assert!(SIZES[i] as usize == class_bytes(i) && class_bytes(i).is_multiple_of(QUANTUM));
        assert!(i == 0 || SIZES[i - 1] < SIZES[i]);
        let low = if i == 0 { 0 } else { SIZES[i - 1] as usize + 1 };
        let high = SIZES[i] as usize;
        // The ends of each interval are enough: both ways are monotonic.
        let (Some(a), Some(b)) = (SizeClass::for_bytes(low), SizeClass::for_bytes(high)) else { panic!() };
        assert!(a.index() == i && b.index() == i);
        i += 1;
    }
    let mut n = 129;
    while n <= MAX_INDEXED_BYTES {
        assert!(SizeClass::computed(n).index() == SizeClass::indexed(n).index());
        n += 1;
    }
    assert!(SizeClass::for_bytes(MAX_CLASS_BYTES + 1).is_none());
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_gets_the_smallest_class_that_holds_it() {
        for bytes in 0..=MAX_CLASS_BYTES {
            let class = SizeClass::for_bytes(bytes).expect("below the limit");
            assert!(class.block_bytes() >= bytes);
            if let Some(below) = class.index().checked_sub(1).and_then(SizeClass::at) {
                assert!(below.block_bytes() < bytes);
            }
        }
    }

    #[test]
    fn rounding_wastes_at_most_an_eighth_above_128_bytes() {
        for bytes in 129..=MAX_CLASS_BYTES {
            let class = SizeClass::for_bytes(bytes).expect("below the limit");
            assert!((class.block_bytes() - bytes) * 8 <= class.block_bytes());
        }
    }

    #[test]
    fn aligned_classes_are_multiples_of_the_alignment() {
        for log2 in 4..=12 {
            for bytes in (1..=MAX_CLASS_BYTES).step_by(7) {
                let align = 1 << log2;
                if let Some(class) = SizeClass::for_aligned(bytes, align) {
                    assert!(class.block_bytes() >= bytes && class.block_bytes().is_multiple_of(align));
                }
            }
        }
    }

    #[test]
    fn reciprocals_divide_exactly() {
        for class in SizeClass::all() {
            let size = class.block_bytes() as u64;
            for offset in (0..300_000).step_by(16) {
                assert_eq!(divides(class.reciprocal(), offset), offset % size == 0, "{offset} by {size}");
                assert_eq!(quotient(class.reciprocal(), offset), offset / size);
            }
        }
    }
}
