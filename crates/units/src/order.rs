//! Orders and frame numbers: physical memory in powers of two.

use core::fmt;

/// The number of a frame: its physical address divided by the page size. 32 bits reach 16 TiB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FrameNumber(pub u32);

impl FrameNumber {
    /// The frame at which a naturally aligned run of 2^`order` frames starts that holds this one.
    #[must_use]
    pub const fn aligned_to(self, order: Order) -> Self {
        Self(self.0 & !(order.frames() - 1))
    }
}

impl fmt::Debug for FrameNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f#{:x}", self.0)
    }
}

/// The base-2 logarithm of a run's length in frames, at most [`Order::MAX`].
///
/// # Invariants
///
/// 1. The value is at most 10, as in Linux with pages of 4 KiB.
///
/// ```
/// use mallow_units::Order;
/// assert_eq!(Order::holding(5), Order::new(3));
/// assert_eq!(Order::MAX.frames(), 1024);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Order(u8);

impl Order {
    /// One frame.
    pub const ZERO: Self = Self(0);
    /// A huge page of 2 MiB.
    pub const HUGE: Self = Self(9);
    /// The longest run that the buddy allocator knows: 4 MiB.
    pub const MAX: Self = Self(10);
    /// How many orders there are.
    pub const COUNT: usize = 11;

    /// Takes `order` if there is such an order.
    pub const fn new(order: u8) -> Option<Self> {
        if order <= Self::MAX.0 { Some(Self(order)) } else { None }
    }

    /// The smallest order whose runs hold `frames`; `None` for 0 and above the longest run.
    pub const fn holding(frames: u32) -> Option<Self> {
        let mut order = Self::ZERO;
        while order.frames() < frames {
            match order.double() {
                Some(longer) => order = longer,
                None => return None,
            }
        }
        if frames > 0 { Some(order) } else { None }
    }

    /// The order as a number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The order as an index into a table of [`Order::COUNT`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Frames in a run of this order.
    pub const fn frames(self) -> u32 {
        1 << self.0
    }

    /// The order of half a run; `None` for one frame.
    pub const fn half(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(order) => Some(Self(order)),
            None => None,
        }
    }

    /// The order of two runs; `None` for the longest.
    pub const fn double(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }

    /// All orders, the smallest first.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        (0..=Self::MAX.0).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_that_holds_frames_is_the_smallest() {
        assert_eq!(Order::holding(0), None);
        assert_eq!(Order::holding(1025), None);
        for frames in 1..=1024 {
            let order = Order::holding(frames).expect("within the longest run");
            assert!(order.frames() >= frames, "{frames} frames do not fit {order:?}");
            assert!(
                order.half().is_none_or(|half| half.frames() < frames),
                "{frames} frames fit less than {order:?}"
            );
        }
    }

    #[test]
    fn half_and_double_undo_each_other() {
        assert_eq!(Order::ZERO.half(), None);
        assert_eq!(Order::MAX.double(), None);
        for order in Order::all().skip(1) {
            assert_eq!(order.half().and_then(Order::double), Some(order));
        }
        assert_eq!(Order::all().count(), Order::COUNT);
    }

    #[test]
    fn a_frame_knows_where_its_run_starts() {
        assert_eq!(FrameNumber(0x12f).aligned_to(Order::new(4).expect("an order")), FrameNumber(0x120));
    }
}
