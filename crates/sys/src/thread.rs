//! The one word of state that each thread has.
//!
//! It holds the distance from a base address, chosen by the caller and the same for all threads, to the thread's
//! own structure. A new thread's word is zero, so before anything is set up the structure *is* the base: a static
//! that answers every question with "ask the slow path". That way the fast paths need no test for "is this thread
//! known", even while the dynamic loader has not set up thread-local storage contents.

use crate::cpu;

/// This thread's structure, given the address of the static base.
#[inline(always)]
pub fn at_distance_from(base: usize) -> usize {
    cpu::add_thread_word(base)
}

/// Makes `address` this thread's structure.
pub fn set_distance(base: usize, address: usize) {
    cpu::set_thread_word(address.wrapping_sub(base));
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn each_thread_has_its_own_word_and_starts_at_the_base() {
        std::thread::scope(|scope| {
            for n in 1..=8_usize {
                scope.spawn(move || {
                    assert_eq!(at_distance_from(1000), 1000);
                    set_distance(1000, 77 * n);
                    std::thread::yield_now();
                    assert_eq!(at_distance_from(1000), 77 * n);
                    set_distance(1000, 1000);
                });
            }
        });
    }
}
