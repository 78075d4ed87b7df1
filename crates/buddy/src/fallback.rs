//! Where memory comes from when the lists of a mobility are empty.
//!
//! Two ways, in this order:
//!
//! 1. *Claim*: take the longest free block of another mobility. If the whole block of frames around it is mostly free, or mostly
//!    used for what we want, the block changes its mobility, so that the next allocations find it and mix with nobody.
//! 2. *Borrow*: take the smallest block that fits, and leave its surroundings what they are.
//!
//! Long blocks first, because the memory that gets mixed is then in few places. Called by `zone`, rarely.
//!
//! # Source
//!
//! The order of fallbacks and the rules when to claim are those of Linux 6.18 (`__rmqueue_claim`, `__rmqueue_steal`).

use mallow_frame::{FrameState, FrameTable, Head, Mobility, ZoneKind};
use mallow_units::{FrameNumber, Order};

use crate::zone::{Zone, turn};

/// By the mobility that is wanted: whose memory is taken, the least bad first.
const FALLBACKS: [[Mobility; 2]; Mobility::COUNT] = [
    [Mobility::Reclaimable, Mobility::Movable],
    [Mobility::Reclaimable, Mobility::Unmovable],
    [Mobility::Unmovable, Mobility::Movable],
];

/// Whether it is worth looking at the surroundings of a free block of `order`.
///
/// What cannot be moved claims whatever it can, because it would spoil the block anyway.
const fn is_worth_claiming(order: Order, block_order: Order, wanted: Mobility) -> bool {
    order.get() >= block_order.get() / 2 || !matches!(wanted, Mobility::Movable)
}

/// What a block of frames is used for. Unit: frames.
#[derive(Clone, Copy, Debug, Default)]
struct Census {
    free: u32,
    movable: u32,
    total: u32,
}

impl Census {
    /// Whether at least half of the block is free or alike.
    const fn is_claimable(self, wanted: Mobility, now: Mobility) -> bool {
        let alike = match (wanted, now) {
            (Mobility::Movable, _) => self.movable,
            (_, Mobility::Movable) => self.total.saturating_sub(self.free + self.movable),
            _ => 0,
        };
        self.free + alike >= self.total.div_ceil(2)
    }
}

impl Zone {
    /// Takes a block of `order` from another mobility; it is in transit then.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_from_others(
        &mut self,
        table: FrameTable<'_>,
        order: Order,
        wanted: Mobility,
    ) -> Option<FrameNumber> {
        let taken = self.claim(table, order, wanted).or_else(|| self.borrow_block(table, order, wanted))?;
        self.counters.fallbacks += 1;
        Some(taken)
    }

    fn claim(&mut self, table: FrameTable<'_>, order: Order, wanted: Mobility) -> Option<FrameNumber> {
        for long in Order::all().rev().take_while(|long| *long >= order) {
            if !is_worth_claiming(long, self.block_order, wanted) {
                return None;
            }
            for from in FALLBACKS[wanted.index()] {
                let Some(first) = self.area.list(from, long).first(table) else { continue };
                if long >= self.block_order {
                    let (first, entry) = self.area.pop(table, long, from)?;
                    turn(entry, Head::single(FrameState::Tail));
                    self.set_mobility(table, first, long, wanted);
                    self.counters.claims += 1;
                    self.cut(table, first, long, order, wanted);
                    return Some(first);
                }
                if self.claim_surroundings(table, first, from, wanted) {
                    return self.take_own(table, order, wanted);
                }
                // One look per length: it walks a whole block of frames.
                break;
            }
        }
        None
    }

    /// Gives the block of frames around `first` another mobility, if that is fair.
    fn claim_surroundings(
        &mut self,
        table: FrameTable<'_>,
        first: FrameNumber,
        from: Mobility,
        wanted: Mobility,
    ) -> bool {
        let block = first.aligned_to(self.block_order);
        if !self.census(table, block).is_claimable(wanted, from) {
            return false;
        }
        let mut free = self.free_blocks_within(block);
        while let Some((first, order)) = free.next(table) {
            let Some((window, entry)) = table.window(first).zip(table.get(first)) else { continue };
            self.area.remove(table, entry, order, from);
            self.area.insert(table, window, (first, entry), order, wanted);
        }
        self.set_mobility(table, block, self.block_order, wanted);
        self.counters.claims += 1;
        true
    }

    /// Takes the smallest block that fits, and leaves its surroundings alone.
    fn borrow_block(&mut self, table: FrameTable<'_>, order: Order, wanted: Mobility) -> Option<FrameNumber> {
        Order::all().skip(order.index()).find_map(|long| {
            FALLBACKS[wanted.index()].into_iter().find_map(|from| {
                let (first, entry) = self.area.pop(table, long, from)?;
                turn(entry, Head::single(FrameState::Tail));
                self.cut(table, first, long, order, from);
                Some(first)
            })
        })
    }

    /// What the frames of a block are used for.
    fn census(&self, table: FrameTable<'_>, block: FrameNumber) -> Census {
        let mut census = Census::default();
        let end = block.0.saturating_add(self.block_order.frames());
        let mut frame = block.0;
        while frame < end {
            let Some(entry) = table.get(FrameNumber(frame)).filter(|entry| entry.place().zone == self.kind)
            else {
                frame += 1;
                continue;
            };
            let head = entry.head();
            let length =
                if head.state == FrameState::Tail { 1 } else { head.order.frames().min(end - frame) };
            census.total += length;
            if head.state == FrameState::Buddy {
                census.free += length;
            } else if head.state.is_movable() {
                census.movable += length;
            }
            frame += length;
        }
        census
    }

    const fn free_blocks_within(&self, block: FrameNumber) -> FreeBlocks {
        FreeBlocks { next: block.0, end: block.0.saturating_add(self.block_order.frames()), zone: self.kind }
    }
}

/// A walk over the free blocks within a block of frames.
struct FreeBlocks {
    next: u32,
    end: u32,
    zone: ZoneKind,
}

impl FreeBlocks {
    /// The next one. The caller may move it to another list before it asks again.
    fn next(&mut self, table: FrameTable<'_>) -> Option<(FrameNumber, Order)> {
        while self.next < self.end {
            let frame = FrameNumber(self.next);
            let entry = table.get(frame).filter(|entry| entry.place().zone == self.zone);
            let head = entry.map(|entry| entry.head());
            self.next += match head {
                Some(head) if head.state != FrameState::Tail => head.order.frames(),
                _ => 1,
            };
            if let Some(head) = head.filter(|head| head.state == FrameState::Buddy) {
                return Some((frame, head.order));
            }
        }
        None
    }
}
