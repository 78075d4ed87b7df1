//! What stands in an entry without a frame: the payload that `paging` keeps for the kernel.
//!
//! ```text
//!  49           10  9..3   2           1..0
//! | slot           |  0   | exclusive | 1 |    in swap
//! | 0                                 | 0 |    a guard: touching it is an error
//! ```

use mallow_paging::Entry;

use crate::swap::Slot;

/// The meaning of a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absent {
    /// `MADV_GUARD_INSTALL`.
    Guard,
    /// The page is in this slot of swap.
    Swapped {
        /// The slot.
        slot: Slot,
        /// Whether no other process had the page when it went there.
        is_exclusive: bool,
    },
}

const SWAPPED: u64 = 1;
const EXCLUSIVE: u64 = 1 << 2;
const SLOT_SHIFT: u32 = 10;

impl Absent {
    /// The meaning of `payload`.
    #[expect(clippy::cast_possible_truncation, reason = "a slot has 32 bits")]
    pub const fn of_payload(payload: u64) -> Self {
        if payload & SWAPPED == 0 {
            return Self::Guard;
        }
        Self::Swapped { slot: Slot((payload >> SLOT_SHIFT) as u32), is_exclusive: payload & EXCLUSIVE != 0 }
    }

    /// The payload.
    pub const fn payload(self) -> u64 {
        match self {
            Self::Guard => 0,
            Self::Swapped { slot, is_exclusive } => {
                let bit = if is_exclusive { EXCLUSIVE } else { 0 };
                (slot.0 as u64) << SLOT_SHIFT | bit | SWAPPED
            }
        }
    }

    /// The entry that says so.
    pub const fn entry(self) -> Entry {
        match Entry::absent(self.payload()) {
            Some(entry) => entry,
            None => unreachable!(),
        }
    }
}

const _: () = {
    let widest = Absent::Swapped { slot: Slot(u32::MAX), is_exclusive: true };
    assert!(widest.payload() < Entry::PAYLOAD_END);
    assert!(matches!(
        Absent::of_payload(widest.payload()),
        Absent::Swapped { slot: Slot(u32::MAX), is_exclusive: true }
    ));
    assert!(matches!(Absent::of_payload(Absent::Guard.payload()), Absent::Guard));
};
