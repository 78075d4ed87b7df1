//! What both simulated sides say about the areas of a process, in the words of `/proc`.

use mallow_units::{PageCount, PageNumber, VirtAddr};
use mallow_vma::{Backing, FileId, Flags, Growing, Layout, Limits, MapFlags, MapRequest, Prot, Space, Vma};

use crate::live::{Ground, HEAP_PAGES, Totals};
use crate::transcript::Area;

const PAGE: u64 = 4096;

/// Where things lie on the live side.
pub(crate) fn layout(ground: &Ground) -> Layout {
    let top = VirtAddr(ground.arena_end).page();
    Layout { lowest: ground.lowest.page(), top, heap_start: VirtAddr(ground.heap), ..Layout::X86_64 }
}

/// What a process may use there.
pub(crate) fn limits(ground: &Ground) -> Limits {
    Limits { locked: ground.locked_limit, stack: ground.stack_limit, ..Limits::ORDINARY }
}

/// As much as the live process has outside the arena, so that what counts all mappings counts these.
pub(crate) fn elsewhere(ground: &Ground) -> MapRequest {
    let flags = MapFlags::SHARED.with(MapFlags::ANONYMOUS).with(MapFlags::NO_RESERVE);
    let request = MapRequest { flags, ..MapRequest::anonymous(ground.totals.size << 10, Prot::NONE) };
    request.at(VirtAddr(ground.arena_end))
}

/// The areas that belong to a script.
pub(crate) fn of_script<'space>(
    space: &'space Space<Growing>,
    ground: &Ground,
) -> impl Iterator<Item = &'space Vma> {
    let end = PageNumber(ground.arena_end / PAGE);
    space.areas().filter(move |area| area.span().start() < end)
}

/// Whether the live side reports a page's entry: not all that a script could reach is looked at.
pub(crate) fn is_looked_at(page: u64, ground: &Ground) -> bool {
    let (arena, heap) = (ground.arena / PAGE, ground.heap / PAGE);
    (arena..ground.arena_end / PAGE).contains(&page) || (heap..heap + HEAP_PAGES as u64).contains(&page)
}

/// The line of `maps`.
pub(crate) fn line(
    space: &Space<Growing>,
    area: &Vma,
    ground: &Ground,
    is_named: impl Fn(FileId) -> bool,
) -> Area {
    let flags = area.flags();
    let letter = |flag, letter| if flags.has(flag) { letter } else { '-' };
    let sharing = if area.is_private() { 'p' } else { 's' };
    let access = [letter(Flags::READ, 'r'), letter(Flags::WRITE, 'w'), letter(Flags::EXEC, 'x'), sharing];
    let (start, end) = (area.span().start().start().0, area.span().end().start().0);
    let (name, offset) = match area.backing() {
        Backing::File(file) if is_named(file) => ("file", area.offset() * PAGE),
        Backing::File(_) => ("shared", area.offset() * PAGE),
        Backing::Anonymous if start < space.heap_end().0 && end > ground.heap => ("[heap]", 0),
        Backing::Anonymous => ("anon", 0),
    };
    Area { start, end, access: access.iter().collect(), offset, name: name.to_owned() }
}

/// The two-letter flags.
pub(crate) fn flags(area: &Vma) -> Vec<String> {
    area.flags().to_string().split(' ').map(str::to_owned).collect()
}

/// The sums over all areas.
pub(crate) fn totals(space: &Space<Growing>) -> Totals {
    let account = space.account();
    let kib = |pages: PageCount| pages.0 * 4;
    Totals {
        size: kib(account.total),
        locked: kib(account.locked),
        data: kib(account.data),
        stack: kib(account.stack),
        anonymous: 0,
    }
}
