//! Stacks: areas that grow down when touched below their start.

use mallow_units::{Errno, PageNumber, PageSpan};

use crate::area::{AnonId, Vma};
use crate::edit::{PAGE, Sign};
use crate::flags::Flags;
use crate::merge;
use crate::pages::Pages;
use crate::space::Space;
use crate::store::Store;

impl<S: Store> Space<S> {
    /// Lets the stack above `page` grow down to it. Nothing happens if `page` is mapped.
    ///
    /// # Errors
    ///
    /// - `EFAULT`: the area above is no stack, or there is none.
    /// - `EPERM`: `page` is below the lowest that the kernel chooses.
    /// - `ENOMEM`: it would come closer to the area below than the guard gap, unless that is a stack or without access; or
    ///   it would break a limit; or there is no commitment.
    pub fn grow_stack(&mut self, page: PageNumber, pages: &mut impl Pages) -> Result<(), Errno> {
        let area = *self.at_or_after(page).ok_or(Errno::EFAULT)?;
        let Some(grown) = PageSpan::new(page, area.span.start()) else { return Ok(()) };
        if !area.flags.has(Flags::GROWS_DOWN) {
            return Err(Errno::EFAULT);
        }
        if page < self.layout.lowest_chosen {
            return Err(Errno::EPERM);
        }
        if let Some(below) = self.before(page) {
            let counts = !below.flags.has(Flags::GROWS_DOWN) && below.flags.has_any(Flags::ACCESS);
            if counts && page.0 - below.span.end().0 < self.layout.stack_gap {
                return Err(Errno::ENOMEM);
            }
        }
        let count = grown.pages();
        let size = area.span.end().0 - page.0;
        let is_too_long = size > self.limits.stack / PAGE || count > area.offset;
        // A stack that must not grow has a family from then on all the same, as in Linux.
        let anon = self.prepare_anon(area.span.start(), pages)?;
        if !self.may_expand(area.flags, count) || is_too_long || !self.may_lock(area.flags, count) {
            return Err(Errno::ENOMEM);
        }
        if area.flags.has(Flags::ACCOUNTED) {
            self.charge(count, pages)?;
        }
        self.tally(area.flags, count, Sign::Plus);
        let area = Vma { anon: Some(anon), ..self.find(area.span.start()).copied().unwrap_or(area) };
        let span = PageSpan::new(page, area.span.end()).unwrap_or(area.span);
        self.reshape(area.span.start(), Vma { span, offset: area.offset - count, ..area });
        Ok(())
    }

    /// The area at `page` is about to get an anonymous page: returns the family of such pages that it belongs to.
    ///
    /// The first time, it takes the family of a neighbour that it could be joined with but for its access, so that it still can
    /// be later; else [`Pages::new_anon`] gives a new one.
    ///
    /// # Errors
    ///
    /// `EFAULT` if there is no area; what [`Pages::new_anon`] says.
    pub fn prepare_anon(&mut self, page: PageNumber, pages: &mut impl Pages) -> Result<AnonId, Errno> {
        let area = *self.find(page).ok_or(Errno::EFAULT)?;
        if let Some(anon) = area.anon {
            return Ok(anon);
        }
        let near = [self.touching_above(area.span.end()), self.touching_below(area.span.start())];
        let shared = near.into_iter().flatten().find(|near| merge::may_share_family(&area, near));
        let anon = match shared.and_then(|near| near.anon) {
            Some(anon) => anon,
            None => pages.new_anon(None)?,
        };
        let flags = area.flags.without(Flags::FORKED);
        self.reshape(area.span.start(), Vma { anon: Some(anon), flags, ..area });
        Ok(anon)
    }
}
