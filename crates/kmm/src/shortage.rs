//! Who makes room when there is no frame: the slow path of an allocation, the background, and the rounds.
//!
//! Called by `World::allocate` when the array of the processor is empty and no zone is above its low watermark, and by the
//! machine after each fault and call, which is when the background runs.

use alloc::vec::Vec;

use mallow_buddy::slow::{Progress, SlowPath, Step};
use mallow_buddy::{Mark, Request};
use mallow_frame::{FrameRun, FrameState};
use mallow_paging::range::Harvest;
use mallow_units::FrameNumber;

use crate::lru::{Age, Kind};
use crate::mm::{ALL_PAGES, Pid};
use crate::pressure::TraceEntry;
use crate::reclaim::{self, Goal, Pass};
use crate::world::{World, frames_of};

/// Frames that the longest path from the top of a table to a page takes, with one for a block that is split.
const TABLE_PATH: usize = 4;

/// Frames that the background frees before it looks at the watermark again.
const BATCH: u64 = 64;

impl World {
    /// Allocates when the array of the processor is empty and no zone is above its low watermark.
    #[cold]
    #[inline(never)]
    pub(crate) fn allocate_slow(&mut self, request: &Request) -> Option<FrameNumber> {
        self.events.slow_allocations += 1;
        let (_, node, _) = self.physical.node_mut();
        if node.take_refusal() {
            return None;
        }
        // Who frees memory does not free memory to do so.
        if self.pressure.is_reclaiming {
            return self.physical.attempt(Mark::Min, request).map(FrameRun::into_first);
        }
        let mut path = SlowPath::new(*request);
        let mut brought = Progress::NONE;
        loop {
            let step = path.next(brought);
            brought = match step {
                Step::Attempt { mark, reserve } => {
                    if let Some(run) = self.physical.attempt(mark, &Request { reserve, ..*request }) {
                        self.trace(step, Progress::freed(run.frame_count()));
                        return Some(run.into_first());
                    }
                    if self.physical.is_refusing() {
                        return None;
                    }
                    Progress::NONE
                }
                Step::WakeBackground => {
                    self.wake_background();
                    Progress::NONE
                }
                Step::Drain => Progress::freed(self.drain()),
                Step::Reclaim { frames } => self.reclaim_directly(frames),
                Step::Compact { thoroughness, .. } => self.compact(thoroughness, request),
                Step::Kill => Progress::freed(u32::from(self.kill(request))),
                Step::Fail => Progress::NONE,
            };
            self.trace(step, brought);
            if step == Step::Fail {
                return None;
            }
        }
    }

    fn trace(&mut self, step: Step, brought: Progress) {
        let free = self.physical.free_frames();
        let (at_ns, allocation) = (self.pressure.now_ns, self.events.slow_allocations);
        self.pressure.note(TraceEntry { at_ns, allocation, step, brought, free });
    }

    fn wake_background(&mut self) {
        self.pressure.counts.wakeups += u64::from(!self.pressure.is_background_due);
        self.pressure.is_background_due = true;
    }

    pub(crate) fn drain(&mut self) -> u32 {
        let (table, node, cpus) = self.physical.node_mut();
        cpus.iter_mut().map(|cpu| cpu.drain(table, node)).sum()
    }

    fn reclaim_directly(&mut self, frames: u32) -> Progress {
        self.pressure.counts.stalls += 1;
        let goal = Goal { target: u64::from(frames), ..self.goal() };
        let pass = self.reclaim(goal);
        self.pressure.counts.scanned_directly += pass.scanned();
        self.pressure.counts.freed_directly += pass.freed();
        Progress::freed(u32::try_from(pass.freed()).unwrap_or(u32::MAX))
    }

    fn goal(&self) -> Goal {
        Goal { swappiness: self.pressure.swappiness, ..Goal::direct(self.pressure.swap.free() > 0) }
    }

    /// Runs the background if somebody has woken it: frees until all zones are above their high watermarks, or nothing helps.
    pub fn run_background(&mut self) {
        if !core::mem::take(&mut self.pressure.is_background_due) {
            return;
        }
        // What it takes is not the time of the process that runs.
        let spent = self.pressure.spent_ns;
        let request = Request::anonymous();
        while !self.physical.node().is_above(Mark::High, &request) {
            let pass = self.reclaim(Goal { target: BATCH, ..self.goal() });
            self.pressure.counts.scanned_behind += pass.scanned();
            self.pressure.counts.freed_behind += pass.freed();
            self.drain();
            if pass.freed() == 0 {
                break;
            }
        }
        self.pressure.spent_ns = spent;
    }

    /// A process begins to run; it is `now_ns`.
    pub(crate) const fn begin(&mut self, pid: Pid, now_ns: u64) {
        self.running = Some(pid);
        self.pressure.now_ns = now_ns;
    }

    /// It has run: nanoseconds that it spent on making room and on waiting for swap.
    pub(crate) const fn end(&mut self) -> u64 {
        self.running = None;
        core::mem::replace(&mut self.pressure.spent_ns, 0)
    }

    /// One that was killed and still has to exit.
    pub(crate) fn next_dying(&mut self) -> Option<Pid> {
        self.pressure.dying.pop()
    }

    /// Runs one pass.
    pub(crate) fn reclaim(&mut self, goal: Goal) -> Pass {
        self.pressure.is_reclaiming = true;
        let mut pass = Pass::new(goal);
        while let Some(step) = pass.next(&mut self.pressure.lru, self.physical.table()) {
            match step {
                reclaim::Step::Harvest => self.harvest(),
                reclaim::Step::Evict { frame, kind } => {
                    self.pressure.spent_ns += self.pressure.costs.scan;
                    let verdict = self.evict(frame);
                    pass.tell(&mut self.pressure.lru, self.physical.table(), frame, kind, verdict);
                }
            }
        }
        self.pressure.is_reclaiming = false;
        pass
    }

    /// One round: asks all tables which pages have been used, then begins a new generation.
    pub(crate) fn harvest(&mut self) {
        let mut used: Vec<FrameNumber> = Vec::new();
        for (pid, mm) in (0..).map(Pid).zip(&mut self.mms) {
            let Some(mm) = mm else { continue };
            let before = used.len();
            let harvested =
                mm.table.harvest(&mut self.physical, ALL_PAGES, Harvest::Accessed, |_, level, entry| {
                    used.extend(frames_of(level, entry).filter(|_| !entry.is_special()));
                });
            debug_assert!(harvested.is_ok(), "the span is that of the tables");
            if used.len() > before {
                self.tlbs.flush(pid, ALL_PAGES);
            }
        }
        self.pressure.spent_ns += self.pressure.costs.scan * used.len() as u64 / 16;
        for frame in used {
            self.pressure.lru.touch(self.physical.table(), frame);
        }
        self.pressure.lru.age(self.physical.table());
    }

    /// Makes room for tables, so that what failed for want of them can be tried again; whether there is any.
    ///
    /// The frames are kept aside until it has succeeded, each time twice as many: given back to the zone, or to the array of a
    /// processor, they would be had by others, or be of the wrong mobility, and the operation would fail for ever.
    pub(crate) fn make_room(&mut self, request: &Request) -> bool {
        let wanted = (2 * self.physical.spare_count()).max(TABLE_PATH);
        while self.physical.spare_count() < wanted {
            let Some(frame) = self.allocate_slow(request) else { return false };
            self.physical.keep_spare(frame);
        }
        true
    }

    /// A frame has been mapped for the first time, or has joined the page cache: it may be reclaimed from now on.
    #[inline]
    pub(crate) fn admit(&mut self, frame: FrameNumber) {
        self.admit_at(frame, Age::Youngest);
    }

    #[inline]
    pub(crate) fn admit_at(&mut self, frame: FrameNumber, age: Age) {
        let kind = self.kind_of(frame);
        self.pressure.lru.add(self.physical.table(), frame, kind, age);
    }

    /// What a frame holds, as reclaim sees it: shared memory goes to swap as private memory does.
    fn kind_of(&self, frame: FrameNumber) -> Kind {
        if self.physical.frame(frame).state() == FrameState::File && !self.is_shared_memory(frame) {
            Kind::File
        } else {
            Kind::Anon
        }
    }

    /// A frame is about to be freed.
    #[inline]
    pub(crate) fn forget(&mut self, frame: FrameNumber) {
        self.pressure.lru.remove(self.physical.table(), frame);
    }

    /// A frame must stay: somebody has locked it.
    pub(crate) fn pin(&mut self, frame: FrameNumber) {
        self.pressure.lru.pin(self.physical.table(), frame);
    }

    /// A frame may go again.
    pub(crate) fn unpin(&mut self, frame: FrameNumber) {
        self.pressure.lru.unpin(self.physical.table(), frame);
    }
}
