//! Where a mapping goes.

use mallow_units::{Errno, PageNumber, PageSpan, VirtAddr};

use crate::area::Vma;
use crate::edit::PAGE;
use crate::flags::Flags;
use crate::request::MapFlags;
use crate::space::Space;
use crate::store::Store;

/// Pages of a huge page.
const HUGE_PAGES: u64 = 512;
/// The page at 2 GiB and the page at 4 GiB.
const TWO_GIB: PageNumber = PageNumber(1 << 19);
const FOUR_GIB: PageNumber = PageNumber(1 << 20);

/// What is to be placed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placing {
    /// Where it must or should be; 0 for anywhere.
    pub(crate) address: VirtAddr,
    /// How many pages, not 0.
    pub(crate) pages: u64,
    /// `FIXED`, `BELOW_2G` and `ABOVE_4G` count.
    pub(crate) flags: MapFlags,
    /// Private and without a file, so that huge pages may serve it.
    pub(crate) is_anonymous: bool,
}

impl<S: Store> Space<S> {
    /// Chooses, or checks, the pages for a mapping. With `FIXED` there may be areas.
    pub(crate) fn place(&self, placing: Placing) -> Result<PageSpan, Errno> {
        let Placing { address, pages, flags, .. } = placing;
        let end = self.layout.end.0;
        if pages > end {
            return Err(Errno::ENOMEM);
        }
        if flags.has(MapFlags::FIXED) {
            let is_beyond = address.0 > (end - pages) * PAGE;
            let is_low = address.page() < self.layout.lowest && !self.limits.may_map_lowest;
            return match address.offset() {
                _ if is_beyond => Err(Errno::ENOMEM),
                0 if is_low => Err(Errno::EPERM),
                0 => PageSpan::of(address.page(), pages).ok_or(Errno::ENOMEM),
                _ => Err(Errno::EINVAL),
            };
        }
        let span = match self.at_hint(address, pages) {
            Some(span) if !flags.has(MapFlags::BELOW_2G) => Some(span),
            _ => self.anywhere(placing),
        };
        let span = span.ok_or(Errno::ENOMEM)?;
        let is_low = span.start() < self.layout.lowest && !self.limits.may_map_lowest;
        if is_low { Err(Errno::EPERM) } else { Ok(span) }
    }

    /// The pages that the program would like, if they are free.
    fn at_hint(&self, address: VirtAddr, pages: u64) -> Option<PageSpan> {
        let page = match address.page() {
            PageNumber(0) => return None,
            page => page,
        };
        let span = PageSpan::of(page, pages).filter(|span| span.end() <= self.layout.end)?;
        let is_free = match self.at_or_after(span.start()) {
            Some(area) => span.end() <= self.start_with_gap(area),
            None => true,
        };
        is_free.then_some(span)
    }

    fn anywhere(&self, placing: Placing) -> Option<PageSpan> {
        let Placing { address, pages, flags, is_anonymous } = placing;
        if flags.has(MapFlags::BELOW_2G) {
            let (low, high) = (PageNumber(0x40000), TWO_GIB);
            return self.at_hint_below(address, pages).or_else(|| self.lowest_free(low, high, pages));
        }
        let low = if flags.has(MapFlags::ABOVE_4G) { FOUR_GIB } else { PageNumber(1) };
        // Huge pages are worth an alignment, if the program left the choice to us and asked for whole ones.
        if self.limits.has_huge_pages
            && is_anonymous
            && address.page().0 == 0
            && pages.is_multiple_of(HUGE_PAGES)
        {
            let padded = self.top_down(low, pages + HUGE_PAGES);
            if let Some(span) = padded {
                let start = (span.start().0 / HUGE_PAGES + 1) * HUGE_PAGES;
                return PageSpan::of(PageNumber(start), pages);
            }
        }
        self.top_down(low, pages)
    }

    /// A hint below 2 GiB counts if all of it does.
    fn at_hint_below(&self, address: VirtAddr, pages: u64) -> Option<PageSpan> {
        self.at_hint(address, pages).filter(|span| span.end() <= TWO_GIB)
    }

    /// Below the top, the highest first; if that is full, above the bottom, the lowest first.
    fn top_down(&self, low: PageNumber, pages: u64) -> Option<PageSpan> {
        let found = self.highest_free(low, self.layout.top, pages);
        found.or_else(|| self.lowest_free(self.layout.bottom.max(low), self.layout.end, pages))
    }

    /// The highest free pages, with the gap that a stack above needs.
    fn highest_free(&self, low: PageNumber, high: PageNumber, pages: u64) -> Option<PageSpan> {
        let low = low.max(self.layout.lowest_chosen);
        let mut high = high;
        loop {
            let start = PageNumber(self.map.highest_room(low.0, high.0, pages)?);
            let span = PageSpan::of(start, pages)?;
            match self.at_or_after(start) {
                Some(next) if self.start_with_gap(next) < span.end() => high = self.start_with_gap(next),
                _ => return Some(span),
            }
        }
    }

    /// The lowest free pages, with the gap that a stack above needs.
    fn lowest_free(&self, low: PageNumber, high: PageNumber, pages: u64) -> Option<PageSpan> {
        let mut low = low.max(self.layout.lowest_chosen);
        loop {
            let start = PageNumber(self.map.lowest_room(low.0, high.0, pages)?);
            let span = PageSpan::of(start, pages)?;
            match self.at_or_after(start) {
                Some(next) if self.start_with_gap(next) < span.end() => low = next.span.end(),
                _ => return Some(span),
            }
        }
    }

    /// Where an area starts, or the gap below it if it is a stack.
    pub(crate) fn start_with_gap(&self, area: &Vma) -> PageNumber {
        let gap = if area.flags.has(Flags::GROWS_DOWN) { self.layout.stack_gap } else { 0 };
        PageNumber(area.span.start().0.saturating_sub(gap))
    }
}
