//! Alignments: powers of two, and nothing else.

/// A power-of-two alignment in bytes.
///
/// # Invariants
///
/// 1. The value is a power of two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Align(usize);

impl Align {
    /// The alignment of every block: `max_align_t` on x86-64.
    pub const BLOCK: Self = Self(16);

    /// Takes `bytes` if it is a power of two.
    pub const fn new(bytes: usize) -> Option<Self> {
        if bytes.is_power_of_two() { Some(Self(bytes)) } else { None }
    }

    /// The smallest alignment that is at least `bytes`; `None` above the largest power of two.
    pub const fn at_least(bytes: usize) -> Option<Self> {
        match bytes.checked_next_power_of_two() {
            Some(rounded) => Some(Self(rounded)),
            None => None,
        }
    }

    /// The alignment in bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }

    /// Rounds `address` or a length up to this alignment; `None` on overflow.
    pub const fn round_up(self, address: usize) -> Option<usize> {
        match address.checked_add(self.0 - 1) {
            Some(sum) => Some(sum & !(self.0 - 1)),
            None => None,
        }
    }

    /// Whether `address` or a length is a multiple of this alignment.
    pub const fn divides(self, address: usize) -> bool {
        address & (self.0 - 1) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_powers_of_two_are_alignments() {
        assert_eq!(Align::new(0), None);
        assert_eq!(Align::new(24), None);
        assert_eq!(Align::new(64).map(Align::bytes), Some(64));
    }

    #[test]
    fn rounding_up_overflows_to_none() {
        let page = Align::new(4096).expect("a power of two");
        assert_eq!(page.round_up(4097), Some(8192));
        assert_eq!(page.round_up(usize::MAX - 10), None);
        assert_eq!(Align::at_least(usize::MAX), None);
    }
}
