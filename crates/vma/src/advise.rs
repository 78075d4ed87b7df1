//! `madvise` and `mincore`: what a program says, and asks, about pages.

use mallow_units::{Errno, PageNumber, PageSpan, VirtAddr};

use crate::area::Vma;
use crate::edit::PAGE;
use crate::flags::Flags;
use crate::pages::Pages;
use crate::protect::span_of;
use crate::request::Advice;
use crate::space::Space;
use crate::store::Store;

/// What an advice does with one area.
enum Deed {
    /// The area has these flags from now on.
    Flags(Flags),
    /// The pages are dealt with at once.
    Pages,
    /// Nothing.
    Nothing,
}

impl<S: Store> Space<S> {
    /// `madvise(2)`.
    ///
    /// Advice that changes what an area is splits and merges areas; the other is passed to [`Pages::advise`], area by area. Holes
    /// are passed over, and reported at the end.
    ///
    /// # Errors
    ///
    /// Those of Linux.
    ///
    /// - `EINVAL`: unknown advice, `address` is not a multiple of the page size, the range goes around the end, or the advice
    ///   does not go with an area: `DONT_NEED`, `FREE`, `COLD` and `PAGE_OUT` with a locked one, `FREE` and `WIPE_ON_FORK` with
    ///   a file, `REMOVE` without one, `POPULATE_READ` and `POPULATE_WRITE` without the access.
    /// - `EACCES`: `REMOVE` of a file that is not mapped shared and writable.
    /// - `ENOMEM`: a hole; too many areas.
    /// - What [`Pages::advise`] says.
    pub fn madvise(
        &mut self,
        address: VirtAddr,
        length: u64,
        advice: Advice,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        if !is_known(advice) || address.offset() != 0 {
            return Err(Errno::EINVAL);
        }
        if length == 0 {
            return Ok(());
        }
        let span = span_of(address.page(), length).ok_or(Errno::EINVAL)?;
        let stops_at_holes = matches!(advice, Advice::POPULATE_READ | Advice::POPULATE_WRITE);
        self.reserve(2)?;
        let (mut next, mut has_hole) = (span.start(), false);
        while let Some((area, part)) = self.part_from(next, span.end()) {
            has_hole |= part.start() != next;
            if has_hole && stops_at_holes {
                break;
            }
            self.advise_part(area, part, advice, pages)?;
            next = part.end();
        }
        if has_hole || next < span.end() { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    fn advise_part(
        &mut self,
        area: Vma,
        part: PageSpan,
        advice: Advice,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        match deed(&area, advice)? {
            Deed::Flags(flags) if flags != area.flags => self.modify(area, part, flags, pages),
            Deed::Flags(_) | Deed::Nothing => Ok(()),
            Deed::Pages => {
                if advice == Advice::GUARD_INSTALL {
                    // All of the area is marked, and stays so: it is not split for this.
                    self.reshape(area.span.start(), Vma { flags: area.flags | Flags::MAYBE_GUARDED, ..area });
                    // An anonymous one has a family from then on, though no page of its own.
                    if area.is_anonymous() {
                        self.prepare_anon(area.span.start(), pages)?;
                    }
                }
                pages.advise(&area, part, advice)
            }
        }
    }

    /// `mincore(2)`: shows each page of the range with its area to `visit`, the lowest first.
    ///
    /// Whether the page is in memory, the caller knows.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `address` is not a multiple of the page size; `ENOMEM` for a range beyond the space, or a hole: pages below it
    /// have been shown then.
    pub fn mincore(
        &self,
        address: VirtAddr,
        length: u64,
        mut visit: impl FnMut(PageNumber, &Vma),
    ) -> Result<(), Errno> {
        if address.offset() != 0 {
            return Err(Errno::EINVAL);
        }
        let end = self.layout.end.0 * PAGE;
        if address.0 > end || length > end - address.0 {
            return Err(Errno::ENOMEM);
        }
        let Some(span) = span_of(address.page(), length) else { return Ok(()) };
        let mut next = span.start();
        for area in self.areas_in(span) {
            let Some(part) = area.span.common(span).filter(|part| part.start() == next) else { break };
            part.iter().for_each(|page| visit(page, area));
            next = part.end();
        }
        if next < span.end() { Err(Errno::ENOMEM) } else { Ok(()) }
    }
}

const fn is_known(advice: Advice) -> bool {
    matches!(advice.0, 0..=4 | 8..=25 | 102 | 103)
}

/// What `advice` does with `area`, or why it does not go with it.
fn deed(area: &Vma, advice: Advice) -> Result<Deed, Errno> {
    let flags = area.flags;
    let is_locked = flags.has(Flags::LOCKED);
    let refuse_if = |refused: bool, deed: Deed| if refused { Err(Errno::EINVAL) } else { Ok(deed) };
    let set = |flags| Ok(Deed::Flags(flags));
    match advice {
        Advice::NORMAL => set(flags.without(Flags::SEQUENTIAL | Flags::RANDOM)),
        Advice::SEQUENTIAL => set(flags.without(Flags::RANDOM) | Flags::SEQUENTIAL),
        Advice::RANDOM => set(flags.without(Flags::SEQUENTIAL) | Flags::RANDOM),
        Advice::DONT_FORK => set(flags | Flags::DONT_COPY),
        Advice::DO_FORK => set(flags.without(Flags::DONT_COPY)),
        Advice::WIPE_ON_FORK => refuse_if(!area.is_anonymous(), Deed::Flags(flags | Flags::WIPE_ON_FORK)),
        Advice::KEEP_ON_FORK => {
            refuse_if(flags.has(Flags::DROPPABLE), Deed::Flags(flags.without(Flags::WIPE_ON_FORK)))
        }
        Advice::DONT_DUMP => set(flags | Flags::DONT_DUMP),
        Advice::DO_DUMP => {
            refuse_if(flags.has(Flags::DROPPABLE), Deed::Flags(flags.without(Flags::DONT_DUMP)))
        }
        Advice::HUGE_PAGE => set(flags.without(Flags::NO_HUGE_PAGE) | Flags::HUGE_PAGE),
        Advice::NO_HUGE_PAGE => set(flags.without(Flags::HUGE_PAGE) | Flags::NO_HUGE_PAGE),
        Advice::MERGEABLE if flags.has_any(Flags::MAY_SHARE | Flags::DROPPABLE) => Ok(Deed::Nothing),
        Advice::MERGEABLE => set(flags | Flags::MERGEABLE),
        Advice::UNMERGEABLE => set(flags.without(Flags::MERGEABLE)),
        Advice::DONT_NEED | Advice::COLD | Advice::PAGE_OUT => refuse_if(is_locked, Deed::Pages),
        Advice::FREE => refuse_if(is_locked || !area.is_anonymous(), Deed::Pages),
        Advice::REMOVE => match flags.has(Flags::SHARED) && flags.has(Flags::MAY_WRITE) {
            _ if is_locked || area.is_anonymous() => Err(Errno::EINVAL),
            true => Ok(Deed::Pages),
            false => Err(Errno::EACCES),
        },
        Advice::GUARD_INSTALL => refuse_if(is_locked, Deed::Pages),
        Advice::POPULATE_READ => refuse_if(!flags.has(Flags::READ), Deed::Pages),
        Advice::POPULATE_WRITE => refuse_if(!flags.has(Flags::WRITE), Deed::Pages),
        _ => Ok(Deed::Pages),
    }
}
