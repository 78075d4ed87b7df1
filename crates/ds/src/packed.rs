//! One-word states that threads share: pure steps, one update loop.
//!
//! A state is a `Copy` type over one `u64`. Its transitions are pure functions from state to `Option<state>`;
//! the compare-and-swap loop that applies them is written once, here.

use core::fmt;
use core::marker::PhantomData;

use crate::sync::{AtomicU64, Ordering};

/// A state that fits one word.
pub trait Word: Copy {
    /// The state that `bits` stands for.
    fn from_bits(bits: u64) -> Self;
    /// The word that stands for this state.
    fn to_bits(self) -> u64;
}

/// A shared state. All-zero bytes are the state `Word::from_bits(0)`.
#[repr(transparent)]
pub struct Packed<W> {
    bits: AtomicU64,
    state: PhantomData<W>,
}

impl<W: Word> Packed<W> {
    /// A cell in the state that stands for zero.
    #[cfg(not(loom))]
    pub const fn zeroed() -> Self {
        Self { bits: AtomicU64::new(0), state: PhantomData }
    }

    /// A cell in the state that stands for zero.
    #[cfg(loom)]
    pub fn zeroed() -> Self {
        Self { bits: AtomicU64::new(0), state: PhantomData }
    }

    /// The state now; by the time the caller looks at it, another thread may have moved on.
    pub fn get(&self) -> W {
        // ORDERING: Acquire, so that what the writer of this state published before it is visible.
        W::from_bits(self.bits.load(Ordering::Acquire))
    }

    /// Applies `step` until it sticks; returns the state that it replaced.
    ///
    /// # Errors
    ///
    /// The state that `step` refused.
    pub fn update(&self, mut step: impl FnMut(W) -> Option<W>) -> Result<W, W> {
        let mut seen = self.bits.load(Ordering::Acquire);
        loop {
            let before = W::from_bits(seen);
            let after = step(before).ok_or(before)?;
            // ORDERING: AcqRel pairs with itself: whoever sees `after` also sees all that led to it.
            match self.bits.compare_exchange_weak(seen, after.to_bits(), Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Ok(before),
                Err(now) => seen = now,
            }
        }
    }

    /// Replaces the state, whatever it is, and returns what it was.
    pub fn replace(&self, state: W) -> W {
        // ORDERING: AcqRel, as in `update`.
        W::from_bits(self.bits.swap(state.to_bits(), Ordering::AcqRel))
    }

    /// Reads the state as a step in the cell's modification order, which a plain load is not.
    ///
    /// If this returns the state from before another thread's `update`, that thread's `update` sees everything
    /// this thread did before the call. Two threads that each write one cell and then `observe` the other's can
    /// therefore not both miss (see [`crate::owner`]).
    pub fn observe(&self) -> W {
        // ORDERING: a read-modify-write that changes nothing; AcqRel makes it part of the release sequence.
        W::from_bits(self.bits.fetch_or(0, Ordering::AcqRel))
    }
}

impl<W: Word + fmt::Debug> fmt::Debug for Packed<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Packed").field(&self.get()).finish()
    }
}
