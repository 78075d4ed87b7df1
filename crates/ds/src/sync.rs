//! The only door to atomics.
//!
//! Normally these are `core`'s. Under `--cfg loom` they are loom's, so that `tests/loom.rs` explores every
//! interleaving of the protocols in this crate. Under `--cfg shuttle` they are `core`'s with a scheduling point
//! before each operation: same size and same all-zero start as the real ones, so the whole allocator, whose
//! shared words live in freshly mapped memory, runs under random schedules unchanged.

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

#[cfg(not(any(loom, shuttle)))]
pub use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

#[cfg(all(shuttle, not(loom)))]
pub use self::scheduled::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Tells the processor, or the model checker, that this thread is waiting for another.
#[inline]
pub fn pause() {
    #[cfg(loom)]
    loom::thread::yield_now();
    #[cfg(all(shuttle, not(loom)))]
    shuttle::thread::yield_now();
    #[cfg(not(any(loom, shuttle)))]
    core::hint::spin_loop();
}

#[cfg(all(shuttle, not(loom)))]
#[expect(
    unsafe_code,
    reason = "the words that others share with us are reached by pointer, as with core's atomics"
)]
mod scheduled {
    pub use core::sync::atomic::Ordering;

    /// Lets another thread run, or not. Unlike a yield, this does not say that the thread is waiting.
    fn schedule() {
        shuttle::thread::sleep(core::time::Duration::ZERO);
    }

    macro_rules! scheduled_atomic {
        ($name:ident, $value:ty) => {
            /// An atomic word with a scheduling point before each operation.
            #[derive(Debug, Default)]
            #[repr(transparent)]
            pub struct $name(core::sync::atomic::$name);

            impl $name {
                #[doc = "Starts at `value`."]
                pub const fn new(value: $value) -> Self {
                    Self(core::sync::atomic::$name::new(value))
                }
                #[doc = "The word at `word`."]
                #[doc = ""]
                #[doc = "# Safety"]
                #[doc = ""]
                #[doc = "1. As for core's method of this name."]
                pub const unsafe fn from_ptr<'a>(word: *mut $value) -> &'a Self {
                    // SAFETY: a transparent wrapper of what core's method would make of it (1).
                    unsafe { &*word.cast::<Self>() }
                }
                #[doc = "Reads the word."]
                pub fn load(&self, order: Ordering) -> $value {
                    schedule();
                    self.0.load(order)
                }
                #[doc = "Writes the word."]
                pub fn store(&self, value: $value, order: Ordering) {
                    schedule();
                    self.0.store(value, order);
                }
                #[doc = "Exchanges the word."]
                pub fn swap(&self, value: $value, order: Ordering) -> $value {
                    schedule();
                    self.0.swap(value, order)
                }
                #[doc = "Adds to the word."]
                pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    schedule();
                    self.0.fetch_add(value, order)
                }
                #[doc = "Subtracts from the word."]
                pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    schedule();
                    self.0.fetch_sub(value, order)
                }
                #[doc = "Raises the word to at least `value`."]
                pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                    schedule();
                    self.0.fetch_max(value, order)
                }
                #[doc = "Sets bits of the word."]
                pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                    schedule();
                    self.0.fetch_or(value, order)
                }
                #[doc = "Replaces `current` by `new`."]
                #[expect(clippy::missing_errors_doc, reason = "the contract of core's method of this name")]
                pub fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    schedule();
                    self.0.compare_exchange(current, new, success, failure)
                }
                #[doc = "Replaces `current` by `new`."]
                #[expect(clippy::missing_errors_doc, reason = "the contract of core's method of this name")]
                pub fn compare_exchange_weak(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.compare_exchange(current, new, success, failure)
                }
            }
        };
    }
    scheduled_atomic!(AtomicU8, u8);
    scheduled_atomic!(AtomicU32, u32);
    scheduled_atomic!(AtomicU64, u64);
}
