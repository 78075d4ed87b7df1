//! `mlock`, `mlock2`, `munlock`, `mlockall`, `munlockall`.

use mallow_units::{Errno, PageNumber, PageSpan, VirtAddr};

use crate::area::Vma;
use crate::edit::{PAGE, Sign};
use crate::flags::Flags;
use crate::pages::Pages;
use crate::request::LockFlags;
use crate::space::Space;
use crate::store::Store;

impl<S: Store> Space<S> {
    /// `mlock(2)`, or `mlock2(2)` with `MLOCK_ONFAULT` if `on_fault`: keeps the pages of a range in memory.
    ///
    /// Unless `on_fault`, [`Pages::populate`] is told to fault them in. An area without access cannot be, and ends that with
    /// `ENOMEM`, although it is locked. A caller whose pages cannot be faulted in for want of memory returns `EAGAIN`.
    ///
    /// # Errors
    ///
    /// Those of Linux; what lies below the place of an error is locked.
    ///
    /// - `EPERM`: nothing may be locked.
    /// - `ENOMEM`: more than may be locked, a hole, too many areas, an area without access.
    /// - `EINVAL`: the range goes around the end of the addresses.
    pub fn mlock(
        &mut self,
        address: VirtAddr,
        length: u64,
        on_fault: bool,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        self.may_lock_any()?;
        let (start, count) = locked_pages(address, length);
        let span = PageSpan::of(start, count);
        let already = span.map_or(0, |span| self.locked_in(span));
        if !self.may_lock(Flags::LOCKED, count) && !self.may_lock(Flags::LOCKED, count - already) {
            return Err(Errno::ENOMEM);
        }
        if let Some(span) = check_end(span)? {
            let how = if on_fault { Flags::LOCK } else { Flags::LOCKED };
            self.set_lock(span, how, pages)?;
            self.populate_locked(span, pages)?;
        }
        Ok(())
    }

    /// `munlock(2)`: lets the pages of a range leave memory again.
    ///
    /// # Errors
    ///
    /// `ENOMEM` for a hole or too many areas, `EINVAL` for a range around the end; what lies below is unlocked.
    pub fn munlock(&mut self, address: VirtAddr, length: u64, pages: &mut impl Pages) -> Result<(), Errno> {
        let (start, count) = locked_pages(address, length);
        match check_end(PageSpan::of(start, count))? {
            Some(span) => self.set_lock(span, Flags::NONE, pages),
            None => Ok(()),
        }
    }

    /// `mlockall(2)`: locks what is mapped, what will be mapped, or both.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: unknown flags, or nothing to lock.
    /// - `EPERM`: nothing may be locked.
    /// - `ENOMEM`: more is mapped than may be locked.
    pub fn mlockall(&mut self, flags: LockFlags, pages: &mut impl Pages) -> Result<(), Errno> {
        let known = LockFlags::CURRENT.with(LockFlags::FUTURE).with(LockFlags::ON_FAULT);
        if flags.0 == 0 || flags.without(known).0 != 0 || flags == LockFlags::ON_FAULT {
            return Err(Errno::EINVAL);
        }
        self.may_lock_any()?;
        let is_within = self.limits.may_lock_all || self.account.total.0 <= self.limits.locked / PAGE;
        if flags.has(LockFlags::CURRENT) && !is_within {
            return Err(Errno::ENOMEM);
        }
        let how = if flags.has(LockFlags::ON_FAULT) { Flags::LOCK } else { Flags::LOCKED };
        self.future = if flags.has(LockFlags::FUTURE) { how } else { Flags::NONE };
        if flags.has(LockFlags::CURRENT) {
            self.set_lock_of_all(how, pages);
            if let Some(all) = PageSpan::new(PageNumber(0), self.layout.end) {
                pages.populate(all);
            }
        } else if !flags.has(LockFlags::FUTURE) {
            self.set_lock_of_all(Flags::NONE, pages);
        }
        Ok(())
    }

    /// `munlockall(2)`: unlocks what is mapped, and what will be.
    ///
    /// # Errors
    ///
    /// None; an area that cannot be split for want of room stays locked.
    pub fn munlockall(&mut self, pages: &mut impl Pages) -> Result<(), Errno> {
        self.future = Flags::NONE;
        self.set_lock_of_all(Flags::NONE, pages);
        Ok(())
    }

    fn may_lock_any(&self) -> Result<(), Errno> {
        let may = self.limits.locked != 0 || self.limits.may_lock_all;
        if may { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// Pages in `span` that are locked already.
    fn locked_in(&self, span: PageSpan) -> u64 {
        let locked = self.areas_in(span).filter(|area| area.flags.has(Flags::LOCKED));
        locked.filter_map(|area| area.span.common(span)).map(PageSpan::pages).sum()
    }

    /// Gives all areas of `span` the lock `how`, up to the first hole.
    fn set_lock(&mut self, span: PageSpan, how: Flags, pages: &mut impl Pages) -> Result<(), Errno> {
        self.reserve(2)?;
        let mut next = span.start();
        while let Some((area, part)) = self.part_from(next, span.end()) {
            if part.start() != next {
                break;
            }
            self.lock_part(area, part, how, pages)?;
            next = part.end();
        }
        if next < span.end() { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    fn set_lock_of_all(&mut self, how: Flags, pages: &mut impl Pages) {
        let mut next = PageNumber(0);
        while let Some(area) = self.at_or_after(next).copied() {
            // A whole area is not split, so this is not refused.
            let locked = self.lock_part(area, area.span, how, pages);
            debug_assert!(locked.is_ok(), "whole areas need no room");
            next = area.span.end();
        }
    }

    fn lock_part(
        &mut self,
        area: Vma,
        part: PageSpan,
        how: Flags,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        let (old, new) = (area.flags, area.flags.without(Flags::LOCK) | how);
        // What may vanish under pressure is not kept in memory.
        if new == old || old.has(Flags::DROPPABLE) {
            return Ok(());
        }
        self.modify(area, part, new, pages)?;
        self.tally(old, part.pages(), Sign::Minus);
        self.tally(new, part.pages(), Sign::Plus);
        let changed = Vma { flags: new, ..area.part(part) };
        match (old.has(Flags::LOCKED), new.has(Flags::LOCKED)) {
            (false, true) => pages.lock(&changed, part),
            (true, false) => pages.unlock(&changed, part),
            _ => {}
        }
        Ok(())
    }

    /// Has the pages of `span` faulted in, up to the first area that cannot be.
    fn populate_locked(&mut self, span: PageSpan, pages: &mut impl Pages) -> Result<(), Errno> {
        for area in self.areas_in(span) {
            if area.flags.has(Flags::LOCK_ON_FAULT) {
                continue;
            }
            if !area.flags.has_any(Flags::ACCESS) {
                return Err(Errno::ENOMEM);
            }
            if let Some(part) = area.span.common(span) {
                pages.populate(part);
            }
        }
        Ok(())
    }
}

/// The pages that have a byte of the range: the first, and how many.
const fn locked_pages(address: VirtAddr, length: u64) -> (PageNumber, u64) {
    // The sum wraps, as in Linux: a range that goes all the way around looks empty.
    let bytes = length.wrapping_add(address.offset()).wrapping_add(PAGE - 1);
    (address.page(), bytes / PAGE)
}

/// Refuses pages that go around the end of the addresses.
fn check_end(span: Option<PageSpan>) -> Result<Option<PageSpan>, Errno> {
    match span {
        Some(span) if span.end().0 > u64::MAX / PAGE => Err(Errno::EINVAL),
        span => Ok(span),
    }
}
