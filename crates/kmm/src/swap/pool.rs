//! The pool: frames cut into blocks for compressed pages.
//!
//! ```text
//!  slab of class 33 (2,176 bytes): | frame | frame | .. |   blocks go across the borders of its frames
//!                                    block 0 | block 1 | ...
//! ```
//!
//! Called by `compressed`. Takes its frames, one at a time, from whoever embeds it, and gives them back as soon as a
//! slab has no block in use; there is nothing else to shrink.
//!
//! Cost: all operations are constant, besides the bytes that are copied.

use mallow_units::FrameNumber;
use mallow_units::page::PAGE_BYTES;

use super::class::{self, Class};

const NONE: u32 = u32::MAX;

/// Where the pool gets its frames, and how it reaches their bytes.
pub trait Frames {
    /// A frame for the pool; `None` if none can be spared now.
    fn take(&mut self) -> Option<FrameNumber>;
    /// Gives a frame back.
    fn give(&mut self, frame: FrameNumber);
    /// Copies bytes of a taken frame, from `offset`, into `bytes`; they do not go across its end.
    fn read(&self, frame: FrameNumber, offset: usize, bytes: &mut [u8]);
    /// Copies `bytes` into a taken frame at `offset`; they do not go across its end.
    fn write(&mut self, frame: FrameNumber, offset: usize, bytes: &[u8]);
}

/// What the pool knows of one slab. An array or slice of these is what a pool is made of; one for each frame that it may
/// take is always enough.
#[derive(Clone, Debug)]
pub struct Slab {
    frames: [FrameNumber; class::FRAMES_MAX],
    /// A bit for each block that is free.
    free: u64,
    next: u32,
    prev: u32,
    class: u8,
    is_used: bool,
}

const _: () = assert!(size_of::<Slab>() <= 40);

impl Slab {
    /// A slab without frames.
    pub const fn new() -> Self {
        Self {
            frames: [FrameNumber(NONE); class::FRAMES_MAX],
            free: 0,
            next: NONE,
            prev: NONE,
            class: 0,
            is_used: false,
        }
    }
}

impl Default for Slab {
    fn default() -> Self {
        Self::new()
    }
}

/// A block in use. Dropping the name does not free the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Block {
    pub(super) slab: u32,
    pub(super) index: u8,
}

/// Frames cut into blocks.
///
/// # Invariants
///
/// 1. A slab in use has a block in use, and is in the list of its class if and only if it also has a free one.
/// 2. A slab that is not in use is in the list `unused`.
/// 3. `frame_count` is the number of frames in all slabs.
#[derive(Debug)]
pub(super) struct Pool<Slabs> {
    slabs: Slabs,
    unused: u32,
    /// Slabs with room, by class.
    partial: [u32; class::COUNT],
    frame_count: u32,
    frames_max: u32,
}

impl<Slabs: AsRef<[Slab]> + AsMut<[Slab]>> Pool<Slabs> {
    /// A pool that takes at most `frames_max` frames.
    pub(super) fn new(mut slabs: Slabs, frames_max: u32) -> Self {
        let mut unused = NONE;
        for (at, slab) in (0..NONE).zip(slabs.as_mut()).rev() {
            *slab = Slab { next: unused, ..Slab::new() };
            unused = at;
        }
        Self { slabs, unused, partial: [NONE; class::COUNT], frame_count: 0, frames_max }
    }

    pub(super) const fn frame_count(&self) -> u32 {
        self.frame_count
    }

    /// Stores `bytes`; `None` if they are too many or there is no room.
    pub(super) fn store(&mut self, bytes: &[u8], frames: &mut impl Frames) -> Option<Block> {
        let class = Class::for_bytes(bytes.len())?;
        let at = match self.partial[class] {
            NONE => self.new_slab(class, frames)?,
            at => at,
        };
        let slab = &mut self.slabs.as_mut()[at as usize];
        let index = slab.free.trailing_zeros();
        slab.free &= slab.free - 1;
        if slab.free == 0 {
            self.unlink(at);
        }
        #[expect(clippy::cast_possible_truncation, reason = "below 64")]
        let block = Block { slab: at, index: index as u8 };
        let slab = &self.slabs.as_ref()[at as usize];
        let mut done = 0;
        for (frame, offset, len) in pieces(slab, block.index, bytes.len()) {
            frames.write(frame, offset, &bytes[done..done + len]);
            done += len;
        }
        Some(block)
    }

    /// Copies what was stored into `bytes`.
    pub(super) fn load(&self, block: Block, bytes: &mut [u8], frames: &impl Frames) {
        let slab = &self.slabs.as_ref()[block.slab as usize];
        let mut done = 0;
        for (frame, offset, len) in pieces(slab, block.index, bytes.len()) {
            frames.read(frame, offset, &mut bytes[done..done + len]);
            done += len;
        }
    }

    /// Frees a block, and its slab with its last one.
    pub(super) fn free(&mut self, block: Block, frames: &mut impl Frames) {
        let at = block.slab;
        let slab = &mut self.slabs.as_mut()[at as usize];
        let class = Class::at(usize::from(slab.class));
        let was_full = slab.free == 0;
        slab.free |= 1 << block.index;
        if slab.free != class.all_blocks() {
            if was_full {
                self.link(at);
            }
            return;
        }
        if !was_full {
            self.unlink(at);
        }
        self.give_frames(at, class.frames, frames);
    }

    fn new_slab(&mut self, class_index: usize, frames: &mut impl Frames) -> Option<u32> {
        let class = Class::at(class_index);
        let at = self.unused;
        if at == NONE || self.frames_max - self.frame_count < narrow(class.frames) {
            return None;
        }
        for taken in 0..class.frames {
            let Some(frame) = frames.take() else {
                let slab = &self.slabs.as_ref()[at as usize];
                slab.frames[..taken].iter().for_each(|frame| frames.give(*frame));
                return None;
            };
            self.slabs.as_mut()[at as usize].frames[taken] = frame;
        }
        self.frame_count += narrow(class.frames);
        let slab = &mut self.slabs.as_mut()[at as usize];
        self.unused = slab.next;
        #[expect(clippy::cast_possible_truncation, reason = "below 51")]
        let class_byte = class_index as u8;
        (slab.free, slab.class, slab.is_used) = (class.all_blocks(), class_byte, true);
        self.link(at);
        Some(at)
    }

    fn give_frames(&mut self, at: u32, count: usize, frames: &mut impl Frames) {
        let unused = self.unused;
        let slab = &mut self.slabs.as_mut()[at as usize];
        slab.frames[..count].iter().for_each(|frame| frames.give(*frame));
        *slab = Slab { next: unused, ..Slab::new() };
        self.unused = at;
        self.frame_count -= narrow(count);
    }

    fn link(&mut self, at: u32) {
        let slabs = self.slabs.as_mut();
        let head = &mut self.partial[usize::from(slabs[at as usize].class)];
        if *head != NONE {
            slabs[*head as usize].prev = at;
        }
        (slabs[at as usize].next, slabs[at as usize].prev) = (*head, NONE);
        *head = at;
    }

    fn unlink(&mut self, at: u32) {
        let slabs = self.slabs.as_mut();
        let Slab { next, prev, class, .. } = slabs[at as usize];
        if next != NONE {
            slabs[next as usize].prev = prev;
        }
        match prev {
            NONE => self.partial[usize::from(class)] = next,
            prev => slabs[prev as usize].next = next,
        }
    }

    /// Whether the invariants hold; `blocks` are in use.
    pub(super) fn check(&self, blocks: usize) -> Result<(), &'static str> {
        let slabs = self.slabs.as_ref();
        let (mut frames, mut in_use, mut with_room) = (0, 0, 0);
        for slab in slabs.iter().filter(|slab| slab.is_used) {
            let class = Class::at(usize::from(slab.class));
            if slab.free & !class.all_blocks() != 0 || slab.free == class.all_blocks() {
                return Err("a slab in use has no block in use, or one too many");
            }
            frames += narrow(class.frames);
            in_use += (class.blocks - slab.free.count_ones()) as usize;
            with_room += usize::from(slab.free != 0);
        }
        if frames != self.frame_count || frames > self.frames_max {
            return Err("the number of frames is not their sum, or too many");
        }
        if in_use != blocks {
            return Err("a block is lost, or used twice");
        }
        for (class, head) in self.partial.iter().enumerate() {
            let (mut at, mut prev) = (*head, NONE);
            while at != NONE {
                let slab = &slabs[at as usize];
                if !slab.is_used || slab.free == 0 || slab.prev != prev || usize::from(slab.class) != class {
                    return Err("the list of a class holds what does not belong there");
                }
                with_room = with_room.wrapping_sub(1);
                (prev, at) = (at, slab.next);
            }
        }
        if with_room != 0 { Err("a slab with room is in no list") } else { Ok(()) }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most four")]
const fn narrow(frames: usize) -> u32 {
    frames as u32
}

/// The parts of a block, frame by frame: frame, offset and length.
fn pieces(slab: &Slab, index: u8, len: usize) -> impl Iterator<Item = (FrameNumber, usize, usize)> {
    let start = usize::from(index) * Class::at(usize::from(slab.class)).block_bytes;
    let mut done = 0;
    core::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let (at, offset) = ((start + done) / PAGE_BYTES, (start + done) % PAGE_BYTES);
        let part = (len - done).min(PAGE_BYTES - offset);
        done += part;
        Some((slab.frames[at], offset, part))
    })
}
