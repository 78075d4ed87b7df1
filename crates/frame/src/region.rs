//! Which frames there are: the regions of memory that the firmware reports.

use core::fmt;

use mallow_units::FrameNumber;

/// Frames in a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Region {
    /// The first frame.
    pub start: FrameNumber,
    /// How many there are. Unit: frames.
    pub frames: u32,
}

impl Region {
    /// `frames` frames from `start`.
    pub const fn new(start: FrameNumber, frames: u32) -> Self {
        Self { start, frames }
    }

    /// The number after the last frame.
    ///
    /// Saturates; [`Regions::new`] refuses a region for which it would.
    pub const fn end(self) -> u32 {
        self.start.0.saturating_add(self.frames)
    }

    /// Whether `frame` is one of them.
    pub const fn contains(self, frame: FrameNumber) -> bool {
        frame.0.wrapping_sub(self.start.0) < self.frames
    }

    /// The frames, the lowest first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = FrameNumber> {
        (self.start.0..self.end()).map(FrameNumber)
    }
}

/// Why a list of regions was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RegionError {
    /// There are more than [`Regions::MAX`].
    TooMany {
        /// How many.
        regions: usize,
    },
    /// There is none.
    None,
    /// A region has no frames, or ends beyond the last frame number.
    Extent {
        /// The region.
        region: Region,
    },
    /// A region begins before the one that is named ahead of it ends.
    Order {
        /// The region.
        region: Region,
    },
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { regions } => {
                write!(f, "{regions} regions are more than {}", Regions::MAX)
            }
            Self::None => f.write_str("there is no region"),
            Self::Extent { region } => {
                write!(f, "a region at {:?} cannot have {} frames", region.start, region.frames)
            }
            Self::Order { region } => {
                write!(f, "the region at {:?} begins before the one ahead of it ends", region.start)
            }
        }
    }
}

impl core::error::Error for RegionError {}

/// The regions of a table, by rising address, and where each lies in the table's slice.
///
/// # Invariants
///
/// 1. Regions do not overlap or touch, have frames, and stand by rising address; there are fewer than 2^32 - 1 frames, a
///    number that stands for "none" in lists.
/// 2. `places[k]` is the sum of the frames of the regions before `k`.
/// 3. `longest` is the longest one and `longest_place` its place.
#[derive(Clone, Copy, Debug)]
pub struct Regions {
    regions: [Region; Self::MAX],
    places: [u32; Self::MAX],
    count: usize,
    longest: Region,
    longest_place: u32,
}

impl Regions {
    /// The most regions of a table. Holes that are short are cheaper as reserved frames; memory that is far away may have a
    /// table of its own.
    pub const MAX: usize = 16;

    /// Takes regions by rising address. Those that touch become one.
    ///
    /// # Errors
    ///
    /// [`RegionError`] says which region cannot be.
    pub fn new(list: &[Region]) -> Result<Self, RegionError> {
        if list.is_empty() {
            return Err(RegionError::None);
        }
        if list.len() > Self::MAX {
            return Err(RegionError::TooMany { regions: list.len() });
        }
        let mut made = Self {
            regions: [Region::default(); Self::MAX],
            places: [0; Self::MAX],
            count: 0,
            longest: Region::default(),
            longest_place: 0,
        };
        let mut end = 0;
        for region in list.iter().copied() {
            if region.frames == 0 || region.start.0.checked_add(region.frames).is_none() {
                return Err(RegionError::Extent { region });
            }
            if region.start.0 < end {
                return Err(RegionError::Order { region });
            }
            made.push(region);
            end = region.end();
        }
        Ok(made)
    }

    /// Adds a region behind all others.
    fn push(&mut self, region: Region) {
        match self.count.checked_sub(1) {
            // INVARIANT: (1) what touches the last one lengthens it.
            Some(last) if self.regions[last].end() == region.start.0 => {
                self.regions[last].frames += region.frames;
            }
            _ => {
                // INVARIANT: (2) the sum of disjoint regions of frame numbers fits a frame number.
                self.places[self.count] = self.frames();
                self.regions[self.count] = region;
                self.count += 1;
            }
        }
        let last = self.count - 1;
        // INVARIANT: (3).
        if self.regions[last].frames > self.longest.frames {
            (self.longest, self.longest_place) = (self.regions[last], self.places[last]);
        }
    }

    /// One region.
    ///
    /// # Errors
    ///
    /// As for [`Regions::new`].
    pub fn single(start: FrameNumber, frames: u32) -> Result<Self, RegionError> {
        Self::new(&[Region::new(start, frames)])
    }

    /// All regions, by rising address.
    pub fn as_slice(&self) -> &[Region] {
        &self.regions[..self.count]
    }

    /// How many frames there are in all. Unit: frames, which is also how many a table's slice needs.
    pub fn frames(&self) -> u32 {
        self.as_slice().iter().map(|region| region.frames).sum()
    }

    /// Where a frame's entry lies in the table's slice; `None` if there is no such frame.
    ///
    /// Cost: one comparison in the longest region, one more per region otherwise.
    #[inline]
    pub fn place_of(&self, frame: FrameNumber) -> Option<usize> {
        let offset = frame.0.wrapping_sub(self.longest.start.0);
        if offset < self.longest.frames {
            return Some((self.longest_place + offset) as usize);
        }
        self.place_elsewhere(frame)
    }

    /// The frame whose entry lies at `place`; `None` beyond the last.
    #[inline]
    pub fn number_at(&self, place: u32) -> Option<FrameNumber> {
        let offset = place.wrapping_sub(self.longest_place);
        if offset < self.longest.frames {
            return Some(FrameNumber(self.longest.start.0 + offset));
        }
        let at = self.places[..self.count].partition_point(|begin| *begin <= place).checked_sub(1)?;
        let offset = place - self.places[at];
        (offset < self.regions[at].frames).then(|| FrameNumber(self.regions[at].start.0 + offset))
    }

    /// The region that a frame is in, and the place of its first frame.
    #[inline]
    pub(crate) fn region_of(&self, frame: FrameNumber) -> Option<(Region, u32)> {
        if self.longest.contains(frame) {
            return Some((self.longest, self.longest_place));
        }
        let at = self.as_slice().iter().position(|region| region.contains(frame))?;
        Some((self.regions[at], self.places[at]))
    }

    #[cold]
    #[inline(never)]
    fn place_elsewhere(&self, frame: FrameNumber) -> Option<usize> {
        let at = self.as_slice().iter().position(|region| region.contains(frame))?;
        Some((self.places[at] + (frame.0 - self.regions[at].start.0)) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn region(start: u32, frames: u32) -> Region {
        Region::new(FrameNumber(start), frames)
    }

    #[test]
    fn frames_of_all_regions_lie_one_after_the_other() {
        let regions = Regions::new(&[region(1, 9), region(16, 100), region(200, 4)]).unwrap();
        assert_eq!(regions.frames(), 113);
        let mut place = 0;
        for one in regions.as_slice() {
            for frame in one.iter() {
                assert_eq!(regions.place_of(frame), Some(place));
                assert_eq!(regions.number_at(u32::try_from(place).unwrap()), Some(frame));
                place += 1;
            }
        }
        for outside in [0, 10, 15, 116, 199, 204, u32::MAX] {
            assert_eq!(regions.place_of(FrameNumber(outside)), None, "frame {outside}");
        }
    }

    #[test]
    fn regions_that_touch_become_one() {
        let regions = Regions::new(&[region(4, 4), region(8, 8), region(17, 1), region(18, 2)]).unwrap();
        assert_eq!(regions.as_slice(), [region(4, 12), region(17, 3)]);
        assert_eq!((regions.frames(), regions.number_at(15)), (15, None));
    }

    #[test]
    fn impossible_regions_are_refused() {
        assert_eq!(Regions::new(&[]).unwrap_err(), RegionError::None);
        assert_eq!(Regions::new(&[region(0, 1); 17]).unwrap_err(), RegionError::TooMany { regions: 17 });
        for bad in [region(5, 0), region(u32::MAX, 1), region(1, u32::MAX)] {
            assert_eq!(Regions::new(&[bad]).unwrap_err(), RegionError::Extent { region: bad });
        }
        let second = region(9, 3);
        assert_eq!(
            Regions::new(&[region(0, 10), second]).unwrap_err(),
            RegionError::Order { region: second }
        );
        assert!(Regions::single(FrameNumber(0), u32::MAX).is_ok());
    }
}
