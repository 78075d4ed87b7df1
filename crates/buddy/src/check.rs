//! What must be true of a node at rest, checked by walking everything.

use core::fmt;

use mallow_frame::{FrameState, FrameTable, Mobility};
use mallow_units::{FrameNumber, Order};

use crate::cpu::CpuFrames;
use crate::node::Node;
use crate::zone::Zone;

/// Something that must not be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Violation {
    /// A run does not begin at a multiple of its length, or has a head in its middle.
    Run(FrameNumber),
    /// A tail belongs to no run.
    Stray(FrameNumber),
    /// Two free buddies of one zone have not been merged.
    Unmerged(FrameNumber),
    /// A free block is not on the list for its zone, mobility and order, or a list holds something else.
    List(FrameNumber),
    /// The links of a list, or its bit in the mask, do not fit.
    Links(Mobility, Order),
    /// The frames of one block, or of one run, have several mobilities or zones.
    Mobility(FrameNumber),
    /// An array holds what is not marked so, or holds it twice, or does not hold what is marked.
    Array(FrameNumber),
    /// A free frame has a user.
    Used(FrameNumber),
    /// A count of a zone is not what a walk counts.
    Count {
        /// What the walk found.
        walked: u32,
        /// What the zone says.
        counted: u32,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(frame) => write!(f, "the run at {frame:?} overlaps another or is misaligned"),
            Self::Stray(frame) => write!(f, "frame {frame:?} is a tail of no run"),
            Self::Unmerged(frame) => write!(f, "the free block at {frame:?} and its buddy are not merged"),
            Self::List(frame) => write!(f, "the free block at {frame:?} is on a wrong list"),
            Self::Links(mobility, order) => {
                write!(f, "the list of {mobility} blocks of order {} is broken", order.get())
            }
            Self::Mobility(frame) => write!(f, "frame {frame:?} has another mobility than its block"),
            Self::Array(frame) => write!(f, "frame {frame:?} is in no array, or in two"),
            Self::Used(frame) => write!(f, "the free frame {frame:?} has a user"),
            Self::Count { walked, counted } => write!(f, "{walked} frames were counted as {counted}"),
        }
    }
}

impl core::error::Error for Violation {}

impl Node {
    /// Walks all frames, lists and arrays. `cpus` are all arrays of this node.
    ///
    /// Cost: a few looks at every frame; the square of what the arrays hold.
    ///
    /// # Errors
    ///
    /// The first [`Violation`] that is found.
    pub fn check(&self, table: FrameTable<'_>, cpus: &[CpuFrames]) -> Result<(), Violation> {
        let mut free = [0; 2];
        let mut in_arrays = 0;
        let mut frames = table.numbers();
        while let Some(frame) = frames.next() {
            let Some(entry) = table.get(frame) else { continue };
            self.check_mobility(table, frame)?;
            let head = entry.head();
            match head.state {
                FrameState::Tail => return Err(Violation::Stray(frame)),
                FrameState::Buddy => free[entry.place().zone.index()] += head.order.frames(),
                FrameState::PerCpu => {
                    in_arrays += 1;
                    check_in_arrays(frame, head.order, cpus)?;
                }
                _ => {}
            }
            if head.state.is_free() && (entry.references() > 0 || entry.mappings() > 0) {
                return Err(Violation::Used(frame));
            }
            if frame.aligned_to(head.order) != frame {
                return Err(Violation::Run(frame));
            }
            for _ in 1..head.order.frames() {
                let tail = frames.next().ok_or(Violation::Run(frame))?;
                if table.get(tail).is_none_or(|tail| tail.state() != FrameState::Tail) {
                    return Err(Violation::Run(frame));
                }
                self.check_mobility(table, tail)?;
                if table.get(tail).is_none_or(|tail| tail.place() != entry.place()) {
                    return Err(Violation::Mobility(tail));
                }
            }
        }
        for (zone, walked) in self.zones().iter().zip(free) {
            zone.check_lists(table)?;
            if zone.free() != walked {
                return Err(Violation::Count { walked, counted: zone.free() });
            }
        }
        let counted = cpus.iter().map(|cpu| cpu.iter().count()).sum::<usize>();
        if counted != in_arrays {
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            return Err(Violation::Count { walked: number(in_arrays), counted: number(counted) });
        }
        Ok(())
    }

    /// Whether `frame` has the mobility of the frame before it, if both are in one block.
    fn check_mobility(&self, table: FrameTable<'_>, frame: FrameNumber) -> Result<(), Violation> {
        let Some(before) = frame.0.checked_sub(1).map(FrameNumber) else { return Ok(()) };
        let block = self.layout().block_order;
        let (Some(one), Some(two)) = (table.get(before), table.get(frame)) else { return Ok(()) };
        let are_together =
            before.aligned_to(block) == frame.aligned_to(block) && one.place().zone == two.place().zone;
        if are_together && one.place() != two.place() { Err(Violation::Mobility(frame)) } else { Ok(()) }
    }
}

/// Whether one array holds the run, once, and under the right order.
fn check_in_arrays(frame: FrameNumber, order: Order, cpus: &[CpuFrames]) -> Result<(), Violation> {
    let holders = cpus.iter().flat_map(CpuFrames::iter).filter(|(.., held)| *held == frame);
    let (mut count, mut is_right) = (0, true);
    for (_, _, held_as, _) in holders {
        count += 1;
        is_right &= held_as == order;
    }
    if count == 1 && is_right { Ok(()) } else { Err(Violation::Array(frame)) }
}

impl Zone {
    /// Walks the lists.
    pub(crate) fn check_lists(&self, table: FrameTable<'_>) -> Result<(), Violation> {
        let mut walked = 0;
        for mobility in Mobility::ALL {
            for order in Order::all() {
                let list = self.area().list(mobility, order);
                let is_marked = self.area().smallest(mobility, order) == Some(order);
                if !list.is_whole(table) || is_marked == list.is_empty() {
                    return Err(Violation::Links(mobility, order));
                }
                for first in list.iter(table) {
                    self.check_block(table, first, order, mobility)?;
                    walked += order.frames();
                }
            }
        }
        let counted = self.free();
        if walked == counted { Ok(()) } else { Err(Violation::Count { walked, counted }) }
    }

    fn check_block(
        &self,
        table: FrameTable<'_>,
        first: FrameNumber,
        order: Order,
        mobility: Mobility,
    ) -> Result<(), Violation> {
        let entry = table.get(first).ok_or(Violation::List(first))?;
        let (head, place) = (entry.head(), entry.place());
        let is_right = head.state == FrameState::Buddy && head.order == order;
        if !is_right || place.zone != self.kind() || place.mobility != mobility {
            return Err(Violation::List(first));
        }
        let buddy = table.get(FrameNumber(first.0 ^ order.frames()));
        let could_merge = buddy.is_some_and(|buddy| buddy.is(head) && buddy.place().zone == place.zone);
        if could_merge && order < Order::MAX { Err(Violation::Unmerged(first)) } else { Ok(()) }
    }
}
