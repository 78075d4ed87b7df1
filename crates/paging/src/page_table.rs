//! A page table, one page at a time.

use core::fmt;

use mallow_units::{FrameNumber, PageNumber};

use crate::entry::{Entry, Kind};
use crate::level::{ENTRIES, Level, is_canonical};
use crate::table::{self, Tables};

/// Why a page table did not change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PagingError {
    /// A table was needed, and there is no memory for it.
    NoMemory,
    /// Something is mapped at this page already.
    Occupied(PageNumber),
    /// Four levels do not translate this page.
    OutOfRange(PageNumber),
    /// A block cannot begin at this page, or with the frame that was given for it.
    Misaligned(PageNumber),
}

impl fmt::Display for PagingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMemory => f.write_str("no memory for a page table"),
            Self::Occupied(page) => write!(f, "{page:?} is mapped already"),
            Self::OutOfRange(page) => write!(f, "{page:?} is beyond four levels of tables"),
            Self::Misaligned(page) => write!(f, "no block can begin at {page:?}"),
        }
    }
}

impl core::error::Error for PagingError {}

/// The tables of one address space, from the root down.
///
/// It does not own [`Tables`], which many share, so every call is given them: always the same.
///
/// # Invariants
///
/// 1. No table but the root is empty, and `used` of each is right.
/// 2. `hint` is the table of the lowest level for its pages, or no page has its prefix.
#[derive(Debug)]
#[must_use = "dropping a page table leaks its tables; see `destroy`"]
pub struct PageTable {
    pub(crate) root: FrameNumber,
    /// Tables, with the root.
    pub(crate) tables: u32,
    hint: Hint,
}

/// The table of the lowest level that was used last.
#[derive(Clone, Copy, Debug)]
struct Hint {
    /// The page number without its lowest index.
    prefix: u64,
    table: FrameNumber,
}

impl Hint {
    const NONE: Self = Self { prefix: u64::MAX, table: FrameNumber(0) };
}

const fn prefix(page: PageNumber) -> u64 {
    page.0 / ENTRIES as u64
}

impl PageTable {
    /// An address space without a page; `None` if there is no memory for its root.
    pub fn new(tables: &mut impl Tables) -> Option<Self> {
        Some(Self { root: tables.allocate()?, tables: 1, hint: Hint::NONE })
    }

    /// The root: what the processor's register `CR3` is set to.
    pub const fn root(&self) -> FrameNumber {
        self.root
    }

    /// How many tables there are, with the root.
    pub const fn table_count(&self) -> u32 {
        self.tables
    }

    /// The entry at which the walk to `page` ends, and the level of the table that it is in.
    ///
    /// Cost: four reads, or one if the same table of the lowest level was used last.
    #[inline]
    pub fn get<T: Tables>(&self, tables: &T, page: PageNumber) -> (Level, Entry) {
        if prefix(page) == self.hint.prefix {
            let word = &tables.words(self.hint.table)[Level::Page.index(page)];
            return (Level::Page, table::load(word));
        }
        self.get_slow(tables, page)
    }

    /// The table of the lowest level for `page`, if it was used last.
    pub(crate) fn hinted(&self, page: PageNumber) -> Option<FrameNumber> {
        if prefix(page) == self.hint.prefix { Some(self.hint.table) } else { None }
    }

    fn get_slow<T: Tables>(&self, tables: &T, page: PageNumber) -> (Level, Entry) {
        if !is_canonical(page) {
            return (Level::Top, Entry::EMPTY);
        }
        let mut at = self.root;
        for level in Level::DOWN {
            let entry = table::load(&tables.words(at)[level.index(page)]);
            match entry.kind(level) {
                Kind::Table(below) => at = below,
                _ => return (level, entry),
            }
        }
        (Level::Page, Entry::EMPTY)
    }

    /// Puts `entry` at `page`, and returns what was there. An empty entry unmaps, and tables that this empties are freed.
    ///
    /// A block that reaches the page is split first.
    ///
    /// Cost: about 2 ns if the same table of the lowest level was used last; otherwise a walk of four reads and missing tables.
    ///
    /// # Errors
    ///
    /// [`PagingError::NoMemory`] and [`PagingError::OutOfRange`]; nothing has changed then.
    #[inline]
    pub fn set<T: Tables>(
        &mut self,
        tables: &mut T,
        page: PageNumber,
        entry: Entry,
    ) -> Result<Entry, PagingError> {
        if prefix(page) == self.hint.prefix {
            return Ok(self.put(tables, self.hint.table, page, entry));
        }
        self.set_slow(tables, page, entry)
    }

    /// Unmaps `page`, and returns what was there.
    ///
    /// # Errors
    ///
    /// As [`PageTable::set`]: no memory to split a block.
    #[inline]
    pub fn take<T: Tables>(&mut self, tables: &mut T, page: PageNumber) -> Result<Entry, PagingError> {
        self.set(tables, page, Entry::EMPTY)
    }

    #[cold]
    #[inline(never)]
    fn set_slow<T: Tables>(
        &mut self,
        tables: &mut T,
        page: PageNumber,
        entry: Entry,
    ) -> Result<Entry, PagingError> {
        if entry.is_empty() && self.get_slow(tables, page).1.is_empty() {
            return if is_canonical(page) { Ok(Entry::EMPTY) } else { Err(PagingError::OutOfRange(page)) };
        }
        let leaf = self.ensure(tables, page, Level::Page)?;
        Ok(self.put(tables, leaf, page, entry))
    }

    #[inline]
    fn put<T: Tables>(&mut self, tables: &mut T, leaf: FrameNumber, page: PageNumber, entry: Entry) -> Entry {
        let old = table::replace::<T>(&tables.words(leaf)[Level::Page.index(page)], entry);
        if old.is_empty() != entry.is_empty() {
            let used = tables.used(leaf);
            if entry.is_empty() {
                tables.set_used(leaf, used - 1);
                if used == 1 {
                    self.prune(tables, page);
                }
            } else {
                tables.set_used(leaf, used + 1);
            }
        }
        old
    }

    /// The table of `level` on the way to `page`. Missing tables are made and blocks above are split.
    ///
    /// On failure there are no new tables; a table that is returned may be empty, and the caller uses it or prunes.
    pub(crate) fn ensure<T: Tables>(
        &mut self,
        tables: &mut T,
        page: PageNumber,
        level: Level,
    ) -> Result<FrameNumber, PagingError> {
        if level == Level::Page && prefix(page) == self.hint.prefix {
            return Ok(self.hint.table);
        }
        if !is_canonical(page) {
            return Err(PagingError::OutOfRange(page));
        }
        let mut at = self.root;
        for above in Level::DOWN {
            if above == level {
                break;
            }
            let index = above.index(page);
            let entry = table::load(&tables.words(at)[index]);
            at = match entry.kind(above) {
                Kind::Table(below) => below,
                Kind::Empty | Kind::Absent(_) => {
                    let Some(below) = tables.allocate() else {
                        self.prune(tables, page);
                        return Err(PagingError::NoMemory);
                    };
                    self.tables += 1;
                    table::store(&tables.words(at)[index], Entry::table(below));
                    let used = tables.used(at) + u32::from(entry.is_empty());
                    tables.set_used(at, used);
                    below
                }
                Kind::Frame(_) => match self.split_entry(tables, at, above, page) {
                    Some(below) => below,
                    None => return Err(PagingError::NoMemory),
                },
            };
        }
        if level == Level::Page {
            self.hint = Hint { prefix: prefix(page), table: at };
        }
        Ok(at)
    }

    /// Frees the empty tables on the way to `page`, the lowest first.
    #[cold]
    pub(crate) fn prune<T: Tables>(&mut self, tables: &mut T, page: PageNumber) {
        let mut path = [(self.root, Level::Top); Level::DOWN.len()];
        let mut depth = 0;
        while let Some(below) = path[depth].1.below() {
            let (at, level) = path[depth];
            let Kind::Table(next) = table::load(&tables.words(at)[level.index(page)]).kind(level) else {
                break;
            };
            depth += 1;
            path[depth] = (next, below);
        }
        for depth in (1..=depth).rev() {
            let (at, _) = path[depth];
            if tables.used(at) > 0 {
                return;
            }
            let (parent, level) = path[depth - 1];
            table::store(&tables.words(parent)[level.index(page)], Entry::EMPTY);
            let used = tables.used(parent) - 1;
            tables.set_used(parent, used);
            self.free(tables, at);
        }
    }

    /// Gives a table back to which nothing refers any more.
    pub(crate) fn free<T: Tables>(&mut self, tables: &mut T, table: FrameNumber) {
        if self.hint.table == table {
            self.hint = Hint::NONE;
        }
        self.tables -= 1;
        tables.free(table);
    }
}
