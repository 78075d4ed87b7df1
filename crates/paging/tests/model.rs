//! A page table against a list of pages, with memory running out at every point.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

extern crate alloc;

use alloc::collections::BTreeMap;

use mallow_paging::range::Harvest;
use mallow_paging::{Access, ArrayTables, Entry, Level, PageTable, PagingError, Rights, Tables};
use mallow_units::{FrameNumber, PageNumber, PageSpan};
use proptest::prelude::*;

const TABLES: usize = 64;

/// What a page is, apart from the level of its entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Page {
    frame: u32,
    rights: Rights,
    accessed: bool,
    dirty: bool,
}

type Model = BTreeMap<u64, Page>;

#[derive(Clone, Debug)]
enum Op {
    Set(u64, u32, Rights),
    Take(u64),
    Run(u64, u64, u32, Rights),
    Block(u64, u32, Rights),
    Protect(u64, u64, Rights),
    Unmap(u64, u64),
    Use(u64, Access),
    Harvest(u64, u64, bool),
    Relocate(u64, u64, u64),
    Split(u64),
    Join(u64),
}

/// Pages around the borders of tables of every level, in both halves of the address space.
fn page() -> impl Strategy<Value = u64> {
    let border = prop_oneof![
        Just(512_u64),
        Just(1024),
        Just(1 << 18),
        Just(1 << 27),
        Just((1 << 52) - 1024),
        Just((1 << 52) - (1 << 18))
    ];
    (border, -6_i64..12, prop_oneof![4 => Just(0_i64), 1 => Just(512), 1 => Just(-512)])
        .prop_map(|(border, near, table)| border.wrapping_add_signed(near + table).min((1 << 52) - 1))
}

fn length() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 1_u64..9, 1 => 500_u64..530, 1 => Just(1024)]
}

fn rights() -> impl Strategy<Value = Rights> {
    prop::sample::select(vec![Rights::NONE, Rights::READ, Rights::READ_WRITE, Rights::READ_EXECUTE])
}

fn op() -> impl Strategy<Value = Op> {
    let access = prop::sample::select(vec![Access::Read, Access::Write, Access::Execute]);
    prop_oneof![
        3 => (page(), 0..4096_u32, rights()).prop_map(|(p, f, r)| Op::Set(p, f, r)),
        2 => page().prop_map(Op::Take),
        2 => (page(), length(), 0..4096_u32, rights()).prop_map(|(p, n, f, r)| Op::Run(p, n, f, r)),
        2 => (page(), 0..8_u32, rights()).prop_map(|(p, f, r)| Op::Block(p & !511, f * 512, r)),
        2 => (page(), length(), rights()).prop_map(|(p, n, r)| Op::Protect(p, n, r)),
        2 => (page(), length()).prop_map(|(p, n)| Op::Unmap(p, n)),
        2 => (page(), access).prop_map(|(p, a)| Op::Use(p, a)),
        1 => (page(), length(), any::<bool>()).prop_map(|(p, n, d)| Op::Harvest(p, n, d)),
        2 => (page(), length(), page()).prop_map(|(p, n, to)| Op::Relocate(p, n, to)),
        1 => page().prop_map(Op::Split),
        1 => page().prop_map(|p| Op::Join(p & !511)),
    ]
}

/// Every page that is mapped, by the tables.
fn mapped(space: &PageTable, tables: &impl Tables) -> Model {
    let halves =
        [PageSpan::of(PageNumber(0), 1 << 35), PageSpan::of(PageNumber((1 << 52) - (1 << 35)), 1 << 35)];
    let mut model = Model::new();
    for found in halves.into_iter().flatten().flat_map(|half| space.entries(tables, half)) {
        for (page, frame) in
            (found.page.0..found.page.0 + found.level.pages()).zip(found.entry.frame_number().0..)
        {
            let entry = found.entry;
            let (accessed, dirty) = (entry.is_accessed(), entry.is_dirty());
            let old = model.insert(page, Page { frame, rights: entry.rights(), accessed, dirty });
            assert_eq!(old, None, "page {page:#x} is mapped twice");
        }
    }
    model
}

fn span(page: u64, pages: u64) -> PageSpan {
    PageSpan::of(PageNumber(page), pages.min((1 << 52) - page)).expect("at least a page")
}

/// Does `op` to both; returns whether memory ran out.
fn step<const N: usize>(
    op: &Op,
    space: &mut PageTable,
    tables: &mut ArrayTables<N>,
    model: &mut Model,
) -> bool {
    let fresh = |frame, rights| Page { frame, rights, accessed: false, dirty: false };
    let occupied = |model: &Model, span: PageSpan| model.range(span.start().0..span.end().0).next().is_some();
    let outcome = match *op {
        Op::Set(page, frame, rights) => {
            let done = space.set(tables, PageNumber(page), Entry::frame(FrameNumber(frame), rights));
            if done.is_ok() {
                model.insert(page, fresh(frame, rights));
            }
            done.map(drop)
        }
        Op::Take(page) => {
            let done = space.take(tables, PageNumber(page));
            if let Ok(old) = done {
                assert_eq!(old.mapped().is_some(), model.remove(&page).is_some());
            }
            done.map(drop)
        }
        Op::Run(page, pages, frame, rights) => {
            let span = span(page, pages);
            let first = model.range(span.start().0..span.end().0).next().map(|(page, _)| *page);
            let done = space.map_run(tables, span, FrameNumber(frame), rights);
            match (done, first) {
                (Ok(()), None) => {
                    model
                        .extend(span.iter().zip(frame..).map(|(page, frame)| (page.0, fresh(frame, rights))));
                }
                (Err(PagingError::NoMemory), _) => {}
                (done, first) => {
                    assert_eq!(done, Err(PagingError::Occupied(PageNumber(first.expect("mapped")))));
                }
            }
            done
        }
        Op::Block(page, frame, rights) => {
            let span = span(page, 512);
            let done = space.map_block(tables, PageNumber(page), Level::Huge, FrameNumber(frame), rights);
            if done.is_ok() {
                assert!(!occupied(model, span));
                model.extend(span.iter().zip(frame..).map(|(page, frame)| (page.0, fresh(frame, rights))));
            }
            done
        }
        Op::Protect(page, pages, rights) => {
            let span = span(page, pages);
            let done = space.protect(tables, span, rights);
            if done.is_ok() {
                model.range_mut(span.start().0..span.end().0).for_each(|(_, page)| page.rights = rights);
            }
            done
        }
        Op::Unmap(page, pages) => {
            let span = span(page, pages);
            let mut gone = 0;
            let done = space.unmap(tables, span, |_, level, _| gone += level.pages());
            if done.is_ok() {
                let before = model.len();
                model.retain(|page, _| !span.holds(PageNumber(*page)));
                assert_eq!(gone, (before - model.len()) as u64);
            } else {
                assert_eq!(gone, 0);
            }
            done
        }
        Op::Use(page, access) => {
            let translated = space.translate(tables, PageNumber(page), access);
            let may = model.get(&page).filter(|page| match access {
                Access::Read => page.rights.may_read(),
                Access::Write => page.rights.may_write(),
                Access::Execute => page.rights.may_execute(),
            });
            match (translated, may.copied()) {
                (Ok(translation), Some(expected)) => {
                    assert_eq!(translation.frame.0, expected.frame);
                    let pages = translation.level.pages();
                    // The bits are those of the entry, so the whole block has them.
                    for (_, page) in model.range_mut(page & !(pages - 1)..(page & !(pages - 1)) + pages) {
                        page.accessed = true;
                        page.dirty |= access == Access::Write;
                    }
                }
                (Err(code), None) => {
                    let present = model.get(&page).is_some_and(|page| page.rights.may_read());
                    assert_eq!((code.access(), code.is_forbidden()), (access, present));
                }
                (translated, may) => panic!("{translated:?} instead of {may:?}"),
            }
            Ok(())
        }
        Op::Harvest(page, pages, with_dirty) => {
            let bits = if with_dirty { Harvest::AccessedAndDirty } else { Harvest::Accessed };
            let mut seen = Vec::new();
            let done = space.harvest(tables, span(page, pages), bits, |page, level, entry| {
                seen.push((level.aligned(page).0, level.pages(), entry));
            });
            for (first, pages, _) in seen {
                for (_, page) in model.range_mut(first..first + pages) {
                    assert!(page.accessed || with_dirty && page.dirty);
                    page.accessed = false;
                    page.dirty &= !with_dirty;
                }
            }
            done
        }
        Op::Relocate(page, pages, to) => {
            let from = span(page, pages);
            let target = PageSpan::of(PageNumber(to), from.pages()).expect("not empty");
            let done = space.relocate(tables, from, PageNumber(to), |_, _, _, _| {});
            if done.is_ok() {
                assert!(from.common(target).is_none() && !occupied(model, target));
                let moved: Vec<_> =
                    model.range(from.start().0..from.end().0).map(|(p, page)| (*p, *page)).collect();
                model.retain(|page, _| !from.holds(PageNumber(*page)));
                model.extend(moved.into_iter().map(|(p, page)| (p - from.start().0 + to, page)));
            }
            done
        }
        Op::Split(page) => space.split(tables, PageNumber(page)),
        Op::Join(page) => {
            if space.join(tables, PageNumber(page)) {
                assert_eq!(space.get(tables, PageNumber(page)).0, Level::Huge);
                let pages: Vec<_> = model.range(page..page + 512).map(|(_, page)| *page).collect();
                for (_, one) in model.range_mut(page..page + 512) {
                    one.accessed = pages.iter().any(|page| page.accessed);
                    one.dirty = pages.iter().any(|page| page.dirty);
                }
            }
            Ok(())
        }
    };
    outcome == Err(PagingError::NoMemory)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn does_what_a_list_of_pages_does(ops in prop::collection::vec((op(), prop::option::weighted(0.3, 0..4_usize)), 1..60)) {
        let mut tables = Box::new(ArrayTables::<TABLES>::new());
        let mut space = PageTable::new(&mut *tables).expect("the root");
        let mut model = Model::new();
        for (op, granted) in &ops {
            tables.refuse_after(*granted);
            step(op, &mut space, &mut tables, &mut model);
            space.check(&*tables).unwrap();
            prop_assert_eq!(tables.taken(), space.table_count() as usize);
            prop_assert_eq!(&mapped(&space, &*tables), &model, "after {:?}", op);
        }
        let mut gone = 0;
        space.destroy(&mut *tables, |_, level, _| gone += level.pages());
        prop_assert_eq!(gone, model.len() as u64);
        prop_assert_eq!(tables.taken(), 0);
    }
}

/// For every operation that allocates: refuse its n-th table, for every n until it succeeds, and compare.
#[test]
fn a_refused_table_leaves_everything_as_it_was() {
    let prepare: &[Op] = &[Op::Block(1 << 18, 0, Rights::READ), Op::Run(507, 9, 40, Rights::READ_WRITE)];
    let ops = [
        Op::Set(1 << 27, 1, Rights::READ),
        Op::Take((1 << 18) + 3),
        Op::Run((1 << 27) - 600, 1200, 7, Rights::READ),
        Op::Block(1 << 27, 512, Rights::READ),
        Op::Protect((1 << 18) + 5, 20, Rights::NONE),
        Op::Unmap((1 << 18) + 5, 20),
        Op::Relocate(500, 20, (1 << 27) - 9),
        Op::Relocate(1 << 18, 512, (1 << 27) + 1),
    ];
    for op in ops {
        for granted in 0.. {
            assert!(granted < 20, "{op:?} never succeeds");
            let mut tables = Box::new(ArrayTables::<TABLES>::new());
            let mut space = PageTable::new(&mut *tables).expect("the root");
            let mut model = Model::new();
            for op in prepare {
                assert!(!step(op, &mut space, &mut tables, &mut model));
            }
            let before = tables.taken();
            tables.refuse_after(Some(granted));
            let refused = step(&op, &mut space, &mut tables, &mut model);
            space.check(&*tables).unwrap();
            assert_eq!(mapped(&space, &*tables), model, "{op:?} after {granted} tables");
            if !refused {
                break;
            }
            // A block that was split stays so; nothing else may remain.
            assert!(tables.taken() <= before + 1, "{op:?} leaves tables behind");
        }
    }
}

#[test]
fn pages_beyond_four_levels_are_refused() {
    let mut tables = Box::new(ArrayTables::<TABLES>::new());
    let mut space = PageTable::new(&mut *tables).expect("the root");
    let hole = PageNumber(1 << 35);
    let entry = Entry::frame(FrameNumber(0), Rights::READ);
    assert_eq!(space.set(&mut *tables, hole, entry), Err(PagingError::OutOfRange(hole)));
    assert_eq!(space.take(&mut *tables, hole), Err(PagingError::OutOfRange(hole)));
    let across = PageSpan::new(PageNumber(hole.0 - 1), PageNumber((1 << 52) - 5)).expect("a span");
    assert!(space.protect(&mut *tables, across, Rights::READ).is_err());
    assert!(space.translate(&*tables, hole, Access::Read).is_err());
    assert_eq!(space.steps(&*tables, hole).count(), 0);
    assert_eq!(tables.taken(), 1);
}
