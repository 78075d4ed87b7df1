//! Many blocks put back at once, order by order.
//!
//! ```text
//!  order 0   | a | b | c | d | e | f |     whose buddy is free?
//!               ├─ no:  a, d, f            onto the list
//!               └─ yes: b, c, e            buddies off the list
//!  order 1   | b' | c' | e' |              whose buddy is free?
//!               └─ ..
//! ```
//!
//! Block by block, a processor would have to guess for each whether its buddy is free, which is as good as random, and would learn
//! where the next buddy and its neighbours on the list lie only after it has waited for the last. Order by order there is nothing to guess, and all
//! blocks of an order wait together.
//!
//! Called by `cpu` when an array is flushed, under the lock of the node.

use mallow_frame::{FrameState, FrameTable, Head, Place, Window};
use mallow_units::{FrameNumber, Order};

use crate::zone::{Zone, turn};

/// Blocks that are put back at once; a power of two.
const BATCH: usize = 64;
/// So few blocks are merged one by one: there is little to wait for together.
const FEW: usize = 4;

/// First frames of blocks. How many is for the caller to know: a count in memory would be waited for at each step.
type Blocks = [u32; BATCH];

/// Writes an item; the mask keeps the index within the array.
#[inline(always)]
const fn write(blocks: &mut Blocks, at: usize, first: u32) {
    blocks[at & (BATCH - 1)] = first;
}

impl Zone {
    /// Puts blocks of `order` back which have been in an array until now, and merges each with its buddies. Their frames belong to `place`, but
    /// for those whose block of frames changed its mobility meanwhile.
    ///
    /// Cost: as for [`Zone::put`] of each, without the waiting.
    pub(crate) fn put_all(&mut self, table: FrameTable<'_>, blocks: &[u32], order: Order, place: Place) {
        let mut usual = [0; BATCH];
        for some in blocks.chunks(BATCH) {
            let Some(window) = some.first().and_then(|first| table.window(FrameNumber(*first))) else {
                continue;
            };
            self.count_freed(order, u32::try_from(some.len()).unwrap_or(0));
            let mut count = 0;
            for first in some.iter().copied() {
                match window.get(FrameNumber(first)) {
                    Some(entry) if entry.place_index() == place.index() => {
                        turn(entry, Head::single(FrameState::Tail));
                        write(&mut usual, count, first);
                        count += 1;
                    }
                    _ => self.merge_elsewhere(table, FrameNumber(first), order),
                }
            }
            self.merge_all(table, window, (&mut usual, count), order, place);
        }
    }

    /// Merges blocks in transit of one window and place, which have been counted.
    fn merge_all(
        &mut self,
        table: FrameTable<'_>,
        window: Window<'_>,
        (blocks, mut count): (&mut Blocks, usize),
        mut order: Order,
        place: Place,
    ) {
        let mut single = [0; BATCH];
        while count > FEW
            && let Some(double) = order.double()
        {
            let length = order.frames();
            let free = Head { state: FrameState::Buddy, order };
            let (mut singles, mut pairs) = (0, 0);
            for at in 0..count {
                let first = blocks[at & (BATCH - 1)];
                let buddy = window.get(FrameNumber(first ^ length));
                let is_free =
                    buddy.is_some_and(|buddy| buddy.is(free) & (buddy.place_index() == place.index()));
                // Both are written, and one is counted: a branch would be guessed wrong every second time.
                write(&mut single, singles, first);
                write(blocks, pairs, first);
                singles += usize::from(!is_free);
                pairs += usize::from(is_free);
            }
            self.link_all(table, window, single.get(..singles).unwrap_or(&[]), order, place);
            let pairs = blocks.get_mut(..pairs).unwrap_or(&mut []);
            let buddies = pairs.iter_mut().filter_map(|block| {
                let buddy = window.get(FrameNumber(*block ^ length))?;
                turn(buddy, Head::single(FrameState::Tail));
                *block &= !length;
                Some(buddy)
            });
            self.area.unlink_all(table, buddies, order, place.mobility);
            (count, order) = (pairs.len(), double);
        }
        for first in blocks.iter().copied().map(FrameNumber).take(count) {
            if let Some(entry) = window.get(first) {
                self.merge(table, window, (first, entry), order, place);
            }
        }
    }

    /// Puts blocks onto their list, whose buddies were not free a moment ago.
    fn link_all(
        &mut self,
        table: FrameTable<'_>,
        window: Window<'_>,
        blocks: &[u32],
        order: Order,
        place: Place,
    ) {
        let free = Head { state: FrameState::Buddy, order };
        let (mut late, mut count) = ([0; BATCH], 0);
        let alone = blocks.iter().copied().filter_map(|first| {
            let entry = window.get(FrameNumber(first))?;
            // Two of the batch may be buddies, and a buddy may belong elsewhere.
            if window.get(FrameNumber(first ^ order.frames())).is_some_and(|buddy| buddy.is(free)) {
                write(&mut late, count, first);
                count += 1;
                return None;
            }
            turn(entry, free);
            Some((FrameNumber(first), entry))
        });
        self.area.link_all(table, window, alone, order, place.mobility);
        for first in late.iter().copied().map(FrameNumber).take(count) {
            if let Some(entry) = window.get(first) {
                self.merge(table, window, (first, entry), order, place);
            }
        }
    }

    /// As [`Zone::merge`], for a block in another region, or whose frames have changed their mobility while it was in an array.
    #[cold]
    #[inline(never)]
    fn merge_elsewhere(&mut self, table: FrameTable<'_>, first: FrameNumber, order: Order) {
        if let Some((window, entry)) = table.window(first).zip(table.get(first)) {
            self.merge(table, window, (first, entry), order, entry.place());
        }
    }
}

const _: () = assert!(BATCH.is_power_of_two());

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use mallow_frame::{Frame, Mobility, Region, Regions, ZoneKind};

    use super::*;
    use crate::node::{Layout, Node};
    use crate::request::{Request, Reserve};

    const START: FrameNumber = FrameNumber(100);
    const FRAMES: u32 = 3000;

    /// All memory of a node as single frames, in the state of those in arrays.
    fn all_in_arrays(table: FrameTable<'_>, layout: Layout) -> (Node, Vec<u32>) {
        let mut node = Node::new(table, layout);
        node.release(table, Region::new(START, FRAMES)).unwrap();
        let request = Request { reserve: Reserve::All, ..Request::anonymous() };
        let mut taken = Vec::new();
        while let Some(run) = node.allocate(table, &request) {
            table.retire(&run, FrameState::PerCpu).unwrap();
            taken.push(run.into_first().0);
        }
        taken.sort_unstable();
        (node, taken)
    }

    /// Puts all frames back in an order that depends on `seed`, at once or one by one; returns how many blocks of each order there are.
    fn blocks_after(seed: u32, in_batches: bool) -> Vec<u32> {
        let regions = Regions::single(START, FRAMES).unwrap();
        let frames: Vec<Frame> = (0..FRAMES).map(|_| Frame::new()).collect();
        let table = FrameTable::new(&frames, &regions).unwrap();
        let layout = Layout { block_order: Order::new(6).unwrap(), ..Layout::default() };
        let (mut node, mut taken) = all_in_arrays(table, layout);
        assert!(taken.len() > 2000, "most of the memory");
        // Every fourth block has changed its mobility meanwhile, but for the frames of one seed.
        for entry in taken.iter().filter(|frame| seed > 0 && **frame >> 6 & 3 == 0) {
            table.get(FrameNumber(*entry)).unwrap().set_mobility(Mobility::Reclaimable);
        }
        let mut random = seed;
        for at in (1..taken.len()).rev().filter(|_| seed > 0) {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            taken.swap(at, (random >> 8) as usize % (at + 1));
        }
        let place = Place { zone: ZoneKind::Dma32, mobility: Mobility::Movable };
        for some in taken.chunks(37) {
            if in_batches {
                node.zone_mut(place.zone).put_all(table, some, Order::ZERO, place);
            } else {
                some.iter().for_each(|first| {
                    node.zone_mut(place.zone).put(table, FrameNumber(*first), Order::ZERO);
                });
            }
            // What is still in arrays is no frame of this node as far as its lists are concerned.
            assert_eq!(node.zone(place.zone).check_lists(table), Ok(()));
        }
        node.check(table, &[]).unwrap();
        Order::all().map(|order| node.zone(place.zone).area().blocks(order)).collect()
    }

    #[test]
    fn a_batch_leaves_what_its_blocks_leave_one_by_one() {
        for seed in 0..40 {
            assert_eq!(blocks_after(seed, true), blocks_after(seed, false), "seed {seed}");
        }
    }
}
