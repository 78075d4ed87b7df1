//! A mutual exclusion lock over a futex word.
//!
//! Used for the page heap, the large blocks and the registry. Held for short, bounded work, never across a call
//! into the client program. Zeroed memory is an unlocked lock.

use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};

use mallow_ds::sync::{AtomicU32, Ordering, pause};

use crate::linux::call;

const FREE: u32 = 0;
const HELD: u32 = 1;
const AWAITED: u32 = 2;

/// Looks before sleeping. A critical section here is some tens of nanoseconds, about as long as these looks.
const SPINS: u32 = 40;

/// A value behind a lock.
pub struct Lock<T> {
    word: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is only reached through a `Guard`, of which there is one at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// An unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Self { word: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> Guard<'_, T> {
        // ORDERING: Acquire pairs with the Release in `unlock`.
        if self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_slow();
        }
        Guard { lock: self }
    }

    #[cold]
    fn lock_slow(&self) {
        for _ in 0..SPINS {
            // ORDERING: a hint; the exchange below decides.
            if self.word.load(Ordering::Relaxed) == FREE
                && self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return;
            }
            pause();
        }
        // ORDERING: Acquire as above. AWAITED makes the holder wake somebody, perhaps once too often.
        while self.word.swap(AWAITED, Ordering::Acquire) != FREE {
            self.sleep();
        }
    }

    #[cfg(not(shuttle))]
    fn sleep(&self) {
        call::futex_wait(core::ptr::from_ref(&self.word).cast(), AWAITED);
    }

    /// Under the model checker a thread that waits only lets the others run.
    #[cfg(shuttle)]
    fn sleep(&self) {
        pause();
    }

    fn unlock(&self) {
        // ORDERING: Release publishes what was done under the lock.
        if self.word.swap(FREE, Ordering::Release) == AWAITED {
            call::futex_wake_one(core::ptr::from_ref(&self.word).cast());
        }
    }

    /// Takes the lock without a guard: for the fork handlers, which unlock in another function.
    pub fn lock_for_fork(&self) {
        core::mem::forget(self.lock());
    }

    /// Undoes [`Lock::lock_for_fork`].
    ///
    /// # Safety
    ///
    /// 1. This thread, or the thread that it was before a fork, called `lock_for_fork` and has not undone it.
    pub unsafe fn unlock_after_fork(&self) {
        self.unlock();
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("word", &self.word).finish_non_exhaustive()
    }
}

/// The proof that this thread holds a [`Lock`].
#[derive(Debug)]
pub struct Guard<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard is the only one, so nobody writes the value while it is shared from here.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the only one and is borrowed mutably, so the value is reached from here only.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.lock.unlock();
    }
}
