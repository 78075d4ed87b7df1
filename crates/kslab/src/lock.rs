//! A lock that spins.
//!
//! Held for a bounded number of steps, never across a call into the page allocator, a constructor or a report. A kernel whose
//! interrupt handlers allocate calls this crate with interrupts off; nothing here can see that.

#![expect(unsafe_code, reason = "a lock hands out the only reference to what it guards")]

use core::fmt;
use core::ops::{Deref, DerefMut};

use mallow_ds::sync::{AtomicU32, Ordering, pause};

#[cfg(not(loom))]
use core::cell::UnsafeCell;
#[cfg(loom)]
use loom::cell::UnsafeCell;

const FREE: u32 = 0;
const HELD: u32 = 1;

/// A value behind a spin lock.
pub struct Lock<T> {
    word: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: `UnsafeCell` blocks the automatic impl; the value is only reached through a `Guard`, of which there is one at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// An unlocked lock around `value`.
    #[cfg(not(loom))]
    pub const fn new(value: T) -> Self {
        Self { word: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    /// An unlocked lock around `value`.
    #[cfg(loom)]
    pub fn new(value: T) -> Self {
        Self { word: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> Guard<'_, T> {
        // ORDERING: Acquire pairs with the Release of the guard that was dropped last.
        while self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            pause();
        }
        Guard { lock: self }
    }

    /// The value, of a lock that nobody else can see.
    pub fn get_mut(&mut self) -> &mut T {
        #[cfg(not(loom))]
        return self.value.get_mut();
        #[cfg(loom)]
        // SAFETY: `self` is borrowed mutably, so there is no guard.
        return self.value.with_mut(|value| unsafe { &mut *value });
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("word", &self.word).finish_non_exhaustive()
    }
}

/// The proof that this processor holds a [`Lock`].
#[derive(Debug)]
pub struct Guard<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        #[cfg(not(loom))]
        let value = self.lock.value.get().cast_const();
        #[cfg(loom)]
        let value = self.lock.value.with(core::convert::identity);
        // SAFETY: the guard is the only one, so nobody writes the value while it is shared from here.
        unsafe { &*value }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        #[cfg(not(loom))]
        let value = self.lock.value.get();
        #[cfg(loom)]
        let value = self.lock.value.with_mut(core::convert::identity);
        // SAFETY: the guard is the only one and is borrowed mutably, so the value is reached from here only.
        unsafe { &mut *value }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // ORDERING: Release publishes what was done under the lock.
        self.lock.word.store(FREE, Ordering::Release);
    }
}
