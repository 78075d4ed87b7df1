//! What to do when no zone is above its low watermark: the slow path, as one state machine.
//!
//! ```text
//!  Wake ──► Attempt(min) ──► Drain ──► Attempt ─┬───────────────────────────────────────┐
//!                                               └─► Compact ──► Attempt ──► Reclaim ◄───┤
//!                                       (costly or unmovable runs)             │        │
//!                                                      Attempt ◄───────────────┘        │
//!                                                         │                             │
//!                                     (orders above 0) Compact ──► Attempt ─┬─► retry, while it helps
//!                                                                           ▼           ▲
//!                                                                      Attempt(high)    │
//!                                                                           ▼           │
//!                                                                         Kill ──► somebody was killed
//!                                                                           ▼
//!                                                                         Fail
//! ```
//!
//! [`SlowPath::next`] is told what the last step brought and says which comes next; it allocates nothing, waits for nothing, and can be
//! printed at any time. [`allocate`] carries the steps out with [`Hooks`]; a kernel that needs its locks in between drives the machine itself.
//!
//! # Source
//!
//! The order of steps and the limits are those of `__alloc_pages_slowpath` in Linux 6.18, but that the arrays are drained first,
//! not last: they are free already. As there, a costly run, and one that cannot be moved later, is first compacted for: there are
//! probably frames enough, and nobody needs to lose what he has. Who tries only once gives up if that was of no use.

use core::fmt;

use mallow_frame::{FrameRun, FrameTable, Mobility};
use mallow_units::Order;

use crate::compact::Thoroughness;
use crate::node::Node;
use crate::request::{Effort, Request, Reserve};
use crate::watermark::Mark;

/// Rounds of reclaim without progress before it is given up. As in Linux.
const MAX_ROUNDS: u32 = 16;
/// Frames that one direct reclaim is asked for at least. As in Linux.
const RECLAIM_FRAMES: u32 = 32;

/// What the slow path does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Step {
    /// Wake the background reclaim, and go on.
    WakeBackground,
    /// Try to allocate above a mark; who succeeds is done.
    Attempt {
        /// What must stay.
        mark: Mark,
        /// How far below it this request may go.
        reserve: Reserve,
    },
    /// Drain the arrays of all processors.
    Drain,
    /// Reclaim.
    Reclaim {
        /// How much is wanted. Unit: frames.
        frames: u32,
    },
    /// Compact the zones for a run.
    Compact {
        /// How long.
        order: Order,
        /// How hard to try.
        thoroughness: Thoroughness,
    },
    /// Choose a process and kill it.
    Kill,
    /// Give up.
    Fail,
}

/// What a step brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Frames that became free, or 1 if somebody was killed. Unit: frames.
    pub frames: u32,
    /// Whether the same step may bring more when it is repeated.
    pub may_bring_more: bool,
}

impl Progress {
    /// Nothing, and nothing to hope for.
    pub const NONE: Self = Self { frames: 0, may_bring_more: false };

    /// Frames that became free; there may be more.
    pub const fn freed(frames: u32) -> Self {
        Self { frames, may_bring_more: frames > 0 }
    }
}

/// Where the machine stands: the step that it has asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Start,
    Woken,
    FirstAttempt,
    Drained,
    DrainedAttempt,
    CompactedFirst,
    CompactedFirstAttempt,
    Reclaimed,
    ReclaimedAttempt,
    Compacted,
    CompactedAttempt,
    LastAttempt,
    Killed,
    KilledAttempt,
    Failed,
}

/// The state of one allocation on the slow path.
#[derive(Clone, Copy, Debug)]
pub struct SlowPath {
    request: Request,
    stage: Stage,
    /// Rounds of reclaim that brought nothing.
    rounds: u32,
    reclaim: Progress,
    compactions: u32,
    compaction: Progress,
}

impl SlowPath {
    /// Begins, after the fast path has failed.
    pub const fn new(request: Request) -> Self {
        Self {
            request,
            stage: Stage::Start,
            rounds: 0,
            reclaim: Progress::NONE,
            compactions: 0,
            compaction: Progress::NONE,
        }
    }

    /// What is being allocated.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The next step, given what the last one brought; an attempt that failed brought nothing.
    ///
    /// After [`Step::Fail`] it stays there.
    pub fn next(&mut self, brought: Progress) -> Step {
        let effort = self.request.effort;
        match self.stage {
            Stage::Start if effort >= Effort::Wake => self.go(Stage::Woken, Step::WakeBackground),
            Stage::Start | Stage::Woken => self.attempt(Stage::FirstAttempt, Mark::Min),
            // Who frees memory must not wait for himself.
            Stage::FirstAttempt if effort <= Effort::Wake || self.request.reserve == Reserve::All => {
                self.fail()
            }
            Stage::FirstAttempt => self.go(Stage::Drained, Step::Drain),
            Stage::Drained if brought.frames > 0 => self.attempt(Stage::DrainedAttempt, Mark::Min),
            Stage::Drained | Stage::DrainedAttempt if self.compacts_first() => {
                self.compact(Stage::CompactedFirst)
            }
            Stage::Drained | Stage::DrainedAttempt => self.reclaim(),
            Stage::CompactedFirst if brought.frames == 0 => self.without_compaction(),
            Stage::CompactedFirst => self.attempt(Stage::CompactedFirstAttempt, Mark::Min),
            Stage::CompactedFirstAttempt => self.reclaim(),
            Stage::Reclaimed => {
                self.reclaim = brought;
                self.attempt(Stage::ReclaimedAttempt, Mark::Min)
            }
            Stage::ReclaimedAttempt if self.request.order > Order::ZERO => self.compact(Stage::Compacted),
            Stage::ReclaimedAttempt => self.retry(),
            Stage::Compacted => {
                self.compaction = brought;
                self.attempt(Stage::CompactedAttempt, Mark::Min)
            }
            Stage::CompactedAttempt => self.retry(),
            // Somebody else may have killed meanwhile: only who finds memory short above the high mark kills.
            Stage::LastAttempt => self.go(Stage::Killed, Step::Kill),
            Stage::Killed if brought.frames > 0 => {
                self.rounds = 0;
                self.attempt(Stage::KilledAttempt, Mark::Min)
            }
            Stage::Killed => self.fail(),
            Stage::KilledAttempt => self.reclaim(),
            Stage::Failed => Step::Fail,
        }
    }

    const fn go(&mut self, stage: Stage, step: Step) -> Step {
        self.stage = stage;
        step
    }

    const fn attempt(&mut self, stage: Stage, mark: Mark) -> Step {
        self.go(stage, Step::Attempt { mark, reserve: self.request.reserve })
    }

    const fn fail(&mut self) -> Step {
        self.go(Stage::Failed, Step::Fail)
    }

    fn reclaim(&mut self) -> Step {
        let frames = self.request.order.frames().max(RECLAIM_FRAMES);
        self.go(Stage::Reclaimed, Step::Reclaim { frames })
    }

    /// Whether it is more likely that the frames are scattered than that there are none.
    fn compacts_first(&self) -> bool {
        let Request { order, mobility, .. } = self.request;
        self.request.is_costly() || order > Order::ZERO && mobility != Mobility::Movable
    }

    /// There was no room to move anything, or it has failed too often.
    fn without_compaction(&mut self) -> Step {
        if self.request.is_costly() && self.request.effort == Effort::Once {
            return self.fail();
        }
        self.reclaim()
    }

    /// The first time lightly, so that a failure is cheap; then thoroughly, unless it is not that important.
    fn compact(&mut self, stage: Stage) -> Step {
        let is_light = self.compactions == 0 || self.request.effort == Effort::Once;
        let thoroughness = if is_light { Thoroughness::Light } else { Thoroughness::Full };
        self.compactions += 1;
        self.go(stage, Step::Compact { order: self.request.order, thoroughness })
    }

    /// A round is over: once more, or the last resort.
    fn retry(&mut self) -> Step {
        if self.request.effort == Effort::Once {
            return self.fail();
        }
        // Freed frames are no progress towards a costly run: they may be scattered for ever.
        if self.reclaim.frames > 0 && !self.request.is_costly() {
            self.rounds = 0;
        } else {
            self.rounds += 1;
        }
        let reclaim_helps = self.reclaim.may_bring_more && self.rounds <= MAX_ROUNDS;
        if reclaim_helps || self.compaction_helps() {
            return self.reclaim();
        }
        if self.request.effort == Effort::Forever
            || (self.request.effort == Effort::Kill && !self.request.is_costly())
        {
            return self.attempt(Stage::LastAttempt, Mark::High);
        }
        self.fail()
    }

    /// After the light compaction there is always the thorough one.
    const fn compaction_helps(&self) -> bool {
        if self.request.order.get() == 0 {
            return false;
        }
        let most = if self.request.is_costly() { MAX_ROUNDS / 4 } else { MAX_ROUNDS };
        self.compactions == 1 || (self.compaction.may_bring_more && self.compactions < most)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WakeBackground => f.write_str("wake background reclaim"),
            Self::Attempt { mark, reserve: Reserve::None } => write!(f, "attempt above {mark:?}"),
            Self::Attempt { mark, reserve } => write!(f, "attempt above {mark:?} with reserve {reserve:?}"),
            Self::Drain => f.write_str("drain arrays"),
            Self::Reclaim { frames } => write!(f, "reclaim {frames} frames"),
            Self::Compact { order, thoroughness } => {
                write!(f, "compact for order {}, {thoroughness:?}", order.get())
            }
            Self::Kill => f.write_str("kill"),
            Self::Fail => f.write_str("fail"),
        }
    }
}

/// What only the whole kernel can do. Each is given the node, of which the caller of [`allocate`] holds the lock.
pub trait Hooks {
    /// Wakes the background reclaim. Must not wait.
    fn wake_background(&mut self, node: &Node, request: &Request);

    /// Drains the arrays of all processors into `node`; returns how many frames came.
    fn drain(&mut self, table: FrameTable<'_>, node: &mut Node) -> u32;

    /// Reclaims, if possible, `frames` frames that suit `request`.
    fn reclaim(&mut self, table: FrameTable<'_>, node: &mut Node, frames: u32, request: &Request)
    -> Progress;

    /// Compacts; usually [`Node::compact`] with the kernel's mover.
    fn compact(
        &mut self,
        table: FrameTable<'_>,
        node: &mut Node,
        thoroughness: Thoroughness,
        request: &Request,
    ) -> Progress;

    /// Kills a process; whether there was one, or one is on its way out already.
    fn kill(&mut self, table: FrameTable<'_>, node: &mut Node, request: &Request) -> bool;

    /// Is told each step and what it brought; an attempt that succeeded brought its frames.
    fn trace(&mut self, step: Step, brought: Progress) {
        let _ = (step, brought);
    }
}

/// Allocates by the slow path, after the fast path has failed.
pub fn allocate<H: Hooks + ?Sized>(
    table: FrameTable<'_>,
    node: &mut Node,
    request: &Request,
    hooks: &mut H,
) -> Option<FrameRun> {
    if node.take_refusal() {
        hooks.trace(Step::Fail, Progress::NONE);
        return None;
    }
    let mut path = SlowPath::new(*request);
    let mut brought = Progress::NONE;
    loop {
        let step = path.next(brought);
        brought = match step {
            Step::Attempt { mark, reserve } => {
                let got = node.attempt(table, mark, &Request { reserve, ..*request });
                if let Some(run) = got {
                    hooks.trace(step, Progress::freed(run.frame_count()));
                    return Some(run);
                }
                Progress::NONE
            }
            Step::WakeBackground => {
                hooks.wake_background(node, request);
                Progress::NONE
            }
            Step::Drain => Progress::freed(hooks.drain(table, node)),
            Step::Reclaim { frames } => hooks.reclaim(table, node, frames, request),
            Step::Compact { thoroughness, .. } => hooks.compact(table, node, thoroughness, request),
            Step::Kill => Progress::freed(hooks.kill(table, node, request).into()),
            Step::Fail => Progress::NONE,
        };
        hooks.trace(step, brought);
        if step == Step::Fail {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    /// Every step until the end, with the same answer to each kind.
    fn steps(request: Request, answer: impl Fn(Step) -> Progress) -> Vec<Step> {
        let mut path = SlowPath::new(request);
        let mut steps = Vec::new();
        let mut brought = Progress::NONE;
        while steps.last() != Some(&Step::Fail) {
            let step = path.next(brought);
            brought = answer(step);
            steps.push(step);
            assert!(steps.len() < 10_000, "it ends");
        }
        assert_eq!(path.next(Progress::freed(1)), Step::Fail, "and stays there");
        steps
    }

    fn nothing(_: Step) -> Progress {
        Progress::NONE
    }

    #[test]
    fn who_may_not_wait_tries_once() {
        let texts = |request| steps(request, nothing).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            texts(Request::atomic(Order::ZERO)),
            ["wake background reclaim", "attempt above Min with reserve Atomic", "fail"]
        );
        let quiet = Request { effort: Effort::Nothing, ..Request::kernel(Order::ZERO) };
        assert_eq!(texts(quiet), ["attempt above Min", "fail"]);
    }

    #[test]
    fn a_hopeless_allocation_kills_and_fails_at_last() {
        let texts: Vec<_> = steps(Request::anonymous(), nothing).iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "wake background reclaim",
                "attempt above Min",
                "drain arrays",
                "reclaim 32 frames",
                "attempt above Min",
                "attempt above High",
                "kill",
                "fail"
            ]
        );
    }

    #[test]
    fn nobody_is_killed_for_a_costly_run_or_by_who_asks_not_to() {
        for effort in [Effort::Once, Effort::Try] {
            let request = Request { effort, ..Request::anonymous() };
            assert!(!steps(request, nothing).contains(&Step::Kill));
        }
        let costly = Request { effort: Effort::Kill, ..Request::huge() };
        let taken = steps(costly, |step| match step {
            Step::Reclaim { frames } => Progress::freed(frames),
            _ => Progress::NONE,
        });
        assert!(!taken.contains(&Step::Kill));
        let rounds = taken.iter().filter(|step| matches!(step, Step::Reclaim { .. })).count();
        assert_eq!(rounds, 17, "frames alone are no progress towards a costly run");
    }

    #[test]
    fn reclaim_goes_on_as_long_as_it_helps() {
        let left = core::cell::Cell::new(1000_u32);
        let taken = steps(Request::anonymous(), |step| match step {
            Step::Reclaim { frames } => {
                let freed = frames.min(left.get());
                left.set(left.get() - freed);
                Progress { frames: freed, may_bring_more: left.get() > 0 }
            }
            _ => Progress::NONE,
        });
        assert_eq!(left.get(), 0);
        assert_eq!(taken.iter().filter(|step| matches!(step, Step::Kill)).count(), 1);
    }

    #[test]
    fn compaction_is_light_first_and_thorough_then() {
        let request = Request { effort: Effort::Try, ..Request::huge() };
        let compactions: Vec<_> = steps(request, nothing)
            .into_iter()
            .filter_map(|step| match step {
                Step::Compact { thoroughness, .. } => Some(thoroughness),
                _ => None,
            })
            .collect();
        assert_eq!(compactions, [Thoroughness::Light, Thoroughness::Full]);
    }

    #[test]
    fn pages_are_moved_before_somebody_loses_his() {
        let names = |request, brought| -> Vec<&str> {
            let steps = steps(request, |step| match step {
                Step::Compact { .. } => brought,
                _ => Progress::NONE,
            });
            let name = |step: &Step| match step {
                Step::Compact { .. } => Some("compact"),
                Step::Reclaim { .. } => Some("reclaim"),
                _ => None,
            };
            steps.iter().filter_map(name).collect()
        };
        let of_order = |order| Order::new(order).expect("a small one");
        let moved = Progress { frames: 9, may_bring_more: false };
        assert_eq!(names(Request::huge(), Progress::NONE), ["compact"], "it was of no use, and that is it");
        assert_eq!(names(Request::huge(), moved), ["compact", "reclaim", "compact"]);
        let unmovable = Request { effort: Effort::Once, ..Request::kernel(of_order(1)) };
        assert_eq!(names(unmovable, Progress::NONE), ["compact", "reclaim", "compact"]);
        let short = Request { order: of_order(1), effort: Effort::Once, ..Request::anonymous() };
        assert_eq!(names(short, moved), ["reclaim", "compact"]);
    }

    #[test]
    fn who_frees_memory_does_not_wait_for_memory() {
        let request = Request { reserve: Reserve::All, ..Request::kernel(Order::ZERO) };
        assert_eq!(steps(request, nothing).len(), 3);
    }

    #[test]
    fn each_kill_gives_another_chance() {
        let victims = core::cell::Cell::new(3);
        let taken = steps(Request::anonymous(), |step| match step {
            Step::Kill if victims.get() > 0 => {
                victims.set(victims.get() - 1);
                Progress::freed(1)
            }
            _ => Progress::NONE,
        });
        assert_eq!(taken.iter().filter(|step| matches!(step, Step::Kill)).count(), 4);
    }
}
