//! Entries that move to other pages: what `mremap` does.

use mallow_units::{PageNumber, PageSpan};

use crate::cursor::Found;
use crate::entry::Entry;
use crate::level::Level;
use crate::page_table::{PageTable, PagingError};
use crate::table::Tables;
use crate::walk::check_range;

impl PageTable {
    /// Moves the entries of `from` to as many pages from `to` on, where nothing is mapped; the two do not overlap. `moved` is told
    /// each entry with the page where it was and where it is.
    ///
    /// A block stays one if it is as aligned there as it was.
    ///
    /// # Errors
    ///
    /// [`PagingError::Occupied`] for the first page at `to` that is mapped or in `from`, [`PagingError::NoMemory`] and
    /// [`PagingError::OutOfRange`]. Every page translates as before then.
    pub fn relocate<T: Tables>(
        &mut self,
        tables: &mut T,
        from: PageSpan,
        to: PageNumber,
        mut moved: impl FnMut(PageNumber, PageNumber, Level, Entry),
    ) -> Result<(), PagingError> {
        let target = PageSpan::of(to, from.pages()).ok_or(PagingError::OutOfRange(to))?;
        check_range(from)?;
        check_range(target)?;
        if let Some(both) = from.common(target) {
            return Err(PagingError::Occupied(both.start()));
        }
        if let Some(found) = self.entries(tables, target).next() {
            return Err(PagingError::Occupied(found.page));
        }
        self.split_ends(tables, from)?;
        let place = |page: PageNumber| PageNumber(to.0 + (page.0 - from.start().0));
        if let Err(error) = self.prepare(tables, from, place) {
            self.prune_span(tables, target);
            return Err(error);
        }
        let mut at = from.start();
        while let Some(rest) = PageSpan::new(at, from.end()) {
            let Some(Found { page, level, entry }) = self.entries(tables, rest).next() else { break };
            self.carry(tables, page, place(page), level, entry)?;
            moved(page, place(page), level, entry);
            at = PageNumber(page.0 + level.pages());
        }
        Ok(())
    }

    /// Makes the tables that the move needs, so that it cannot fail, and splits blocks that cannot stay blocks.
    fn prepare<T: Tables>(
        &mut self,
        tables: &mut T,
        from: PageSpan,
        place: impl Fn(PageNumber) -> PageNumber,
    ) -> Result<(), PagingError> {
        let mut at = from.start();
        while let Some(rest) = PageSpan::new(at, from.end()) {
            let Some(Found { page, level, .. }) = self.entries(tables, rest).next() else { break };
            if level.aligned(place(page)) != place(page) {
                self.split(tables, page)?;
                continue;
            }
            self.ensure(tables, place(page), level)?;
            at = PageNumber(page.0 + level.pages());
        }
        Ok(())
    }

    fn carry<T: Tables>(
        &mut self,
        tables: &mut T,
        page: PageNumber,
        place: PageNumber,
        level: Level,
        entry: Entry,
    ) -> Result<(), PagingError> {
        if level == Level::Page {
            self.set(tables, place, entry)?;
            self.take(tables, page)?;
            return Ok(());
        }
        self.set_block(tables, place, level, entry)?;
        let Some(block) = PageSpan::of(page, level.pages()) else { return Ok(()) };
        self.unmap(tables, block, |_, _, _| {})
    }

    /// Frees the empty tables on the way to the pages of `span`.
    fn prune_span<T: Tables>(&mut self, tables: &mut T, span: PageSpan) {
        self.visit(tables, span, |_, _, _| 0);
    }
}
