//! The calls, one after the other, with what Linux answers.
#![expect(clippy::tests_outside_test_module, clippy::unwrap_used, reason = "an integration test")]

use mallow_units::{Errno, VirtAddr};
use mallow_vma::{Advice, Fixed, Layout, Limits, MapFlags, MapRequest, Prot, RemapFlags, Space, Unbacked};

type Small = Space<Fixed<32, 64>>;

const PAGE: u64 = 4096;
const AT: u64 = 0x10_0000_0000;
const RW: Prot = Prot::READ.with(Prot::WRITE);

fn space() -> (Small, Unbacked) {
    let space = Small::new(Default::default(), Default::default(), Layout::X86_64, Limits::ORDINARY);
    (space, Unbacked::default())
}

fn at(page: u64) -> VirtAddr {
    VirtAddr(AT + page * PAGE)
}

fn map(space: &mut Small, world: &mut Unbacked, page: u64, pages: u64, prot: Prot) {
    let request = MapRequest::anonymous(pages * PAGE, prot).at(at(page));
    assert_eq!(space.mmap(&request, world), Ok(at(page)));
}

/// Areas as `start-end access`, in pages from `AT`.
fn shown(space: &Small) -> Vec<String> {
    space.check().unwrap();
    let page = |address: VirtAddr| (address.0 - AT) / PAGE;
    let text = space.maps(|_| Default::default()).to_string();
    let access = text.lines().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect::<Vec<_>>();
    let spans = space.areas().map(|area| area.span()).zip(access);
    spans
        .map(|(span, access)| format!("{}-{} {access}", page(span.start().start()), page(span.end().start())))
        .collect()
}

#[test]
fn neighbours_that_are_alike_are_one_area() {
    let (mut space, mut world) = space();
    map(&mut space, &mut world, 0, 4, RW);
    map(&mut space, &mut world, 8, 4, RW);
    map(&mut space, &mut world, 4, 4, RW);
    assert_eq!(shown(&space), ["0-12 rw-p"]);
    space.munmap(at(5), 2 * PAGE, &mut world).unwrap();
    assert_eq!(shown(&space), ["0-5 rw-p", "7-12 rw-p"]);
    assert_eq!(space.account().total.0, 10);
    assert_eq!(space.account().charged.0, 10);
}

#[test]
fn protection_splits_and_joins() {
    let (mut space, mut world) = space();
    map(&mut space, &mut world, 0, 12, RW);
    space.mprotect(at(4), 4 * PAGE, Prot::READ, &mut world).unwrap();
    assert_eq!(shown(&space), ["0-4 rw-p", "4-8 r--p", "8-12 rw-p"]);
    space.mprotect(at(0), 12 * PAGE, Prot::READ, &mut world).unwrap();
    assert_eq!(shown(&space), ["0-12 r--p"]);
    assert_eq!(space.mprotect(at(10), 4 * PAGE, RW, &mut world), Err(Errno::ENOMEM));
    assert_eq!(shown(&space), ["0-10 r--p", "10-12 rw-p"], "what lies below the hole has changed");
    assert_eq!(space.mprotect(at(0), PAGE, Prot(16), &mut world), Err(Errno::EINVAL));
}

#[test]
fn placement_is_top_down() {
    let (mut space, mut world) = space();
    let request = MapRequest::anonymous(3 * PAGE, RW);
    let first = space.mmap(&request, &mut world).unwrap();
    let second = space.mmap(&request, &mut world).unwrap();
    assert_eq!(first.0, Layout::X86_64.top.start().0 - 3 * PAGE);
    assert_eq!(second.0, first.0 - 3 * PAGE);
    assert_eq!(space.area_count(), 1);
    let huge = space.mmap(&MapRequest::anonymous(4 << 20, RW), &mut world).unwrap();
    assert_eq!(huge.0 % (2 << 20), 0, "whole huge pages are aligned");
}

#[test]
fn the_heap_grows_and_shrinks() {
    let (mut space, mut world) = space();
    let start = Layout::X86_64.heap_start;
    assert_eq!(space.brk(VirtAddr(0), &mut world), start);
    let end = VirtAddr(start.0 + 3 * PAGE + 5);
    assert_eq!(space.brk(end, &mut world), end);
    assert_eq!(space.account().data.0, 4);
    assert_eq!(space.brk(VirtAddr(start.0 - 1), &mut world), end);
    assert_eq!(space.brk(start, &mut world), start);
    assert_eq!(space.area_count(), 0);
}

#[test]
fn a_mapping_moves_and_grows() {
    let (mut space, mut world) = space();
    map(&mut space, &mut world, 0, 4, RW);
    map(&mut space, &mut world, 4, 1, Prot::READ);
    let grow = |space: &mut Small, world: &mut Unbacked, flags| {
        space.mremap(at(0), 4 * PAGE, 6 * PAGE, flags, VirtAddr(0), world)
    };
    assert_eq!(grow(&mut space, &mut world, RemapFlags(0)), Err(Errno::ENOMEM));
    let moved = grow(&mut space, &mut world, RemapFlags::MAY_MOVE).unwrap();
    assert_eq!(moved.0, Layout::X86_64.top.start().0 - 6 * PAGE);
    assert_eq!(space.account().total.0, 7);
    assert_eq!(space.account().charged.0, 6);
    space.check().unwrap();
}

#[test]
fn advice_makes_areas_and_reports_holes() {
    let (mut space, mut world) = space();
    map(&mut space, &mut world, 0, 4, RW);
    map(&mut space, &mut world, 6, 2, RW);
    let advise =
        |space: &mut Small, world: &mut Unbacked, advice| space.madvise(at(2), 5 * PAGE, advice, world);
    assert_eq!(advise(&mut space, &mut world, Advice::DONT_FORK), Err(Errno::ENOMEM));
    assert_eq!(shown(&space), ["0-2 rw-p", "2-4 rw-p", "6-7 rw-p", "7-8 rw-p"]);
    assert_eq!(advise(&mut space, &mut world, Advice(7)), Err(Errno::EINVAL));
}

#[test]
fn a_stack_keeps_its_distance() {
    let (mut space, mut world) = space();
    let stack = MapRequest::anonymous(2 * PAGE, RW).at(at(1000));
    let stack = MapRequest { flags: stack.flags.with(MapFlags::GROWS_DOWN), ..stack };
    space.mmap(&stack, &mut world).unwrap();
    map(&mut space, &mut world, 100, 1, RW);
    space.grow_stack(at(900).page(), &mut world).unwrap();
    assert_eq!(space.grow_stack(at(101 + 255).page(), &mut world), Err(Errno::ENOMEM));
    space.grow_stack(at(101 + 256).page(), &mut world).unwrap();
    assert_eq!(shown(&space), ["100-101 rw-p", "357-1002 rw-p"]);
}

#[test]
fn locks_are_counted_and_limited() {
    let (mut space, mut world) = space();
    space.set_limits(Limits { locked: 4 * PAGE, ..Limits::ORDINARY });
    map(&mut space, &mut world, 0, 8, RW);
    space.mlock(at(1), 3 * PAGE, false, &mut world).unwrap();
    assert_eq!(space.mlock(at(3), 3 * PAGE, false, &mut world), Err(Errno::ENOMEM));
    space.mlock(at(2), 3 * PAGE, false, &mut world).unwrap();
    assert_eq!((shown(&space).len(), space.account().locked.0), (3, 4));
    space.munlockall(&mut world).unwrap();
    assert_eq!((shown(&space), space.account().locked.0), (vec!["0-8 rw-p".to_owned()], 0));
}

#[test]
fn a_child_gets_what_is_not_kept_from_it() {
    let (mut space, mut world) = space();
    map(&mut space, &mut world, 0, 8, RW);
    space.prepare_anon(at(0).page(), &mut world).unwrap();
    space.madvise(at(2), 2 * PAGE, Advice::DONT_FORK, &mut world).unwrap();
    space.mlock(at(0), PAGE, false, &mut world).unwrap();
    let mut child = space.fork(Default::default(), Default::default(), &mut world).unwrap();
    assert_eq!(shown(&child), ["0-1 rw-p", "1-2 rw-p", "4-8 rw-p"]);
    assert_eq!((child.account().charged.0, child.account().locked.0), (6, 0));
    child.clear(&mut world);
    assert_eq!(child.account(), &Default::default());
}

#[test]
fn the_text_is_that_of_the_kernel() {
    let (mut space, mut world) = space();
    let heap = Layout::X86_64.heap_start;
    space.brk(VirtAddr(heap.0 + PAGE), &mut world);
    let expected = "555555579000-55555557a000 rw-p 00000000 00:00 0                          [heap]\n";
    assert_eq!(space.maps(|_| Default::default()).to_string(), expected);
}
