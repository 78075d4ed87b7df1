//! What an address space asks of the world below it.

use mallow_units::{Errno, PageCount, PageNumber, PageSpan};

use crate::area::{AnonId, FileId, Vma};
use crate::request::Advice;

/// The pages behind the areas, and the accounts that several spaces share.
///
/// Each method has a body that agrees and does nothing, except [`Pages::new_shared`] and [`Pages::new_anon`], which have to
/// give out numbers. What may be refused is asked before anything is changed.
pub trait Pages {
    /// May `pages` more be charged to the commit account? If so, they are. `total` is what the space holds before.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the rules of overcommit forbid it.
    fn charge(&mut self, pages: PageCount, total: PageCount) -> Result<(), Errno> {
        let _ = (pages, total);
        Ok(())
    }

    /// Gives back what was charged.
    fn uncharge(&mut self, pages: PageCount) {
        let _ = pages;
    }

    /// Makes the file that holds a shared anonymous mapping of `pages`; it is charged whole unless `is_unreserved`. The file
    /// begins without areas; [`Pages::file_mapped`] follows.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no room, or the rules of overcommit forbid it.
    fn new_shared(&mut self, pages: PageCount, is_unreserved: bool) -> Result<FileId, Errno>;

    /// One more area shows `file`.
    fn file_mapped(&mut self, file: FileId) {
        let _ = file;
    }

    /// One area less shows `file`. A file that no area shows and no name leads to goes away.
    fn file_unmapped(&mut self, file: FileId) {
        let _ = file;
    }

    /// A new family of anonymous pages, a child of `parent` after a fork.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no room.
    fn new_anon(&mut self, parent: Option<AnonId>) -> Result<AnonId, Errno>;

    /// `span`, part of `area`, is no longer mapped.
    fn unmap(&mut self, area: &Vma, span: PageSpan) {
        let _ = (area, span);
    }

    /// `span`, part of `area`, has changed its access to what `area` now says.
    fn protect(&mut self, area: &Vma, span: PageSpan) {
        let _ = (area, span);
    }

    /// The pages of `from`, part of `area`, now begin at `to`.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no room for tables; nothing has moved then.
    fn relocate(&mut self, area: &Vma, from: PageSpan, to: PageNumber) -> Result<(), Errno> {
        let _ = (area, from, to);
        Ok(())
    }

    /// `span` is to be faulted in once the call is over: as if written where it is private and writable, else as if read. Holes,
    /// areas without access, and areas locked on fault are passed over.
    fn populate(&mut self, span: PageSpan) {
        let _ = span;
    }

    /// `span`, part of `area`, is locked now. Pages that are present must not leave memory.
    fn lock(&mut self, area: &Vma, span: PageSpan) {
        let _ = (area, span);
    }

    /// `span`, part of `area`, is no longer locked.
    fn unlock(&mut self, area: &Vma, span: PageSpan) {
        let _ = (area, span);
    }

    /// The program says something about `span`, part of `area`, that is done at once: `DONT_NEED`, `FREE`, `WILL_NEED`, `COLD`,
    /// `PAGE_OUT`, `REMOVE`, `POPULATE_READ`, `POPULATE_WRITE`, `COLLAPSE` and the guards.
    ///
    /// # Errors
    ///
    /// What `madvise` shall return.
    fn advise(&mut self, area: &Vma, span: PageSpan, advice: Advice) -> Result<(), Errno> {
        let _ = (area, span, advice);
        Ok(())
    }

    /// The pages of `parent` are now also those of `child`; private ones are copied when written.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no room for tables.
    fn fork(&mut self, parent: &Vma, child: &Vma) -> Result<(), Errno> {
        let _ = (parent, child);
        Ok(())
    }
}

/// A world without pages, in which everything is granted: for maps alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unbacked {
    numbers: u32,
}

impl Unbacked {
    fn next(&mut self) -> Result<core::num::NonZeroU32, Errno> {
        self.numbers = self.numbers.checked_add(1).ok_or(Errno::ENOMEM)?;
        core::num::NonZeroU32::new(self.numbers).ok_or(Errno::ENOMEM)
    }
}

/// Numbers of files made here begin above 2^31, so that they do not meet those of the caller.
impl Pages for Unbacked {
    fn new_shared(&mut self, _: PageCount, _: bool) -> Result<FileId, Errno> {
        Ok(FileId(self.next()? | 1 << 31))
    }

    fn new_anon(&mut self, _: Option<AnonId>) -> Result<AnonId, Errno> {
        Ok(AnonId(self.next()?))
    }
}
