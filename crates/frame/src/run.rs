//! The token of frames that somebody owns.

use core::fmt;
use core::num::NonZeroU64;

use mallow_units::{FrameNumber, Order, word};

use crate::error::FrameError;
use crate::place::Place;
use crate::state::{FrameState, Head};
use crate::table::FrameTable;

/// An owned, naturally aligned run of 2^order frames.
///
/// It cannot be copied, so inside a program a run is freed once. Where a run must be known by its number alone (in a page table
/// entry, say), [`FrameRun::into_first`] turns the token into the number, and [`FrameTable::run`] the number into a token again;
/// what is then freed twice is noticed by the state of its head.
///
/// # Invariants
///
/// 1. Bits 0 to 31 are the first frame, bits 32 to 35 the order, and bit 63 is set. One word, so that a token, or none, travels in a
///    register; two fields would be written in two pieces and read back in one, for which a processor has to wait.
#[derive(PartialEq, Eq)]
#[must_use = "dropping a run leaks its frames"]
pub struct FrameRun(NonZeroU64);

impl fmt::Debug for FrameRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameRun").field("first", &self.first()).field("order", &self.order()).finish()
    }
}

impl FrameRun {
    /// For allocators that have just turned the head: the only mint besides [`FrameTable::run`].
    #[inline]
    pub(crate) const fn minted(first: FrameNumber, order: Order) -> Self {
        // INVARIANT: (1).
        match NonZeroU64::new(1 << 63 | (order.get() as u64) << 32 | first.0 as u64) {
            Some(word) => Self(word),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// The first frame.
    #[inline]
    pub const fn first(&self) -> FrameNumber {
        FrameNumber(word::low_half(self.0.get()))
    }

    /// How long the run is.
    #[inline]
    pub const fn order(&self) -> Order {
        match Order::new(word::low_half(self.0.get() >> 32 & 15).to_le_bytes()[0]) {
            Some(order) => order,
            None => Order::MAX,
        }
    }

    /// How long the run is. Unit: frames.
    pub const fn frame_count(&self) -> u32 {
        self.order().frames()
    }

    /// The frames, the lowest first.
    pub fn frames(&self) -> impl DoubleEndedIterator<Item = FrameNumber> + use<> {
        (self.first().0..self.first().0 + self.order().frames()).map(FrameNumber)
    }

    /// Gives up the token for the number; [`FrameTable::run`] is the way back.
    #[inline]
    pub const fn into_first(self) -> FrameNumber {
        self.first()
    }

    /// Halves the run, lower half first; gives it back unchanged at order 0.
    ///
    /// The upper half gets the use of the whole and one reference.
    ///
    /// # Errors
    ///
    /// The run, if it is one frame, or not of this table.
    pub fn split(self, table: FrameTable<'_>) -> Result<(Self, Self), Self> {
        let Some(order) = self.order().half() else { return Err(self) };
        let upper = FrameNumber(self.first().0 + order.frames());
        let (Some(head), Some(tail)) = (table.get(self.first()), table.get(upper)) else { return Err(self) };
        let state = head.state();
        if !state.is_allocated() || tail.turn(Head { state, order }).is_err() {
            return Err(self);
        }
        tail.begin();
        let shortened = head.turn_allocated(Head { state, order });
        debug_assert!(shortened, "an allocated head keeps its use");
        Ok((Self::minted(self.first(), order), Self::minted(upper, order)))
    }

    /// Joins two buddies that are used for the same; gives both back if they are not buddies.
    ///
    /// The upper half must have no other user: one reference, no mapping. Buddies in different zones, or in blocks of different mobility,
    /// are not joined.
    ///
    /// # Errors
    ///
    /// Both runs, unchanged.
    pub fn join(self, other: Self, table: FrameTable<'_>) -> Result<Self, (Self, Self)> {
        let buddy_of_self = FrameNumber(self.first().0 ^ self.order().frames());
        let Some(order) = self.order().double() else { return Err((self, other)) };
        if self.order() != other.order() || other.first() != buddy_of_self {
            return Err((self, other));
        }
        let (lower, upper) = (self.first().min(other.first()), self.first().max(other.first()));
        let (Some(head), Some(tail)) = (table.get(lower), table.get(upper)) else {
            return Err((self, other));
        };
        let state = head.state();
        let is_alone = tail.references() <= 1 && tail.mappings() == 0;
        if !state.is_allocated() || tail.state() != state || !is_alone || head.place() != tail.place() {
            return Err((self, other));
        }
        if tail.turn(Head::single(FrameState::Tail)).is_err() {
            return Err((self, other));
        }
        tail.set_references(0);
        let lengthened = head.turn_allocated(Head { state, order });
        debug_assert!(lengthened, "an allocated head keeps its use");
        Ok(Self::minted(lower, order))
    }
}

impl<'t> FrameTable<'t> {
    /// Claims the token of the run that starts at `first`.
    ///
    /// The caller says by this that nobody else has the token; if somebody has, one of the two frees will be refused.
    ///
    /// # Errors
    ///
    /// [`FrameError::Outside`], and [`FrameError::State`] if no allocated run begins there.
    pub fn run(self, first: FrameNumber) -> Result<FrameRun, FrameError> {
        let head = self.entry(first)?.head();
        if !head.state.is_allocated() {
            return Err(FrameError::state(first, head, FrameState::Kernel));
        }
        Ok(FrameRun::minted(first, head.order))
    }

    /// Hands out a free block: turns its head to `usage`, starts its life, and mints its token. For allocators, which have
    /// taken the block off its list.
    ///
    /// # Errors
    ///
    /// As for [`FrameTable::run`], if `usage` is none of an allocation, or the head may not become it.
    #[inline]
    pub fn mint(self, first: FrameNumber, usage: Head) -> Result<FrameRun, FrameError> {
        let entry = self.entry(first)?;
        if !usage.state.is_allocated() {
            return Err(FrameError::state(first, entry.head(), usage.state));
        }
        entry.turn(usage).map_err(|head| FrameError::state(first, head, usage.state))?;
        entry.begin();
        Ok(FrameRun::minted(first, usage.order))
    }

    /// As [`FrameTable::mint`], for a block of which is known what it is now: the fast path. `None`, and nothing has changed, if it is
    /// something else, or may not become `usage`.
    #[inline]
    pub fn mint_from(self, first: FrameNumber, from: FrameState, usage: Head) -> Option<FrameRun> {
        let entry = self.get(first)?;
        let may_become = from.may_become(usage.state) && usage.state.is_allocated();
        if !may_become || !entry.is(Head { state: from, order: usage.order }) {
            return None;
        }
        entry.store_head(usage);
        entry.begin();
        Some(FrameRun::minted(first, usage.order))
    }

    /// Ends the life of a run: its head turns to `next`, a free state or a tail. Returns where it belongs. For allocators.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if the run is not allocated in this length, or has more than one reference, or a mapping. Nothing has changed then.
    #[inline]
    pub fn retire(self, run: &FrameRun, next: FrameState) -> Result<Place, FrameError> {
        let entry = self.entry(run.first())?;
        if entry.retire(run.order(), next) {
            return Ok(entry.place());
        }
        self.can_retire(run)?;
        Err(FrameError::state(run.first(), entry.head(), next))
    }
}

impl FrameTable<'_> {
    /// Whether a run can be freed: it is allocated in this length, and has no other user.
    ///
    /// # Errors
    ///
    /// As for [`FrameTable::retire`].
    pub fn can_retire(self, run: &FrameRun) -> Result<(), FrameError> {
        let entry = self.entry(run.first())?;
        let (head, frame) = (entry.head(), run.first());
        if !head.state.is_allocated() {
            return Err(FrameError::state(frame, head, FrameState::Buddy));
        }
        if head.order != run.order() {
            return Err(FrameError::Order { frame, order: head.order, wanted: run.order() });
        }
        let (references, mappings) = (entry.references(), entry.mappings());
        if references > 1 || mappings != 0 {
            return Err(FrameError::InUse { frame, references, mappings });
        }
        Ok(())
    }
}
