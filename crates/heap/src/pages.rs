//! The pages of a slab: carved into blocks, and returned to the kernel when no block on them is in use.
//!
//! ```text
//!  blocks  | 0 | 1 | 2 | 3 | 4 | 5 | 6 | ...
//!  pages   |   carved  |   bare    |   carved  |
//!  listed    0   1   -   -   -   -   6              a block that overlaps a bare page is on no list
//! ```
//!
//! A *bare* page holds no listed block: it was never carved, or it was purged. Carving a page puts those blocks on a
//! list that overlap it and no other bare page. That one mechanism serves fresh slabs, whose pages are all bare,
//! and slabs that returned some pages to the kernel.
//!
//! Called by `refill` (carve) and `idle` (purge), for slabs of heaps that the caller owns.

use mallow_sys::Os;
use mallow_units::page::PAGE_BYTES;
use mallow_units::size_class;

use crate::config::MAX_SLAB_PAGES;
use crate::misuse;
use crate::outstanding::Blocks;
use crate::slab::{Batch, PURGED, Slab, ZERO, to_u16, to_u32};

/// [`PAGE_BYTES`], for offsets inside a slab.
const PAGE_SPAN: u32 = 4096;

const _: () = assert!(PAGE_SPAN as usize == PAGE_BYTES);

impl Slab {
    /// Whether the block that `address` lies in overlaps a bare page: then it is not in use.
    pub fn is_on_bare_page(&self, address: usize) -> bool {
        self.pages_of(self.block_index(address)) & self.bare.get() != 0
    }

    /// Whether pages were purged and have not been carved again.
    pub fn has_purged_pages(&self) -> bool {
        self.flags() & PURGED != 0 && self.bare.get() != 0
    }

    /// Whether so little of it is in use that pages are likely to be free, and none was returned yet.
    pub(crate) fn is_sparse(&self) -> bool {
        let blocks_per_used = if self.block_bytes() < PAGE_BYTES / 4 { 8 } else { 4 };
        self.used() * blocks_per_used <= self.carved() && !self.has_purged_pages()
    }

    /// Bytes of bare pages.
    pub(crate) fn bare_bytes(&self) -> usize {
        self.bare.get().count_ones() as usize * PAGE_BYTES
    }

    /// Carves bare pages until there is at least one new block, and hands out the new blocks.
    ///
    /// The first carve takes one page; later ones take as many as are carved already, up to four.
    pub fn carve(&self, os: &dyn Os) -> Option<Batch> {
        if self.bare.get() == 0 {
            return None;
        }
        let pages = u32::from(self.carved.get()) * to_u32(self.block_bytes() as u64) / PAGE_SPAN;
        let pages = pages.clamp(1, 4);
        let chain =
            if self.flags() & PURGED == 0 { self.carve_next(pages) } else { self.carve_purged(os, pages) };
        if chain.block_count == 0 {
            return None;
        }
        let is_zero = self.flags() & (ZERO | PURGED) == ZERO;
        self.hand_out_new(chain.block_count, chain.sum);
        Some(Batch { first: chain.first, block_count: chain.block_count, come_home: 0, is_zero })
    }

    /// Carves at least `pages` pages of a slab whose bare pages are its last.
    fn carve_next(&self, pages: u32) -> Blocks {
        let mut chain = Blocks::NONE;
        let (from, capacity) = (self.carved(), self.capacity());
        let mut end = self.bare.get().trailing_zeros();
        let mut to = from;
        while to == from {
            end += pages;
            // A block that reaches into the next page waits for it.
            to = self.blocks_before(end).min(capacity);
        }
        let last = u32::BITS - self.bare.get().leading_zeros();
        self.bare.set(if to == capacity { 0 } else { self.bare.get() & (u32::MAX << end.min(last)) });
        let block_bytes = self.block_bytes();
        let mut offset = from as usize * block_bytes;
        for _ in from..to {
            // SAFETY: the block was on no list, since its last page was bare, and now joins the chain.
            unsafe { chain.append(self.pointer(offset).cast().as_ptr(), self.mark()) };
            offset += block_bytes;
        }
        chain
    }

    /// Carves bare pages, at least `pages` if there are so many, of a slab that has given some to the kernel.
    fn carve_purged(&self, os: &dyn Os, pages: u32) -> Blocks {
        let mut chain = Blocks::NONE;
        let mut taken = 0;
        while self.bare.get() != 0 && (taken < pages || chain.block_count == 0) {
            let page = self.bare.get().trailing_zeros();
            self.bare.set(self.bare.get() & !(1 << page));
            // SAFETY: a page of this slab, whose units the page heap committed.
            unsafe { os.reuse(self.pointer(page as usize * PAGE_BYTES), PAGE_BYTES) };
            for index in self.blocks_overlapping(page) {
                if self.pages_of(index) & self.bare.get() == 0 {
                    let block = self.pointer(index as usize * self.block_bytes()).cast().as_ptr();
                    // SAFETY: the block was on no list, since this page was bare, and now joins the chain.
                    unsafe { chain.append(block, self.mark()) };
                }
            }
            taken += 1;
        }
        chain
    }

    /// Returns whole pages without an outstanding block to the kernel; returns the bytes.
    ///
    /// Cost: a walk of the local list and one system call per run of pages. Stops the process if the list is damaged:
    /// longer than it should be, or, unless it is `inherited` from a thread that a fork left behind, shorter.
    pub fn purge_pages(&self, os: &dyn Os, inherited: bool) -> usize {
        if ((self.carved() - self.used()) as usize * self.block_bytes()) < PAGE_BYTES {
            return 0;
        }
        let free = self.free_pages(inherited);
        if free == 0 {
            return 0;
        }
        let mut kept = Blocks::NONE;
        for block in self.listed_blocks() {
            if self.pages_of(self.block_index(block.addr())) & free == 0 {
                // SAFETY: a free block of ours, moved from one list to the other; the iterator has passed it.
                unsafe { kept.append(block, self.mark()) };
            }
        }
        self.local.set(kept.first);
        self.carved.set(to_u16(self.used() + kept.block_count));
        self.bare.set(self.bare.get() | free);
        self.set_flags(self.flags() | PURGED);
        let mut bytes = 0;
        for (page, pages) in mallow_ds::bitmap::runs(u128::from(free)) {
            let len = pages as usize * PAGE_BYTES;
            // SAFETY: committed pages on which no listed or outstanding block lies any more.
            if unsafe { os.decommit(self.pointer(page as usize * PAGE_BYTES), len) }.is_ok() {
                bytes += len;
            }
        }
        bytes
    }

    /// The pages that are not bare and on which every listed block is free. Walks and checks the local list.
    fn free_pages(&self, inherited: bool) -> u32 {
        let mut outstanding = [0_u16; MAX_SLAB_PAGES];
        let bare = self.bare.get();
        for index in 0..self.capacity() {
            let pages = self.pages_of(index);
            if pages & bare == 0 {
                for page in bits(pages) {
                    outstanding[page] += 1;
                }
            }
        }
        let mut left = self.carved() - self.sound_used();
        for block in self.listed_blocks() {
            if left == 0 {
                misuse::damaged_list(self, block.addr());
            }
            for page in bits(self.pages_of(self.block_index(block.addr()))) {
                outstanding[page] = outstanding[page].wrapping_sub(1);
            }
            left -= 1;
        }
        if left != 0 && !inherited {
            misuse::damaged_list(self, self.start());
        }
        let is_free =
            |page: &usize| bare >> page & 1 == 0 && outstanding[*page] == 0 && self.covers_page(*page);
        (0..self.bytes() / PAGE_BYTES).filter(is_free).fold(0, |free, page| free | 1 << page)
    }

    fn covers_page(&self, page: usize) -> bool {
        page * PAGE_BYTES < self.capacity() as usize * self.block_bytes()
    }

    /// The pages that block `index` overlaps, one bit each.
    pub(crate) fn pages_of(&self, index: u32) -> u32 {
        let first = index as usize * self.block_bytes() / PAGE_BYTES;
        let last = ((index as usize + 1) * self.block_bytes() - 1) / PAGE_BYTES;
        (u32::MAX >> (MAX_SLAB_PAGES - 1 - last)) & (u32::MAX << first)
    }

    /// Blocks that end before page `page` begins.
    fn blocks_before(&self, page: u32) -> u32 {
        to_u32(size_class::quotient(self.reciprocal.get(), u64::from(page) * u64::from(PAGE_SPAN)))
    }

    fn blocks_overlapping(&self, page: u32) -> core::ops::Range<u32> {
        let first = page as usize * PAGE_BYTES;
        let index_at = |offset: usize| to_u32(size_class::quotient(self.reciprocal.get(), offset as u64));
        index_at(first)..(index_at(first + PAGE_BYTES - 1) + 1).min(self.capacity())
    }
}

fn bits(mut map: u32) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        if map == 0 {
            return None;
        }
        let bit = map.trailing_zeros() as usize;
        map &= map - 1;
        Some(bit)
    })
}
