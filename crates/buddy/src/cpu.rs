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

use mallow_frame::{Frame, FrameRun, FrameState, FrameTable, Head, Mobility, Place, ZoneKind};
use mallow_units::{FrameNumber, Order};

use crate::node::{Node, Refused};
use crate::request::Request;
use crate::watermark::Mark;
use crate::zone::{Zone, turn};

/// Orders that have arrays.
const ORDERS: usize = 4;
/// Arrays of one order.
const KINDS: usize = Place::COUNT;
/// Runs that an array has room for; only the array of single frames uses all of it.
const ROOM: usize = 64;
/// Runs of several frames that an array holds at most.
const RUNS: u32 = 16;
const ARRAYS: usize = ORDERS * KINDS;

/// The index of an array: which order, zone and mobility it is for. Less than [`ARRAYS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slot(usize);

impl Slot {
    /// The array for a place, by its index; `None` for an order that has none.
    #[inline]
    const fn of(place: usize, order: Order) -> Option<Self> {
        if order.index() < ORDERS && place < KINDS { Some(Self(order.index() * KINDS + place)) } else { None }
    }

    /// Where its items begin.
    #[inline]
    const fn begin(self) -> usize {
        self.0 * ROOM
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
    pub const FULL: Self = Self { singles: 64, runs: RUNS };

    /// Arrays for a node of `frames`: a processor keeps at most a 512th of it in one array, as far as that is something at all.
    pub const fn of_memory(frames: u32) -> Self {
        let singles = frames / 512;
        let singles = if singles > Self::FULL.singles { Self::FULL.singles } else { singles };
        Self { singles, runs: singles / 4 }
    }
}

/// The arrays of one processor.
///
/// # Invariants
///
/// 1. `counts` of an array is at most `most` of it, and that at most 64.
#[derive(Clone, Debug)]
pub struct CpuFrames {
    counts: [u32; ARRAYS],
    most: [u32; ARRAYS],
    /// By the highest zone of a request: the zone that it is served from first.
    preferred: [ZoneKind; ZoneKind::COUNT],
    items: [u32; ARRAYS * ROOM],
}

impl CpuFrames {
    /// Empty arrays for a processor of `node`, which has its memory already.
    pub fn new(node: &Node) -> Self {
        Self::with_limits(node, Limits::of_memory(node.managed_frames()))
    }

    /// Empty arrays of a certain length.
    pub fn with_limits(node: &Node, limits: Limits) -> Self {
        let (singles, runs) = (limits.singles.min(Limits::FULL.singles), limits.runs.min(Limits::FULL.runs));
        Self {
            counts: [0; ARRAYS],
            most: core::array::from_fn(|slot| if slot < KINDS { singles } else { runs }),
            preferred: ZoneKind::ALL.map(|highest| node.preferred(highest)),
            items: [0; ARRAYS * ROOM],
        }
    }

    /// How many runs the arrays may hold.
    pub const fn limits(&self) -> Limits {
        Limits { singles: self.most[0], runs: self.most[KINDS] }
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
        self.take_from(table, zone, request)
    }

    #[inline]
    fn take_from(&mut self, table: FrameTable<'_>, zone: ZoneKind, request: &Request) -> Option<FrameRun> {
        let slot = Slot::of(Place { zone, mobility: request.mobility }.index(), request.order)?;
        let top = self.counts[slot.0].checked_sub(1)?;
        let first = FrameNumber(*self.items.get(slot.begin() + top as usize)?);
        // If what was asked for is no use of an allocation, nothing has changed.
        let usage = Head { state: request.usage, order: request.order };
        let run = table.mint_from(first, FrameState::PerCpu, usage)?;
        self.counts[slot.0] = top;
        Some(run)
    }

    /// Fills half of the array from the highest zone above its low watermark, and allocates. Under the lock of the node.
    #[cold]
    #[inline(never)]
    pub fn refill(&mut self, table: FrameTable<'_>, node: &mut Node, request: &Request) -> Option<FrameRun> {
        if self.capacity(request.order) == 0 {
            return node.attempt(table, Mark::Low, request);
        }
        for kind in ZoneKind::ALL.into_iter().rev().filter(|kind| *kind <= request.highest) {
            if let Some(run) = self.take_from(table, kind, request) {
                return Some(run);
            }
            let zone = node.zone_mut(kind);
            if zone.is_above(Mark::Low, request) {
                self.fill(table, zone, request);
            }
            if let Some(run) = self.take_from(table, kind, request) {
                return Some(run);
            }
        }
        None
    }

    /// Takes half an array from a zone, at least one run, and never more than its low watermark allows.
    ///
    /// A quarter will do rather than that a block is cut whose rest goes back in pieces: the next fill would begin with these pieces, end one run
    /// short, and cut the next block, and so on for ever.
    fn fill(&mut self, table: FrameTable<'_>, zone: &mut Zone, request: &Request) {
        let (order, mobility) = (request.order, request.mobility);
        let spare = zone.free().saturating_sub(zone.watermarks().low) >> order.get();
        let Some(slot) = Slot::of(Place { zone: zone.kind(), mobility }.index(), order) else { return };
        let room = self.most[slot.0].saturating_sub(self.counts[slot.0]);
        let wanted = (self.capacity(order) / 2).min(spare).max(1).min(room);
        let mut left = wanted;
        while left > wanted / 2 || left > 0 && zone.has_some(order, left << order.get(), mobility) {
            let (first, found) = match zone.take_some(table, order, left << order.get(), mobility) {
                Some(taken) => taken,
                None => match zone.take(table, order, mobility) {
                    Some(first) => (first, order),
                    None => return,
                },
            };
            self.push_all(table, slot, first, (found, order));
            left -= (1 << (found.get() - order.get())).min(left);
        }
    }

    /// Cuts a block in transit of order `found` into runs of `order`, for which the array has room.
    #[inline]
    fn push_all(
        &mut self,
        table: FrameTable<'_>,
        slot: Slot,
        first: FrameNumber,
        (found, order): (Order, Order),
    ) {
        let runs = 1_u32 << (found.get() - order.get());
        let count = self.counts[slot.0];
        let begin = slot.begin() + count as usize;
        let room = self.items.get_mut(begin..begin + runs as usize);
        let Some((window, room)) = table.window(first).zip(room) else { return };
        // The highest first, so that they are handed out by rising address.
        for (item, run) in room.iter_mut().zip((0..runs).rev()) {
            let frame = FrameNumber(first.0 + (run << order.get()));
            if let Some(entry) = window.get(frame) {
                turn(entry, Head { state: FrameState::PerCpu, order });
            }
            *item = frame.0;
        }
        // INVARIANT: (1) no more was taken than there is room for.
        self.counts[slot.0] = count + runs;
        debug_assert!(self.counts[slot.0] <= self.most[slot.0], "an array is filled to half of its length");
    }

    /// Frees a run, into the array if there is one for its order.
    ///
    /// Cost: two writes to the frame's entry and one to the array, if the array has room.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the run, if it is not allocated in this length, or has other users.
    #[inline]
    pub fn free(&mut self, table: FrameTable<'_>, node: &mut Node, run: FrameRun) -> Result<(), Refused> {
        if self.put_if_easy(table, &run) {
            let _ = run.into_first();
            return Ok(());
        }
        self.free_slow(table, node, run)
    }

    /// Frees a run into its array; gives it back, still allocated, if the array is full or there is none for its order.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the run, if it is not allocated in this length, or has other users.
    #[inline]
    pub fn put(&mut self, table: FrameTable<'_>, run: FrameRun) -> Result<Option<FrameRun>, Refused> {
        if self.put_if_easy(table, &run) {
            let _ = run.into_first();
            return Ok(None);
        }
        // Not easy: there is no room, or the run must not be freed.
        match table.can_retire(&run) {
            Ok(()) => Ok(Some(run)),
            Err(error) => Err(Refused { run, error }),
        }
    }

    /// Whether the run is now in an array.
    #[inline]
    fn put_if_easy(&mut self, table: FrameTable<'_>, run: &FrameRun) -> bool {
        let Some(entry) = table.get(run.first()) else { return false };
        let Some(slot) = Slot::of(entry.place_index(), run.order()) else { return false };
        let count = self.counts[slot.0];
        let Some(item) = self.items.get_mut(slot.begin() + count as usize) else { return false };
        if count >= self.most[slot.0] || !entry.retire(run.order(), FrameState::PerCpu) {
            return false;
        }
        // INVARIANT: (1) it was less than `most`.
        self.counts[slot.0] = count + 1;
        *item = run.first().0;
        true
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
        if let Err(error) = table.can_retire(&run) {
            return Err(Refused { run, error });
        }
        if let Some(place) = table.get(run.first()).map(Frame::place)
            && let Some(slot) = Slot::of(place.index(), run.order())
        {
            let half = self.most[slot.0].div_ceil(2);
            self.flush(table, node.zone_mut(place.zone), slot, run.order(), half);
        }
        match self.put(table, run)? {
            None => Ok(()),
            Some(run) => node.free(table, run),
        }
    }

    /// Hands the `count` coldest of an array back and moves the others down.
    fn flush(&mut self, table: FrameTable<'_>, zone: &mut Zone, slot: Slot, order: Order, count: u32) {
        let held = self.counts[slot.0];
        let count = count.min(held);
        let begin = slot.begin();
        let (first, end) = (begin + count as usize, begin + held as usize);
        let Some(cold) = self.items.get(begin..first) else { return };
        // Nearly all frames of an array belong where its frames belong.
        zone.put_all(table, cold, order, Place::of_index(slot.0 % KINDS));
        self.items.copy_within(first..end, begin);
        self.counts[slot.0] = held - count;
    }

    /// Gives all frames back to the node; returns how many. Under the lock of the node.
    ///
    /// Before compaction, before somebody is killed, and when another processor asks.
    pub fn drain(&mut self, table: FrameTable<'_>, node: &mut Node) -> u32 {
        let held = self.held();
        for (zone, mobility, order) in arrays() {
            if let Some(slot) = Slot::of(Place { zone, mobility }.index(), order) {
                self.flush(table, node.zone_mut(zone), slot, order, u32::MAX);
            }
        }
        held
    }

    /// How many frames the arrays hold. Unit: frames.
    pub fn held(&self) -> u32 {
        arrays()
            .map(|(zone, mobility, order)| {
                let count = u32::try_from(self.items(zone, mobility, order).len()).unwrap_or(0);
                count << order.get()
            })
            .sum()
    }

    /// All runs that the arrays hold: where each lies, its order and its first frame.
    pub fn iter(&self) -> impl Iterator<Item = (ZoneKind, Mobility, Order, FrameNumber)> + '_ {
        arrays().flat_map(move |(zone, mobility, order)| {
            let items = self.items(zone, mobility, order);
            items.iter().map(move |frame| (zone, mobility, order, FrameNumber(*frame)))
        })
    }

    fn items(&self, zone: ZoneKind, mobility: Mobility, order: Order) -> &[u32] {
        let Some(slot) = Slot::of(Place { zone, mobility }.index(), order) else { return &[] };
        let begin = slot.begin();
        let end = begin + self.counts[slot.0] as usize;
        self.items.get(begin..end).unwrap_or(&[])
    }

    #[inline]
    const fn capacity(&self, order: Order) -> u32 {
        if order.index() < ORDERS { self.most[order.index() * KINDS] } else { 0 }
    }
}

/// All arrays.
fn arrays() -> impl Iterator<Item = (ZoneKind, Mobility, Order)> {
    let of_kinds = |zone| Mobility::ALL.into_iter().map(move |mobility| (zone, mobility));
    let kinds = ZoneKind::ALL.into_iter().flat_map(of_kinds);
    kinds.flat_map(|(zone, mobility)| Order::all().take(ORDERS).map(move |order| (zone, mobility, order)))
}
