//! What the processor does with the tables.
//!
//! Called by a simulated processor, and by whoever explains an address.

use core::fmt;

use mallow_units::{FrameNumber, PageNumber};

use crate::entry::{Entry, Kind};
use crate::level::Level;
use crate::page_table::PageTable;
use crate::rights::Rights;
use crate::table::{self, Tables};

/// How a program uses a page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// It reads.
    Read,
    /// It writes.
    Write,
    /// It fetches instructions.
    Execute,
}

/// The error code of a page fault, as the processor pushes it.
///
/// ```
/// use mallow_paging::{Access, FaultCode};
/// let code = FaultCode::missing(Access::Write);
/// assert_eq!(code.bits(), 0b110);
/// assert_eq!(code.to_string(), "write of a user to a page that is not present");
/// ```
///
/// # Source
///
/// Intel's manual, volume 3, "Page-Fault Exceptions".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FaultCode(u32);

impl FaultCode {
    const PRESENT: u32 = 1 << 0;
    const WRITE: u32 = 1 << 1;
    const USER: u32 = 1 << 2;
    const FETCH: u32 = 1 << 4;

    /// The code for a page that is not present.
    pub const fn missing(access: Access) -> Self {
        Self(
            Self::USER
                | match access {
                    Access::Read => 0,
                    Access::Write => Self::WRITE,
                    Access::Execute => Self::FETCH,
                },
        )
    }

    /// The code for a page whose entry forbids the access.
    pub const fn forbidden(access: Access) -> Self {
        Self(Self::missing(access).0 | Self::PRESENT)
    }

    /// The code as a number.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether the page was present, and the access forbidden.
    pub const fn is_forbidden(self) -> bool {
        self.0 & Self::PRESENT != 0
    }

    /// What was tried.
    pub const fn access(self) -> Access {
        match self.0 & (Self::WRITE | Self::FETCH) {
            0 => Access::Read,
            Self::WRITE => Access::Write,
            _ => Access::Execute,
        }
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.access() {
            Access::Read => "read of a user from a page that ",
            Access::Write => "write of a user to a page that ",
            Access::Execute => "fetch of a user from a page that ",
        })?;
        f.write_str(if self.is_forbidden() { "forbids it" } else { "is not present" })
    }
}

/// Where a page is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation {
    /// Its frame; not the first of the block, if it is part of one.
    pub frame: FrameNumber,
    /// The level of the entry that maps it.
    pub level: Level,
    /// The entry, with the bits that the processor has just set.
    pub entry: Entry,
}

/// One step of a walk: an entry that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The level of the table.
    pub level: Level,
    /// The table.
    pub table: FrameNumber,
    /// Which of its entries.
    pub index: usize,
    /// The entry.
    pub entry: Entry,
}

impl PageTable {
    /// Translates `page` for a program, as the processor does: marks the entry accessed, and dirty if it is written.
    ///
    /// # Errors
    ///
    /// The code of the page fault; no entry has changed then.
    #[inline]
    pub fn translate<T: Tables>(
        &self,
        tables: &T,
        page: PageNumber,
        access: Access,
    ) -> Result<Translation, FaultCode> {
        let Some((word, level)) = self.leaf_word(tables, page) else {
            return Err(FaultCode::missing(access));
        };
        let entry = table::load(word);
        if !entry.is_present() {
            return Err(FaultCode::missing(access));
        }
        let rights = entry.rights();
        let allowed = rights.are_for_users()
            && match access {
                Access::Read => true,
                Access::Write => rights.may_write(),
                Access::Execute => rights.may_execute(),
            };
        if !allowed {
            return Err(FaultCode::forbidden(access));
        }
        let is_write = access == Access::Write;
        let marked = entry.accessed(true).dirty(is_write || entry.is_dirty());
        if marked != entry {
            table::update::<T>(word, |entry| entry.accessed(true).dirty(is_write || entry.is_dirty()));
        }
        #[expect(clippy::cast_possible_truncation, reason = "below the pages of a block")]
        let inside = (page.0 & (level.pages() - 1)) as u32;
        Ok(Translation { frame: FrameNumber(entry.frame_number().0 + inside), level, entry: marked })
    }

    /// The word at which the walk to `page` ends, if that is not for want of a table.
    fn leaf_word<'a, T: Tables>(
        &self,
        tables: &'a T,
        page: PageNumber,
    ) -> Option<(&'a mallow_ds::sync::AtomicU64, Level)> {
        if let Some(leaf) = self.hinted(page) {
            return Some((&tables.words(leaf)[Level::Page.index(page)], Level::Page));
        }
        if !crate::level::is_canonical(page) {
            return None;
        }
        let mut at = self.root;
        for level in Level::DOWN {
            let word = &tables.words(at)[level.index(page)];
            match table::load(word).kind(level) {
                Kind::Table(below) => at = below,
                Kind::Frame(_) => return Some((word, level)),
                Kind::Empty | Kind::Absent(_) => return None,
            }
        }
        None
    }

    /// The entries that a walk to `page` reads, from the root down, up to the one where it ends.
    pub fn steps<T: Tables>(&self, tables: &T, page: PageNumber) -> impl Iterator<Item = Step> {
        let start = crate::level::is_canonical(page).then_some((self.root, Level::Top));
        let mut next = start;
        core::iter::from_fn(move || {
            let (table, level) = next?;
            let index = level.index(page);
            let entry = table::load(&tables.words(table)[index]);
            next = match entry.kind(level) {
                Kind::Table(below) => level.below().map(|lower| (below, lower)),
                _ => None,
            };
            Some(Step { level, table, index, entry })
        })
    }
}

impl Translation {
    /// What the program may do there.
    pub const fn rights(&self) -> Rights {
        self.entry.rights()
    }
}
