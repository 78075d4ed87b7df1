//! Every invariant of a page table, walked.

use core::fmt;

use mallow_units::{FrameNumber, PageNumber};

use crate::entry::Kind;
use crate::level::Level;
use crate::page_table::PageTable;
use crate::table::{self, Tables};

/// What is wrong with a page table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// The noted number of used entries differs from the entries.
    Used(FrameNumber, u32),
    /// A table without an entry, which is not the root.
    EmptyTable(FrameNumber),
    /// There are this many tables, and another number is noted.
    TableCount(u32),
    /// An entry that cannot be: a block at the top, or one that is not aligned.
    Entry(Level, PageNumber),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used(table, used) => {
                write!(f, "the table in {table:?} has {used} entries, and says otherwise")
            }
            Self::EmptyTable(table) => write!(f, "the table in {table:?} is empty"),
            Self::TableCount(count) => write!(f, "there are {count} tables, and the root says otherwise"),
            Self::Entry(level, page) => write!(f, "the entry of level {level:?} for {page:?} cannot be"),
        }
    }
}

impl core::error::Error for Broken {}

impl PageTable {
    /// Walks every table.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check<T: Tables>(&self, tables: &T) -> Result<(), Broken> {
        let count = check_table(tables, self.root, Level::Top, PageNumber(0))?;
        if count == self.tables { Ok(()) } else { Err(Broken::TableCount(count)) }
    }
}

/// Checks a table and those below it; returns how many they are.
fn check_table<T: Tables>(
    tables: &T,
    at: FrameNumber,
    level: Level,
    first: PageNumber,
) -> Result<u32, Broken> {
    let (mut used, mut count) = (0, 1);
    for (index, word) in (0..).zip(tables.words(at)) {
        let page = PageNumber(first.0 + index * level.pages());
        let entry = table::load(word);
        used += u32::from(!entry.is_empty());
        match entry.kind(level) {
            Kind::Empty | Kind::Absent(_) => {}
            Kind::Frame(frame) => {
                if !level.may_be_leaf() || !level.fits(frame) {
                    return Err(Broken::Entry(level, page));
                }
            }
            Kind::Table(table) => {
                let below = level.below().ok_or(Broken::Entry(level, page))?;
                if tables.used(table) == 0 {
                    return Err(Broken::EmptyTable(table));
                }
                count += check_table(tables, table, below, page)?;
            }
        }
    }
    if used == tables.used(at) { Ok(count) } else { Err(Broken::Used(at, used)) }
}
