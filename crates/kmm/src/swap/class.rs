//! Size classes of compressed pages: how long a block is, and how many frames a slab of such blocks has.
//!
//! A slab may have several frames, not necessarily in a row, so that blocks of more than half a page waste little: five of
//! 3,264 bytes fit four frames. Used by `pool`.

use mallow_units::page::PAGE_BYTES;

/// Bytes between two classes.
const STEP: usize = 64;

/// Bytes of the longest block. A page that does not fit it is not worth keeping compressed: a quarter of a slab of four
/// frames is all it could save.
pub const BLOCK_BYTES_MAX: usize = 51 * STEP;

/// Number of classes.
pub(super) const COUNT: usize = BLOCK_BYTES_MAX / STEP;

/// Most frames in a slab.
pub(super) const FRAMES_MAX: usize = 4;

/// One class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    pub(super) block_bytes: usize,
    /// Frames in a slab.
    pub(super) frames: usize,
    /// Blocks in a slab, at most 64.
    pub(super) blocks: u32,
}

impl Class {
    /// The index of the smallest class whose blocks hold `bytes`; `None` above the longest.
    pub(super) const fn for_bytes(bytes: usize) -> Option<usize> {
        match bytes {
            0 => Some(0),
            1..=BLOCK_BYTES_MAX => Some((bytes - 1) / STEP),
            _ => None,
        }
    }

    pub(super) const fn at(index: usize) -> Self {
        CLASSES[index]
    }

    /// All blocks of a slab, as bits.
    pub(super) const fn all_blocks(self) -> u64 {
        u64::MAX >> (u64::BITS - self.blocks)
    }
}

const CLASSES: [Class; COUNT] = {
    let mut table = [Class { block_bytes: 0, frames: 0, blocks: 0 }; COUNT];
    let mut class = 0;
    while class < COUNT {
        table[class] = best((class + 1) * STEP);
        class += 1;
    }
    table
};

/// The number of frames that wastes the least per frame; the smaller of two that waste alike.
const fn best(block_bytes: usize) -> Class {
    let mut best = of(block_bytes, 1);
    let mut frames = 2;
    while frames <= FRAMES_MAX {
        let other = of(block_bytes, frames);
        // The waste of one in frames of the other, and the reverse.
        if waste(other) * best.frames < waste(best) * other.frames {
            best = other;
        }
        frames += 1;
    }
    best
}

#[expect(clippy::cast_possible_truncation, reason = "at most 256")]
const fn of(block_bytes: usize, frames: usize) -> Class {
    Class { block_bytes, frames, blocks: (frames * PAGE_BYTES / block_bytes) as u32 }
}

const fn waste(class: Class) -> usize {
    class.frames * PAGE_BYTES - class.blocks as usize * class.block_bytes
}

// Every length gets the smallest class that holds it, a slab's blocks have a bit each, and no slab wastes an eighth.
const _: () = {
    let mut bytes = 0;
    while bytes <= BLOCK_BYTES_MAX {
        let Some(class) = Class::for_bytes(bytes) else { panic!() };
        assert!(CLASSES[class].block_bytes >= bytes);
        assert!(class == 0 || CLASSES[class - 1].block_bytes < bytes);
        assert!(CLASSES[class].blocks >= 1 && CLASSES[class].blocks <= u64::BITS);
        assert!(waste(CLASSES[class]) * 8 < CLASSES[class].frames * PAGE_BYTES);
        bytes += 1;
    }
    assert!(Class::for_bytes(BLOCK_BYTES_MAX + 1).is_none());
    assert!(Class::at(COUNT - 1).blocks == 5 && Class::at(COUNT - 1).frames == 4);
};
