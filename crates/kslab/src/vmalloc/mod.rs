//! `vmalloc`: memory whose addresses are in a row while its frames lie anywhere.
//!
//! ```text
//!  addresses   .. | area a     | guard | area b | guard |        | area c         | guard | ..
//!                   │ │ │ │              │ │                       │ │ │ │ │ │
//!  tables           ▼ ▼ ▼ ▼              ▼ ▼                       ▼ ▼ ▼ ▼ ▼ ▼
//!  frames          12 7 9 40            3 8                       one by one, from anywhere
//! ```
//!
//! Nothing is ever mapped at a *guard* page, so that who runs over the end of an area meets a fault and not his neighbour.
//!
//! # Lazily freed areas
//!
//! To free an area is to clear its entries and to give its frames back. That the processors forget the addresses (flushing their
//! TLBs is an interrupt to each) waits: until then nobody gets the addresses again. [`Vmalloc::purge`] flushes once for all areas that
//! were freed meanwhile. It runs by itself when too many addresses wait, or when there is no room.
//!
//! The nodes of the map and the areas lie in object caches. All methods want the value alone; a kernel has it behind a lock that may sleep.
//! Calls `ds::range_map`, the caches, [`Pages`], and [`Tables`].

mod area;
mod frames;
mod purge;
mod report;

use core::fmt;

use mallow_ds::pool::Pool;
use mallow_ds::range_map::{Node, RangeMap};
use mallow_frame::FrameList;
use mallow_units::page::PAGE_BYTES;
use mallow_units::{FrameNumber, PageCount, PageNumber, PageSpan, VirtAddr};

pub use self::area::{Area, State};
pub use self::report::VmallocInfo;
use crate::pages::Pages;
use crate::pool::CachePool;
use crate::spec::CreateError;

/// The kernel's own page tables, as far as vmalloc is concerned.
pub trait Tables {
    /// Maps a page to a frame, to be read and written by the kernel; false, and nothing has changed, if there is no memory for a table.
    /// The page is not mapped.
    fn map(&mut self, page: PageNumber, frame: FrameNumber) -> bool;

    /// Clears the entries of pages. Processors may still know them.
    fn unmap(&mut self, span: PageSpan);

    /// Makes all processors forget pages that were unmapped.
    fn flush(&mut self, span: PageSpan);
}

/// Pages between one area and the next.
const GUARD_PAGES: u64 = 1;

/// A range of addresses and what is in it. Dropping it leaks the areas that are in use.
pub struct Vmalloc<P: Pages, T: Tables> {
    pages: P,
    tables: T,
    span: PageSpan,
    /// Areas with their guards, in use and lazily freed; the value is the number of the record.
    map: RangeMap<CachePool<Node, P>>,
    areas: CachePool<Area, P>,
    /// The first of the lazily freed areas, which are chained.
    lazy: Option<u32>,
    lazy_pages: u64,
    lazy_limit: u64,
    mapped_pages: u64,
    flushes: u64,
}

/// Nothing was allocated at this address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAllocated(
    /// The address.
    pub VirtAddr,
);

impl fmt::Display for NotAllocated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no area begins at {:?}", self.0)
    }
}

impl core::error::Error for NotAllocated {}

/// Pages of lazily freed addresses at which a machine of `cpus` processors flushes: 32 MiB for one, more for more.
///
/// # Source
///
/// `lazy_max_pages` in Linux: the cost of a flush grows with the processors that must hear of it.
pub const fn lazy_limit(cpus: u32) -> PageCount {
    const PAGES: u64 = (32 << 20) / PAGE_BYTES as u64;
    PageCount(PAGES * (u32::BITS - cpus.leading_zeros()) as u64)
}

impl<P: Pages + Clone, T: Tables> Vmalloc<P, T> {
    /// Manages the addresses of `span`, at which nothing is mapped. `lazy_limit` says how many pages may wait for a flush.
    ///
    /// # Errors
    ///
    /// [`CreateError::NoIdentity`].
    pub fn create(pages: P, tables: T, span: PageSpan, lazy_limit: PageCount) -> Result<Self, CreateError> {
        Ok(Self {
            map: RangeMap::new(CachePool::create(pages.clone(), "vmap_node")?),
            areas: CachePool::create(pages.clone(), "vmap_area")?,
            pages,
            tables,
            span,
            lazy: None,
            lazy_pages: 0,
            lazy_limit: lazy_limit.0,
            mapped_pages: 0,
            flushes: 0,
        })
    }

    /// Allocates whole pages that hold `bytes`, with any content, mapped at addresses in a row. `None` if there is no memory, no room, or
    /// nothing was asked for; then nothing has changed. `tag` says who asked, for [`Vmalloc::info`].
    ///
    /// Cost: a frame and an entry per page.
    ///
    /// # Source
    ///
    /// `vmalloc`. As there, the lowest addresses that fit are taken.
    pub fn alloc(&mut self, bytes: u64, tag: u64) -> Option<VirtAddr> {
        self.alloc_with(bytes, tag, |_, _| {})
    }

    /// Like [`Vmalloc::alloc`], and all bytes are zero.
    ///
    /// # Source
    ///
    /// `vzalloc`.
    pub fn alloc_zeroed(&mut self, bytes: u64, tag: u64) -> Option<VirtAddr> {
        self.alloc_with(bytes, tag, frames::zero)
    }

    fn alloc_with(&mut self, bytes: u64, tag: u64, prepare: fn(&P, FrameNumber)) -> Option<VirtAddr> {
        let pages = PageCount::holding(bytes).0;
        let start = self.find_room(pages)?;
        let span = PageSpan::of(start, pages)?;
        let mut frames = FrameList::new();
        if !frames::take(&self.pages, pages, &mut frames, prepare) {
            return None;
        }
        if !self.map_all(span, &frames) {
            frames::give_back(&self.pages, &mut frames);
            return None;
        }
        if let Err(mut frames) = self.record(span, frames, tag) {
            self.tables.unmap(span);
            self.tables.flush(span);
            frames::give_back(&self.pages, &mut frames);
            return None;
        }
        self.mapped_pages += pages;
        Some(start.start())
    }

    /// Where `pages` pages and a guard fit.
    fn find_room(&mut self, pages: u64) -> Option<PageNumber> {
        let length = pages.checked_add(GUARD_PAGES).filter(|_| pages > 0)?;
        if length > self.span.pages() {
            return None;
        }
        let (low, high) = (self.span.start().0, self.span.end().0);
        if let Some(start) = self.map.lowest_room(low, high, length) {
            return Some(PageNumber(start));
        }
        if self.lazy_pages == 0 {
            return None;
        }
        self.purge();
        self.map.lowest_room(low, high, length).map(PageNumber)
    }

    /// Maps all pages of `span`, or none.
    fn map_all(&mut self, span: PageSpan, frames: &FrameList) -> bool {
        for (page, frame) in span.iter().zip(frames.iter(self.pages.table())) {
            if !self.tables.map(page, frame) {
                if let Some(mapped) = PageSpan::new(span.start(), page) {
                    self.tables.unmap(mapped);
                    self.tables.flush(mapped);
                }
                return false;
            }
        }
        true
    }

    /// Enters an area and its guard into the map; gives the frames back if there is no memory for that.
    fn record(&mut self, span: PageSpan, frames: FrameList, tag: u64) -> Result<(), FrameList> {
        let area = Area::new(span, frames.clone(), tag);
        let Some(number) = self.areas.take(area) else { return Err(frames) };
        let end = span.end().0 + GUARD_PAGES;
        if self.map.insert(span.start().0, end, number).is_err() {
            self.areas.give_back(number);
            return Err(frames);
        }
        Ok(())
    }

    /// Frees the area that begins at `address`: its frames at once, its addresses after the next flush.
    ///
    /// # Errors
    ///
    /// [`NotAllocated`] if none does, or it has been freed.
    ///
    /// # Source
    ///
    /// `vfree`, which warns of an address that is none of its own.
    pub fn free(&mut self, address: VirtAddr) -> Result<(), NotAllocated> {
        let refused = NotAllocated(address);
        let number = self.number_at(address).ok_or(refused)?;
        let area = self.areas.get_mut(number);
        if area.state() != State::InUse || area.span().start().start() != address {
            return Err(refused);
        }
        let span = area.span();
        let mut frames = area.release(self.lazy.replace(number));
        self.tables.unmap(span);
        frames::give_back(&self.pages, &mut frames);
        self.mapped_pages -= span.pages();
        self.lazy_pages += span.pages() + GUARD_PAGES;
        if self.lazy_pages > self.lazy_limit {
            self.purge();
        }
        Ok(())
    }

    /// The area in use that holds `address`; `None` at guards, lazily freed areas, and where there is nothing.
    ///
    /// # Source
    ///
    /// `find_vm_area`.
    pub fn find(&self, address: VirtAddr) -> Option<&Area> {
        let area = self.areas.get(self.number_at(address)?);
        (area.state() == State::InUse && area.span().holds(address.page())).then_some(area)
    }

    /// The frame behind an address.
    ///
    /// Cost: a walk over the frames of the area; the page tables know it faster.
    ///
    /// # Source
    ///
    /// `vmalloc_to_page`.
    pub fn frame_at(&self, address: VirtAddr) -> Option<FrameNumber> {
        let area = self.find(address)?;
        let at = address.page().0 - area.span().start().0;
        area.frames(self.pages.table()).nth(usize::try_from(at).ok()?)
    }

    /// Whether `address` is one of those that are managed here, mapped or not.
    ///
    /// # Source
    ///
    /// `is_vmalloc_addr`.
    pub const fn holds(&self, address: VirtAddr) -> bool {
        self.span.holds(address.page())
    }

    /// Pages that are mapped.
    ///
    /// # Source
    ///
    /// `VmallocUsed` of `/proc/meminfo`, in pages.
    pub const fn used(&self) -> PageCount {
        PageCount(self.mapped_pages)
    }

    /// The page tables.
    pub const fn tables(&self) -> &T {
        &self.tables
    }

    fn number_at(&self, address: VirtAddr) -> Option<u32> {
        if !self.holds(address) {
            return None;
        }
        self.map.find(address.page().0).map(|found| found.value)
    }
}

impl<P: Pages, T: Tables> Drop for Vmalloc<P, T> {
    fn drop(&mut self) {
        self.purge();
    }
}

impl<P: Pages, T: Tables> fmt::Debug for Vmalloc<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vmalloc")
            .field("span", &self.span)
            .field("mapped_pages", &self.mapped_pages)
            .field("lazy_pages", &self.lazy_pages)
            .finish_non_exhaustive()
    }
}
