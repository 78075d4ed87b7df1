//! The walk over a span: down to the entries where it ends, and up again past tables that have become empty.
//!
//! Called by `range` and `check`. What is done with the entries is the caller's; it sees the words of a table in a row, so that
//! its loop over them is a loop over memory.

use mallow_ds::sync::AtomicU64;
use mallow_units::{FrameNumber, PageNumber, PageSpan};

use crate::entry::{Entry, Kind};
use crate::level::{Level, is_canonical};
use crate::page_table::{PageTable, PagingError};
use crate::table::{self, Tables};

/// Fails unless four levels translate all pages of `span`.
pub(crate) fn check_range(span: PageSpan) -> Result<(), PagingError> {
    let last = PageNumber(span.end().0 - 1);
    match () {
        () if !is_canonical(span.start()) => Err(PagingError::OutOfRange(span.start())),
        // The two halves of the address space lie 2^51 pages apart.
        () if !is_canonical(last) || span.pages() > 1 << 36 => Err(PagingError::OutOfRange(last)),
        () => Ok(()),
    }
}

impl PageTable {
    /// Calls `visit` with the words where the walk ends, in order, empty ones included: the level of their table, the page of
    /// the first word, and the words. It returns how many entries it has emptied. Tables that are empty then are freed.
    ///
    /// Blocks that reach beyond `span` have been split.
    #[inline]
    pub(crate) fn visit<T: Tables>(
        &mut self,
        tables: &mut T,
        span: PageSpan,
        mut visit: impl FnMut(Level, PageNumber, &[AtomicU64]) -> u32,
    ) {
        self.visit_table(tables, self.root, Level::Top, span, &mut visit);
    }

    fn visit_table<T: Tables>(
        &mut self,
        tables: &mut T,
        at: FrameNumber,
        level: Level,
        span: PageSpan,
        visit: &mut impl FnMut(Level, PageNumber, &[AtomicU64]) -> u32,
    ) {
        let mut emptied = 0;
        let Some(below) = level.below() else {
            let first = level.index(span.start());
            #[expect(clippy::cast_possible_truncation, reason = "at most the pages of one table")]
            let count = span.pages() as usize;
            emptied = visit(level, span.start(), &tables.words(at)[first..first + count]);
            note_emptied(tables, at, emptied);
            return;
        };
        let mut page = span.start();
        while page < span.end() {
            let next = PageNumber(level.aligned(page).0 + level.pages());
            let index = level.index(page);
            let word = &tables.words(at)[index];
            match table::load(word).kind(level) {
                Kind::Empty => {}
                Kind::Table(table) => {
                    if let Some(part) = PageSpan::new(page, next.min(span.end())) {
                        self.visit_table(tables, table, below, part, visit);
                    }
                    if tables.used(table) == 0 {
                        table::store(&tables.words(at)[index], Entry::EMPTY);
                        emptied += 1;
                        self.free(tables, table);
                    }
                }
                Kind::Frame(_) | Kind::Absent(_) => {
                    emptied += visit(level, page, core::slice::from_ref(word));
                }
            }
            page = next;
        }
        note_emptied(tables, at, emptied);
    }
}

fn note_emptied<T: Tables>(tables: &mut T, table: FrameNumber, emptied: u32) {
    if emptied > 0 {
        let used = tables.used(table).saturating_sub(emptied);
        tables.set_used(table, used);
    }
}
