//! What `vmalloc` promises, with page tables and a TLB that remember everything.

#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod ram;

use core::cell::{Cell, RefCell};
use std::collections::HashMap;

use mallow_frame::FrameState;
use mallow_kslab::Pages;
use mallow_kslab::vmalloc::{NotAllocated, Tables, Vmalloc, lazy_limit};
use mallow_units::{FrameNumber, PageCount, PageNumber, PageSpan, VirtAddr};
use proptest::prelude::*;
use proptest::sample::Index;
use ram::Ram;

/// Page tables, and a TLB that knows every page until it is flushed.
#[derive(Default)]
struct Mmu {
    entries: RefCell<HashMap<PageNumber, FrameNumber>>,
    tlb: RefCell<HashMap<PageNumber, FrameNumber>>,
    /// Entries until one is refused.
    left: Cell<u64>,
    asked: Cell<u64>,
}

impl Mmu {
    fn new() -> Self {
        Self { left: Cell::new(u64::MAX), ..Self::default() }
    }
}

impl Tables for &Mmu {
    fn map(&mut self, page: PageNumber, frame: FrameNumber) -> bool {
        self.asked.set(self.asked.get() + 1);
        if self.left.get() == 0 {
            return false;
        }
        self.left.set(self.left.get().saturating_sub(u64::from(self.left.get() != u64::MAX)));
        assert!(!self.tlb.borrow().contains_key(&page), "{page:?} is given away while a processor knows it");
        assert_eq!(self.entries.borrow_mut().insert(page, frame), None, "{page:?} is mapped twice");
        self.tlb.borrow_mut().insert(page, frame);
        true
    }

    fn unmap(&mut self, span: PageSpan) {
        for page in span.iter() {
            assert!(self.entries.borrow_mut().remove(&page).is_some(), "{page:?} is not mapped");
        }
    }

    fn flush(&mut self, span: PageSpan) {
        let entries = self.entries.borrow();
        self.tlb.borrow_mut().retain(|page, _| !span.holds(*page) || entries.contains_key(page));
    }
}

/// As high as the kernel's own.
const START: u64 = 0xffff_c900_0000_0000 >> 12;

fn span(pages: u64) -> PageSpan {
    PageSpan::of(PageNumber(START), pages).expect("not empty")
}

fn vmalloc<'m>(ram: &'m Ram, mmu: &'m Mmu, pages: u64, lazy: u64) -> Vmalloc<&'m Ram, &'m Mmu> {
    Vmalloc::create(ram, mmu, span(pages), PageCount(lazy)).expect("caches")
}

#[test]
fn areas_are_mapped_page_by_page_with_a_guard_behind() {
    let (ram, mmu) = (Ram::new(256), Mmu::new());
    let mut vmalloc = vmalloc(&ram, &mmu, 1000, 100);
    let a = vmalloc.alloc(3 * 4096, 1).unwrap();
    let b = vmalloc.alloc(1, 2).unwrap();
    assert_eq!((a.page().0, b.page().0), (START, START + 4));
    let mapped = |page| mmu.entries.borrow().get(&PageNumber(page)).copied();
    for page in START..START + 3 {
        let frame = mapped(page).unwrap();
        assert_eq!(vmalloc.frame_at(VirtAddr((page << 12) + 5)), Some(frame));
        assert_eq!(ram.table().get(frame).unwrap().state(), FrameState::Vmalloc);
    }
    assert_eq!(mapped(START + 3), None, "the guard");
    assert!(vmalloc.find(VirtAddr((START + 3) << 12)).is_none());
    assert!(vmalloc.find(VirtAddr((START + 2) << 12)).is_some_and(|area| area.tag() == 1));
    assert_eq!(vmalloc.used(), PageCount(4));
    vmalloc.check();
    assert_eq!(
        vmalloc.info().to_string(),
        "0xffffc90000000000-0xffffc90000004000   16384 0x1 pages=3 vmalloc\n\
         0xffffc90000004000-0xffffc90000006000    8192 0x2 pages=1 vmalloc\n"
    );
}

#[test]
fn freed_addresses_wait_for_a_flush_and_frames_do_not() {
    let (ram, mmu) = (Ram::new(256), Mmu::new());
    let mut vmalloc = vmalloc(&ram, &mmu, 1000, 10);
    let a = vmalloc.alloc(4 * 4096, 0).unwrap();
    let with_area = ram.used_frames();
    vmalloc.free(a).unwrap();
    assert_eq!(ram.used_frames(), with_area - 4);
    assert!(mmu.entries.borrow().is_empty());
    assert_eq!(vmalloc.free(a), Err(NotAllocated(a)), "freed twice");
    let b = vmalloc.alloc(4096, 0).unwrap();
    assert_eq!(b.page().0, START + 5, "behind the area that waits");
    assert!(vmalloc.info().to_string().contains("20480 unpurged vm_area\n"));
    assert_eq!((vmalloc.lazy(), vmalloc.flushes()), (PageCount(5), 0));
    assert_eq!(vmalloc.purge(), PageCount(5));
    assert_eq!(vmalloc.alloc(4096, 0).unwrap(), a);
    vmalloc.check();
}

#[test]
fn many_frees_are_one_flush() {
    let (ram, mmu) = (Ram::new(2048), Mmu::new());
    let mut vmalloc = vmalloc(&ram, &mmu, 10_000, 100);
    for _ in 0..500 {
        let area = vmalloc.alloc(8192, 0).unwrap();
        vmalloc.free(area).unwrap();
        vmalloc.check();
    }
    // Three pages each with the guard; the 34th passes the limit.
    assert_eq!(vmalloc.flushes(), 500 / 34);
    assert_eq!(lazy_limit(1), PageCount(8192));
    assert_eq!((lazy_limit(2), lazy_limit(4)), (PageCount(16384), PageCount(24576)));
}

#[test]
fn a_full_range_is_purged_before_it_refuses() {
    let (ram, mmu) = (Ram::new(256), Mmu::new());
    let mut vmalloc = vmalloc(&ram, &mmu, 16, 1000);
    let areas: Vec<_> = (0..4).map(|_| vmalloc.alloc(3 * 4096, 0).unwrap()).collect();
    assert_eq!(vmalloc.alloc(4096, 0), None);
    vmalloc.free(areas[1]).unwrap();
    vmalloc.free(areas[2]).unwrap();
    assert_eq!(vmalloc.alloc(7 * 4096, 0), Some(areas[1]), "both, and the guard between them");
    assert_eq!(vmalloc.alloc(0, 0), None, "nothing is asked for");
    assert_eq!(vmalloc.alloc(u64::MAX, 0), None);
    assert_eq!(vmalloc.alloc(16 * 4096, 0), None, "no room for the guard");
    vmalloc.check();
}

#[test]
fn zeroed_areas_are_zero() {
    let (ram, mmu) = (Ram::new(256), Mmu::new());
    let mut vmalloc = vmalloc(&ram, &mmu, 1000, 100);
    let area = vmalloc.alloc_zeroed(2 * 4096, 0).unwrap();
    for page in 0..2 {
        let frame = vmalloc.frame_at(VirtAddr(area.0 + page * 4096)).unwrap();
        let base = ram.base(frame).unwrap();
        // SAFETY: the frame is the test's.
        let bytes = unsafe { core::ptr::NonNull::slice_from_raw_parts(base, 4096).as_ref() };
        assert!(bytes.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn only_the_start_of_an_area_frees_it() {
    let (ram, mmu) = (Ram::new(256), Mmu::new());
    let mut vmalloc = vmalloc(&ram, &mmu, 1000, 100);
    let area = vmalloc.alloc(8192, 0).unwrap();
    for wrong in [0, 1, area.0 + 1, area.0 + 4096, area.0 + 8192, u64::MAX] {
        assert_eq!(vmalloc.free(VirtAddr(wrong)), Err(NotAllocated(VirtAddr(wrong))));
    }
    vmalloc.free(area).unwrap();
    vmalloc.check();
}

#[test]
fn every_refusal_is_rolled_back() {
    let rounds = |ram: &Ram, mmu: &Mmu, refuse: &dyn Fn()| {
        let mut vmalloc = vmalloc(ram, mmu, 10_000, 50);
        let kept: Vec<_> = (1..20).map(|pages| vmalloc.alloc(pages * 4096, 0).unwrap()).collect();
        vmalloc.free(kept[3]).unwrap();
        let asked = (ram.asked(), mmu.asked.get());
        let (frames, entries, used) = (ram.used_frames(), mmu.entries.borrow().len(), vmalloc.used());
        refuse();
        let outcome = vmalloc.alloc(9 * 4096, 0);
        ram.refuse_none();
        mmu.left.set(u64::MAX);
        vmalloc.check();
        if outcome.is_none() {
            vmalloc.shrink();
            assert!(ram.used_frames() <= frames, "no frame is lost");
            assert_eq!((mmu.entries.borrow().len(), vmalloc.used()), (entries, used));
        }
        assert!(vmalloc.alloc(9 * 4096, 0).is_some(), "and with memory it works");
        (outcome.is_none(), (ram.asked() - asked.0, mmu.asked.get() - asked.1))
    };
    let asked = {
        let (ram, mmu) = (Ram::new(1024), Mmu::new());
        rounds(&ram, &mmu, &|| ()).1
    };
    for nth in 0..9 {
        let (ram, mmu) = (Ram::new(1024), Mmu::new());
        assert!(rounds(&ram, &mmu, &|| ram.refuse_after(nth)).0, "frame {nth} of {}", asked.0);
        let (ram, mmu) = (Ram::new(1024), Mmu::new());
        assert!(rounds(&ram, &mmu, &|| mmu.left.set(nth)).0, "entry {nth} of {}", asked.1);
    }
    // At last the memory for the record and the node of the map: whenever it is refused, nothing is left behind.
    for areas in 0..80 {
        let (ram, mmu) = (Ram::new(1024), Mmu::new());
        let mut vmalloc = vmalloc(&ram, &mmu, 10_000, 50);
        (0..areas).for_each(|_| assert!(vmalloc.alloc(4096, 0).is_some()));
        let entries = mmu.entries.borrow().len();
        ram.refuse_after(1);
        if vmalloc.alloc(4096, 0).is_none() {
            assert_eq!(mmu.entries.borrow().len(), entries);
        }
        vmalloc.check();
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Alloc(u64),
    Free(Index),
    Purge,
    Shrink,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..12_u64).prop_map(Op::Alloc),
        5 => any::<Index>().prop_map(Op::Free),
        1 => Just(Op::Purge),
        1 => Just(Op::Shrink),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_address_and_no_frame_is_had_twice(ops in prop::collection::vec(op(), 1..80)) {
        let (ram, mmu) = (Ram::new(256), Mmu::new());
        let mut vmalloc = vmalloc(&ram, &mmu, 200, 40);
        let mut live: Vec<(VirtAddr, u64)> = Vec::new();
        for op in ops {
            match op {
                Op::Alloc(pages) => {
                    if let Some(address) = vmalloc.alloc(pages * 4096, 7) {
                        live.push((address, pages));
                    } else {
                        assert!(ram.used_frames() > 200 || live.iter().map(|area| area.1 + 1).sum::<u64>() > 80);
                    }
                }
                Op::Free(which) if !live.is_empty() => {
                    let (address, _) = live.swap_remove(which.index(live.len()));
                    vmalloc.free(address).unwrap();
                }
                Op::Free(_) => {}
                Op::Purge => { vmalloc.purge(); }
                Op::Shrink => { vmalloc.shrink(); }
            }
            vmalloc.check();
            let pages: u64 = live.iter().map(|area| area.1).sum();
            assert_eq!(mmu.entries.borrow().len() as u64, pages);
        }
        for (address, _) in live {
            vmalloc.free(address).unwrap();
        }
        drop(vmalloc);
        assert_eq!(ram.used_frames(), 0);
        assert!(mmu.tlb.borrow().is_empty());
    }
}
