//! `mmap`: check, place, charge, unmap what is in the way, add.

use mallow_units::{Errno, PageCount, PageNumber, PageSpan, VirtAddr};

use crate::area::{FileId, Vma};
use crate::edit::{Charges, PAGE, Sign, is_charged};
use crate::flags::Flags;
use crate::pages::Pages;
use crate::place::Placing;
use crate::request::{MapFlags, MapRequest, OpenFile, Prot};
use crate::space::Space;
use crate::store::Store;

/// Flags that a mapping of the kind `SHARED_VALIDATE` may have.
const KNOWN: MapFlags = MapFlags(
    MapFlags::KIND.0
        | MapFlags::FIXED.0
        | MapFlags::ANONYMOUS.0
        | MapFlags::BELOW_2G.0
        | MapFlags::ABOVE_4G.0
        | MapFlags::GROWS_DOWN.0
        | MapFlags::DENY_WRITE.0
        | MapFlags::EXECUTABLE.0
        | MapFlags::LOCKED.0
        | MapFlags::NO_RESERVE.0
        | MapFlags::POPULATE.0
        | MapFlags::NON_BLOCK.0
        | MapFlags::STACK.0
        | MapFlags::HUGE_TLB.0
        | MapFlags::HUGE_SIZE.0,
);

/// Where the bits of [`MapFlags::HUGE_SIZE`] begin.
const HUGE_SIZE_AT: u32 = MapFlags::HUGE_SIZE.0.trailing_zeros();

/// What a mapping shows.
#[derive(Clone, Copy)]
enum Shows {
    Anonymous,
    /// Anonymous, but shared: the file is not made yet.
    NewShared,
    File(FileId),
}

/// A request that has been found good.
struct Plan {
    span: PageSpan,
    flags: Flags,
    shows: Shows,
    offset: u64,
}

impl<S: Store> Space<S> {
    /// `mmap(2)`: maps, and returns where.
    ///
    /// With `FIXED` what is in the way is unmapped first. Neighbours that are alike become one area. Huge pages of their own
    /// pool (`HUGE_TLB`) there are none: `ENOMEM`.
    ///
    /// Cost: a few lookups; allocates at most one area. [`Pages::populate`] is told of `POPULATE` and `LOCKED` at the end.
    ///
    /// # Errors
    ///
    /// Those of Linux, in its order; on error nothing has changed.
    ///
    /// - `EINVAL`: the offset or a fixed address is not a multiple of the page size; no length; no kind, or one that does
    ///   not go with the other flags.
    /// - `EBADF`: no file.
    /// - `ENOMEM`: no room, too many areas, a limit, or no commitment.
    /// - `EOVERFLOW`: the file offset does not fit.
    /// - `EEXIST`: something is there, with `FIXED_NO_REPLACE`.
    /// - `EPERM`: too low an address, `LOCKED` without the right to, or `EXEC` from a file system mounted `noexec`.
    /// - `EAGAIN`: too much locked memory.
    /// - `EACCES`: the file is not open for that.
    /// - `ENODEV`: the file cannot be mapped.
    /// - `EOPNOTSUPP`: `SHARED_VALIDATE` with flags that a file does not know.
    pub fn mmap(&mut self, request: &MapRequest, pages: &mut impl Pages) -> Result<VirtAddr, Errno> {
        let plan = self.plan(request)?;
        self.reserve(2)?;
        if self.holds_inside(plan.span) && self.is_full(1) {
            return Err(Errno::ENOMEM);
        }
        let (replaced, paid) = self.sum_of(plan.span);
        if !self.may_expand(plan.flags, plan.span.pages() - replaced) {
            return Err(Errno::ENOMEM);
        }
        let (mut flags, mut charges) = (plan.flags, Charges::GiveBack);
        if is_charged(flags) {
            // What is replaced has paid for its place already.
            self.charge(plan.span.pages() - paid, pages)?;
            flags = flags | Flags::ACCOUNTED;
            charges = Charges::Keep;
        }
        let backing = match plan.shows {
            Shows::Anonymous => None,
            Shows::File(file) => Some(file),
            Shows::NewShared => {
                let is_unreserved = flags.has(Flags::NO_RESERVE);
                Some(pages.new_shared(PageCount(plan.span.pages()), is_unreserved)?)
            }
        };
        self.take_out(plan.span, charges, pages)?;
        let area = Vma { span: plan.span, offset: plan.offset, flags, backing, anon: None };
        self.add(area, pages)?;
        self.tally(flags, plan.span.pages(), Sign::Plus);
        let populates = request.flags.has(MapFlags::POPULATE) && !request.flags.has(MapFlags::NON_BLOCK);
        // What may vanish is not locked in future either, but Linux faults it in as if it were.
        let counts_as_locked =
            flags.has(Flags::LOCKED) || flags.has(Flags::DROPPABLE) && self.future.has(Flags::LOCKED);
        if counts_as_locked || populates {
            pages.populate(plan.span);
        }
        Ok(plan.span.start().start())
    }

    /// Everything that is refused for the request's own sake.
    fn plan(&self, request: &MapRequest) -> Result<Plan, Errno> {
        let &MapRequest { address, length, prot, mut flags, file, offset } = request;
        if !offset.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        let file = if flags.has(MapFlags::ANONYMOUS) { None } else { Some(file.ok_or(Errno::EBADF)?) };
        // There are pages of 2 MiB and 1 GiB; no bits stand for the smaller.
        let is_size_known = matches!(flags.0 >> HUGE_SIZE_AT, 0 | 21 | 30);
        let is_huge = flags.has(MapFlags::HUGE_TLB);
        if length == 0 || is_huge && (file.is_some() || !is_size_known) {
            return Err(Errno::EINVAL);
        }
        if is_huge {
            return Err(Errno::ENOMEM);
        }
        if flags.has(MapFlags::FIXED_NO_REPLACE) {
            flags = flags.with(MapFlags::FIXED);
        }
        let count = PageCount::holding(length).0;
        let offset = offset / PAGE;
        if count > u64::MAX / PAGE {
            return Err(Errno::ENOMEM);
        }
        if self.area_count() > self.limits.max_areas as usize {
            return Err(Errno::ENOMEM);
        }
        let is_low = address.page() != PageNumber(0) && address.page() < self.layout.lowest_chosen;
        let address =
            if is_low && !flags.has(MapFlags::FIXED) { self.layout.lowest_chosen.start() } else { address };
        let kind = MapFlags(flags.0 & MapFlags::KIND.0);
        let is_anonymous = file.is_none() && !flags.has(MapFlags::SHARED);
        let span = self.place(Placing { address, pages: count, flags, is_anonymous })?;
        if flags.has(MapFlags::FIXED_NO_REPLACE) && self.areas_in(span).next().is_some() {
            return Err(Errno::EEXIST);
        }
        let may_lock = self.limits.locked != 0 || self.limits.may_lock_all;
        if flags.has(MapFlags::LOCKED) && !may_lock {
            return Err(Errno::EPERM);
        }
        let common = self.flags_of(prot, flags);
        if !self.may_lock(common, count) {
            return Err(Errno::EAGAIN);
        }
        let (flags, shows, offset) = match file {
            Some(file) => {
                let last = offset.checked_add(count).ok_or(Errno::EOVERFLOW)?;
                if last > MOST_FILE_PAGES {
                    return Err(Errno::EOVERFLOW);
                }
                (file_flags(common, kind, flags, prot, &file)?, Shows::File(file.file), offset)
            }
            None => match kind {
                MapFlags::SHARED if common.has(Flags::GROWS_DOWN) => return Err(Errno::EINVAL),
                MapFlags::SHARED => (common | Flags::SHARED | Flags::MAY_SHARE, Shows::NewShared, 0),
                MapFlags::DROPPABLE => {
                    if flags.has(MapFlags::LOCKED) || common.has(Flags::GROWS_DOWN) {
                        return Err(Errno::EINVAL);
                    }
                    let droppable =
                        Flags::DROPPABLE | Flags::NO_RESERVE | Flags::WIPE_ON_FORK | Flags::DONT_DUMP;
                    (common.without(Flags::LOCK) | droppable, Shows::Anonymous, span.start().0)
                }
                MapFlags::PRIVATE => (common, Shows::Anonymous, span.start().0),
                _ => return Err(Errno::EINVAL),
            },
        };
        let is_unreserved = request.flags.has(MapFlags::NO_RESERVE) && !self.limits.never_overcommit;
        let flags = if is_unreserved { flags | Flags::NO_RESERVE } else { flags };
        Ok(Plan { span, flags, shows, offset })
    }

    /// The flags of an area, whatever it shows.
    fn flags_of(&self, prot: Prot, flags: MapFlags) -> Flags {
        let mut area = access_of(prot) | self.future | Flags::MAY_READ | Flags::MAY_WRITE | Flags::MAY_EXEC;
        for (asked, given) in [
            (MapFlags::GROWS_DOWN, Flags::GROWS_DOWN),
            (MapFlags::LOCKED, Flags::LOCKED),
            (MapFlags::STACK, Flags::NO_HUGE_PAGE),
        ] {
            if flags.has(asked) {
                area = area | given;
            }
        }
        area
    }

    /// Whether an area goes beyond `span` on both sides.
    pub(crate) fn holds_inside(&self, span: PageSpan) -> bool {
        self.find(span.start())
            .is_some_and(|area| area.span().start() < span.start() && span.end() < area.span().end())
    }

    /// Pages mapped in `span`, and those of them that are charged.
    fn sum_of(&self, span: PageSpan) -> (u64, u64) {
        let mut sums = (0, 0);
        for area in self.areas_in(span) {
            let pages = area.span.common(span).map_or(0, PageSpan::pages);
            sums.0 += pages;
            sums.1 += if area.flags.has(Flags::ACCOUNTED) { pages } else { 0 };
        }
        sums
    }
}

/// Bytes of the largest file, in pages: 2^63 - 1 and whole pages.
const MOST_FILE_PAGES: u64 = i64::MAX.cast_unsigned() / PAGE;

/// The access that `prot` asks for.
pub(crate) fn access_of(prot: Prot) -> Flags {
    let mut access = Flags::NONE;
    for (asked, given) in [(Prot::READ, Flags::READ), (Prot::WRITE, Flags::WRITE), (Prot::EXEC, Flags::EXEC)]
    {
        if prot.has(asked) {
            access = access | given;
        }
    }
    access
}

/// The flags of an area that shows a file.
fn file_flags(
    common: Flags,
    kind: MapFlags,
    asked: MapFlags,
    prot: Prot,
    file: &OpenFile,
) -> Result<Flags, Errno> {
    let mut flags = common;
    match kind {
        MapFlags::SHARED | MapFlags::SHARED_VALIDATE => {
            let is_strict = kind == MapFlags::SHARED_VALIDATE;
            if is_strict && asked.without(KNOWN).0 != 0 {
                return Err(Errno::EOPNOTSUPP);
            }
            if prot.has(Prot::WRITE) && !file.is_writable {
                return Err(Errno::EACCES);
            }
            flags = flags | Flags::SHARED | Flags::MAY_SHARE;
            if !file.is_writable {
                flags = flags.without(Flags::MAY_WRITE | Flags::SHARED);
            }
        }
        MapFlags::PRIVATE => {}
        _ => return Err(Errno::EINVAL),
    }
    if !file.is_readable {
        return Err(Errno::EACCES);
    }
    if file.is_no_exec {
        if flags.has(Flags::EXEC) {
            return Err(Errno::EPERM);
        }
        flags = flags.without(Flags::MAY_EXEC);
    }
    if !file.is_mappable {
        return Err(Errno::ENODEV);
    }
    if flags.has(Flags::GROWS_DOWN) {
        return Err(Errno::EINVAL);
    }
    Ok(flags)
}
