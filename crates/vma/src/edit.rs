//! The few moves that every call is made of: put, drop, reshape, cut, modify, add, take out, tally.
//!
//! A call first asks for room with `reserve` and for everything else that may be refused; the moves then succeed. `put` still
//! returns a result, because a pool may break its word.

use mallow_ds::pool::Pool;
use mallow_units::{Errno, PageCount, PageNumber, PageSpan};

use crate::area::Vma;
use crate::flags::Flags;
use crate::limits::Account;
use crate::merge;
use crate::pages::Pages;
use crate::space::Space;
use crate::store::Store;

/// Which way a count goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

/// What becomes of the charge for pages that are unmapped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charges {
    GiveBack,
    /// What takes their place has them.
    Keep,
}

impl<S: Store> Space<S> {
    /// Makes sure that `areas` more areas find room, whatever else a call does in between.
    pub(crate) fn reserve(&mut self, areas: usize) -> Result<(), Errno> {
        let has_room = self.areas.reserve(areas) && self.map.reserve(areas).is_ok();
        if has_room { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// Puts an area where there is none.
    pub(crate) fn put(&mut self, area: Vma, pages: &mut impl Pages) -> Result<(), Errno> {
        let number = self.areas.take(area).ok_or(Errno::ENOMEM)?;
        let span = area.span;
        if self.map.insert(span.start().0, span.end().0, number).is_err() {
            self.areas.give_back(number);
            return Err(Errno::ENOMEM);
        }
        if let Some(file) = area.backing {
            pages.file_mapped(file);
        }
        Ok(())
    }

    /// Drops the area that starts at `start`.
    pub(crate) fn drop_area(&mut self, start: PageNumber, pages: &mut impl Pages) {
        let Ok(found) = self.map.remove(start.0) else { return };
        let backing = self.areas.get(found.value).backing;
        self.areas.give_back(found.value);
        if let Some(file) = backing {
            pages.file_unmapped(file);
        }
    }

    /// Puts `area` in the place of the one that starts at `start`; it may be longer or shorter, up to its neighbours.
    pub(crate) fn reshape(&mut self, start: PageNumber, area: Vma) {
        let Some(found) = self.map.find(start.0) else { return };
        let (first, end) = (area.span.start().0, area.span.end().0);
        if (first, end) != (found.start, found.end) {
            let resized = self.map.resize(found.start, first, end);
            debug_assert!(resized.is_ok(), "an area grows only into room");
        }
        *self.areas.get_mut(found.value) = area;
    }

    /// Cuts the area that has `at` inside in two; nothing happens if `at` is a bound already.
    pub(crate) fn cut(&mut self, at: PageNumber, pages: &mut impl Pages) -> Result<(), Errno> {
        let Some(found) = self.map.find(at.0) else { return Ok(()) };
        let area = *self.areas.get(found.value);
        let (Some(below), Some(above)) =
            (PageSpan::new(area.span.start(), at), PageSpan::new(at, area.span.end()))
        else {
            return Ok(());
        };
        let number = self.areas.take(area.part(above)).ok_or(Errno::ENOMEM)?;
        if self.map.split(at.0, number).is_err() {
            self.areas.give_back(number);
            return Err(Errno::ENOMEM);
        }
        *self.areas.get_mut(found.value) = area.part(below);
        if let Some(file) = area.backing {
            pages.file_mapped(file);
        }
        Ok(())
    }

    /// Makes one area of the one that starts at `start` and the next, which touches it: `whole`.
    fn absorb(&mut self, start: PageNumber, whole: Vma, pages: &mut impl Pages) {
        let Ok(absorbed) = self.map.absorb(start.0) else { return };
        let backing = self.areas.get(absorbed.value).backing;
        self.areas.give_back(absorbed.value);
        self.set(start, whole);
        if let Some(file) = backing {
            pages.file_unmapped(file);
        }
    }

    /// Moves the bound between `below` and `above`, which touch.
    fn shift(&mut self, at: PageNumber, below: Vma, above: Vma) {
        let shifted = self.map.shift(at.0, above.span.start().0);
        debug_assert!(shifted.is_ok(), "the bound lies between areas that touch");
        self.set(below.span.start(), below);
        self.set(above.span.start(), above);
    }

    /// Writes what the area at `start` is; its bounds are those of the map.
    fn set(&mut self, start: PageNumber, area: Vma) {
        if let Some(found) = self.map.find(start.0) {
            *self.areas.get_mut(found.value) = area;
        }
    }

    /// The area that ends at `page`.
    pub(crate) fn touching_below(&self, page: PageNumber) -> Option<Vma> {
        self.before(page).filter(|area| area.span.end() == page).copied()
    }

    /// The area that starts at `page`.
    pub(crate) fn touching_above(&self, page: PageNumber) -> Option<Vma> {
        self.find(page).filter(|area| area.span.start() == page).copied()
    }

    /// The first area that has pages between `from` and `end`, and which of them; the lowest may lie above `from`.
    pub(crate) fn part_from(&self, from: PageNumber, end: PageNumber) -> Option<(Vma, PageSpan)> {
        let area = *self.at_or_after(from)?;
        Some((area, area.span.common(PageSpan::new(from, end)?)?))
    }

    /// Whether `more` areas would be more than the limit.
    pub(crate) fn is_full(&self, more: usize) -> bool {
        self.map.len() + more > self.limits.max_areas as usize
    }

    /// Gives `span`, part of `middle`, other flags; makes one area of what is alike then, and parts of what no longer is.
    /// `reserve(2)` has been granted.
    pub(crate) fn modify(
        &mut self,
        middle: Vma,
        span: PageSpan,
        flags: Flags,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        let changed = Vma { flags, ..middle.part(span) };
        let is_lowest = span.start() == middle.span.start();
        let is_highest = span.end() == middle.span.end();
        let below = if is_lowest { self.touching_below(span.start()) } else { None };
        let above = if is_highest { self.touching_above(span.end()) } else { None };
        let join = merge::join(below.as_ref(), &changed, above.as_ref());
        match (below.filter(|_| join.below), above.filter(|_| join.above)) {
            (None, None) => {
                if self.is_full(usize::from(!is_lowest) + usize::from(!is_highest)) {
                    return Err(Errno::ENOMEM);
                }
                self.cut(span.start(), pages)?;
                self.cut(span.end(), pages)?;
                self.set(span.start(), changed);
            }
            (Some(below), None) => {
                let whole = stretch(&merge::joined(&below, &changed), span);
                match PageSpan::new(span.end(), middle.span.end()) {
                    Some(rest) => self.shift(span.start(), whole, middle.part(rest)),
                    None => self.absorb(below.span.start(), whole, pages),
                }
            }
            (None, Some(above)) => {
                let whole = stretch(&merge::joined(&above, &changed), span);
                match PageSpan::new(middle.span.start(), span.start()) {
                    Some(rest) => self.shift(span.end(), middle.part(rest), whole),
                    None => self.absorb(span.start(), whole, pages),
                }
            }
            (Some(below), Some(above)) => {
                let whole = stretch(&merge::joined(&merge::joined(&below, &changed), &above), span);
                self.absorb(below.span.start(), whole, pages);
                self.absorb(below.span.start(), stretch(&whole, above.span), pages);
            }
        }
        Ok(())
    }

    /// Cuts `area` down to `rest`, or drops it if nothing is left.
    fn shrink(&mut self, area: Vma, rest: Option<PageSpan>, pages: &mut impl Pages) {
        match rest {
            Some(rest) => self.reshape(area.span.start(), area.part(rest)),
            None => self.drop_area(area.span.start(), pages),
        }
    }

    /// Adds an area where there is none, as part of its neighbours if they are alike. `reserve(1)` has been granted.
    pub(crate) fn add(&mut self, area: Vma, pages: &mut impl Pages) -> Result<(), Errno> {
        let below = self.touching_below(area.span.start());
        let above = self.touching_above(area.span.end());
        self.add_between(below, area, above, pages)
    }

    /// The same, with only the area below as a neighbour to join.
    pub(crate) fn add_upwards(&mut self, area: Vma, pages: &mut impl Pages) -> Result<(), Errno> {
        let below = self.touching_below(area.span.start());
        self.add_between(below, area, None, pages)
    }

    fn add_between(
        &mut self,
        below: Option<Vma>,
        area: Vma,
        above: Option<Vma>,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        let join = merge::join(below.as_ref(), &area, above.as_ref());
        match (below.filter(|_| join.below), above.filter(|_| join.above)) {
            (None, None) => return self.put(area, pages),
            (Some(below), None) => {
                self.reshape(below.span.start(), stretch(&merge::joined(&below, &area), area.span));
            }
            (None, Some(above)) => {
                self.reshape(above.span.start(), stretch(&merge::joined(&above, &area), area.span));
            }
            (Some(below), Some(above)) => {
                self.drop_area(above.span.start(), pages);
                let whole = stretch(&merge::joined(&merge::joined(&below, &area), &above), area.span);
                self.reshape(below.span.start(), stretch(&whole, above.span));
            }
        }
        Ok(())
    }

    /// Unmaps `span`: what of areas lies in it goes, with pages and locks. `reserve(1)` has been granted.
    pub(crate) fn take_out(
        &mut self,
        span: PageSpan,
        charges: Charges,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        while let Some(area) = self.at_or_after(span.start()).copied() {
            let Some(part) = area.span.common(span) else { break };
            pages.unmap(&area, part);
            self.tally(area.flags, part.pages(), Sign::Minus);
            if area.flags.has(Flags::ACCOUNTED) && charges == Charges::GiveBack {
                self.uncharge(part.pages(), pages);
            }
            let below = PageSpan::new(area.span.start(), part.start());
            let above = PageSpan::new(part.end(), area.span.end());
            match (below, above) {
                (Some(below), Some(above)) => {
                    self.reshape(area.span.start(), area.part(below));
                    self.put(area.part(above), pages)?;
                }
                (rest, None) | (None, rest) => self.shrink(area, rest, pages),
            }
        }
        Ok(())
    }

    /// Counts pages of an area with these flags in, or out.
    pub(crate) fn tally(&mut self, flags: Flags, pages: u64, sign: Sign) {
        self.account.step(flags, pages, sign);
    }

    /// Asks for a charge of `count` pages.
    pub(crate) fn charge(&mut self, count: u64, pages: &mut impl Pages) -> Result<(), Errno> {
        if count > 0 {
            pages.charge(PageCount(count), self.account.total)?;
            self.account.charged.0 += count;
        }
        Ok(())
    }

    /// Gives a charge of `count` pages back.
    pub(crate) fn uncharge(&mut self, count: u64, pages: &mut impl Pages) {
        if count > 0 {
            pages.uncharge(PageCount(count));
            self.account.charged.0 = self.account.charged.0.saturating_sub(count);
        }
    }

    /// Whether `more` pages with these flags stay within the limits of address space and data.
    pub(crate) fn may_expand(&self, flags: Flags, more: u64) -> bool {
        let within =
            |limit: u64, have: PageCount| have.0.checked_add(more).is_some_and(|pages| pages <= limit / PAGE);
        within(self.limits.address_space, self.account.total)
            && (!is_data(flags) || within(self.limits.data, self.account.data))
    }

    /// Whether `more` pages with these flags stay within the limit of locked memory.
    pub(crate) fn may_lock(&self, flags: Flags, more: u64) -> bool {
        !flags.has(Flags::LOCKED)
            || self.limits.may_lock_all
            || self.account.locked.0.saturating_add(more) <= self.limits.locked / PAGE
    }
}

impl Account {
    /// Counts pages of an area with these flags in, or out; not the charge, which depends on more.
    pub(crate) fn step(&mut self, flags: Flags, pages: u64, sign: Sign) {
        let step = |count: &mut PageCount| {
            count.0 = match sign {
                Sign::Plus => count.0.saturating_add(pages),
                Sign::Minus => count.0.saturating_sub(pages),
            };
        };
        step(&mut self.total);
        if is_data(flags) {
            step(&mut self.data);
        } else if flags.has(Flags::GROWS_DOWN) {
            step(&mut self.stack);
        } else if flags.has(Flags::EXEC) && !flags.has(Flags::WRITE) {
            step(&mut self.exec);
        }
        if flags.has(Flags::LOCKED) {
            step(&mut self.locked);
        }
    }
}

/// Bytes in a page.
pub(crate) const PAGE: u64 = mallow_units::page::PAGE_BYTES as u64;

/// `area`, grown by `span`, which touches it on one side.
fn stretch(area: &Vma, span: PageSpan) -> Vma {
    let (start, end) = (area.span.start().min(span.start()), area.span.end().max(span.end()));
    let offset = area.offset_of(start);
    Vma { span: PageSpan::new(start, end).unwrap_or(area.span), offset, ..*area }
}

/// Private, writable, and no stack.
pub(crate) fn is_data(flags: Flags) -> bool {
    flags.has(Flags::WRITE) && !flags.has_any(Flags::SHARED | Flags::GROWS_DOWN)
}

/// Whether an area with these flags is charged.
pub(crate) fn is_charged(flags: Flags) -> bool {
    flags.has(Flags::WRITE) && !flags.has_any(Flags::SHARED | Flags::NO_RESERVE)
}
