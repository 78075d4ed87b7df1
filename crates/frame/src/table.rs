//! The view of all frames, by number.

use mallow_units::{FrameNumber, Order};

use crate::error::FrameError;
use crate::frame::Frame;
use crate::region::Regions;
use crate::state::{FrameState, Head};

/// A view of the frames of some regions. Three words, passed by value.
///
/// The caller owns both slices; several views of them may be in use at once, on several processors. What may be written
/// when is said at [`Frame`].
#[derive(Clone, Copy, Debug)]
pub struct FrameTable<'t> {
    frames: &'t [Frame],
    regions: &'t Regions,
}

impl<'t> FrameTable<'t> {
    /// A view of `frames`, one for each frame of `regions`, in their order; `None` if there are too few.
    pub fn new(frames: &'t [Frame], regions: &'t Regions) -> Option<Self> {
        (frames.len() >= regions.frames() as usize).then_some(Self { frames, regions })
    }

    /// The regions of memory.
    pub const fn regions(self) -> &'t Regions {
        self.regions
    }

    /// The entry of a frame; `None` if there is no such frame.
    #[inline]
    pub fn get(self, frame: FrameNumber) -> Option<&'t Frame> {
        self.frames.get(self.regions.place_of(frame)?)
    }

    /// The entry of a frame.
    ///
    /// # Errors
    ///
    /// [`FrameError::Outside`] if there is no such frame.
    #[inline]
    pub fn entry(self, frame: FrameNumber) -> Result<&'t Frame, FrameError> {
        self.get(frame).ok_or(FrameError::Outside { frame })
    }

    /// The entry at a place in the slice.
    #[inline]
    pub(crate) fn at(self, place: u32) -> Option<&'t Frame> {
        self.frames.get(place as usize)
    }

    /// The region around a frame, for who goes from a frame to its neighbours.
    #[inline]
    pub fn window(self, frame: FrameNumber) -> Option<Window<'t>> {
        let (region, place) = self.regions.region_of(frame)?;
        let begin = place as usize;
        let frames = self.frames.get(begin..begin + region.frames as usize)?;
        Some(Window { frames, start: region.start, place })
    }

    /// All frame numbers, the lowest first.
    pub fn numbers(self) -> impl DoubleEndedIterator<Item = FrameNumber> + use<'t> {
        self.regions.as_slice().iter().flat_map(|region| region.iter())
    }

    /// The first frame of the run that `frame` is in, and what that run is.
    ///
    /// Cost: one look per order at most.
    pub fn head_of(self, frame: FrameNumber) -> Option<(FrameNumber, Head)> {
        let own = self.get(frame)?.head();
        if own.state != FrameState::Tail {
            return Some((frame, own));
        }
        Order::all().skip(1).find_map(|order| {
            let first = frame.aligned_to(order);
            let head = self.get(first)?.head();
            (head.state != FrameState::Tail && head.order >= order).then_some((first, head))
        })
    }

    /// Gives an allocated run another use; returns the one it had.
    ///
    /// # Errors
    ///
    /// [`FrameError::State`] if the run is not allocated, or may not change to this.
    #[inline]
    pub fn set_use(self, first: FrameNumber, usage: FrameState) -> Result<FrameState, FrameError> {
        let entry = self.entry(first)?;
        let head = entry.head();
        let refused = || FrameError::state(first, head, usage);
        if !head.state.is_allocated() || !usage.is_allocated() {
            return Err(refused());
        }
        if head.state == usage {
            return Ok(usage);
        }
        entry.turn(Head { state: usage, ..head }).map_err(|_| refused())?;
        Ok(head.state)
    }

    /// Lets `to` be what `from` is, as far as the table knows: owner, index, flags, generation, references and mappings. `from` is left with
    /// one reference and nothing else, so that it can be freed.
    ///
    /// Both are allocated, for the same use; whether the frames exist. The lists are the caller's, see [`crate::FrameList::replace`].
    pub fn hand_over(self, from: FrameNumber, to: FrameNumber) -> bool {
        let (Some(from), Some(to)) = (self.get(from), self.get(to)) else { return false };
        to.take_over(from);
        true
    }
}

/// A view of one region: what lies around a frame is found by one subtraction.
///
/// Regions do not touch, so the buddy of a frame, if there is one, is in the same region.
#[derive(Clone, Copy, Debug)]
pub struct Window<'t> {
    frames: &'t [Frame],
    start: FrameNumber,
    place: u32,
}

impl<'t> Window<'t> {
    /// The entry of a frame; `None` if it is not in this region.
    #[inline]
    pub fn get(self, frame: FrameNumber) -> Option<&'t Frame> {
        self.frames.get(frame.0.wrapping_sub(self.start.0) as usize)
    }

    /// The place in the table's slice of a frame of this region.
    #[inline]
    pub(crate) const fn place_of(self, frame: FrameNumber) -> u32 {
        self.place.wrapping_add(frame.0.wrapping_sub(self.start.0))
    }
}

impl Frame {
    /// Changes the length of an allocated run, whose use stays.
    pub(crate) fn turn_allocated(&self, head: Head) -> bool {
        let was = self.head();
        if !was.state.is_allocated() || was.state != head.state {
            return false;
        }
        self.store_head(head);
        true
    }
}
