//! By what memory is kept apart: zones, for devices that reach only low addresses, and mobility, against fragmentation.
//!
//! A frame's zone never changes. Its mobility is that of its *block* (512 frames, as long as a huge page): blocks of one
//! mobility are kept together, so that what cannot be moved does not spoil every huge page. Each frame carries both, so that a
//! free touches no other cache line to learn where it belongs; a block that changes its mobility pays with a write per
//! frame, which is rare.

use core::fmt;

/// A range of physical memory with properties of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum ZoneKind {
    /// Below 4 GiB: what a device with 32 address bits can reach.
    Dma32 = 0,
    /// Everything above.
    Normal = 1,
}

impl ZoneKind {
    /// All zones, the lowest addresses first.
    pub const ALL: [Self; Self::COUNT] = [Self::Dma32, Self::Normal];
    /// How many kinds there are.
    pub const COUNT: usize = 2;

    /// The kind as an index into a table of [`ZoneKind::COUNT`].
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name under which Linux prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dma32 => "DMA32",
            Self::Normal => "Normal",
        }
    }
}

impl fmt::Display for ZoneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What can be done with memory that stands in the way of a longer run. Linux calls it a migrate type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Mobility {
    /// Nothing: the kernel holds its address.
    Unmovable = 0,
    /// It can be moved: only page tables point to it.
    Movable = 1,
    /// It can be dropped: caches that can be made again.
    Reclaimable = 2,
}

impl Mobility {
    /// All kinds.
    pub const ALL: [Self; Self::COUNT] = [Self::Unmovable, Self::Movable, Self::Reclaimable];
    /// How many kinds there are.
    pub const COUNT: usize = 3;

    /// The kind as an index into a table of [`Mobility::COUNT`].
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name under which Linux prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unmovable => "Unmovable",
            Self::Movable => "Movable",
            Self::Reclaimable => "Reclaimable",
        }
    }
}

impl fmt::Display for Mobility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a frame belongs when it is free.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// The zone.
    pub zone: ZoneKind,
    /// The mobility of the frame's block.
    pub mobility: Mobility,
}

impl Place {
    /// One more than the highest index.
    pub const COUNT: usize = ZoneKind::COUNT * Mobility::COUNT;

    /// The place as an index into a table of [`Place::COUNT`]: what [`crate::Frame::place_index`] says.
    #[inline]
    pub const fn index(self) -> usize {
        self.to_byte() as usize
    }

    /// The place with this index; any index beyond the last is taken for one of the last mobility.
    #[inline]
    pub const fn of_index(index: usize) -> Self {
        let zone = if index & 1 == 0 { ZoneKind::Dma32 } else { ZoneKind::Normal };
        let mobility = match index >> 1 {
            0 => Mobility::Unmovable,
            1 => Mobility::Movable,
            _ => Mobility::Reclaimable,
        };
        Self { zone, mobility }
    }

    #[inline]
    pub(crate) const fn to_byte(self) -> u8 {
        self.zone as u8 | (self.mobility as u8) << 1
    }

    #[inline]
    pub(crate) const fn from_byte(byte: u8) -> Self {
        Self::of_index(byte as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_place_survives_its_byte() {
        for zone in ZoneKind::ALL {
            for mobility in Mobility::ALL {
                let place = Place { zone, mobility };
                assert_eq!(Place::from_byte(place.to_byte()), place);
                assert!(place.index() < Place::COUNT && Place::of_index(place.index()) == place);
            }
        }
    }

    #[test]
    fn names_can_be_aligned() {
        assert_eq!(format!("{:>8}", ZoneKind::Dma32), "   DMA32");
        assert_eq!(format!("{:<9}|", Mobility::Movable), "Movable  |");
    }
}
