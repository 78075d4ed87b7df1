//! `mremap`: shrink, grow in place, move.

use mallow_units::{Errno, PageCount, PageNumber, PageSpan, VirtAddr};

use crate::area::Vma;
use crate::edit::{Charges, PAGE, Sign};
use crate::flags::Flags;
use crate::pages::Pages;
use crate::place::Placing;
use crate::request::{MapFlags, RemapFlags};
use crate::space::Space;
use crate::store::Store;
use crate::unmap::unmapped_span;

/// A request, in pages.
#[derive(Clone, Copy)]
struct Remap {
    from: PageNumber,
    old: u64,
    new: u64,
    flags: RemapFlags,
    to: VirtAddr,
}

impl Remap {
    /// Whether the new place is not simply the old one.
    const fn names_place(&self) -> bool {
        self.flags.has(RemapFlags::FIXED) || self.flags.has(RemapFlags::DONT_UNMAP)
    }
}

impl<S: Store> Space<S> {
    /// `mremap(2)`: makes a mapping shorter or longer, or moves it; returns where it is then.
    ///
    /// With `FIXED` and without a change of length, the range may have several areas: they move one by one, with the holes between
    /// them. A length of 0 for the old range maps shared memory a second time.
    ///
    /// Cost: a few lookups per area; [`Pages::relocate`] is told of pages that move.
    ///
    /// # Errors
    ///
    /// Those of Linux. What was in the way of `FIXED`, or beyond the new length, may be unmapped then.
    ///
    /// - `EINVAL`: unknown flags; an address that is not a multiple of the page size or a range beyond the space; no new
    ///   length; `FIXED` or `DONT_UNMAP` without `MAY_MOVE`, or onto itself; `DONT_UNMAP` with another length; a private range of
    ///   no length.
    /// - `EFAULT`: the range is not mapped, or has more than one area.
    /// - `ENOMEM`: no room where it may be; too many areas; a limit; no commitment.
    /// - `EAGAIN`: too much locked memory.
    pub fn mremap(
        &mut self,
        address: VirtAddr,
        old_length: u64,
        new_length: u64,
        flags: RemapFlags,
        new_address: VirtAddr,
        pages: &mut impl Pages,
    ) -> Result<VirtAddr, Errno> {
        // Lengths that wrap when rounded up count as none, as in Linux.
        let rounded = |length: u64| PageCount::holding(length).0 % (u64::MAX / PAGE + 1);
        let (old, new) = (rounded(old_length), rounded(new_length));
        let remap = Remap { from: address.page(), old, new, flags, to: new_address };
        self.check_remap(address, &remap)?;
        self.reserve(4)?;
        if flags.has(RemapFlags::FIXED) && old == new {
            return self.move_all(remap, pages);
        }
        let area = *self.find(remap.from).ok_or(Errno::EFAULT)?;
        self.check_area(&area, &remap)?;
        if remap.names_place() {
            return self.remap_to(remap, pages);
        }
        if new < old {
            self.shrink_to(&remap, pages)?;
        } else if new > old {
            return self.expand(&area, remap, pages);
        }
        Ok(address)
    }

    /// What is refused whatever is mapped.
    fn check_remap(&self, address: VirtAddr, remap: &Remap) -> Result<(), Errno> {
        let known = RemapFlags::MAY_MOVE.with(RemapFlags::FIXED).with(RemapFlags::DONT_UNMAP);
        let end = self.layout.end;
        let is_bad =
            remap.flags.without(known).0 != 0 || address.offset() != 0 || remap.new == 0 || remap.new > end.0;
        if is_bad {
            return Err(Errno::EINVAL);
        }
        if !remap.names_place() {
            return Ok(());
        }
        let is_beyond = remap.to.0 > (end.0 - remap.new) * PAGE;
        let is_resized = remap.flags.has(RemapFlags::DONT_UNMAP) && remap.old != remap.new;
        // The sum wraps, as in Linux: a range that goes around the end is not mapped, and that is the error then.
        let old_end = address.0.wrapping_add(remap.old * PAGE);
        let overlaps = address.0 < remap.to.0.wrapping_add(remap.new * PAGE) && remap.to.0 < old_end;
        let may_move = remap.flags.has(RemapFlags::MAY_MOVE);
        if is_beyond || remap.to.offset() != 0 || !may_move || is_resized || overlaps {
            return Err(Errno::EINVAL);
        }
        self.check_areas_to_move()
    }

    /// A move splits at both ends: it needs room for more areas than it makes.
    fn check_areas_to_move(&self) -> Result<(), Errno> {
        let most = (self.limits.max_areas as usize).saturating_sub(3);
        if self.area_count() >= most { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// What is refused for the area's sake.
    fn check_area(&self, area: &Vma, remap: &Remap) -> Result<(), Errno> {
        if remap.new <= remap.old && !remap.names_place() {
            return Ok(());
        }
        if remap.old == 0 && area.is_private() {
            return Err(Errno::EINVAL);
        }
        let old = remap.old.min(remap.new);
        if old > area.span.end().0 - remap.from.0 {
            return Err(Errno::EFAULT);
        }
        if remap.new <= remap.old {
            return Ok(());
        }
        let more = remap.new - remap.old;
        if area.offset_of(remap.from).checked_add(remap.new).is_none() {
            return Err(Errno::EINVAL);
        }
        if !self.may_lock(area.flags, more) {
            return Err(Errno::EAGAIN);
        }
        if !self.may_expand(area.flags, more) {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    /// Unmaps what is beyond the new length.
    fn shrink_to(&mut self, remap: &Remap, pages: &mut impl Pages) -> Result<(), Errno> {
        let start = PageNumber(remap.from.0 + remap.new);
        let Some(span) = PageSpan::of(start, remap.old - remap.new) else { return Err(Errno::EINVAL) };
        if span.end() > self.layout.end {
            return Err(Errno::EINVAL);
        }
        if self.holds_inside(span) && self.is_full(1) {
            return Err(Errno::ENOMEM);
        }
        self.take_out(span, Charges::GiveBack, pages)
    }

    /// Makes the end of an area longer where it is, or moves.
    fn expand(&mut self, area: &Vma, remap: Remap, pages: &mut impl Pages) -> Result<VirtAddr, Errno> {
        let more = remap.new - remap.old;
        let grown = PageSpan::of(area.span.end(), more).filter(|grown| grown.end() <= self.layout.end);
        let is_at_end = remap.from.0 + remap.old == area.span.end().0;
        if let Some(grown) = grown.filter(|grown| is_at_end && self.areas_in(*grown).next().is_none()) {
            let is_charged = area.flags.has(Flags::ACCOUNTED);
            if is_charged {
                self.charge(more, pages)?;
            }
            // Linux does not ask here whether the family is a child's: what lies above may join.
            let flags = area.flags.without(Flags::FORKED);
            let longer = Vma { span: grown, offset: area.offset_of(grown.start()), flags, ..*area };
            self.add(longer, pages)?;
            self.tally(area.flags, more, Sign::Plus);
            if area.flags.has(Flags::LOCKED) {
                pages.populate(grown);
            }
            return Ok(remap.from.start());
        }
        if !remap.flags.has(RemapFlags::MAY_MOVE) {
            return Err(Errno::ENOMEM);
        }
        let to = self.placed(area, &remap)?;
        self.move_area(*area, remap, to, pages)
    }

    /// Where an area may go.
    fn placed(&self, area: &Vma, remap: &Remap) -> Result<PageSpan, Errno> {
        let is_fixed = remap.flags.has(RemapFlags::FIXED);
        let address = if remap.names_place() { remap.to } else { VirtAddr(0) };
        let flags = if is_fixed { MapFlags::FIXED } else { MapFlags::default() };
        let is_anonymous = area.is_anonymous() && area.is_private();
        self.place(Placing { address, pages: remap.new, flags, is_anonymous })
    }

    /// Moves one area, or part of one, to a place that the request names.
    fn remap_to(&mut self, mut remap: Remap, pages: &mut impl Pages) -> Result<VirtAddr, Errno> {
        if remap.flags.has(RemapFlags::FIXED) {
            let bytes = remap.new * PAGE;
            let span = unmapped_span(&self.layout, remap.to, bytes).ok_or(Errno::EINVAL)?;
            if self.holds_inside(span) && self.is_full(1) {
                return Err(Errno::ENOMEM);
            }
            self.take_out(span, Charges::GiveBack, pages)?;
            // It may have lain there itself.
            self.find(remap.from).ok_or(Errno::EFAULT)?;
        }
        if remap.new < remap.old {
            self.shrink_to(&remap, pages)?;
            remap.old = remap.new;
        }
        let area = *self.find(remap.from).ok_or(Errno::EFAULT)?;
        if remap.flags.has(RemapFlags::DONT_UNMAP) && !self.may_expand(area.flags, remap.old) {
            return Err(Errno::ENOMEM);
        }
        let to = self.placed(&area, &remap)?;
        self.move_area(area, remap, to, pages)
    }

    /// Moves all areas of a range, each as far from the first as it was.
    fn move_all(&mut self, remap: Remap, pages: &mut impl Pages) -> Result<VirtAddr, Errno> {
        let end = PageNumber(remap.from.0.saturating_add(remap.old));
        let (mut from, mut is_first) = (remap.from, true);
        let offset = remap.to.page().0.wrapping_sub(remap.from.0);
        while let Some((area, part)) = self.part_from(from, end) {
            if is_first && part.start() > remap.from {
                return Err(Errno::EFAULT);
            }
            let to = PageNumber(part.start().0.wrapping_add(offset)).start();
            let one = Remap { from: part.start(), old: part.pages(), new: part.pages(), to, ..remap };
            self.check_area(&area, &one)?;
            self.reserve(4)?;
            self.remap_to(one, pages)?;
            (from, is_first) = (part.end(), false);
        }
        if is_first { Err(Errno::EFAULT) } else { Ok(remap.to) }
    }

    /// Maps `to` as what the range was, moves its pages there, and unmaps the range, or leaves it empty.
    fn move_area(
        &mut self,
        area: Vma,
        remap: Remap,
        to: PageSpan,
        pages: &mut impl Pages,
    ) -> Result<VirtAddr, Errno> {
        self.check_areas_to_move()?;
        let keeps_old = remap.flags.has(RemapFlags::DONT_UNMAP);
        let more = if keeps_old { remap.new } else { remap.new - remap.old };
        let more = if area.flags.has(Flags::ACCOUNTED) { more } else { 0 };
        self.charge(more, pages)?;
        let from = PageSpan::of(remap.from, remap.old);
        if let Some(from) = from
            && let Err(refused) = pages.relocate(&area, from, to.start())
        {
            self.uncharge(more, pages);
            return Err(refused);
        }
        // Without pages yet, it may as well be new at the new place, and so be like its neighbours there.
        let is_untouched = area.is_anonymous() && area.anon.is_none();
        let offset = if is_untouched { to.start().0 } else { area.offset_of(remap.from) };
        self.add(Vma { span: to, offset, ..area }, pages)?;
        self.tally(area.flags, to.pages(), Sign::Plus);
        match from {
            Some(from) if keeps_old => self.empty_out(from),
            Some(from) => self.take_out(from, Charges::Keep, pages)?,
            None => {}
        }
        if area.flags.has(Flags::LOCKED)
            && let Some(grown) = PageSpan::new(PageNumber(to.start().0 + remap.old), to.end())
        {
            pages.populate(grown);
        }
        Ok(to.start().start())
    }

    /// The pages of `from` have moved away and it stays mapped: it is not locked any more, and if nothing of its area is left, it
    /// has no family.
    fn empty_out(&mut self, from: PageSpan) {
        let Some(old) = self.find(from.start()).copied() else { return };
        let flags = old.flags.without(Flags::LOCK);
        self.tally(old.flags, old.span.pages(), Sign::Minus);
        self.tally(flags, old.span.pages(), Sign::Plus);
        let anon = if old.span == from { None } else { old.anon };
        self.reshape(old.span.start(), Vma { flags, anon, ..old });
    }
}
