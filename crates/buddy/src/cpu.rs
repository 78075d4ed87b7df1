//! Arrays of free frames, one set per processor, in front of the zones.
//!
//! ```text
//!   take ◄── hot end                                  cold end
//!            | f#12 | f#13 | f#7f | .. | f#40 | f#41 |
//!   put ───►                            └── flush: the cold half back to the zone
//!            └── refill: half an array from the zone
//! ```
//!
//! One array per zone, mobility and order up to 3. Its owner is one processor, which has it by `&mut`; nobody else touches it, so that a hit costs
//! no lock and no atomic read-modify-write. Another processor that wants the frames asks for them, see `drain`.

use mallow_frame::{FrameError, FrameRun, FrameState, FrameTable, Head, Mobility, ZoneKind};
use mallow_units::{FrameNumber, Order};

use crate::node::{Node, Refused};
use crate::request::Request;
use crate::watermark::Mark;
use crate::zone::Zone;

/// Orders that have arrays.
const ORDERS: usize = 4;
/// Frames in an array of single frames.
const SINGLES: usize = 64;
/// Runs in an array of longer runs.
const RUNS: usize = 16;

/// A stack of free runs, the hottest on top.
#[derive(Clone, Copy, Debug)]
struct Array<const N: usize> {
    count: u32,
    items: [u32; N],
}

impl<const N: usize> Array<N> {
    const EMPTY: Self = Self { count: 0, items: [0; N] };

    #[inline]
    fn pop(&mut self) -> Option<FrameNumber> {
        let top = self.count.checked_sub(1)?;
        let frame = *self.items.get(top as usize)?;
        self.count = top;
        Some(FrameNumber(frame))
    }

    /// Whether there was room.
    #[inline]
    fn push(&mut self, frame: FrameNumber) -> bool {
        let Some(slot) = self.items.get_mut(self.count as usize) else { return false };
        *slot = frame.0;
        self.count += 1;
        true
    }

    /// Hands the `count` coldest to `put` and moves the others down.
    fn flush(&mut self, count: u32, mut put: impl FnMut(FrameNumber)) {
        let count = count.min(self.count) as usize;
        let held = self.count as usize;
        self.items.iter().take(count).for_each(|frame| put(FrameNumber(*frame)));
        self.items.copy_within(count..held, 0);
        self.count -= u32::try_from(count).unwrap_or(self.count);
    }
}

/// How many runs the arrays hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Single frames per array, at most 64.
    pub singles: u32,
    /// Longer runs per array, at most 16.
    pub runs: u32,
}

impl Limits {
    /// Arrays of full length.
    pub const FULL: Self = Self { singles: 64, runs: 16 };

    /// Arrays for a node of `frames`: a processor keeps at most a 512th of it in one array, as far as that is something at all.
    pub const fn of_memory(frames: u32) -> Self {
        let singles = frames / 512;
        let singles = if singles > Self::FULL.singles { Self::FULL.singles } else { singles };
        Self { singles, runs: singles / 4 }
    }

    const fn of(&self, order: usize) -> u32 {
        if order == 0 { self.singles } else { self.runs }
    }
}

/// The arrays of one processor.
#[derive(Clone, Debug)]
pub struct CpuFrames {
    singles: [[Array<SINGLES>; Mobility::COUNT]; ZoneKind::COUNT],
    runs: [[[Array<RUNS>; ORDERS - 1]; Mobility::COUNT]; ZoneKind::COUNT],
    limits: Limits,
    /// By the highest zone of a request: the zone that it is served from first.
    preferred: [ZoneKind; ZoneKind::COUNT],
}

impl CpuFrames {
    /// Empty arrays for a processor of `node`, which has its memory already.
    pub fn new(node: &Node) -> Self {
        Self::with_limits(node, Limits::of_memory(node.managed_frames()))
    }

    /// Empty arrays of a certain length.
    pub fn with_limits(node: &Node, limits: Limits) -> Self {
        let limits = Limits {
            singles: limits.singles.min(Limits::FULL.singles),
            runs: limits.runs.min(Limits::FULL.runs),
        };
        Self {
            singles: [[Array::EMPTY; Mobility::COUNT]; ZoneKind::COUNT],
            runs: [[[Array::EMPTY; ORDERS - 1]; Mobility::COUNT]; ZoneKind::COUNT],
            limits,
            preferred: ZoneKind::ALL.map(|highest| node.preferred(highest)),
        }
    }

    /// How many runs the arrays may hold.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Allocates from the array, or from the node if need be: the whole fast path.
    ///
    /// Cost: two writes to the frame's entry and one to the array, if the array has one.
    #[inline]
    pub fn allocate(
        &mut self,
        table: FrameTable<'_>,
        node: &mut Node,
        request: &Request,
    ) -> Option<FrameRun> {
        if node.is_refused() {
            return None;
        }
        match self.take(table, request) {
            Some(run) => Some(run),
            None => self.refill(table, node, request),
        }
    }

    /// Allocates from the array of the preferred zone; `None` if it is empty, or if no array has runs of this order.
    #[inline]
    pub fn take(&mut self, table: FrameTable<'_>, request: &Request) -> Option<FrameRun> {
        let zone = self.preferred[request.highest.index()];
        let first = self.pop(zone, request.mobility, request.order)?;
        self.hand_out(table, first, zone, request)
    }

    #[inline]
    fn hand_out(
        &mut self,
        table: FrameTable<'_>,
        first: FrameNumber,
        zone: ZoneKind,
        request: &Request,
    ) -> Option<FrameRun> {
        let minted = table.mint(first, Head { state: request.usage, order: request.order });
        if minted.is_err() {
            // What was asked for is no use of an allocation: nothing has changed.
            self.push(zone, request.mobility, request.order, first);
        }
        minted.ok()
    }

    /// Fills half of the array from the highest zone above its low watermark, and allocates. Under the lock of the node.
    #[cold]
    #[inline(never)]
    pub fn refill(&mut self, table: FrameTable<'_>, node: &mut Node, request: &Request) -> Option<FrameRun> {
        if self.capacity(request.order) == 0 {
            return node.allocate(table, request);
        }
        for kind in ZoneKind::ALL.into_iter().rev().filter(|kind| *kind <= request.highest) {
            if let Some(first) = self.pop(kind, request.mobility, request.order) {
                return self.hand_out(table, first, kind, request);
            }
            let zone = node.zone_mut(kind);
            if zone.is_above(Mark::Low, request) {
                self.fill(table, zone, request);
            }
            if let Some(first) = self.pop(kind, request.mobility, request.order) {
                return self.hand_out(table, first, kind, request);
            }
        }
        None
    }

    /// Takes half an array from a zone, at least one run, and never more than its low watermark allows.
    fn fill(&mut self, table: FrameTable<'_>, zone: &mut Zone, request: &Request) {
        let (order, mobility) = (request.order, request.mobility);
        let spare = zone.free().saturating_sub(zone.watermarks().low) >> order.get();
        let mut left = (self.capacity(order) / 2).min(spare).max(1);
        while left > 0 {
            let (first, found) = match zone.take_some(table, order, left << order.get(), mobility) {
                Some(taken) => taken,
                None => match zone.take(table, order, mobility) {
                    Some(first) => (first, order),
                    None => return,
                },
            };
            let runs = 1 << (found.get() - order.get());
            // The highest first, so that they are handed out by rising address.
            for run in (0..runs).rev() {
                let frame = FrameNumber(first.0 + (run << order.get()));
                self.accept(table, zone.kind(), mobility, order, frame);
            }
            left -= runs.min(left);
        }
    }

    /// Puts a run in transit into an array with room.
    fn accept(
        &mut self,
        table: FrameTable<'_>,
        zone: ZoneKind,
        mobility: Mobility,
        order: Order,
        first: FrameNumber,
    ) {
        crate::zone::turn(table, first, Head { state: FrameState::PerCpu, order });
        let has_room = self.push(zone, mobility, order, first);
        debug_assert!(has_room, "an array is filled to half of its length");
    }

    /// Frees a run, into the array if there is one for its order.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the run, if it is not allocated in this length, or has other users.
    #[inline]
    pub fn free(&mut self, table: FrameTable<'_>, node: &mut Node, run: FrameRun) -> Result<(), Refused> {
        match self.put(table, run) {
            Ok(None) => Ok(()),
            Ok(Some(run)) => self.free_slow(table, node, run),
            Err(refused) => Err(refused),
        }
    }

    /// Frees a run into its array; gives it back, still allocated, if the array is full or there is none for its order.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the run, if it is not allocated in this length, or has other users.
    #[inline]
    pub fn put(&mut self, table: FrameTable<'_>, run: FrameRun) -> Result<Option<FrameRun>, Refused> {
        let Some(entry) = table.get(run.first()) else {
            let error = FrameError::Outside { frame: run.first() };
            return Err(Refused { run, error });
        };
        let place = entry.place();
        if self.count(place.zone, place.mobility, run.order()) >= self.capacity(run.order()) {
            return Ok(Some(run));
        }
        match table.retire(&run, FrameState::PerCpu) {
            Ok(place) => {
                let order = run.order();
                self.push(place.zone, place.mobility, order, run.into_first());
                Ok(None)
            }
            Err(error) => Err(Refused { run, error }),
        }
    }

    /// Makes room by flushing the cold half of the array, and frees. Under the lock of the node.
    ///
    /// # Errors
    ///
    /// As for [`CpuFrames::free`].
    #[cold]
    #[inline(never)]
    pub fn free_slow(
        &mut self,
        table: FrameTable<'_>,
        node: &mut Node,
        run: FrameRun,
    ) -> Result<(), Refused> {
        let capacity = self.capacity(run.order());
        if capacity == 0 {
            return node.free(table, run);
        }
        if let Some(entry) = table.get(run.first()) {
            let place = entry.place();
            self.flush(table, node, place.zone, place.mobility, run.order(), capacity.div_ceil(2));
        }
        match self.put(table, run)? {
            None => Ok(()),
            Some(run) => node.free(table, run),
        }
    }

    fn flush(
        &mut self,
        table: FrameTable<'_>,
        node: &mut Node,
        kind: ZoneKind,
        mobility: Mobility,
        order: Order,
        count: u32,
    ) {
        let zone = node.zone_mut(kind);
        let put = |frame| {
            crate::zone::turn(table, frame, Head::single(FrameState::Tail));
            zone.put(table, frame, order);
        };
        match order.index().checked_sub(1) {
            None => self.singles[kind.index()][mobility.index()].flush(count, put),
            Some(at) => {
                if let Some(array) = self.runs[kind.index()][mobility.index()].get_mut(at) {
                    array.flush(count, put);
                }
            }
        }
    }

    /// Gives all frames back to the node; returns how many. Under the lock of the node.
    ///
    /// Before compaction, before somebody is killed, and when another processor asks.
    pub fn drain(&mut self, table: FrameTable<'_>, node: &mut Node) -> u32 {
        let held = self.held();
        for kind in ZoneKind::ALL {
            for mobility in Mobility::ALL {
                for order in Order::all().take(ORDERS) {
                    self.flush(table, node, kind, mobility, order, u32::MAX);
                }
            }
        }
        held
    }

    /// How many frames the arrays hold. Unit: frames.
    pub fn held(&self) -> u32 {
        let runs = |kind: ZoneKind, mobility: Mobility| {
            Order::all()
                .take(ORDERS)
                .map(move |order| self.count(kind, mobility, order) << order.get())
                .sum::<u32>()
        };
        ZoneKind::ALL
            .into_iter()
            .flat_map(|kind| Mobility::ALL.into_iter().map(move |mobility| runs(kind, mobility)))
            .sum()
    }

    /// All runs that the arrays hold: where each lies, its order and its first frame.
    pub fn iter(&self) -> impl Iterator<Item = (ZoneKind, Mobility, Order, FrameNumber)> + '_ {
        ZoneKind::ALL.into_iter().flat_map(move |kind| {
            Mobility::ALL.into_iter().flat_map(move |mobility| {
                Order::all().take(ORDERS).flat_map(move |order| {
                    self.items(kind, mobility, order)
                        .iter()
                        .map(move |frame| (kind, mobility, order, FrameNumber(*frame)))
                })
            })
        })
    }

    fn items(&self, kind: ZoneKind, mobility: Mobility, order: Order) -> &[u32] {
        let count = self.count(kind, mobility, order) as usize;
        match order.index().checked_sub(1) {
            None => &self.singles[kind.index()][mobility.index()].items[..count],
            Some(at) => &self.runs[kind.index()][mobility.index()][at].items[..count],
        }
    }

    #[inline]
    fn count(&self, kind: ZoneKind, mobility: Mobility, order: Order) -> u32 {
        match order.index().checked_sub(1) {
            None => self.singles[kind.index()][mobility.index()].count,
            Some(at) => self.runs[kind.index()][mobility.index()].get(at).map_or(0, |array| array.count),
        }
    }

    #[inline]
    const fn capacity(&self, order: Order) -> u32 {
        if order.index() < ORDERS { self.limits.of(order.index()) } else { 0 }
    }

    #[inline]
    fn pop(&mut self, kind: ZoneKind, mobility: Mobility, order: Order) -> Option<FrameNumber> {
        match order.index().checked_sub(1) {
            None => self.singles[kind.index()][mobility.index()].pop(),
            Some(at) => self.runs[kind.index()][mobility.index()].get_mut(at)?.pop(),
        }
    }

    #[inline]
    fn push(&mut self, kind: ZoneKind, mobility: Mobility, order: Order, frame: FrameNumber) -> bool {
        match order.index().checked_sub(1) {
            None => self.singles[kind.index()][mobility.index()].push(frame),
            Some(at) => {
                self.runs[kind.index()][mobility.index()].get_mut(at).is_some_and(|array| array.push(frame))
            }
        }
    }
}
