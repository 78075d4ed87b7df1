//! Reclaim: one pass of looking for frames that can be freed, step by step.
//!
//! Called by the machine: in the background from the low watermark until the high one, and directly by whoever needs a frame and
//! finds none. A [`Pass`] says what to do next, and is told how it went; it holds no reference to anything, so it can be traced,
//! stopped and tested by itself.
//!
//! ```
//! use mallow_kmm::lru::Lru;
//! use mallow_kmm::reclaim::{Goal, Pass, Step, Verdict};
//! # use mallow_frame::{Frame, FrameTable, Regions};
//! # use mallow_units::FrameNumber;
//! # let frames: [Frame; 8] = [const { Frame::new() }; 8];
//! # let regions = Regions::single(FrameNumber(0), 8).unwrap();
//! # let table = FrameTable::new(&frames, &regions).unwrap();
//! let mut lru = Lru::new();
//! let mut pass = Pass::new(Goal::direct(true));
//! while let Some(step) = pass.next(&mut lru, table) {
//!     match step {
//!         Step::Harvest => lru.age(table), // After telling it which pages have been used.
//!         Step::Evict { frame, kind } => {
//!             let verdict = Verdict::Used; // Look at who maps the frame, swap it out, free it.
//!             pass.tell(&mut lru, table, frame, kind, verdict);
//!         }
//!     }
//! }
//! assert_eq!(pass.freed(), 0, "there are no pages");
//! ```

use mallow_frame::FrameTable;
use mallow_units::FrameNumber;

use crate::lru::{Age, Kind, Lru};

/// Pages that one who needs a frame tries to free at once.
pub const DIRECT_TARGET: u64 = 32;

/// The first look is at a part of 2^-12 of all pages; each further one is at twice as many.
const PRIORITY: u32 = 12;

/// `vm.swappiness` unless set.
pub const SWAPPINESS: u8 = 60;

/// The sum of the weights of both kinds.
const WEIGHTS: i32 = 200;

/// Rounds in a row after which what is dry is given up.
const ROUNDS_MAX: u32 = 3;

/// What a pass is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Goal {
    /// Pages to free; the pass ends when it has.
    pub target: u64,
    /// Whether anonymous pages can go: there is swap with a free slot.
    pub may_swap: bool,
    /// `vm.swappiness`: how much anonymous pages are taken, of 200, beside those of files.
    pub swappiness: u8,
}

impl Goal {
    /// What one wants who needs a frame now.
    pub const fn direct(may_swap: bool) -> Self {
        Self { target: DIRECT_TARGET, may_swap, swappiness: SWAPPINESS }
    }

    /// What the background wants that is `pages` below the high watermark.
    pub const fn background(pages: u64, may_swap: bool) -> Self {
        Self { target: pages, may_swap, swappiness: SWAPPINESS }
    }
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Look at all tables: [`Lru::touch`] what has been used, forget that it was, then [`Lru::age`].
    Harvest,
    /// Try to free this frame, then [`Pass::tell`].
    Evict {
        /// Which; it is on no list.
        frame: FrameNumber,
        /// What it holds.
        kind: Kind,
    },
}

/// How it went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The frame is free.
    Freed {
        /// How many pages it was.
        pages: u64,
    },
    /// It has been used since the last round.
    Used,
    /// It has turned out to be locked: [`Flag::Unevictable`](mallow_frame::Flag::Unevictable) is set, and it is only counted.
    Locked,
    /// It cannot go now: no room in swap, no memory for a table, somebody holds it.
    Busy,
}

/// Where one pass stands.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    goal: Goal,
    freed: u64,
    scanned: u64,
    priority: u32,
    /// Pages that may still be looked at before the next priority.
    budget: u64,
    /// Rounds since the last eviction that was tried.
    rounds: u32,
    /// Which kind is due: above 0 anonymous pages.
    balance: i32,
}

impl Pass {
    /// A pass at its beginning.
    pub const fn new(goal: Goal) -> Self {
        Self { goal, freed: 0, scanned: 0, priority: PRIORITY + 1, budget: 0, rounds: 0, balance: 0 }
    }

    /// Pages that have been freed.
    pub const fn freed(&self) -> u64 {
        self.freed
    }

    /// Pages that have been looked at.
    pub const fn scanned(&self) -> u64 {
        self.scanned
    }

    /// How desperate the pass is: 12 at its beginning, 0 when it looks at everything.
    pub fn priority(&self) -> u32 {
        self.priority.min(PRIORITY)
    }

    /// What to do next; `None` at the end, when the target is reached or everything has been tried.
    pub fn next(&mut self, lru: &mut Lru, table: FrameTable<'_>) -> Option<Step> {
        if self.freed >= self.goal.target {
            return None;
        }
        if self.budget == 0 {
            self.priority = self.priority.checked_sub(1)?;
            let all: u64 = self.kinds().map(|kind| lru.pages(kind)).sum();
            self.budget = (all >> self.priority).max(DIRECT_TARGET.min(all));
            if all == 0 {
                return None;
            }
        }
        let kind = self.due(lru)?;
        if lru.is_dry(kind) {
            // What is in the youngest generation now can be evicted after two rounds, if nobody uses it in between.
            if self.rounds == ROUNDS_MAX {
                return None;
            }
            self.rounds += 1;
            return Some(Step::Harvest);
        }
        self.rounds = 0;
        let frame = lru.isolate(table, kind)?;
        let pages = table.get(frame).map_or(1, |entry| u64::from(entry.order().frames()));
        self.scanned += pages;
        self.budget = self.budget.saturating_sub(pages);
        Some(Step::Evict { frame, kind })
    }

    /// Tells how the eviction of `frame` went; unless it is free, it goes back on a list.
    pub fn tell(
        &mut self,
        lru: &mut Lru,
        table: FrameTable<'_>,
        frame: FrameNumber,
        kind: Kind,
        verdict: Verdict,
    ) {
        let age = match verdict {
            Verdict::Freed { pages } => {
                self.freed += pages;
                return;
            }
            Verdict::Used | Verdict::Locked => Age::Youngest,
            // Others first: it will be looked at again when they have been.
            Verdict::Busy => Age::Second,
        };
        lru.put_back(table, frame, kind, age);
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> + use<> {
        let may_swap = self.goal.may_swap;
        Kind::ALL.into_iter().filter(move |kind| may_swap || *kind == Kind::File)
    }

    /// The kind to take from: in the proportion of `swappiness`, but not one that is dry while the other is not.
    fn due(&mut self, lru: &Lru) -> Option<Kind> {
        let has_pages = |kind: &Kind| lru.pages(*kind) > 0;
        let mut kinds = self.kinds().filter(has_pages);
        let first = kinds.next()?;
        let Some(second) = kinds.next() else { return Some(first) };
        let weight = i32::from(self.goal.swappiness).min(WEIGHTS);
        let due = if self.balance > 0 {
            self.balance -= WEIGHTS - weight;
            first
        } else {
            self.balance += weight;
            second
        };
        debug_assert!(first == Kind::Anon && second == Kind::File, "in the order of `Kind::ALL`");
        Some(if lru.is_dry(due) && !lru.is_dry(due.other()) { due.other() } else { due })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use mallow_frame::{Flag, Frame, FrameState, Head, Regions};

    const FRAMES: u32 = 256;

    fn table_of<R>(run: impl FnOnce(FrameTable<'_>) -> R) -> R {
        let frames: Vec<Frame> = (0..FRAMES).map(|_| Frame::new()).collect();
        let regions = Regions::single(FrameNumber(0), FRAMES).expect("one region");
        let table = FrameTable::new(&frames, &regions).expect("enough entries");
        for entry in &frames {
            entry.turn(Head::single(FrameState::Kernel)).expect("reserved before");
        }
        run(table)
    }

    /// Fills the lru with both kinds, the lowest numbers first.
    fn filled(table: FrameTable<'_>) -> Lru {
        let mut lru = Lru::new();
        for frame in 0..FRAMES {
            let kind = if frame % 2 == 0 { Kind::Anon } else { Kind::File };
            lru.add(table, FrameNumber(frame), kind, Age::Youngest);
        }
        lru
    }

    /// Carries out a pass; `verdict` says how each eviction goes.
    fn run(
        pass: &mut Pass,
        lru: &mut Lru,
        table: FrameTable<'_>,
        mut verdict: impl FnMut(FrameNumber, Kind) -> Verdict,
    ) -> Vec<FrameNumber> {
        let mut freed = Vec::new();
        while let Some(step) = pass.next(lru, table) {
            match step {
                Step::Harvest => lru.age(table),
                Step::Evict { frame, kind } => {
                    let verdict = verdict(frame, kind);
                    pass.tell(lru, table, frame, kind, verdict);
                    if let Verdict::Freed { .. } = verdict {
                        freed.push(frame);
                    }
                }
            }
            assert_eq!(lru.check(table), Ok(()));
        }
        freed
    }

    #[test]
    fn stops_at_the_target_and_takes_the_oldest() {
        table_of(|table| {
            let mut lru = filled(table);
            let mut pass = Pass::new(Goal::direct(true));
            let freed = run(&mut pass, &mut lru, table, |_, _| Verdict::Freed { pages: 1 });
            assert_eq!(pass.freed(), DIRECT_TARGET);
            let anon = freed.iter().filter(|frame| frame.0 % 2 == 0).count();
            assert!((8..=12).contains(&anon), "swappiness is 60 of 200, {anon} of 32 are anonymous");
            assert!(freed.iter().all(|frame| frame.0 < 64), "the first that came go first: {freed:?}");
        });
    }

    #[test]
    fn without_swap_anonymous_pages_stay() {
        table_of(|table| {
            let mut lru = filled(table);
            let mut pass = Pass::new(Goal { target: 1000, ..Goal::direct(false) });
            let freed = run(&mut pass, &mut lru, table, |_, _| Verdict::Freed { pages: 1 });
            assert!(freed.len() == 128 && freed.iter().all(|frame| frame.0 % 2 == 1));
            assert_eq!((lru.pages(Kind::Anon), lru.pages(Kind::File)), (128, 0));
        });
    }

    #[test]
    fn ends_even_if_nothing_can_be_freed() {
        for verdict in [Verdict::Used, Verdict::Busy] {
            table_of(|table| {
                let mut lru = filled(table);
                let mut pass = Pass::new(Goal::direct(true));
                assert!(run(&mut pass, &mut lru, table, |_, _| verdict).is_empty());
                assert_eq!(pass.priority(), 0, "it looked at everything");
                assert!(pass.scanned() >= u64::from(FRAMES) && pass.scanned() < 4 * u64::from(FRAMES));
                assert_eq!(lru.pages(Kind::Anon) + lru.pages(Kind::File), u64::from(FRAMES));
            });
        }
    }

    #[test]
    fn what_is_used_again_and_again_stays() {
        table_of(|table| {
            let mut lru = filled(table);
            let mut evicted = Vec::new();
            for _ in 0..6 {
                let mut pass = Pass::new(Goal::direct(true));
                while let Some(step) = pass.next(&mut lru, table) {
                    match step {
                        Step::Harvest => {
                            for frame in (0..FRAMES).step_by(8).map(FrameNumber) {
                                lru.touch(table, frame);
                            }
                            lru.age(table);
                        }
                        Step::Evict { frame, kind } => {
                            evicted.push(frame.0);
                            pass.tell(&mut lru, table, frame, kind, Verdict::Freed { pages: 1 });
                        }
                    }
                }
            }
            assert!(evicted.len() >= 192 && evicted.iter().all(|frame| frame % 8 != 0), "{evicted:?}");
        });
    }

    #[test]
    fn what_turns_out_to_be_locked_is_only_counted() {
        table_of(|table| {
            let mut lru = filled(table);
            let mut pass = Pass::new(Goal { target: 1000, ..Goal::direct(true) });
            run(&mut pass, &mut lru, table, |frame, _| {
                if frame.0 >= 16 {
                    return Verdict::Freed { pages: 1 };
                }
                table.get(frame).expect("it exists").raise(Flag::Unevictable);
                Verdict::Locked
            });
            assert_eq!((lru.unevictable(), lru.pages(Kind::Anon) + lru.pages(Kind::File)), (16, 0));
        });
    }
}
