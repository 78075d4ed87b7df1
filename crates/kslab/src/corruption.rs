//! Reports of what a client did to an object that he should not have.

use core::fmt;

use crate::guard::{Damage, Spot, Track};

/// What was found, where, and who had the object last.
///
/// It prints in the form of Linux' `slab_debug`, several lines:
///
/// ```text
/// BUG inode: Right Redzone overwritten
/// object 0x7f30 offset 192: first byte 0x0 instead of 0xcc
/// Allocated in 0xffffffff81234567 age=12 cpu=0
/// Freed in 0xffffffff81234600 age=40 cpu=1
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Corruption {
    /// The cache in which it was noticed.
    pub cache: &'static str,
    /// The address that was freed, or of the object that was damaged.
    pub object: usize,
    /// What happened.
    pub damage: Damage,
    /// The byte that shows it, if a byte does.
    pub spot: Option<Spot>,
    /// The last allocation, if the cache keeps tags.
    pub allocated: Option<Track>,
    /// The last free, if the cache keeps tags.
    pub freed: Option<Track>,
    /// When it was noticed, in the unit of [`crate::Pages::now`].
    pub noticed: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeftRedZone => "Left Redzone overwritten",
            Self::RightRedZone => "Right Redzone overwritten",
            Self::Poison => "Poison overwritten",
            Self::DoubleFree => "Object already free",
            Self::NotAnObject => "Invalid object pointer",
            Self::Foreign => "Object does not belong to the cache",
        })
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "BUG {}: {}", self.cache, self.damage)?;
        write!(f, "object {:#x}", self.object)?;
        if let Some(spot) = self.spot {
            let Spot { offset, found, expected, .. } = spot;
            write!(f, " offset {offset}: first byte {found:#x} instead of {expected:#x}")?;
        }
        for (verb, track) in [("Allocated", self.allocated), ("Freed", self.freed)] {
            if let Some(Track { tag, when, cpu }) = track {
                write!(f, "\n{verb} in {tag:#x} age={} cpu={cpu}", self.noticed.saturating_sub(when))?;
            }
        }
        Ok(())
    }
}

impl core::error::Error for Corruption {}
