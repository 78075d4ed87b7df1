//! `munmap`, and the end of a process.

use mallow_units::{Errno, PageCount, PageNumber, PageSpan, VirtAddr};

use crate::edit::Charges;
use crate::limits::Layout;
use crate::pages::Pages;
use crate::space::Space;
use crate::store::Store;

impl<S: Store> Space<S> {
    /// `munmap(2)`: unmaps what there is in a range; holes in it are no error.
    ///
    /// # Errors
    ///
    /// Those of Linux; on error nothing has changed.
    ///
    /// - `EINVAL`: `address` is not a multiple of the page size, there is no length, or the range goes beyond the space.
    /// - `ENOMEM`: it would cut an area in two and there are too many, or the pools have no room.
    pub fn munmap(&mut self, address: VirtAddr, length: u64, pages: &mut impl Pages) -> Result<(), Errno> {
        let span = unmapped_span(&self.layout, address, length).ok_or(Errno::EINVAL)?;
        if self.areas_in(span).next().is_none() {
            return Ok(());
        }
        if self.holds_inside(span) && self.is_full(1) {
            return Err(Errno::ENOMEM);
        }
        self.reserve(1)?;
        self.take_out(span, Charges::GiveBack, pages)
    }

    /// Unmaps everything, as at exit.
    pub fn clear(&mut self, pages: &mut impl Pages) {
        while let Some(area) = self.at_or_after(PageNumber(0)) {
            let span = area.span();
            if self.take_out(span, Charges::GiveBack, pages).is_err() {
                return;
            }
        }
    }
}

/// The pages of a range to be unmapped.
pub(crate) fn unmapped_span(layout: &Layout, address: VirtAddr, length: u64) -> Option<PageSpan> {
    let end = layout.end.start().0;
    let is_within = address.0 <= end && length <= end - address.0;
    if address.offset() != 0 || !is_within {
        return None;
    }
    PageSpan::of(address.page(), PageCount::holding(length).0)
}
