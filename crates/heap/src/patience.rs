//! Patience: how much free memory to keep resident, learnt from what comes back.
//!
//! Memory that is returned to the kernel and asked for again soon after was returned in vain: the program pays for a system
//! call and for the faults. So who returns memory counts what it gives, and what it takes back; with every quarter of it
//! that comes back, it keeps more from then on, and longer. Five seconds without that, and it keeps less again.
//!
//! Called by `page_heap` and `large`, each with its own.

use mallow_units::bytes::MIB;

use crate::config::{DECAY_MS, DIRTY_SHARE, LATELY_TICKS};

/// The most patient level: keeps twice as much again as is in use.
const MAX_LEVEL: u32 = DIRTY_SHARE.ilog2() + 1;
/// The level from which on memory stays no longer.
const MAX_DECAY_LEVEL: u32 = 1;
/// Bytes; less that comes back is no lesson.
const LESSON_BYTES: usize = MIB;
/// Milliseconds after which patience that was not needed is lost.
const RELAX_MS: u64 = 5000;

/// What was given and taken back since it was last judged, and what follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    level: u32,
    /// Given, and not taken back.
    away: usize,
    taken_back: usize,
    judged_ms: u64,
    /// The most bytes that were in use, fading away.
    lately: usize,
}

impl Patience {
    /// None yet.
    pub const fn new() -> Self {
        Self { level: 0, away: 0, taken_back: 0, judged_ms: 0, lately: 0 }
    }

    /// Notes that `bytes` are in use.
    pub const fn note_used(&mut self, bytes: usize) {
        if bytes > self.lately {
            self.lately = bytes;
        }
    }

    /// Bytes that were in use lately.
    pub const fn lately(&self) -> usize {
        self.lately
    }

    /// Bytes of free memory that may stay resident while `used` bytes are in use, `floor` at least.
    pub const fn budget(&self, used: usize, floor: usize) -> usize {
        let share = (used / DIRTY_SHARE) << self.level;
        if share > floor { share } else { floor }
    }

    /// Milliseconds that free memory stays resident: at most twice as long as at first, however often it came back.
    pub const fn decay_ms(&self) -> u64 {
        DECAY_MS << if self.level < MAX_DECAY_LEVEL { self.level } else { MAX_DECAY_LEVEL }
    }

    /// Whether nothing was returned in vain lately.
    pub const fn is_at_rest(&self) -> bool {
        self.level == 0
    }

    /// Notes that `bytes` were returned to the kernel although they might be needed again.
    pub const fn gave(&mut self, bytes: usize) {
        self.away += bytes;
    }

    /// Notes that `bytes` that the kernel had got back were taken again.
    pub const fn took_back(&mut self, bytes: usize, now_ms: u64) {
        // What was given long ago does not count.
        self.taken_back += if self.away == 0 { 0 } else { bytes };
        self.away = self.away.saturating_sub(bytes);
        let is_much = self.taken_back >= LESSON_BYTES && self.taken_back > (self.away + self.taken_back) / 4;
        if is_much && self.level < MAX_LEVEL {
            // If more of what is away comes back, that is the next lesson.
            *self = Self { level: self.level + 1, taken_back: 0, judged_ms: now_ms, ..*self };
        }
    }

    /// Notes the time.
    pub const fn tick(&mut self, now_ms: u64) {
        self.lately -= self.lately / LATELY_TICKS;
        if now_ms >= self.judged_ms + RELAX_MS {
            let was_needed = self.taken_back > (self.away + self.taken_back) / 8;
            let level = if was_needed { self.level } else { self.level.saturating_sub(1) };
            *self = Self { level, away: 0, taken_back: 0, judged_ms: now_ms, ..*self };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USED: usize = 1 << 20;

    #[test]
    fn what_comes_back_makes_patient_up_to_twice_what_is_used() {
        let mut patience = Patience::new();
        assert_eq!(patience.budget(USED, 0), USED / DIRTY_SHARE);
        for _ in 0..20 {
            patience.gave(10 * MIB);
            patience.took_back(6 * MIB, 5);
        }
        assert_eq!(patience.budget(USED, 0), 2 * USED);
        assert_eq!(patience.budget(10, 77), 77, "the floor");
    }

    #[test]
    fn much_that_comes_back_at_once_is_more_than_one_lesson() {
        let mut patience = Patience::new();
        patience.gave(10 * MIB);
        for _ in 0..80 {
            patience.took_back(MIB / 10, 5);
        }
        assert_eq!(patience.budget(USED, 0), 2 * USED);
    }

    #[test]
    fn what_does_not_come_back_changes_nothing_and_time_makes_impatient() {
        let mut patience = Patience::new();
        patience.gave(10 * MIB);
        patience.took_back(2 * MIB, 5);
        assert_eq!(patience.budget(USED, 0), USED / DIRTY_SHARE);
        patience.took_back(MIB, 5);
        assert_eq!(patience.budget(USED, 0), USED / DIRTY_SHARE * 2);
        patience.tick(RELAX_MS);
        assert_eq!(patience.decay_ms(), DECAY_MS * 2, "too early");
        patience.tick(RELAX_MS + 5);
        assert_eq!(patience.decay_ms(), DECAY_MS);
    }

    #[test]
    fn what_was_in_use_fades() {
        let mut patience = Patience::new();
        patience.note_used(USED);
        patience.note_used(1);
        assert_eq!(patience.lately(), USED);
        for _ in 0..LATELY_TICKS {
            patience.tick(0);
        }
        assert!((USED / 3..USED / 2).contains(&patience.lately()));
    }

    #[test]
    fn memory_that_was_never_given_is_no_lesson() {
        let mut patience = Patience::new();
        patience.took_back(1 << 30, 5);
        assert_eq!(patience.budget(USED, 0), USED / DIRTY_SHARE);
    }
}
