//! Blocks: entries that map 2 MiB or 1 GiB at once.

use mallow_units::{FrameNumber, PageNumber, PageSpan};

use crate::entry::{Entry, Kind};
use crate::level::{ENTRIES, Level};
use crate::page_table::{PageTable, PagingError};
use crate::rights::Rights;
use crate::table::{self, Tables};

/// Entries in a full table.
#[expect(clippy::cast_possible_truncation, reason = "512")]
const ALL: u32 = ENTRIES as u32;

impl PageTable {
    /// Maps a block of `level` at `page`. Nothing is mapped there; an empty table never stands in the way.
    ///
    /// # Errors
    ///
    /// [`PagingError::Misaligned`] if `page`, `frame` or `level` does not suit a block, [`PagingError::Occupied`],
    /// [`PagingError::NoMemory`], and [`PagingError::OutOfRange`]. Nothing has changed then.
    pub fn map_block<T: Tables>(
        &mut self,
        tables: &mut T,
        page: PageNumber,
        level: Level,
        frame: FrameNumber,
        rights: Rights,
    ) -> Result<(), PagingError> {
        let block = Entry::block(level, frame, rights).ok_or(PagingError::Misaligned(page))?;
        self.set_block(tables, page, level, block)
    }

    /// As [`PageTable::map_block`], with an entry that [`Entry::block`] has made for that level.
    ///
    /// # Errors
    ///
    /// As [`PageTable::map_block`].
    pub fn set_block<T: Tables>(
        &mut self,
        tables: &mut T,
        page: PageNumber,
        level: Level,
        block: Entry,
    ) -> Result<(), PagingError> {
        if level.aligned(page) != page || !block.is_block() {
            return Err(PagingError::Misaligned(page));
        }
        let (found, entry) = self.get(tables, page);
        if !entry.is_empty() && found >= level {
            return Err(PagingError::Occupied(page));
        }
        let at = self.ensure(tables, page, level)?;
        let word = &tables.words(at)[level.index(page)];
        if !table::load(word).is_empty() {
            return Err(PagingError::Occupied(page));
        }
        table::store(word, block);
        let used = tables.used(at) + 1;
        tables.set_used(at, used);
        Ok(())
    }

    /// Splits the block that reaches `page`, if one does, down to single pages on the way there. Every page translates as before.
    ///
    /// # Errors
    ///
    /// [`PagingError::NoMemory`] for the tables.
    pub fn split<T: Tables>(&mut self, tables: &mut T, page: PageNumber) -> Result<(), PagingError> {
        let (level, entry) = self.get(tables, page);
        if level == Level::Page || !entry.has_frame() {
            return Ok(());
        }
        self.ensure(tables, page, Level::Page).map(drop)
    }

    /// Makes a block of 2 MiB out of the pages from `page` on; returns whether it did.
    ///
    /// They must be 512 frames in a row, the first aligned, with the same rights and no bits of the kernel's own that differ. It is
    /// accessed or dirty if one of them was.
    pub fn join<T: Tables>(&mut self, tables: &mut T, page: PageNumber) -> bool {
        let (level, first) = self.get(tables, page);
        let frame = first.frame_number();
        let suits = level == Level::Page && first.has_frame() && Level::Huge.fits(frame);
        let Some(span) = PageSpan::of(page, Level::Huge.pages()) else { return false };
        if !suits || Level::Huge.aligned(page) != page {
            return false;
        }
        let bare = |entry: Entry| entry.accessed(false).dirty(false);
        let mut expected = bare(first).bits();
        let (mut alike, mut accessed, mut dirty) = (0, false, false);
        self.visit(tables, span, |_, _, words| {
            for word in words {
                let entry = table::load(word);
                alike += usize::from(bare(entry).bits() == expected);
                accessed |= entry.is_accessed();
                dirty |= entry.is_dirty();
                expected += Entry::frame(FrameNumber(1), first.rights()).bits()
                    - Entry::frame(FrameNumber(0), first.rights()).bits();
            }
            0
        });
        if alike != ENTRIES {
            return false;
        }
        let Ok(at) = self.ensure(tables, page, Level::Huge) else { return false };
        let word = &tables.words(at)[Level::Huge.index(page)];
        let Kind::Table(leaf) = table::load(word).kind(Level::Huge) else { return false };
        let Some(block) = first.block_of(Level::Huge) else { return false };
        table::store(word, block.accessed(accessed).dirty(dirty));
        for word in tables.words(leaf) {
            table::store(word, Entry::EMPTY);
        }
        tables.set_used(leaf, 0);
        self.free(tables, leaf);
        true
    }

    /// Splits the blocks that cross an end of `span`.
    pub(crate) fn split_ends<T: Tables>(
        &mut self,
        tables: &mut T,
        span: PageSpan,
    ) -> Result<(), PagingError> {
        for page in [span.start(), span.end()] {
            let (level, entry) = self.get(tables, page);
            if entry.has_frame() && level.aligned(page) != page {
                self.split(tables, page)?;
            }
        }
        Ok(())
    }

    /// Puts a table in the place of the block at `page` in a table of `level`, with the same meaning; `None` without memory.
    pub(crate) fn split_entry<T: Tables>(
        &mut self,
        tables: &mut T,
        at: FrameNumber,
        level: Level,
        page: PageNumber,
    ) -> Option<FrameNumber> {
        let below = level.below()?;
        let table = tables.allocate_for_split()?;
        self.tables += 1;
        // A processor may still use the block, and mark it; what is marked after this is in the block's TLB entry, which the
        // caller flushes before it changes a part.
        let block = table::load(&tables.words(at)[level.index(page)]);
        for (index, word) in (0..).zip(tables.words(table)) {
            table::store(word, block.part(below, index));
        }
        tables.set_used(table, ALL);
        table::store(&tables.words(at)[level.index(page)], Entry::table(table));
        Some(table)
    }
}
