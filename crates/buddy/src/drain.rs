//! How one processor asks another for the frames in its arrays.
//!
//! The arrays belong to one processor and have no lock. Who needs their frames back, because memory is short or must become
//! contiguous, *asks* and goes on; the owner sees it at its next look (in its idle loop, at a timer tick, in the handler of an interrupt
//! that the asker sends), drains, and *answers*. Asking again before the answer is free.
//!
//! # Concurrency
//!
//! One word: how often it was asked, and which question was answered last. An answer names the question that the owner had
//! seen *before* it drained, so a question that arrives meanwhile stays open. `tests/loom.rs` checks that an answered
//! question means that all frames which were in the arrays when it was asked are back.

use mallow_ds::packed::{Packed, Word};
use mallow_units::word;

/// Questions and answers so far; both wrap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Drain {
    asked: u32,
    answered: u32,
}

impl Word for Drain {
    fn from_bits(bits: u64) -> Self {
        Self { asked: word::low_half(bits), answered: word::low_half(bits >> 32) }
    }
    fn to_bits(self) -> u64 {
        u64::from(self.asked) | u64::from(self.answered) << 32
    }
}

/// A question that was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a question whose answer nobody waits for may come too late"]
pub struct Question(u32);

/// The question that the owner is about to answer.
#[derive(Debug)]
#[must_use = "a question that is not answered stays open"]
pub struct Pending(u32);

/// Where one processor is asked for its frames. All processors see it.
pub struct DrainRequest {
    word: Packed<Drain>,
}

impl core::fmt::Debug for DrainRequest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DrainRequest").field("word", &self.word.get()).finish()
    }
}

impl Default for DrainRequest {
    fn default() -> Self {
        Self::new()
    }
}

impl DrainRequest {
    /// Nothing was asked yet.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { word: Packed::zeroed() }
    }

    /// Nothing was asked yet.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { word: Packed::zeroed() }
    }

    /// Asks the owner for all its frames. Anybody may.
    pub fn ask(&self) -> Question {
        let before = self.word.update(|drain| Some(Drain { asked: drain.asked.wrapping_add(1), ..drain }));
        let (Ok(before) | Err(before)) = before;
        Question(before.asked.wrapping_add(1))
    }

    /// Whether the owner has drained since the question was asked; if so, its frames are visible to the asker.
    pub fn is_answered(&self, question: Question) -> bool {
        // Both numbers wrap, so it is their distance that tells which came first.
        let distance = self.word.get().answered.wrapping_sub(question.0);
        distance < 1 << 31
    }

    /// The owner looks whether somebody asked. One load.
    #[inline]
    pub fn pending(&self) -> Option<Pending> {
        let drain = self.word.get();
        (drain.asked != drain.answered).then_some(Pending(drain.asked))
    }

    /// The owner has drained its arrays since it saw `pending`.
    pub fn answer(&self, pending: Pending) {
        let answered = self.word.update(|drain| Some(Drain { answered: pending.0, ..drain }));
        debug_assert!(answered.is_ok(), "the step above refuses no state");
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn a_question_during_the_draining_stays_open() {
        let request = DrainRequest::new();
        assert!(request.pending().is_none());
        let first = request.ask();
        let pending = request.pending().unwrap();
        let second = request.ask();
        request.answer(pending);
        assert!(request.is_answered(first) && !request.is_answered(second));
        let pending = request.pending().unwrap();
        request.answer(pending);
        assert!(request.is_answered(second) && request.pending().is_none());
    }
}
