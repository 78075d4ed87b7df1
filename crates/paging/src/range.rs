//! Spans at a time: map, protect, unmap, change, harvest.
//!
//! An operation that has to split a block at an end of its span does so first; it is then the only thing that can fail, and a
//! split block translates as before. What each call costs per page is in the README.

use mallow_ds::sync::AtomicU64;
use mallow_units::{FrameNumber, PageNumber, PageSpan};

use crate::entry::Entry;
use crate::level::{ENTRIES, Level};
use crate::page_table::{PageTable, PagingError};
use crate::rights::Rights;
use crate::table::{self, Tables};
use crate::walk::check_range;

/// Which bits [`PageTable::harvest`] clears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Harvest {
    /// Only that pages were used.
    Accessed,
    /// Also that they were written.
    AccessedAndDirty,
}

impl PageTable {
    /// Maps frames in a row to pages in a row, none of which is mapped.
    ///
    /// # Errors
    ///
    /// [`PagingError::Occupied`] for the first page that is mapped, [`PagingError::NoMemory`], and
    /// [`PagingError::OutOfRange`]. Nothing has changed then.
    pub fn map_run<T: Tables>(
        &mut self,
        tables: &mut T,
        span: PageSpan,
        first: FrameNumber,
        rights: Rights,
    ) -> Result<(), PagingError> {
        let mut frame = first.0;
        self.fill(tables, span, |words, are_empty| {
            if are_empty {
                // COST: without a look at each word, 0.2 ns a page less.
                for word in words {
                    table::store(word, Entry::frame(FrameNumber(frame), rights));
                    frame = frame.wrapping_add(1);
                }
                return words.len();
            }
            for (done, word) in words.iter().enumerate() {
                if !table::load(word).is_empty() {
                    return done;
                }
                table::store(word, Entry::frame(FrameNumber(frame), rights));
                frame = frame.wrapping_add(1);
            }
            words.len()
        })
    }

    /// Maps each page of `span` with the entry that `entry` gives for it, which is not empty. None of the pages is mapped.
    ///
    /// # Errors
    ///
    /// As [`PageTable::map_run`].
    pub fn map_each<T: Tables>(
        &mut self,
        tables: &mut T,
        span: PageSpan,
        mut entry: impl FnMut(PageNumber) -> Entry,
    ) -> Result<(), PagingError> {
        let mut page = span.start();
        self.fill(tables, span, |words, _| {
            for (done, word) in words.iter().enumerate() {
                if !table::load(word).is_empty() {
                    return done;
                }
                table::store(word, entry(page));
                page.0 += 1;
            }
            words.len()
        })
    }

    /// Fills the words of `span` table by table; `fill` is told whether all of the table's words are empty, and returns how many
    /// it has filled before it met one that is not.
    fn fill<T: Tables>(
        &mut self,
        tables: &mut T,
        span: PageSpan,
        mut fill: impl FnMut(&[AtomicU64], bool) -> usize,
    ) -> Result<(), PagingError> {
        check_range(span)?;
        let mut page = span.start();
        while page < span.end() {
            let outcome = self.fill_table(tables, page, span.end(), &mut fill);
            match outcome {
                Ok(next) => page = next,
                Err((failed, error)) => {
                    if let Some(done) = PageSpan::new(span.start(), failed) {
                        self.clear(tables, done, |_, _, _| {});
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Fills the words of the table of the lowest level that holds `page`; returns the page after them, or where it failed.
    #[inline]
    fn fill_table<T: Tables>(
        &mut self,
        tables: &mut T,
        page: PageNumber,
        end: PageNumber,
        fill: &mut impl FnMut(&[AtomicU64], bool) -> usize,
    ) -> Result<PageNumber, (PageNumber, PagingError)> {
        let (level, entry) = self.get(tables, page);
        if level != Level::Page && entry.has_frame() {
            return Err((page, PagingError::Occupied(page)));
        }
        let leaf = self.ensure(tables, page, Level::Page).map_err(|error| (page, error))?;
        let first = Level::Page.index(page);
        #[expect(clippy::cast_possible_truncation, reason = "the minimum fits")]
        let count = (end.0 - page.0).min((ENTRIES - first) as u64) as usize;
        let used = tables.used(leaf);
        let done = fill(&tables.words(leaf)[first..first + count], used == 0);
        #[expect(clippy::cast_possible_truncation, reason = "at most 512")]
        tables.set_used(leaf, used + done as u32);
        let next = PageNumber(page.0 + done as u64);
        if done == count {
            return Ok(next);
        }
        // It has at least the entry in the way, so it needs no pruning.
        Err((next, PagingError::Occupied(next)))
    }

    /// Gives every frame of `span` these rights. What is empty or absent stays so.
    ///
    /// # Errors
    ///
    /// [`PagingError::NoMemory`] if a block at an end has to be split, and [`PagingError::OutOfRange`]; no rights have changed then.
    pub fn protect<T: Tables>(
        &mut self,
        tables: &mut T,
        span: PageSpan,
        rights: Rights,
    ) -> Result<(), PagingError> {
        check_range(span)?;
        self.split_ends(tables, span)?;
        self.visit(tables, span, |_, _, words| {
            let (fours, rest) = words.as_chunks::<4>();
            for four in fours {
                give_rights::<T, 4>(four, rights);
            }
            rest.iter().for_each(|word| give_rights::<T, 1>(core::array::from_ref(word), rights));
            0
        });
        Ok(())
    }

    /// Unmaps `span`; `gone` is told each entry that is no more, in order, with the level of its table.
    ///
    /// # Errors
    ///
    /// As [`PageTable::protect`]; nothing is unmapped then.
    pub fn unmap<T: Tables>(
        &mut self,
        tables: &mut T,
        span: PageSpan,
        gone: impl FnMut(PageNumber, Level, Entry),
    ) -> Result<(), PagingError> {
        check_range(span)?;
        self.split_ends(tables, span)?;
        self.clear(tables, span, gone);
        Ok(())
    }

    /// Unmaps a span that no block crosses.
    fn clear<T: Tables>(
        &mut self,
        tables: &mut T,
        span: PageSpan,
        mut gone: impl FnMut(PageNumber, Level, Entry),
    ) {
        self.visit(tables, span, |level, first, words| {
            let mut emptied = 0;
            let mut page = first;
            for word in words {
                if !table::load(word).is_empty() {
                    gone(page, level, table::replace::<T>(word, Entry::EMPTY));
                    emptied += 1;
                }
                page.0 += 1;
            }
            emptied
        });
    }

    /// Replaces each entry of `span` that is not empty by what `change` makes of it; an empty one unmaps.
    ///
    /// If a processor interferes, `change` may run more than once for the same entry.
    ///
    /// # Errors
    ///
    /// As [`PageTable::protect`]; nothing has changed then.
    pub fn change<T: Tables>(
        &mut self,
        tables: &mut T,
        span: PageSpan,
        mut change: impl FnMut(PageNumber, Level, Entry) -> Entry,
    ) -> Result<(), PagingError> {
        check_range(span)?;
        self.split_ends(tables, span)?;
        self.visit(tables, span, |level, first, words| {
            let mut emptied = 0;
            let mut page = first;
            for word in words {
                if !table::load(word).is_empty() {
                    let mut is_gone = false;
                    table::update::<T>(word, |entry| {
                        let new = change(page, level, entry);
                        is_gone = new.is_empty();
                        new
                    });
                    emptied += u32::from(is_gone);
                }
                page.0 += 1;
            }
            emptied
        });
        Ok(())
    }

    /// Clears accessed bits in `span`, or dirty bits too; `seen` is told each entry that had one, as it was. Blocks are not split, so
    /// one that reaches beyond the span counts as a whole.
    ///
    /// # Errors
    ///
    /// [`PagingError::OutOfRange`].
    pub fn harvest<T: Tables>(
        &mut self,
        tables: &mut T,
        span: PageSpan,
        bits: Harvest,
        mut seen: impl FnMut(PageNumber, Level, Entry),
    ) -> Result<(), PagingError> {
        check_range(span)?;
        let with_dirty = bits == Harvest::AccessedAndDirty;
        self.visit(tables, span, |level, first, words| {
            let mut page = first;
            for word in words {
                let entry = table::load(word);
                if entry.is_accessed() || with_dirty && entry.is_dirty() {
                    let old = table::update::<T>(word, |entry| {
                        entry.accessed(false).dirty(entry.is_dirty() && !with_dirty)
                    });
                    seen(page, level, old);
                }
                page.0 += 1;
            }
            0
        });
        Ok(())
    }

    /// Unmaps everything and gives every table back; `gone` is told each entry.
    pub fn destroy<T: Tables>(mut self, tables: &mut T, mut gone: impl FnMut(PageNumber, Level, Entry)) {
        const HALF: u64 = 1 << 35;
        let halves = [PageSpan::of(PageNumber(0), HALF), PageSpan::of(PageNumber((1 << 52) - HALF), HALF)];
        for half in halves.into_iter().flatten() {
            self.clear(tables, half, &mut gone);
        }
        tables.free(self.root);
    }
}

/// Gives each of some words rights, if it has a frame.
///
/// COST: all are read before one is written, which the compiler may not do by itself: half the time of one by one.
#[inline]
fn give_rights<T: Tables, const N: usize>(words: &[AtomicU64; N], rights: Rights) {
    if T::WALKED_BY_PROCESSOR {
        for word in words.iter().filter(|word| table::load(word).has_frame()) {
            table::update::<T>(word, |entry| entry.with_rights(rights));
        }
        return;
    }
    let entries: [Entry; N] = core::array::from_fn(|at| table::load(&words[at]));
    for (word, entry) in words.iter().zip(entries) {
        if entry.has_frame() {
            table::store(word, entry.with_rights(rights));
        }
    }
}
