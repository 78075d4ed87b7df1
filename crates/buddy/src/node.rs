//! All zones of one machine, or of one node of a larger one.
//!
//! A node owns no memory: the frame table is passed to each call. It is changed under one lock, the caller's.

use mallow_frame::{FrameError, FrameRun, FrameState, FrameTable, Head, Mobility, Place, Region, ZoneKind};
use mallow_units::{FrameNumber, Order};

use crate::request::Request;
use crate::watermark::{Mark, Tuning};
use crate::zone::{Zone, turn};

/// How memory is divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The first frame above [`ZoneKind::Dma32`]. Real machines: 4 GiB.
    pub boundary: FrameNumber,
    /// The length of a block of frames, which have one mobility. Real machines: a huge page.
    pub block_order: Order,
    /// How much stays free.
    pub tuning: Tuning,
}

impl Default for Layout {
    fn default() -> Self {
        Self { boundary: FrameNumber(1 << 20), block_order: Order::HUGE, tuning: Tuning::default() }
    }
}

/// A run that could not be freed, given back with the reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// The run, still allocated as far as the caller is concerned.
    pub run: FrameRun,
    /// Why.
    pub error: FrameError,
}

/// The zones, and how much of each stays free.
#[derive(Clone, Debug)]
pub struct Node {
    zones: [Zone; ZoneKind::COUNT],
    layout: Layout,
    /// Allocations until one is refused on purpose; 0 refuses none.
    until_refusal: u64,
    was_refused: bool,
}

impl Node {
    /// A node without memory, for the frames of `table`, each of which learns its zone.
    ///
    /// Cost: a write per frame.
    pub fn new(table: FrameTable<'_>, layout: Layout) -> Self {
        let mut zones = ZoneKind::ALL.map(|kind| Zone::new(kind, layout.block_order));
        for frame in table.numbers() {
            let zone = if frame < layout.boundary { ZoneKind::Dma32 } else { ZoneKind::Normal };
            if let Some(entry) = table.get(frame) {
                entry.set_place(Place { zone, mobility: Mobility::Movable });
                let zone = &mut zones[zone.index()];
                zone.present += 1;
                let start = if zone.span.is_empty() { frame.0 } else { zone.span.start };
                zone.span = start..frame.0 + 1;
            }
        }
        Self { zones, layout, until_refusal: 0, was_refused: false }
    }

    /// Gives reserved frames to the allocator, as a kernel does with its memory at the end of booting; returns how many.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if one of them does not exist or is not reserved; then none has been given.
    pub fn release(&mut self, table: FrameTable<'_>, region: Region) -> Result<u32, FrameError> {
        for frame in region.iter() {
            let state = table.entry(frame)?.state();
            if state != FrameState::Reserved {
                return Err(FrameError::State { frame, state, wanted: FrameState::Buddy });
            }
        }
        for entry in region.iter().filter_map(|frame| table.get(frame)) {
            turn(entry, Head::single(FrameState::Tail));
        }
        let (mut frame, end) = (region.start.0, region.end());
        while frame < end {
            let first = FrameNumber(frame);
            let zone = if first < self.layout.boundary { ZoneKind::Dma32 } else { ZoneKind::Normal };
            let zone_end = if zone == ZoneKind::Dma32 { end.min(self.layout.boundary.0) } else { end };
            let fits =
                |order: &Order| first.aligned_to(*order) == first && order.frames() <= zone_end - frame;
            let order = Order::all().rev().find(fits).unwrap_or(Order::ZERO);
            let zone = &mut self.zones[zone.index()];
            zone.put(table, first, order);
            zone.managed += order.frames();
            frame += order.frames();
        }
        self.settle();
        Ok(region.frames)
    }

    /// Sets how much stays free.
    pub fn tune(&mut self, tuning: Tuning) {
        self.layout.tuning = tuning;
        self.settle();
    }

    /// Computes the marks anew.
    fn settle(&mut self) {
        let managed = self.zones.each_ref().map(|zone| zone.managed);
        let all = managed.iter().sum();
        let ratio = self.layout.tuning.lowmem_reserve_ratio;
        for (at, zone) in self.zones.iter_mut().enumerate() {
            zone.marks = self.layout.tuning.watermarks(zone.managed, all);
            for highest in at..ZoneKind::COUNT {
                let above: u32 = managed[at + 1..=highest].iter().sum();
                zone.protection[highest] = above.checked_div(ratio).unwrap_or(0);
            }
        }
    }

    /// How memory is divided.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// One zone.
    #[inline]
    pub const fn zone(&self, kind: ZoneKind) -> &Zone {
        &self.zones[kind.index()]
    }

    #[inline]
    pub(crate) const fn zone_mut(&mut self, kind: ZoneKind) -> &mut Zone {
        &mut self.zones[kind.index()]
    }

    /// The zones, the lowest first.
    pub const fn zones(&self) -> &[Zone; ZoneKind::COUNT] {
        &self.zones
    }

    /// Frames on the lists of all zones. Unit: frames.
    pub fn free_frames(&self) -> u32 {
        self.zones.iter().map(Zone::free).sum()
    }

    /// Frames that were given to the allocator. Unit: frames.
    pub fn managed_frames(&self) -> u32 {
        self.zones.iter().map(Zone::managed).sum()
    }

    /// The highest zone with memory up to `highest`, which a request is served from first.
    pub fn preferred(&self, highest: ZoneKind) -> ZoneKind {
        let has_memory = |kind: &&ZoneKind| **kind <= highest && self.zone(**kind).managed > 0;
        ZoneKind::ALL.iter().rev().find(has_memory).copied().unwrap_or(highest)
    }

    /// Whether some zone would stay above `mark` after `request`.
    pub fn is_above(&self, mark: Mark, request: &Request) -> bool {
        self.zones.iter().any(|zone| zone.kind <= request.highest && zone.is_above(mark, request))
    }

    /// Allocates if a zone stays above its low watermark: the fast path without an array. Its memory has whatever content it has.
    ///
    /// Cost: O(1).
    pub fn allocate(&mut self, table: FrameTable<'_>, request: &Request) -> Option<FrameRun> {
        self.allocate_above(table, Mark::Low, request)
    }

    /// Allocates from the highest zone that stays above `mark`.
    pub fn allocate_above(
        &mut self,
        table: FrameTable<'_>,
        mark: Mark,
        request: &Request,
    ) -> Option<FrameRun> {
        if self.is_refused() { None } else { self.attempt(table, mark, request) }
    }

    /// As [`Node::allocate_above`], but never refused on purpose: for the slow path, which has been refused as a whole.
    pub fn attempt(&mut self, table: FrameTable<'_>, mark: Mark, request: &Request) -> Option<FrameRun> {
        if !request.usage.is_allocated() {
            return None;
        }
        let usage = Head { state: request.usage, order: request.order };
        let suits = |zone: &&mut Zone| zone.kind <= request.highest && zone.is_above(mark, request);
        let mut suitable = self.zones.iter_mut().rev().filter(suits);
        let first = suitable.find_map(|zone| zone.take(table, request.order, request.mobility))?;
        table.mint(first, usage).ok()
    }

    /// Frees a run.
    ///
    /// Cost: O(1).
    ///
    /// # Errors
    ///
    /// [`Refused`] with the run, if it is not allocated in this length, or has other users.
    pub fn free(&mut self, table: FrameTable<'_>, run: FrameRun) -> Result<(), Refused> {
        match table.retire(&run, FrameState::Tail) {
            Ok(place) => {
                let (first, order) = (run.first(), run.order());
                // The token ends here; the frames belong to the zone.
                let _ = run.into_first();
                self.zone_mut(place.zone).put(table, first, order);
                Ok(())
            }
            Err(error) => Err(Refused { run, error }),
        }
    }

    /// From now on, refuses the `nth` allocation, once, slow path included; 0 refuses none. For tests of what happens then.
    pub const fn refuse(&mut self, nth: u64) {
        self.until_refusal = nth;
        self.was_refused = false;
    }

    #[inline]
    pub(crate) const fn is_refused(&mut self) -> bool {
        if self.until_refusal == 0 && !self.was_refused { false } else { self.count_refusal() }
    }

    #[cold]
    const fn count_refusal(&mut self) -> bool {
        self.was_refused = self.until_refusal == 1;
        self.until_refusal = self.until_refusal.saturating_sub(1);
        self.was_refused
    }

    /// Whether the last allocation was refused on purpose; the slow path then fails as well.
    ///
    /// Says so once. Who drives [`crate::slow::SlowPath`] by hand asks this first.
    pub const fn take_refusal(&mut self) -> bool {
        core::mem::replace(&mut self.was_refused, false)
    }
}
