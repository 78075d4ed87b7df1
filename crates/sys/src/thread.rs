//! The words of state that each thread has.
//!
//! One holds the distance from a base address, chosen by the caller and the same for all threads, to the thread's
//! own structure. A new thread's words are zero, so before anything is set up the structure *is* the base: a static
//! that answers every question with "ask the slow path". That way the fast paths need no test for "is this thread
//! known", even while the dynamic loader has not set up thread-local storage contents.
//!
//! Four are the thread's [`Window`], whose zero limit says "nothing is known yet" in the same way. The last one counts.

use crate::cpu::ThreadWords;

const DISTANCE: usize = 0;
const BASE: usize = 1;
const LIMIT: usize = 2;
const MAP: usize = 3;
const OWNER: usize = 4;
const CALLS: usize = 5;

/// What a thread has to know to recognise an address as its own: a table with an entry for each unit from `base` on, whose
/// low 16 bits name the unit's owner.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Window {
    /// The address of unit 0.
    pub base: usize,
    /// Units that have an entry.
    pub limit: usize,
    /// The address of entry 0.
    pub map: usize,
    /// The name of this thread in the entries.
    pub owner: u16,
}

/// This thread's structure, given the address of the static base.
#[inline(always)]
pub fn at_distance_from(base: usize) -> usize {
    ThreadWords::here().plus::<DISTANCE>(base)
}

/// Makes `address` this thread's structure.
pub fn set_distance(base: usize, address: usize) {
    ThreadWords::here().set::<DISTANCE>(address.wrapping_sub(base));
}

/// Makes `window` this thread's.
#[inline]
pub fn set_window(window: Window) {
    let words = ThreadWords::here();
    words.set::<BASE>(window.base);
    words.set::<LIMIT>(window.limit);
    words.set::<MAP>(window.map);
    words.set::<OWNER>(usize::from(window.owner));
}

/// How often this thread has called this function before.
pub fn count_call() -> usize {
    let words = ThreadWords::here();
    let calls = words.get::<CALLS>();
    words.set::<CALLS>(calls.wrapping_add(1));
    calls
}

/// This thread's window, read field by field at the moment of use.
#[derive(Clone, Copy, Debug)]
pub struct Here(ThreadWords);

impl Here {
    /// The calling thread's.
    #[inline(always)]
    pub fn new() -> Self {
        Self(ThreadWords::here())
    }

    /// How far `address` is above the window's base.
    #[inline(always)]
    pub fn offset_of(self, address: usize) -> usize {
        self.0.taken_from::<BASE>(address)
    }

    /// Whether unit `unit` has an entry.
    #[inline(always)]
    pub fn has(self, unit: usize) -> bool {
        self.0.is_above::<LIMIT>(unit)
    }

    /// The address of entry 0.
    #[inline(always)]
    pub fn map(self) -> usize {
        self.0.get::<MAP>()
    }

    /// Whether `entry` names this thread.
    #[inline(always)]
    pub fn owns(self, entry: u64) -> bool {
        self.0.has_low_half_word::<OWNER>(entry)
    }
}

impl Default for Here {
    fn default() -> Self {
        Self::new()
    }
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

    #[test]
    fn each_thread_counts_from_zero() {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!([count_call(), count_call(), count_call()], [0, 1, 2]));
            }
        });
    }

    #[test]
    fn each_thread_has_its_own_window_and_starts_without_units() {
        std::thread::scope(|scope| {
            for n in 1..=8_u16 {
                scope.spawn(move || {
                    assert!(!Here::new().has(0), "a new thread knows no units");
                    set_window(Window { base: 4096, limit: 3, map: 77, owner: n });
                    std::thread::yield_now();
                    let here = Here::new();
                    assert_eq!((here.offset_of(5000), here.map()), (904, 77));
                    assert_eq!([0, 2, 3, 4].map(|unit| here.has(unit)), [true, true, false, false]);
                    assert!(here.owns(0xabcd_0000 | u64::from(n)) && !here.owns(u64::from(n) + 1));
                    set_window(Window::default());
                });
            }
        });
    }
}
