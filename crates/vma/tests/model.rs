//! A space against a list of its pages, and against a world in which the n-th request is refused.
#![expect(clippy::tests_outside_test_module, clippy::unwrap_used, reason = "an integration test")]

extern crate alloc;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use core::cell::Cell;
use core::num::NonZeroU32;

use mallow_ds::pool::Pool;
use mallow_ds::range_map::Node;
use mallow_units::{Errno, PageCount, PageNumber, PageSpan, VirtAddr};
use mallow_vma::{
    Account, Advice, AnonId, Backing, FileId, Flags, Layout, Limits, MapFlags, MapRequest, OpenFile, Pages,
    Prot, RemapFlags, Space, Store, Vma,
};
use proptest::prelude::*;

const PAGE: u64 = 4096;
/// The first page of the window on which everything happens, and its length.
const BASE: u64 = 0x1000;
const WINDOW: u64 = 48;
/// An ordinary file, and how high its number and those of others can be.
const FILE: FileId = FileId(NonZeroU32::MIN);

/// Says yes until it has burnt down.
#[derive(Clone, Default)]
struct Fuse(Rc<Cell<Option<u32>>>);

impl Fuse {
    fn grants(&self) -> bool {
        match self.0.get() {
            None => true,
            Some(0) => false,
            Some(left) => {
                self.0.set(Some(left - 1));
                true
            }
        }
    }
}

struct Fused<T> {
    slots: Vec<Option<T>>,
    fuse: Fuse,
}

impl<T> Pool<T> for Fused<T> {
    fn reserve(&mut self, _: usize) -> bool {
        self.fuse.grants()
    }
    fn take(&mut self, value: T) -> Option<u32> {
        self.slots.push(Some(value));
        u32::try_from(self.slots.len() - 1).ok()
    }
    fn give_back(&mut self, at: u32) {
        assert!(self.slots[at as usize].take().is_some(), "given back twice");
    }
    fn get(&self, at: u32) -> &T {
        self.slots[at as usize].as_ref().unwrap()
    }
    fn get_mut(&mut self, at: u32) -> &mut T {
        self.slots[at as usize].as_mut().unwrap()
    }
}

struct Tested;

impl Store for Tested {
    type Nodes = Fused<Node>;
    type Areas = Fused<Vma>;
}

/// What is behind the areas: pages that are present, charges, and how many areas show a file.
#[derive(Default)]
struct World {
    fuse: Fuse,
    present: BTreeSet<u64>,
    charged: u64,
    files: BTreeMap<FileId, u64>,
    numbers: u32,
}

impl World {
    fn ask(&self) -> Result<(), Errno> {
        if self.fuse.grants() { Ok(()) } else { Err(Errno::ENOMEM) }
    }
    fn number(&mut self) -> Result<NonZeroU32, Errno> {
        self.ask()?;
        self.numbers += 1;
        Ok(NonZeroU32::new(self.numbers + 1).unwrap())
    }
}

impl Pages for World {
    fn charge(&mut self, pages: PageCount, _: PageCount) -> Result<(), Errno> {
        self.ask()?;
        self.charged += pages.0;
        Ok(())
    }
    fn uncharge(&mut self, pages: PageCount) {
        self.charged -= pages.0;
    }
    fn new_shared(&mut self, _: PageCount, _: bool) -> Result<FileId, Errno> {
        self.number().map(FileId)
    }
    fn file_mapped(&mut self, file: FileId) {
        *self.files.entry(file).or_default() += 1;
    }
    fn file_unmapped(&mut self, file: FileId) {
        *self.files.get_mut(&file).unwrap() -= 1;
    }
    fn new_anon(&mut self, _: Option<AnonId>) -> Result<AnonId, Errno> {
        self.number().map(AnonId)
    }
    fn unmap(&mut self, area: &Vma, span: PageSpan) {
        assert!(area.span().covers(span));
        span.iter().for_each(|page| _ = self.present.remove(&page.0));
    }
    fn relocate(&mut self, area: &Vma, from: PageSpan, to: PageNumber) -> Result<(), Errno> {
        assert!(area.span().covers(from));
        self.ask()?;
        let moved: Vec<u64> =
            from.iter().map(|page| page.0).filter(|page| self.present.remove(page)).collect();
        self.present.extend(moved.iter().map(|page| page - from.start().0 + to.0));
        Ok(())
    }
}

/// What is true of one page.
type Page = (Flags, Backing, u64);
type Model = BTreeMap<u64, Page>;

#[derive(Clone, Copy, Debug)]
enum Op {
    Map { page: u64, pages: u64, prot: u32, shared: bool, file: bool, extra: u32 },
    Unmap { page: u64, pages: u64 },
    Protect { page: u64, pages: u64, prot: u32 },
    Remap { page: u64, old: u64, new: u64, flags: u32, to: u64 },
    Lock { page: u64, pages: u64, locks: bool },
    Advise { page: u64, pages: u64, advice: i32 },
    Touch { page: u64 },
    Brk { bytes: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let range = || (BASE..BASE + WINDOW, 1..12_u64);
    prop_oneof![
        6 => (range(), 0..8_u32, any::<(bool, bool)>(), prop::sample::select(vec![0, 0x100, 0x4000, 0x20000]))
            .prop_map(|((page, pages), prot, (shared, file), extra)| {
                Op::Map { page, pages, prot, shared: shared && extra == 0, file: file && extra != 0x100, extra }
            }),
        3 => range().prop_map(|(page, pages)| Op::Unmap { page, pages }),
        4 => (range(), 0..8_u32).prop_map(|((page, pages), prot)| Op::Protect { page, pages, prot }),
        4 => (range(), 0..12_u64, 0..8_u32, BASE..BASE + WINDOW)
            .prop_map(|((page, old), new, flags, to)| Op::Remap { page, old, new, flags, to }),
        2 => (range(), any::<bool>()).prop_map(|((page, pages), locks)| Op::Lock { page, pages, locks }),
        2 => (range(), prop::sample::select(vec![0, 1, 2, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 20]))
            .prop_map(|((page, pages), advice)| Op::Advise { page, pages, advice }),
        4 => (BASE..BASE + WINDOW).prop_map(|page| Op::Touch { page }),
        1 => (0..40_000_u64).prop_map(|bytes| Op::Brk { bytes }),
    ]
}

/// The heap lies at the end of the window.
const LAYOUT: Layout = Layout { heap_start: VirtAddr((BASE + WINDOW) * PAGE), ..Layout::X86_64 };

struct Rig {
    space: Space<Tested>,
    world: World,
    fuse: Fuse,
}

/// The file is open for all; a page of it is at the place of its number, so that neighbours may be one.
fn request(page: u64, pages: u64, prot: u32, shared: bool, file: bool, extra: u32) -> MapRequest {
    let kind = if shared { MapFlags::SHARED } else { MapFlags::PRIVATE };
    let anonymous = if file { MapFlags::default() } else { MapFlags::ANONYMOUS };
    MapRequest {
        address: VirtAddr(page * PAGE),
        length: pages * PAGE,
        prot: Prot(prot),
        flags: kind.with(anonymous).with(MapFlags::FIXED).with(MapFlags(extra)),
        file: Some(OpenFile::read_write(FILE)),
        offset: if file { page * PAGE } else { 0 },
    }
}

impl Rig {
    fn new() -> Self {
        let fuse = Fuse::default();
        let (nodes, areas) =
            (Fused { slots: vec![], fuse: fuse.clone() }, Fused { slots: vec![], fuse: fuse.clone() });
        let limits = Limits { locked: 20 * PAGE, ..Limits::ORDINARY };
        let world = World { fuse: fuse.clone(), ..World::default() };
        Self { space: Space::new(nodes, areas, LAYOUT, limits), world, fuse }
    }

    fn run(&mut self, op: Op) -> Result<u64, Errno> {
        let (space, world, at) = (&mut self.space, &mut self.world, |page: u64| VirtAddr(page * PAGE));
        match op {
            Op::Map { page, pages, prot, shared, file, extra } => {
                let mapped = space.mmap(&request(page, pages, prot, shared, file, extra), world);
                mapped.map(|address| address.0)
            }
            Op::Unmap { page, pages } => space.munmap(at(page), pages * PAGE, world).map(|()| 0),
            Op::Protect { page, pages, prot } => {
                space.mprotect(at(page), pages * PAGE, Prot(prot), world).map(|()| 0)
            }
            Op::Remap { page, old, new, flags, to } => {
                let moved = space.mremap(at(page), old * PAGE, new * PAGE, RemapFlags(flags), at(to), world);
                moved.map(|address| address.0)
            }
            Op::Lock { page, pages, locks: true } => {
                space.mlock(at(page), pages * PAGE, false, world).map(|()| 0)
            }
            Op::Lock { page, pages, .. } => space.munlock(at(page), pages * PAGE, world).map(|()| 0),
            Op::Advise { page, pages, advice } => {
                space.madvise(at(page), pages * PAGE, Advice(advice), world).map(|()| 0)
            }
            Op::Touch { page } => {
                let anon = space.prepare_anon(PageNumber(page), world)?;
                world.present.insert(page);
                assert_eq!(space.find(PageNumber(page)).unwrap().anon(), Some(anon));
                Ok(0)
            }
            Op::Brk { bytes } => Ok(space.brk(VirtAddr(LAYOUT.heap_start.0 + bytes), world).0),
        }
    }

    fn pages(&self) -> Model {
        let page_of = |area: &Vma, page: PageNumber| {
            // Where untouched anonymous memory was mapped first makes no difference to a program.
            let offset = if area.is_anonymous() { 0 } else { area.offset_of(page) };
            (page.0, (area.flags(), area.backing(), offset))
        };
        let pages = |area: &Vma| area.span().iter().map(|page| page_of(area, page)).collect::<Vec<_>>();
        self.space.areas().flat_map(pages).collect()
    }

    /// Everything that can be seen, areas and not only pages included.
    fn seen(&self) -> (Vec<Vma>, Account, u64, BTreeSet<u64>, u64) {
        let areas = self.space.areas().copied().collect();
        let (world, end) = (&self.world, self.space.heap_end().0);
        (areas, *self.space.account(), world.charged, world.present.clone(), end)
    }

    fn check(&self) {
        self.space.check().unwrap();
        let world = &self.world;
        assert_eq!(world.charged, self.space.account().charged.0);
        let mapped: BTreeSet<u64> = self.pages().into_keys().collect();
        assert!(world.present.is_subset(&mapped), "a page was left behind");
        for (file, count) in &world.files {
            let shows = self.space.areas().filter(|area| area.backing() == Backing::File(*file)).count();
            assert_eq!(shows as u64, *count, "areas that show {file:?}");
        }
    }
}

/// What the pages are after an operation that succeeded, as far as it can be said page by page.
fn expected(before: &Model, op: Op, result: u64) -> Option<Model> {
    let mut pages = before.clone();
    let change = |pages: &mut Model, start: u64, count: u64, change: &dyn Fn(&mut Flags)| {
        pages.range_mut(start..start + count).for_each(|(_, page)| change(&mut page.0));
    };
    match op {
        Op::Unmap { page, pages: count } => pages.retain(|at, _| !(page..page + count).contains(at)),
        Op::Protect { page, pages: count, prot } => change(&mut pages, page, count, &|flags| {
            let access = [(1, Flags::READ), (2, Flags::WRITE), (4, Flags::EXEC)];
            let given = access.into_iter().filter(|(bit, _)| prot & bit != 0);
            *flags = given.fold(flags.without(Flags::ACCESS), |flags, (_, one)| flags | one);
        }),
        Op::Lock { page, pages: count, locks } => change(&mut pages, page, count, &|flags| {
            *flags = flags.without(Flags::LOCK) | if locks { Flags::LOCKED } else { Flags::NONE };
        }),
        Op::Remap { page, old, new, flags, .. } if flags & 4 == 0 => {
            let (to, kept) = (result / PAGE, old.min(new));
            let moved: Vec<(u64, Page)> =
                (page..page + kept).filter_map(|at| Some((at, *pages.get(&at)?))).collect();
            // Where nothing comes from, what is there stays.
            let is_target = |at: u64| before.contains_key(&(at - to + page)) || at - to >= kept;
            pages.retain(|at, _| {
                !((page..page + old).contains(at) || (to..to + new).contains(at) && is_target(*at))
            });
            let last = moved.last().copied();
            pages.extend(moved.into_iter().map(|(at, one)| (at - page + to, one)));
            for at in kept..new {
                let (from, (flags, backing, offset)) = last?;
                let further = at + page - from;
                let offset = if backing == Backing::Anonymous { 0 } else { offset + further };
                pages.insert(to + at, (flags, backing, offset));
            }
        }
        _ => return None,
    }
    Some(pages)
}

/// Whether the charge of a page may differ: it depends on what the page was before.
fn without_charge(pages: Model) -> Model {
    pages
        .into_iter()
        .map(|(at, (flags, backing, offset))| (at, (flags.without(Flags::ACCOUNTED), backing, offset)))
        .collect()
}

fn is_whole(op: Op) -> bool {
    matches!(op, Op::Map { .. } | Op::Unmap { .. } | Op::Touch { .. } | Op::Brk { .. })
}

proptest! {
    #[test]
    fn every_page_is_what_the_calls_made_of_it(ops in prop::collection::vec(op(), 1..60)) {
        let mut rig = Rig::new();
        for op in ops {
            let (before, seen) = (rig.pages(), rig.seen());
            let result = rig.run(op);
            rig.check();
            match result {
                Ok(result) => {
                    if let Some(expected) = expected(&before, op, result) {
                        prop_assert_eq!(without_charge(rig.pages()), without_charge(expected), "{:?}", op);
                    }
                }
                Err(_) if is_whole(op) => prop_assert_eq!(rig.seen(), seen, "{:?}", op),
                Err(_) => {}
            }
        }
        rig.space.clear(&mut rig.world);
        rig.check();
        prop_assert_eq!((rig.space.area_count(), rig.world.charged), (0, 0));
        prop_assert!(rig.world.present.is_empty() && rig.world.files.values().all(|count| *count == 0));
    }

    #[test]
    fn a_refusal_changes_nothing(ops in prop::collection::vec(op(), 1..20), last in op()) {
        for allowed in 0.. {
            let mut rig = Rig::new();
            ops.iter().for_each(|op| _ = rig.run(*op));
            let seen = rig.seen();
            rig.fuse.0.set(Some(allowed));
            let result = rig.run(last);
            let is_burnt = rig.fuse.0.replace(None) == Some(0);
            rig.check();
            // The others go area by area, and stop.
            if is_burnt && result.is_err() && is_whole(last) {
                prop_assert_eq!(rig.seen(), seen, "{:?}, {} requests granted", last, allowed);
            }
            if !is_burnt {
                break;
            }
        }
    }

    #[test]
    fn a_child_is_refused_whole(ops in prop::collection::vec(op(), 1..20)) {
        for allowed in 0.. {
            let mut rig = Rig::new();
            ops.iter().for_each(|op| _ = rig.run(*op));
            let seen = rig.seen();
            rig.fuse.0.set(Some(allowed));
            let nodes = Fused { slots: vec![], fuse: rig.fuse.clone() };
            let areas = Fused { slots: vec![], fuse: rig.fuse.clone() };
            let child = rig.space.fork(nodes, areas, &mut rig.world);
            rig.fuse.0.set(None);
            match child {
                Err(errno) => {
                    prop_assert_eq!((errno, rig.seen()), (Errno::ENOMEM, seen));
                    rig.check();
                }
                Ok(mut child) => {
                    child.check().unwrap();
                    prop_assert_eq!(child.account().locked, PageCount(0));
                    child.clear(&mut World { charged: u64::MAX / 2, files: rig.world.files.clone(), ..World::default() });
                    prop_assert_eq!(child.area_count(), 0);
                    break;
                }
            }
        }
    }
}
