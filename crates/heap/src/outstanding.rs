//! Which blocks of a slab are outstanding: handed to a thread's list or to the program, and not come home.
//!
//! One word says it: the *sum of their addresses*. A free takes its pointer from the sum, in one instruction, and three things
//! follow from what is left:
//!
//! * 0: the slab is empty. A sum of addresses is 0 for no other reason.
//! * `sum / start` is the number of outstanding blocks: the offsets of all blocks together are less than one start address.
//! * `sum % start`, the sum of their offsets, is a multiple of the block size, or the program has freed a pointer into the middle
//!   of a block.
//!
//! A full slab, which is in no bin, has its sum set to 0 although all its blocks are outstanding: the first free of one goes
//! below zero, which is noticed by the same branch.
//!
//! Called by `free` (`push_local`), `refill`, `remote`, `idle` and `pages`, for slabs of heaps that the caller owns.

use core::sync::atomic::compiler_fence;

use mallow_ds::remote::RemoteWord;
use mallow_ds::sync::Ordering;
use mallow_units::size_class::{self, QUANTUM};
use mallow_units::word::to_usize;

use crate::block::{self, Block};
use crate::misuse::{self, Pointer};
use crate::slab::{ACTIVE, Batch, FULL, Slab, to_u16, to_u32};

/// A chain of free blocks of one slab.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    pub(crate) first: *mut Block,
    pub(crate) last: *mut Block,
    pub(crate) block_count: u32,
    /// Of their addresses.
    pub(crate) sum: u64,
}

impl Blocks {
    /// None yet.
    pub(crate) const NONE: Self = Self { first: block::NONE, last: block::NONE, block_count: 0, sum: 0 };

    /// Marks `block` as free and puts it behind the others.
    ///
    /// # Safety
    ///
    /// 1. `block` and those in the chain are free, on no list, and the caller's.
    #[inline]
    pub(crate) unsafe fn append(&mut self, block: *mut Block, mark: u64) {
        // SAFETY: by (1).
        unsafe { block::set_next(block, block::NONE) };
        // SAFETY: by (1).
        unsafe { block::set_mark(block, mark) };
        if self.last.is_null() {
            self.first = block;
        } else {
            // SAFETY: by (1).
            unsafe { block::set_next(self.last, block) };
        }
        self.last = block;
        self.block_count += 1;
        self.sum += block.addr() as u64;
    }

    /// The blocks from `first` to the end of its list. Cost: a look at each.
    ///
    /// # Safety
    ///
    /// 1. They are free, at least one, and the caller's.
    pub unsafe fn from(first: *mut Block) -> Self {
        let mut blocks = Self { first, last: first, block_count: 0, sum: 0 };
        let mut block = first;
        while !block.is_null() {
            blocks.last = block;
            blocks.block_count += 1;
            blocks.sum = blocks.sum.wrapping_add(block.addr() as u64);
            // SAFETY: free, and the caller's (1).
            block = unsafe { block::next(block) };
        }
        blocks
    }
}

impl Slab {
    /// Takes back one block from its owner's thread; true if the owner has to look at the slab.
    ///
    /// # Safety
    ///
    /// 1. `block` is an outstanding block of this slab, not used by anyone any more. If it is a pointer into the middle of one, that
    ///    is noticed before the list is used.
    /// 2. The caller owns the slab's heap.
    #[inline(always)]
    pub unsafe fn push_local(&self, block: *mut Block) -> bool {
        // SAFETY: the block is the caller's to give (1).
        unsafe { block::set_mark(block, self.mark()) };
        // SAFETY: as above.
        unsafe { block::set_next(block, self.local.get()) };
        let sum = self.outstanding.get();
        let address = block.addr() as u64;
        self.outstanding.set(sum.wrapping_sub(address));
        // ORDERING: a child that was forked between the two stores must find too few blocks on the list, which loses one,
        // and not too many, which would hand the slab out while a block is in use. It sees memory in program order.
        compiler_fence(Ordering::SeqCst);
        self.local.set(block);
        sum <= address
    }

    /// Takes back `blocks`, of which nobody uses any more.
    ///
    /// # Safety
    ///
    /// 1. It describes a chain of outstanding blocks of this slab, marked as free, whose last link does not matter.
    /// 2. The caller owns the slab's heap.
    pub unsafe fn push_chain(&self, blocks: Blocks) {
        // SAFETY: the chain is ours now (1).
        unsafe { block::set_next(blocks.last, self.local.get()) };
        self.outstanding.set(self.outstanding.get().wrapping_sub(blocks.sum));
        self.local.set(blocks.first);
    }

    /// Where `block` begins, as `mallow_ds::remote` counts.
    #[inline(always)]
    pub(crate) fn place_of(&self, block: *mut Block) -> u64 {
        self.offset_of(block.addr()) / QUANTUM as u64
    }

    /// The block at `place`.
    #[inline(always)]
    pub(crate) fn block_at(&self, place: u64) -> *mut Block {
        core::ptr::with_exposed_provenance_mut(self.start() + to_usize(place) * QUANTUM)
    }

    /// The blocks that `chain` describes.
    pub(crate) fn blocks_of(&self, chain: RemoteWord) -> Blocks {
        Blocks {
            first: self.block_at(chain.first()),
            last: self.block_at(chain.last()),
            block_count: to_u32(chain.block_count()),
            sum: chain.block_count() * self.start() as u64 + chain.sum() * QUANTUM as u64,
        }
    }

    /// Whether it has nothing to hand out.
    #[inline(always)]
    pub fn is_exhausted(&self) -> bool {
        self.local.get().is_null() && self.bare.get() == 0
    }

    /// Hands out all blocks on the local list, if there are any and no page was purged.
    ///
    /// Cost: a division, and none per block. Stops the process if the program has freed a pointer into the middle of a block.
    #[inline]
    pub fn take_whole_list(&self) -> Option<Batch> {
        let first = self.local.get();
        if first.is_null() || self.has_purged_pages() {
            return None;
        }
        Some(self.take_all(first, self.sound_used()))
    }

    /// Hands out the whole local list, which begins with `first`, while `used` blocks are outstanding and no page was purged.
    #[inline]
    fn take_all(&self, first: *mut Block, used: u32) -> Batch {
        self.set_flags(self.flags() | ACTIVE);
        let come_home = u32::from(self.counted.get()).saturating_sub(used);
        self.local.set(block::NONE);
        self.outstanding.set(self.carved_sum());
        self.counted.set(self.carved.get());
        Batch { first, block_count: self.carved() - used, come_home, is_zero: false }
    }

    /// Hands out the blocks on the local list, `most` of them at most.
    ///
    /// Cost: that of [`Slab::take_whole_list`], if that does; or else a look at each. Stops the process as that.
    pub fn take_local(&self, most: u32) -> Option<Batch> {
        let first = self.local.get();
        if first.is_null() {
            return None;
        }
        let used = self.sound_used();
        if self.carved() - used <= most && !self.has_purged_pages() {
            return Some(self.take_all(first, used));
        }
        self.set_flags(self.flags() | ACTIVE);
        let come_home = u32::from(self.counted.get()).saturating_sub(used);
        let (mut last, mut block_count, mut sum) = (block::NONE, 0, self.outstanding.get());
        for block in self.listed_blocks().take(most as usize) {
            last = block;
            block_count += 1;
            sum = sum.wrapping_add(block.addr() as u64);
        }
        // SAFETY: a free block of ours.
        self.local.set(unsafe { block::next(last) });
        // SAFETY: as above; it leaves with the batch.
        unsafe { block::set_next(last, block::NONE) };
        self.outstanding.set(sum);
        self.counted.set(to_u16(used + block_count));
        Some(Batch { first, block_count, come_home, is_zero: false })
    }

    /// Notes that `block_count` new blocks with this sum of addresses leave the slab.
    pub(crate) fn hand_out_new(&self, block_count: u32, sum: u64) {
        self.carved.set(self.carved.get() + to_u16(block_count));
        self.outstanding.set(self.outstanding.get().wrapping_add(sum));
        self.counted.set(self.counted.get() + to_u16(block_count));
    }

    /// Whether no block is outstanding.
    pub fn is_empty(&self) -> bool {
        self.outstanding.get() == 0 && self.flags() & FULL == 0
    }

    /// Blocks outstanding.
    pub fn used(&self) -> u32 {
        to_u32(self.outstanding_sum() / self.start() as u64)
    }

    /// [`Slab::used`], after a check that no pointer into the middle of a block was freed; stops the process if one was.
    pub(crate) fn sound_used(&self) -> u32 {
        let (sum, start) = (self.outstanding_sum(), self.start() as u64);
        let used = sum / start;
        if used > u64::from(self.carved()) || !size_class::divides(self.reciprocal.get(), sum % start) {
            self.name_the_culprit();
        }
        to_u32(used)
    }

    /// The sum of the addresses of the outstanding blocks.
    fn outstanding_sum(&self) -> u64 {
        let sum = self.outstanding.get();
        // A full slab's counts from 0, downwards.
        if self.flags() & FULL == 0 { sum } else { self.carved_sum().wrapping_add(sum) }
    }

    /// The sum of the addresses of all carved blocks, of which none is on a purged page: the first `carved` of the slab.
    fn carved_sum(&self) -> u64 {
        let carved = u64::from(self.carved());
        carved * self.start() as u64 + carved * carved.saturating_sub(1) / 2 * self.block_bytes() as u64
    }

    /// The slab has nothing left to hand out: it leaves its bin, and the next free is to be noticed.
    pub fn become_full(&self) {
        debug_assert!(self.used() > 0, "a slab without free and without outstanding blocks");
        self.set_flags(self.flags() | FULL);
        self.outstanding.set(0);
    }

    /// The slab was full and is so no more, if it was.
    pub fn become_available(&self) {
        let sum = self.outstanding_sum();
        self.set_flags(self.flags() & !FULL);
        self.outstanding.set(sum);
    }

    /// Blocks that have come home since they were last counted, for statistics.
    pub fn count(&self) -> u32 {
        let used = self.sound_used();
        u32::from(self.counted.replace(to_u16(used))).saturating_sub(used)
    }

    /// The blocks on the local list, each checked. Nothing may change meanwhile.
    pub(crate) fn listed_blocks(&self) -> impl Iterator<Item = *mut Block> + '_ {
        let mut block = self.local.get();
        core::iter::from_fn(move || {
            if block.is_null() {
                return None;
            }
            let listed = self.listed_block(block);
            // SAFETY: a block of this slab, on its list of free blocks.
            block = unsafe { block::next(listed) };
            Some(listed)
        })
    }

    /// `block`, if it can be on the local list; stops the process if not: because a program freed a pointer into the middle of a
    /// block or a block that was purged with its mark, or wrote over the link before it.
    fn listed_block(&self, block: *mut Block) -> *mut Block {
        let address = block.addr();
        let offset = address.wrapping_sub(self.start());
        if offset >= self.bytes() {
            misuse::damaged_list(self, address);
        }
        if !size_class::divides(self.reciprocal.get(), offset as u64) {
            misuse::stop("free", address, self.interior(address));
        }
        if !self.is_whole_block(address) {
            misuse::stop("free", address, Pointer::NoBlock);
        }
        if self.has_purged_pages() && self.is_on_bare_page(address) {
            misuse::stop("free", address, Pointer::NoBlock);
        }
        block
    }

    /// The sum is wrong: looks for the pointer that made it so.
    #[cold]
    fn name_the_culprit(&self) -> ! {
        self.listed_blocks().for_each(drop);
        misuse::damaged_list(self, self.start())
    }

    /// What a pointer is that lies inside one of the blocks.
    pub(crate) fn interior(&self, address: usize) -> Pointer {
        let bytes = self.block_bytes();
        Pointer::Interior { block: self.start() + self.block_index(address) as usize * bytes, bytes }
    }
}
