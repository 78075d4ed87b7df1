//! One zone: taking blocks, cutting them, merging them.
//!
//! Called by `node` and `cpu`, under the lock of the node. Between leaving a list and being handed out, and while it is merged, a
//! block is a tail of nothing: *in transit*.

use core::ops::Range;

use mallow_frame::{Frame, FrameState, FrameTable, Head, Mobility, Place, Window, ZoneKind};
use mallow_units::{FrameNumber, Order};

use crate::compact::Memento;
use crate::free_area::FreeArea;
use crate::request::Request;
use crate::watermark::{Mark, Watermarks, leaves_enough};

/// What happened in a zone since it was made. Unit: events, unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Frames that left the lists.
    pub frames_taken: u64,
    /// Frames that came back to the lists.
    pub frames_freed: u64,
    /// Blocks that were taken from another mobility.
    pub fallbacks: u64,
    /// Blocks of frames that changed their mobility.
    pub claims: u64,
    /// Frames that compaction moved.
    pub frames_moved: u64,
    /// Compactions that were begun.
    pub compactions: u64,
}

/// One zone of a node.
#[derive(Clone, Debug)]
pub struct Zone {
    pub(crate) kind: ZoneKind,
    pub(crate) area: FreeArea,
    /// Frames that were given to the allocator, free or not.
    pub(crate) managed: u32,
    /// Frames that exist.
    pub(crate) present: u32,
    pub(crate) marks: Watermarks,
    /// By the highest zone of a request: frames that such a request leaves alone, for those that can use no other zone.
    pub(crate) protection: [u32; ZoneKind::COUNT],
    pub(crate) block_order: Order,
    pub(crate) counters: Counters,
    /// The lowest frame and the number after the highest.
    pub(crate) span: Range<u32>,
    pub(crate) memento: Memento,
}

impl Zone {
    pub(crate) fn new(kind: ZoneKind, block_order: Order) -> Self {
        Self {
            kind,
            area: FreeArea::default(),
            managed: 0,
            present: 0,
            marks: Watermarks::default(),
            protection: [0; ZoneKind::COUNT],
            block_order,
            counters: Counters::default(),
            span: 0..0,
            memento: Memento::NONE,
        }
    }

    /// Which zone it is.
    pub const fn kind(&self) -> ZoneKind {
        self.kind
    }

    /// The free blocks.
    pub const fn area(&self) -> &FreeArea {
        &self.area
    }

    /// Frames on the lists; those in the arrays of processors are not counted, as in Linux.
    #[inline]
    pub const fn free(&self) -> u32 {
        self.area.frames()
    }

    /// Frames that were given to the allocator. Unit: frames.
    pub const fn managed(&self) -> u32 {
        self.managed
    }

    /// Frames that exist. Unit: frames.
    pub const fn present(&self) -> u32 {
        self.present
    }

    /// The marks. Unit: frames.
    pub const fn watermarks(&self) -> Watermarks {
        self.marks
    }

    /// Frames that a request leaves alone which could as well use a higher zone, up to `highest`.
    pub const fn protected_from(&self, highest: ZoneKind) -> u32 {
        self.protection[highest.index()]
    }

    /// What happened so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether the zone would stay above `mark` after `request`, and has a run that is long enough.
    ///
    /// Cost: O(1).
    #[inline]
    pub fn is_above(&self, mark: Mark, request: &Request) -> bool {
        let protected = self.protection[request.highest.index()];
        leaves_enough(self.free(), request.order, self.marks.at(mark), request.reserve, protected)
            && self.area.has_block(request.order)
    }

    /// Takes a block of `order`; it is in transit then.
    #[inline]
    pub(crate) fn take(
        &mut self,
        table: FrameTable<'_>,
        order: Order,
        mobility: Mobility,
    ) -> Option<FrameNumber> {
        if let Some(first) = self.take_own(table, order, mobility) {
            return Some(first);
        }
        self.take_from_others(table, order, mobility)
    }

    /// Takes the smallest block of this mobility that fits.
    pub(crate) fn take_own(
        &mut self,
        table: FrameTable<'_>,
        order: Order,
        mobility: Mobility,
    ) -> Option<FrameNumber> {
        let found = self.area.smallest(mobility, order)?;
        let (first, entry) = self.area.pop(table, found, mobility)?;
        turn(entry, Head::single(FrameState::Tail));
        self.cut(table, first, found, order, mobility);
        Some(first)
    }

    /// Whether a block of `mobility` of at least `order`, and at most `most` frames, is free.
    #[inline]
    pub(crate) fn has_some(&self, order: Order, most: u32, mobility: Mobility) -> bool {
        self.area.smallest(mobility, order).is_some_and(|found| found.frames() <= most)
    }

    /// Takes a block of at most `most` frames, if one of `mobility` is free; returns it, in transit, with its order.
    ///
    /// For refills: the pieces of a block that is used up whole need not visit the lists.
    pub(crate) fn take_some(
        &mut self,
        table: FrameTable<'_>,
        order: Order,
        most: u32,
        mobility: Mobility,
    ) -> Option<(FrameNumber, Order)> {
        let found = self.area.smallest(mobility, order)?;
        let wanted = u8::try_from(most.checked_ilog2()?).ok().and_then(Order::new).unwrap_or(Order::MAX);
        let kept = wanted.clamp(order, found);
        let (first, entry) = self.area.pop(table, found, mobility)?;
        turn(entry, Head::single(FrameState::Tail));
        self.cut(table, first, found, kept, mobility);
        Some((first, kept))
    }

    /// Keeps the first 2^`order` frames of a block in transit, and puts the rest onto lists.
    #[inline]
    pub(crate) fn cut(
        &mut self,
        table: FrameTable<'_>,
        first: FrameNumber,
        mut found: Order,
        order: Order,
        mobility: Mobility,
    ) {
        let Some(window) = table.window(first) else { return };
        while found > order {
            let Some(half) = found.half() else { break };
            let upper = FrameNumber(first.0 + half.frames());
            let Some(entry) = window.get(upper) else { break };
            turn(entry, Head { state: FrameState::Buddy, order: half });
            self.area.insert(table, window, (upper, entry), half, mobility);
            found = half;
        }
        self.counters.frames_taken += u64::from(order.frames());
    }

    /// Puts a block in transit back, merged with its buddies.
    ///
    /// Cost: O(1), at most one step per order.
    #[inline(never)]
    pub(crate) fn put(&mut self, table: FrameTable<'_>, first: FrameNumber, order: Order) {
        let Some((window, entry)) = table.window(first).zip(table.get(first)) else { return };
        self.count_freed(order, 1);
        self.merge(table, window, (first, entry), order, entry.place());
    }

    /// Counts `runs` of `order` as freed; each is handed to [`Zone::merge`].
    #[inline]
    pub(crate) fn count_freed(&mut self, order: Order, runs: u32) {
        let frames = runs << order.get();
        self.counters.frames_freed += u64::from(frames);
        self.area.add(frames);
    }

    /// Merges a block that has been counted with its buddies, and puts the result onto its list. It is in transit, or in an array
    /// until now; `window` is the region around it, and `place` where it belongs.
    #[inline(always)]
    pub(crate) fn merge(
        &mut self,
        table: FrameTable<'_>,
        window: Window<'_>,
        (first, entry): (FrameNumber, &Frame),
        order: Order,
        place: Place,
    ) {
        let (least, mut order) = (order, order);
        let (mut first, mut head) = (first.0, entry);
        while order < Order::MAX {
            let length = order.frames();
            let buddy = FrameNumber(first ^ length);
            let Some(entry) = window.get(buddy) else { break };
            if !entry.is(Head { state: FrameState::Buddy, order }) {
                break;
            }
            if entry.place_index() == place.index() {
                self.area.unlink(table, entry, order, place.mobility);
            } else if !self.unite(table, buddy, order, place.mobility) {
                break;
            }
            // The lower of the two is the head of both.
            let upper = if first & length == 0 { entry } else { core::mem::replace(&mut head, entry) };
            turn(upper, Head::single(FrameState::Tail));
            first &= !length;
            let Some(double) = order.double() else { break };
            order = double;
        }
        if order != least {
            turn(head, Head::single(FrameState::Tail));
        }
        turn(head, Head { state: FrameState::Buddy, order });
        self.area.link(table, window, (FrameNumber(first), head), order, place.mobility);
    }

    /// Takes a free buddy of another mobility off its list and gives it this one; no, if it is in another zone.
    ///
    /// It is a whole block of frames, or several: within one, all frames have the same mobility.
    #[cold]
    #[inline(never)]
    fn unite(&mut self, table: FrameTable<'_>, buddy: FrameNumber, order: Order, mobility: Mobility) -> bool {
        let Some(entry) = table.get(buddy).filter(|entry| entry.place().zone == self.kind) else {
            return false;
        };
        self.area.unlink(table, entry, order, entry.place().mobility);
        self.set_mobility(table, buddy, order, mobility);
        true
    }

    /// Changes the mobility of 2^`order` frames, as far as they are in this zone.
    #[cold]
    pub(crate) fn set_mobility(&self, table: FrameTable<'_>, first: FrameNumber, order: Order, to: Mobility) {
        for frame in first.0..first.0.saturating_add(order.frames()) {
            if let Some(entry) = table.get(FrameNumber(frame)).filter(|entry| entry.place().zone == self.kind)
            {
                entry.set_mobility(to);
            }
        }
    }
}

/// Turns a frame whose state is known; a refusal would be a fault of this crate, which `check` finds.
#[inline]
pub(crate) fn turn(entry: &Frame, head: Head) {
    let turned = entry.turn(head);
    debug_assert!(turned.is_ok(), "{turned:?} cannot become {head:?}");
}
