//! Huge pages: 512 frames in a row behind one entry.
//!
//! A write to private memory that has nothing near it yet gets one, if the area and the machine want it and there is such a run. Its
//! frames are single frames from the first moment: only the table knows that they are one. So whatever happens to one of them, a
//! fork, a `munmap` of a part, an eviction, splits an entry and nothing else; and the table for that is set aside beforehand, so that it
//! cannot fail.

use mallow_buddy::Request;
use mallow_frame::Flag;
use mallow_paging::{Entry, Level, PagingError};
use mallow_units::{FrameNumber, PageNumber, PageSpan};
use mallow_vma::{Flags, Vma};

use crate::handle_fault::rights;
use crate::mm::Pid;
use crate::world::World;

/// Who gets huge pages: `/sys/kernel/mm/transparent_hugepage/enabled`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HugePages {
    /// Nobody.
    #[default]
    Never,
    /// Who asks for them with `MADV_HUGEPAGE`.
    Advised,
    /// Everybody who does not refuse them.
    Always,
}

impl World {
    /// Maps a huge page around `page`, where a private frame is wanted; whether it did.
    pub(crate) fn map_huge(&mut self, pid: Pid, area: &Vma, page: PageNumber) -> bool {
        let wanted = match self.huge_pages {
            HugePages::Never => false,
            HugePages::Advised => area.flags().has(Flags::HUGE_PAGE),
            HugePages::Always => !area.flags().has(Flags::NO_HUGE_PAGE),
        };
        let first = Level::Huge.aligned(page);
        let Some(span) = PageSpan::of(first, Level::Huge.pages()).filter(|span| area.span().covers(*span))
        else {
            return false;
        };
        if !wanted || !self.has_room_for_block(pid, first) {
            return false;
        }
        let Some(frame) = self.allocate(&Request::huge()) else { return false };
        if !self.physical.deposit_table() {
            self.physical.drop_reference(frame);
            return false;
        }
        // Making room for it may have changed the tables.
        if self.put_block(pid, area, first, frame).is_err() {
            self.physical.withdraw_table();
            self.physical.drop_reference(frame);
            return false;
        }
        self.physical.split_run(frame);
        let is_locked = area.flags().has(Flags::LOCKED);
        for (near, frame) in span.iter().zip((frame.0..).map(FrameNumber)) {
            self.physical.clear(frame);
            let info = self.physical.frame(frame);
            info.raise(Flag::Dirty);
            if is_locked {
                info.raise(Flag::Unevictable);
            }
            self.note_anon(pid, near, frame);
            self.admit(frame);
        }
        self.events.huge_faults += 1;
        true
    }

    /// Whether nothing, not even an empty table, is where a block would be.
    fn has_room_for_block(&self, pid: Pid, first: PageNumber) -> bool {
        self.mm(pid).is_some_and(|mm| {
            let (level, entry) = mm.table.get(&self.physical, first);
            level != Level::Page && entry.is_empty()
        })
    }

    fn put_block(
        &mut self,
        pid: Pid,
        area: &Vma,
        first: PageNumber,
        frame: FrameNumber,
    ) -> Result<(), PagingError> {
        let block = Entry::block(Level::Huge, frame, rights(area.flags(), true));
        let block = block.ok_or(PagingError::Misaligned(first))?;
        let block = block.exclusive(true).accessed(true).dirty(true).locked(area.flags().has(Flags::LOCKED));
        let mm = self.mms.get_mut(pid.0 as usize).and_then(Option::as_mut).ok_or(PagingError::NoMemory)?;
        mm.table.set_block(&mut self.physical, first, Level::Huge, block)
    }

    /// Splits the huge pages in a span. Every page stays where it is.
    ///
    /// # Errors
    ///
    /// None as long as each has a table set aside.
    pub(crate) fn split_blocks(&mut self, pid: Pid, span: PageSpan) -> Result<(), PagingError> {
        let mut at = span.start();
        while let Some(rest) = PageSpan::new(at, span.end()) {
            let Some(mm) = self.mms.get_mut(pid.0 as usize).and_then(Option::as_mut) else { return Ok(()) };
            let blocks = mm.table.entries(&self.physical, rest);
            let found =
                blocks.filter(|found| found.level != Level::Page).find(|found| found.entry.has_frame());
            let Some(found) = found else { return Ok(()) };
            mm.table.split(&mut self.physical, found.page)?;
            at = PageNumber(Level::Huge.aligned(found.page).0 + Level::Huge.pages());
        }
        Ok(())
    }
}
