//! Pools: where a structure keeps its nodes, when it must not take memory by itself.
//!
//! A pool gives out numbers and holds a value for each. A kernel puts its slab caches behind this trait, a test puts
//! something behind it that refuses the n-th time. [`Slots`] is a pool in memory that the caller already has: an array
//! inside the owner, or a slice from anywhere.
//!
//! Used by `range_map`, and by `vma` for areas.

/// Values, each under a number.
pub trait Pool<T> {
    /// Makes sure that the next `count` calls of [`Pool::take`] succeed, whatever is given back in between; `false` if that
    /// cannot be.
    fn reserve(&mut self, count: usize) -> bool;

    /// Takes a number and stores `value` under it; `None` if there is no room.
    fn take(&mut self, value: T) -> Option<u32>;

    /// Gives the number `at` back, which was taken.
    fn give_back(&mut self, at: u32);

    /// The value under `at`, which is taken. An implementation may panic at other numbers.
    fn get(&self, at: u32) -> &T;

    /// The value under `at`, which is taken, to be changed. An implementation may panic at other numbers.
    fn get_mut(&mut self, at: u32) -> &mut T;
}

/// A value that an unused slot holds.
pub trait Blank {
    /// That value.
    const BLANK: Self;
}

/// Place for one value of a [`Slots`].
#[derive(Clone, Copy, Debug)]
pub struct Slot<T> {
    value: T,
    /// The next free slot; only of meaning while this one is free.
    next: u32,
}

impl<T: Blank> Slot<T> {
    /// Place, not yet used.
    pub const EMPTY: Self = Self { value: T::BLANK, next: NONE };
}

/// No slot.
const NONE: u32 = u32::MAX;

/// A pool in `B`: an array of slots, or a borrowed slice of them.
///
/// ```
/// use mallow_ds::pool::{Blank, Pool, Slot, Slots};
/// struct Name(u8);
/// impl Blank for Name {
///     const BLANK: Self = Name(0);
/// }
/// let mut names = Slots::new([const { Slot::<Name>::EMPTY }; 2]);
/// let first = names.take(Name(7)).unwrap();
/// assert!(names.reserve(1) && !names.reserve(2));
/// assert_eq!(names.get(first).0, 7);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Slots<B> {
    slots: B,
    /// The first slot of the list of free ones.
    free: u32,
    free_count: u32,
    /// Slots from here on have never been taken.
    fresh: u32,
}

/// A pool in an array of its own.
pub type ArrayPool<T, const N: usize> = Slots<[Slot<T>; N]>;

impl<T: Blank, const N: usize> Default for ArrayPool<T, N> {
    fn default() -> Self {
        Self::new([const { Slot::EMPTY }; N])
    }
}

impl<B> Slots<B> {
    /// A pool of which nothing is taken.
    pub const fn new(slots: B) -> Self {
        Self { slots, free: NONE, free_count: 0, fresh: 0 }
    }
}

impl<T, B: AsRef<[Slot<T>]> + AsMut<[Slot<T>]>> Pool<T> for Slots<B> {
    fn reserve(&mut self, count: usize) -> bool {
        let fresh = self.slots.as_ref().len() - self.fresh as usize;
        count <= fresh + self.free_count as usize
    }

    fn take(&mut self, value: T) -> Option<u32> {
        let slots = self.slots.as_mut();
        let is_used_again = self.free != NONE;
        let at = if is_used_again { self.free } else { self.fresh };
        let slot = slots.get_mut(at as usize)?;
        slot.value = value;
        if is_used_again {
            self.free = slot.next;
            self.free_count -= 1;
        } else {
            self.fresh += 1;
        }
        Some(at)
    }

    fn give_back(&mut self, at: u32) {
        self.slots.as_mut()[at as usize].next = self.free;
        self.free = at;
        self.free_count += 1;
    }

    fn get(&self, at: u32) -> &T {
        &self.slots.as_ref()[at as usize].value
    }

    fn get_mut(&mut self, at: u32) -> &mut T {
        &mut self.slots.as_mut()[at as usize].value
    }
}
