//! `mprotect`: other access for a range, area by area.

use mallow_units::{Errno, PageCount, PageNumber, PageSpan, VirtAddr};

use crate::area::Vma;
use crate::edit::Sign;
use crate::flags::Flags;
use crate::map::access_of;
use crate::pages::Pages;
use crate::request::Prot;
use crate::space::Space;
use crate::store::Store;

/// What `mprotect` knows.
const KNOWN: Prot = Prot(Prot::READ.0 | Prot::WRITE.0 | Prot::EXEC.0 | Prot::SEM.0);

impl<S: Store> Space<S> {
    /// `mprotect(2)`: gives a range other access.
    ///
    /// Goes area by area, the lowest first, and stops at the first that refuses: what lies below has changed then, as
    /// in Linux. A private area that becomes writable is charged; the charge stays when it is writable no more, unless it never
    /// had a page of its own.
    ///
    /// Cost: two lookups per area; allocates at most two areas.
    ///
    /// # Errors
    ///
    /// Those of Linux.
    ///
    /// - `EINVAL`: `address` is not a multiple of the page size, `prot` has unknown bits or both directions of growth, or
    ///   `GROWS_DOWN` where there is no stack.
    /// - `ENOMEM`: a hole; too many areas; a limit; no commitment. If the pools have no room, nothing has changed.
    /// - `EACCES`: the file behind an area is not open for that.
    pub fn mprotect(
        &mut self,
        address: VirtAddr,
        length: u64,
        prot: Prot,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        let grows = prot.has(Prot::GROWS_DOWN);
        let prot_only = prot.without(Prot::GROWS_DOWN.with(Prot::GROWS_UP));
        if (grows && prot.has(Prot::GROWS_UP)) || address.offset() != 0 {
            return Err(Errno::EINVAL);
        }
        if length == 0 {
            return Ok(());
        }
        let Some(asked) = span_of(address.page(), length) else { return Err(Errno::ENOMEM) };
        if prot_only.without(KNOWN).0 != 0 {
            return Err(Errno::EINVAL);
        }
        let span = self.protected_span(asked, grows, prot.has(Prot::GROWS_UP))?;
        self.reserve(2)?;
        let mut next = span.start();
        while let Some((area, part)) = self.part_from(next, span.end()) {
            if part.start() != next {
                break;
            }
            self.protect_part(area, part, access_of(prot_only), pages)?;
            next = part.end();
        }
        if next < span.end() { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// The range that is meant: with `GROWS_DOWN` from the start of the stack.
    fn protected_span(&self, asked: PageSpan, down: bool, up: bool) -> Result<PageSpan, Errno> {
        let first = self.at_or_after(asked.start()).ok_or(Errno::ENOMEM)?;
        if first.span.start() >= asked.end() {
            return Err(Errno::ENOMEM);
        }
        if down {
            let is_stack = first.flags.has(Flags::GROWS_DOWN);
            let span = PageSpan::new(first.span.start(), asked.end()).filter(|_| is_stack);
            return span.ok_or(Errno::EINVAL);
        }
        match first.span.start() > asked.start() {
            true => Err(Errno::ENOMEM),
            // Nothing grows upwards on this processor.
            false if up => Err(Errno::EINVAL),
            false => Ok(asked),
        }
    }

    fn protect_part(
        &mut self,
        area: Vma,
        part: PageSpan,
        access: Flags,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        let old = area.flags;
        let mut new = old.without(Flags::ACCESS) | access;
        if access.without(old.may_access()) != Flags::NONE {
            return Err(Errno::EACCES);
        }
        if new == old {
            return Ok(());
        }
        let count = part.pages();
        let mut charged = 0;
        if new.has(Flags::WRITE) {
            if !self.may_expand(new, count) && self.may_expand(old, count) {
                return Err(Errno::ENOMEM);
            }
            let never = Flags::ACCOUNTED | Flags::WRITE | Flags::SHARED | Flags::NO_RESERVE;
            if !old.has_any(never) {
                charged = count;
                self.charge(charged, pages)?;
                new = new | Flags::ACCOUNTED;
            }
        } else if old.has(Flags::ACCOUNTED) && area.is_anonymous() && area.anon.is_none() {
            new = new.without(Flags::ACCOUNTED);
        }
        if let Err(refused) = self.modify(area, part, new, pages) {
            self.uncharge(charged, pages);
            return Err(refused);
        }
        pages.protect(&Vma { flags: new, ..area.part(part) }, part);
        if old.has(Flags::ACCOUNTED) && !new.has(Flags::ACCOUNTED) {
            self.uncharge(count, pages);
        }
        self.tally(old, count, Sign::Minus);
        self.tally(new, count, Sign::Plus);
        // So that the first write does not have to wait for a copy.
        if old.has(Flags::LOCKED) && !old.has_any(Flags::WRITE | Flags::SHARED) && new.has(Flags::WRITE) {
            if !old.has(Flags::LOCK_ON_FAULT) {
                // Linux writes to the pages at once, so what comes next in the range sees a family here. If that is refused, the
                // first fault asks again.
                let _ = self.prepare_anon(part.start(), pages);
            }
            pages.populate(part);
        }
        Ok(())
    }
}

/// The pages from `page` that hold `length` bytes; `None` if they go around the end of the numbers.
pub(crate) fn span_of(page: PageNumber, length: u64) -> Option<PageSpan> {
    let pages = PageCount::holding(length).0;
    PageSpan::of(page, pages).filter(|span| span.end().0 <= u64::MAX / crate::edit::PAGE)
}
