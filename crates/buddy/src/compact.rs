//! Compaction: moving what can be moved to the upper end of a zone, so that the lower end becomes free in long runs.
//!
//! ```text
//!   lowest frame                                                     highest frame
//!   | M . M U . . M |  . M . M  | ...            ... | M M . M . | M . M M . M |
//!     ──► moves from here                                        to here ◄──
//!         the source scanner                                     the target scanner
//!                        until a run is long enough, or they meet
//! ```
//!
//! The source scanner walks up, block of frames by block, and moves single movable frames; the target scanner walks down and
//! collects free frames for them. Where they stand is remembered in the zone, so a next compaction goes on from there. One that
//! failed is not repeated at once: each failure doubles how many are skipped.
//!
//! The content, the page table entries and the lists of the LRU are not ours: a [`Mover`] of the caller does that part.
//!
//! # Not here
//!
//! Runs longer than one frame are not moved. They are in nobody's way for long: they are split, or long enough themselves.

use core::ops::Range;

use mallow_frame::{Flag, Frame, FrameRun, FrameState, FrameTable, Head, Mobility, ZoneKind};
use mallow_units::{FrameNumber, Order};

use crate::node::Node;
use crate::request::Request;
use crate::slow::Progress;
use crate::zone::{Zone, turn};

/// Moves what is in a frame.
pub trait Mover {
    /// Makes `to` what `from` is: copies its bytes, and lets everything that points to `from` point to `to`.
    ///
    /// `to` is allocated for the same use, with one reference, on no list. On success `from` has at most one reference, no
    /// mapping, and is on no list; it is freed then. On refusal (the frame is pinned, or busy) nothing has changed, and `to` is
    /// freed. [`FrameTable::hand_over`] does the part that concerns the table.
    fn relocate(&mut self, table: FrameTable<'_>, from: FrameNumber, to: FrameNumber) -> bool;
}

/// How hard a compaction tries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Thoroughness {
    /// Movable blocks only, and not at all if the last ones failed.
    Light,
    /// All blocks, from the ends of the zone.
    Full,
}

/// How a compaction ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ending {
    /// There was no reason, or no room to move into.
    Skipped,
    /// The last ones failed: this one is left out.
    Deferred,
    /// The scanners have met, or the movable frames or the free ones were used up.
    Exhausted,
    /// It moved as many frames as it was allowed to.
    Interrupted,
    /// There is a run that is long enough.
    Success,
}

/// What a compaction did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compaction {
    /// Frames that were moved.
    pub moved: u32,
    /// Frames that the mover refused.
    pub refused: u32,
    /// Frames that the scanners looked at.
    pub scanned: u32,
    /// How it ended.
    pub ending: Ending,
}

impl From<Compaction> for Progress {
    fn from(done: Compaction) -> Self {
        let may_bring_more = done.ending == Ending::Interrupted;
        Self { frames: done.moved.max((done.ending == Ending::Success).into()), may_bring_more }
    }
}

/// What a zone remembers between compactions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memento {
    /// Where the scanners stand; they begin anew when they have met. Unit: frame number.
    source: u32,
    target: u32,
    /// 2^this many compactions are skipped after a failure.
    shift: u32,
    skipped: u32,
    /// The smallest order that failed.
    failed: Order,
}

/// As in Linux: at most 64 compactions are skipped.
const MAX_SHIFT: u32 = 6;

impl Memento {
    pub(crate) const NONE: Self = Self { source: 0, target: 0, shift: 0, skipped: 0, failed: Order::MAX };

    /// Whether to skip this one.
    fn is_deferred(&mut self, order: Order) -> bool {
        if self.shift == 0 || order < self.failed {
            return false;
        }
        self.skipped += 1;
        self.skipped < 1 << self.shift
    }

    fn note(&mut self, order: Order, ending: Ending) {
        match ending {
            Ending::Success if order >= self.failed || self.shift > 0 => {
                (self.shift, self.skipped, self.failed) = (0, 0, Order::MAX);
            }
            Ending::Exhausted => {
                self.failed = if self.shift == 0 { order } else { self.failed.min(order) };
                (self.shift, self.skipped) = ((self.shift + 1).min(MAX_SHIFT), 0);
            }
            _ => {}
        }
    }
}

impl Node {
    /// Compacts, zone by zone from the highest that suits, until there is a run for `request`.
    ///
    /// The arrays of the processors should have been drained before. `most` limits how many frames are moved.
    ///
    /// Cost: up to a look at every frame of the zones, and `most` moves.
    pub fn compact<M: Mover + ?Sized>(
        &mut self,
        table: FrameTable<'_>,
        mover: &mut M,
        thoroughness: Thoroughness,
        request: &Request,
        most: u32,
    ) -> Compaction {
        let mut sum = Compaction { moved: 0, refused: 0, scanned: 0, ending: Ending::Skipped };
        for kind in ZoneKind::ALL.into_iter().rev().filter(|kind| *kind <= request.highest) {
            let done = self.zone_mut(kind).compact(table, mover, thoroughness, request, most - sum.moved);
            sum.moved += done.moved;
            sum.refused += done.refused;
            sum.scanned += done.scanned;
            sum.ending = sum.ending.max(done.ending);
            if matches!(done.ending, Ending::Success | Ending::Interrupted) {
                break;
            }
        }
        sum
    }
}

impl Zone {
    fn compact<M: Mover + ?Sized>(
        &mut self,
        table: FrameTable<'_>,
        mover: &mut M,
        thoroughness: Thoroughness,
        request: &Request,
        most: u32,
    ) -> Compaction {
        let ended = |ending| Compaction { moved: 0, refused: 0, scanned: 0, ending };
        if self.area.has_block(request.order) {
            return ended(Ending::Success);
        }
        // Twice the run must be free besides the reserve: for the copies, and because others allocate meanwhile.
        let room = u64::from(self.marks.min) + 2 * u64::from(request.order.frames());
        if request.order == Order::ZERO || u64::from(self.free()) <= room {
            return ended(Ending::Skipped);
        }
        if thoroughness == Thoroughness::Light && self.memento.is_deferred(request.order) {
            return ended(Ending::Deferred);
        }
        self.counters.compactions += 1;
        let mut scan = Scan::new(self, thoroughness);
        let ending = scan.run(self, table, mover, request, most);
        scan.give_back(self, table);
        self.memento.note(request.order, ending);
        self.counters.frames_moved += u64::from(scan.moved);
        Compaction { moved: scan.moved, refused: scan.refused, scanned: scan.scanned, ending }
    }
}

/// Free runs that were collected for moving into.
const TARGETS: usize = 64;
/// How many are collected at a time; the rest is room for the halves of those that are cut.
const COLLECTED: usize = 32;

/// One compaction of one zone.
struct Scan {
    thoroughness: Thoroughness,
    /// The next frame to move, if it can be moved.
    source: u32,
    /// The start of the lowest block of frames that is being emptied of free runs; what is above is done.
    target: u32,
    /// What has not been looked at yet of that block.
    within: Range<u32>,
    targets: [(FrameNumber, Order); TARGETS],
    target_count: usize,
    moved: u32,
    refused: u32,
    scanned: u32,
}

impl Scan {
    fn new(zone: &Zone, thoroughness: Thoroughness) -> Self {
        let lowest = FrameNumber(zone.span.start).aligned_to(zone.block_order).0;
        let is_stale = thoroughness == Thoroughness::Full || zone.memento.source >= zone.memento.target;
        let (source, target) =
            if is_stale { (lowest, zone.span.end) } else { (zone.memento.source, zone.memento.target) };
        Self {
            thoroughness,
            source,
            target,
            within: 0..0,
            targets: [(FrameNumber(0), Order::ZERO); TARGETS],
            target_count: 0,
            moved: 0,
            refused: 0,
            scanned: 0,
        }
    }

    fn run<M: Mover + ?Sized>(
        &mut self,
        zone: &mut Zone,
        table: FrameTable<'_>,
        mover: &mut M,
        request: &Request,
        most: u32,
    ) -> Ending {
        while self.source < self.target {
            let block = FrameNumber(self.source).aligned_to(zone.block_order);
            let block_end = block.0.saturating_add(zone.block_order.frames());
            if !self.is_suitable(zone, table, block) {
                self.source = block_end;
                continue;
            }
            while self.source < block_end {
                if self.moved >= most {
                    return Ending::Interrupted;
                }
                let frame = FrameNumber(self.source);
                let head = self.look(zone, table, frame);
                if head.is_some_and(|head| head.state.is_movable() && head.order == Order::ZERO) {
                    let Some(to) = self.next_target(zone, table, block_end) else { return Ending::Exhausted };
                    self.relocate(zone, table, mover, frame, to);
                }
                self.source = self.source.saturating_add(head.map_or(1, |head| head.order.frames()));
            }
            if zone.area.has_block(request.order) {
                return Ending::Success;
            }
        }
        // The next one begins at the ends again.
        self.source = self.target;
        Ending::Exhausted
    }

    /// Whether frames are moved out of, or into, a block of frames.
    fn is_suitable(&self, zone: &Zone, table: FrameTable<'_>, block: FrameNumber) -> bool {
        let span = block.0.max(zone.span.start)
            ..block.0.saturating_add(zone.block_order.frames()).min(zone.span.end);
        // The block may begin in a hole.
        let mut regions = table.regions().as_slice().iter();
        let Some(region) = regions.find(|region| region.start.0 < span.end && region.end() > span.start)
        else {
            return false;
        };
        let first = table.get(FrameNumber(region.start.0.max(span.start)));
        let is_movable = first.is_some_and(|entry| entry.place().mobility == Mobility::Movable);
        is_movable || self.thoroughness == Thoroughness::Full
    }

    /// What run begins at `frame`, if one does in this zone, and nobody is busy with it.
    fn look(&mut self, zone: &Zone, table: FrameTable<'_>, frame: FrameNumber) -> Option<Head> {
        self.scanned += 1;
        let entry = table.get(frame).filter(|entry| entry.place().zone == zone.kind)?;
        let is_busy = [Flag::Locked, Flag::Writeback, Flag::Isolated].iter().any(|flag| entry.has(*flag));
        let head = entry.head();
        (head.state != FrameState::Tail && !is_busy).then_some(head)
    }

    fn relocate<M: Mover + ?Sized>(
        &mut self,
        zone: &mut Zone,
        table: FrameTable<'_>,
        mover: &mut M,
        from: FrameNumber,
        to: FrameNumber,
    ) {
        let Some(usage) = table.get(from).map(Frame::head) else { return };
        let Ok(target) = table.mint(to, usage) else { return };
        if mover.relocate(table, from, to) {
            self.moved += 1;
            // Whoever had the token of `from` knows it by its number, and now knows `to`.
            let _ = target.into_first();
            if let Ok(source) = table.run(from) {
                Self::free(zone, table, source);
            }
        } else {
            self.refused += 1;
            Self::free(zone, table, target);
        }
    }

    fn free(zone: &mut Zone, table: FrameTable<'_>, run: FrameRun) {
        // If a mover has left users behind, the frame stays theirs.
        if table.retire(&run, FrameState::Tail).is_ok() {
            let order = run.order();
            zone.put(table, run.into_first(), order);
        }
    }

    /// A free frame above `bottom`, in transit.
    fn next_target(&mut self, zone: &mut Zone, table: FrameTable<'_>, bottom: u32) -> Option<FrameNumber> {
        if self.target_count == 0 {
            self.collect(zone, table, bottom);
        }
        self.target_count = self.target_count.checked_sub(1)?;
        let (first, mut order) = self.targets[self.target_count];
        while let Some(half) = order.half() {
            // At most ten more than were collected: the next run is cut when all of this one has been used.
            self.targets[self.target_count] = (FrameNumber(first.0 + half.frames()), half);
            self.target_count += 1;
            order = half;
        }
        zone.counters.frames_taken += 1;
        Some(first)
    }

    /// Takes free runs off their lists, block of frames by block from where the last collection stopped down to `bottom`.
    fn collect(&mut self, zone: &mut Zone, table: FrameTable<'_>, bottom: u32) {
        while self.target_count == 0 {
            if self.within.is_empty() {
                let Some(last) = self.target.checked_sub(1).filter(|last| *last >= bottom) else { return };
                let block = FrameNumber(last).aligned_to(zone.block_order);
                let end = self.target;
                self.target = block.0;
                if self.is_suitable(zone, table, block) {
                    self.within = block.0..end;
                }
                continue;
            }
            while !self.within.is_empty() && self.target_count < COLLECTED {
                let frame = FrameNumber(self.within.start);
                let head = self.look(zone, table, frame);
                self.within.start += head.map_or(1, |head| head.order.frames());
                // A block of frames that is free as a whole is what all this is for.
                let is_wanted =
                    |head: &Head| head.state == FrameState::Buddy && head.order < zone.block_order;
                let Some(head) = head.filter(is_wanted) else { continue };
                let Some(entry) = table.get(frame) else { continue };
                zone.area.remove(table, entry, head.order, entry.place().mobility);
                turn(entry, Head::single(FrameState::Tail));
                self.targets[self.target_count] = (frame, head.order);
                self.target_count += 1;
            }
        }
    }

    /// Puts back what was collected and not used, and remembers where the scanners stand.
    fn give_back(&mut self, zone: &mut Zone, table: FrameTable<'_>) {
        for (first, order) in self.targets.into_iter().take(self.target_count) {
            // It was not counted when it was collected.
            zone.counters.frames_taken += u64::from(order.frames());
            zone.put(table, first, order);
        }
        self.target_count = 0;
        (zone.memento.source, zone.memento.target) = (self.source, self.target);
    }
}

const _: () = assert!(COLLECTED + Order::COUNT <= TARGETS);
