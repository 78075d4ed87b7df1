//! The entries of a span, one after the other.

use mallow_units::{FrameNumber, PageNumber, PageSpan};

use crate::entry::{Entry, Kind};
use crate::level::Level;
use crate::page_table::{PageTable, PagingError};
use crate::table::{self, Tables};
use crate::walk::check_range;

/// An entry that is not empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// The first page that it reaches, or the first of them that is in the span.
    pub page: PageNumber,
    /// The level of its table.
    pub level: Level,
    /// The entry.
    pub entry: Entry,
}

/// The entries of a span that are not empty, in order. Whole empty tables are stepped over.
///
/// ```
/// use mallow_paging::{ArrayTables, Entry, PageTable, Rights};
/// use mallow_units::{FrameNumber, PageNumber, PageSpan};
///
/// let mut tables = ArrayTables::<8>::new();
/// let mut space = PageTable::new(&mut tables).unwrap();
/// for page in [3, 5, 700] {
///     space.set(&mut tables, PageNumber(page), Entry::frame(FrameNumber(1), Rights::READ))?;
/// }
/// let span = PageSpan::of(PageNumber(4), 1 << 30).unwrap();
/// assert!(space.entries(&tables, span).map(|found| found.page.0).eq([5, 700]));
/// # Ok::<(), mallow_paging::PagingError>(())
/// ```
#[derive(Debug)]
pub struct Cursor<'a, T> {
    tables: &'a T,
    root: FrameNumber,
    page: PageNumber,
    end: PageNumber,
    /// The table of the lowest level that holds `page`, if the walk has been there.
    leaf: Option<FrameNumber>,
}

impl<T: Tables> Cursor<'_, T> {
    /// Looks for the entry at `page`; steps over what is empty.
    fn step(&mut self) -> Option<Found> {
        let page = self.page;
        if let Some(leaf) = self.leaf {
            let entry = table::load(&self.tables.words(leaf)[Level::Page.index(page)]);
            return self.leave(page, Level::Page, entry);
        }
        let mut at = self.root;
        for level in Level::DOWN {
            let entry = table::load(&self.tables.words(at)[level.index(page)]);
            match entry.kind(level) {
                Kind::Table(below) => at = below,
                _ => {
                    if level == Level::Page {
                        self.leaf = Some(at);
                    }
                    return self.leave(page, level, entry);
                }
            }
        }
        None
    }

    fn leave(&mut self, page: PageNumber, level: Level, entry: Entry) -> Option<Found> {
        self.page = PageNumber(level.aligned(page).0 + level.pages());
        if Level::Page.index(self.page) == 0 {
            self.leaf = None;
        }
        if entry.is_empty() { None } else { Some(Found { page, level, entry }) }
    }
}

impl<T: Tables> Iterator for Cursor<'_, T> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        while self.page < self.end {
            if let Some(found) = self.step() {
                return Some(found);
            }
        }
        None
    }
}

impl PageTable {
    /// The entries of `span` that are not empty.
    pub fn entries<'a, T: Tables>(&self, tables: &'a T, span: PageSpan) -> Cursor<'a, T> {
        let end = if check_range(span).is_ok() { span.end() } else { span.start() };
        Cursor { tables, root: self.root, page: span.start(), end, leaf: None }
    }

    /// The first entry of `span` that is not empty.
    ///
    /// Cost: a walk, and a look at each empty entry in between.
    ///
    /// # Errors
    ///
    /// [`PagingError::OutOfRange`].
    pub fn first_entry<T: Tables>(&self, tables: &T, span: PageSpan) -> Result<Option<Found>, PagingError> {
        check_range(span)?;
        Ok(self.entries(tables, span).next())
    }
}
