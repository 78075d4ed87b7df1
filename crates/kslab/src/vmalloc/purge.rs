//! Flushing: the addresses of lazily freed areas become free.

use mallow_ds::pool::Pool;
use mallow_units::{PageCount, PageSpan};

use super::{Tables, Vmalloc};
use crate::pages::Pages;

impl<P: Pages, T: Tables> Vmalloc<P, T> {
    /// Flushes once for all areas that were freed since the last time, and makes their addresses free. Returns how many pages of
    /// addresses those are, guards included.
    ///
    /// Cost: a flush, if there is any such area, and a step per area.
    ///
    /// # Source
    ///
    /// `vm_unmap_aliases`, and what Linux does when `lazy_max_pages` is passed.
    pub fn purge(&mut self) -> PageCount {
        let Some(span) = self.lazy_span() else { return PageCount(0) };
        self.tables.flush(span);
        self.flushes += 1;
        while let Some(number) = self.lazy {
            let area = self.areas.get(number);
            self.lazy = area.next();
            let removed = self.map.remove(area.span().start().0);
            debug_assert!(removed.is_ok(), "every area is in the map");
            self.areas.give_back(number);
        }
        PageCount(core::mem::take(&mut self.lazy_pages))
    }

    /// The shortest span that holds all lazily freed areas.
    fn lazy_span(&self) -> Option<PageSpan> {
        let mut span: Option<PageSpan> = None;
        let mut next = self.lazy;
        while let Some(number) = next {
            let area = self.areas.get(number);
            let (start, end) = (area.span().start(), area.span().end());
            span = match span {
                None => Some(area.span()),
                Some(so_far) => PageSpan::new(so_far.start().min(start), so_far.end().max(end)),
            };
            next = area.next();
        }
        span
    }

    /// Pages of addresses that wait for a flush, guards included.
    pub const fn lazy(&self) -> PageCount {
        PageCount(self.lazy_pages)
    }

    /// How often it was flushed.
    pub const fn flushes(&self) -> u64 {
        self.flushes
    }

    /// Returns memory for nodes and areas that is not in use. Returns the number of pages.
    pub fn shrink(&mut self) -> PageCount {
        PageCount(self.map.pool_mut().shrink().0 + self.areas.shrink().0)
    }
}
