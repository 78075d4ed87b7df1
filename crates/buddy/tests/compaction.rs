//! Compaction with a mover that knows where each page is, and the slow path from beginning to end.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_buddy::compact::{Ending, Mover, Thoroughness};
use mallow_buddy::slow::{self, Hooks, Progress, Step};
use mallow_buddy::{CpuFrames, Effort, Layout, Mark, Node, Request, Tuning};
use mallow_frame::{Flag, Frame, FrameRun, FrameState, FrameTable, Mobility, Region, Regions};
use mallow_units::{FrameNumber, Order};
use proptest::prelude::*;

const MEMORY: Region = Region::new(FrameNumber(32), 256);

fn order(order: u8) -> Order {
    Order::new(order).expect("an order")
}

fn layout(min_free_kbytes: u64) -> Layout {
    Layout {
        block_order: order(5),
        tuning: Tuning { min_free_kbytes: Some(min_free_kbytes), ..Tuning::default() },
        ..Layout::default()
    }
}

fn with_table(test: impl FnOnce(FrameTable<'_>)) {
    let regions = Regions::new(&[MEMORY]).expect("one region");
    let frames: Vec<Frame> = (0..regions.frames()).map(|_| Frame::new()).collect();
    test(FrameTable::new(&frames, &regions).expect("enough entries"));
}

/// Pages by number: in which frame each is. The bytes of a page are its number.
struct Pages {
    frame_of: Vec<Option<FrameNumber>>,
    bytes: Vec<u64>,
}

impl Pages {
    fn new() -> Self {
        Self { frame_of: Vec::new(), bytes: vec![0; 512] }
    }

    fn add(&mut self, table: FrameTable<'_>, run: FrameRun) {
        let frame = run.into_first();
        let entry = table.get(frame).expect("it exists");
        entry.set_index(self.frame_of.len() as u64);
        entry.map();
        self.bytes[frame.0 as usize] = self.frame_of.len() as u64;
        self.frame_of.push(Some(frame));
    }

    fn remove(&mut self, table: FrameTable<'_>, node: &mut Node, page: usize) {
        let Some(frame) = self.frame_of[page].take() else { return };
        table.get(frame).expect("it exists").unmap();
        node.free(table, table.run(frame).expect("it is allocated")).expect("nobody else uses it");
    }

    /// Whether every page is where it is thought to be, with its bytes.
    fn check(&self, table: FrameTable<'_>) {
        for (page, frame) in self.frame_of.iter().enumerate() {
            let Some(frame) = frame else { continue };
            let entry = table.get(*frame).expect("it exists");
            assert_eq!((entry.state(), entry.index(), entry.mappings()), (FrameState::Anon, page as u64, 1));
            assert_eq!(self.bytes[frame.0 as usize], page as u64, "page {page} has lost its bytes");
        }
    }
}

impl Mover for Pages {
    fn relocate(&mut self, table: FrameTable<'_>, from: FrameNumber, to: FrameNumber) -> bool {
        let entry = table.get(from).expect("it exists");
        if entry.has(Flag::Private) {
            return false;
        }
        let page = usize::try_from(entry.index()).expect("few pages");
        assert_eq!(self.frame_of[page], Some(from));
        self.bytes[to.0 as usize] = self.bytes[from.0 as usize];
        self.bytes[from.0 as usize] = u64::MAX;
        self.frame_of[page] = Some(to);
        table.hand_over(from, to)
    }
}

fn fill(table: FrameTable<'_>, node: &mut Node, pages: &mut Pages) {
    while let Some(run) = node.allocate(table, &Request::anonymous()) {
        pages.add(table, run);
    }
}

/// There is a page wherever an ordinary request may put one.
fn full(table: FrameTable<'_>, min_free_kbytes: u64) -> (Node, Pages) {
    let mut node = Node::new(table, layout(min_free_kbytes));
    node.release(table, MEMORY).expect("it is reserved");
    let mut pages = Pages::new();
    fill(table, &mut node, &mut pages);
    (node, pages)
}

/// Half of memory is free, and no two frames in a row.
fn with_every_second_frame_free(table: FrameTable<'_>) -> (Node, Pages) {
    let (mut node, mut pages) = full(table, 0);
    assert_eq!(pages.frame_of.len(), 256);
    (0..256).step_by(2).for_each(|page| pages.remove(table, &mut node, page));
    (node, pages)
}

#[test]
fn scattered_free_frames_become_a_long_run() {
    with_table(|table| {
        let (mut node, mut pages) = with_every_second_frame_free(table);
        let wanted = Request { order: order(5), ..Request::anonymous() };
        assert!(node.allocate_above(table, Mark::Min, &wanted).is_none());
        let done = node.compact(table, &mut pages, Thoroughness::Light, &wanted, u32::MAX);
        assert_eq!(done.ending, Ending::Success);
        assert_eq!(done.moved, 16, "half a block was in use");
        node.check(table, &[]).expect("no violation");
        pages.check(table);
        assert!(node.allocate_above(table, Mark::Min, &wanted).is_some());
    });
}

#[test]
fn what_cannot_be_moved_stays() {
    with_table(|table| {
        let (mut node, mut pages) = with_every_second_frame_free(table);
        for page in (1..256).step_by(2) {
            let frame = pages.frame_of[page].expect("it is there");
            // One of each block is pinned.
            if frame.0 % 32 < 2 {
                table.get(frame).expect("it exists").raise(Flag::Private);
            }
        }
        let wanted = Request { order: order(5), ..Request::anonymous() };
        let mut done = node.compact(table, &mut pages, Thoroughness::Full, &wanted, u32::MAX);
        assert_eq!((done.ending, done.refused > 0), (Ending::Exhausted, true));
        node.check(table, &[]).expect("no violation");
        pages.check(table);
        // A light one is left out now, a few times more after each failure.
        done = node.compact(table, &mut pages, Thoroughness::Light, &wanted, u32::MAX);
        assert_eq!(done.ending, Ending::Deferred);
        let shorter = Request { order: order(4), ..wanted };
        done = node.compact(table, &mut pages, Thoroughness::Light, &shorter, u32::MAX);
        assert_eq!(done.ending, Ending::Success, "there is one already");
    });
}

#[test]
fn a_compaction_can_be_interrupted_and_goes_on_where_it_was() {
    with_table(|table| {
        let (mut node, mut pages) = with_every_second_frame_free(table);
        let wanted = Request { order: order(5), ..Request::anonymous() };
        let mut moved = 0;
        for round in 1..20 {
            let done = node.compact(table, &mut pages, Thoroughness::Light, &wanted, 3);
            moved += done.moved;
            node.check(table, &[]).expect("no violation");
            pages.check(table);
            if done.ending == Ending::Success {
                assert_eq!((round, moved), (6, 16));
                return;
            }
            assert_eq!(done.ending, Ending::Interrupted);
        }
        panic!("it never came to an end");
    });
}

/// A kernel that reclaims by dropping its oldest page, and kills by dropping all.
struct Kernel {
    pages: Pages,
    oldest: usize,
    steps: Vec<Step>,
    can_reclaim: bool,
    can_kill: bool,
    cpu: CpuFrames,
}

impl Kernel {
    /// Between the marks an attempt suffices.
    fn fill_to_min(&mut self, table: FrameTable<'_>, node: &mut Node) {
        while let Some(run) = node.attempt(table, Mark::Min, &Request::anonymous()) {
            self.pages.add(table, run);
        }
    }
}

impl Hooks for Kernel {
    fn wake_background(&mut self, _: &Node, _: &Request) {}

    fn drain(&mut self, table: FrameTable<'_>, node: &mut Node) -> u32 {
        self.cpu.drain(table, node)
    }

    fn reclaim(&mut self, table: FrameTable<'_>, node: &mut Node, frames: u32, _: &Request) -> Progress {
        let before = node.free_frames();
        while self.can_reclaim
            && node.free_frames() < before + frames
            && self.oldest < self.pages.frame_of.len()
        {
            self.pages.remove(table, node, self.oldest);
            self.oldest += 3;
        }
        Progress::freed(node.free_frames() - before)
    }

    fn compact(
        &mut self,
        table: FrameTable<'_>,
        node: &mut Node,
        how: Thoroughness,
        request: &Request,
    ) -> Progress {
        node.compact(table, &mut self.pages, how, request, u32::MAX).into()
    }

    fn kill(&mut self, table: FrameTable<'_>, node: &mut Node, _: &Request) -> bool {
        let pages = self.pages.frame_of.len();
        (0..pages).for_each(|page| self.pages.remove(table, node, page));
        core::mem::replace(&mut self.can_kill, false)
    }

    fn trace(&mut self, step: Step, _: Progress) {
        self.steps.push(step);
    }
}

fn full_kernel(table: FrameTable<'_>, can_reclaim: bool, can_kill: bool) -> (Node, Kernel) {
    let (node, pages) = full(table, 16);
    let cpu = CpuFrames::new(&node);
    (node, Kernel { pages, oldest: 0, steps: Vec::new(), can_reclaim, can_kill, cpu })
}

#[test]
fn the_slow_path_frees_what_was_asked_for_and_no_more() {
    with_table(|table| {
        let (mut node, mut kernel) = full_kernel(table, true, true);
        let request = Request::anonymous();
        kernel.fill_to_min(table, &mut node);
        let run = slow::allocate(table, &mut node, &request, &mut kernel).expect("reclaim frees some");
        kernel.pages.add(table, run);
        assert!(!kernel.steps.contains(&Step::Kill));
        assert!(matches!(kernel.steps[..], [.., Step::Reclaim { frames: 32 }, Step::Attempt { .. }]));
        node.check(table, &[]).expect("no violation");
        kernel.pages.check(table);
    });
}

#[test]
fn a_long_run_is_compacted_together() {
    with_table(|table| {
        let (mut node, mut kernel) = full_kernel(table, true, false);
        let request = Request { order: order(3), effort: Effort::Kill, ..Request::kernel(Order::ZERO) };
        let run = slow::allocate(table, &mut node, &request, &mut kernel).expect("there is enough in pieces");
        assert_eq!(run.order(), order(3));
        assert!(kernel.steps.iter().any(|step| matches!(step, Step::Compact { .. })));
        assert!(!kernel.steps.contains(&Step::Kill));
        node.check(table, &[]).expect("no violation");
        kernel.pages.check(table);
    });
}

#[test]
fn who_finds_nothing_kills_once_and_then_fails() {
    with_table(|table| {
        let (mut node, mut kernel) = full_kernel(table, false, true);
        let request = Request::anonymous();
        kernel.fill_to_min(table, &mut node);
        assert!(slow::allocate(table, &mut node, &request, &mut kernel).is_some());
        assert_eq!(kernel.steps.iter().filter(|step| **step == Step::Kill).count(), 1);
        // Everything is in use again, by somebody who cannot be killed.
        let mut held = Vec::new();
        while let Some(run) = slow::allocate(table, &mut node, &request, &mut kernel) {
            held.push(run);
        }
        assert_eq!(kernel.steps.last(), Some(&Step::Fail));
        assert_eq!(node.free_frames(), node.zones().iter().map(|zone| zone.watermarks().min).sum::<u32>());
        node.check(table, &[]).expect("no violation");
    });
}

#[test]
fn what_is_refused_on_purpose_does_not_go_the_slow_path() {
    with_table(|table| {
        let (mut node, mut kernel) = full_kernel(table, true, true);
        node.refuse(1);
        assert!(kernel.cpu.allocate(table, &mut node, &Request::anonymous()).is_none());
        assert!(slow::allocate(table, &mut node, &Request::anonymous(), &mut kernel).is_none());
        assert_eq!(kernel.steps, [Step::Fail]);
        assert!(slow::allocate(table, &mut node, &Request::anonymous(), &mut kernel).is_some());
    });
}

proptest! {
    #[test]
    fn pages_survive_any_compaction(
        gone in prop::collection::vec(0..256_usize, 0..200),
        pinned in prop::collection::vec(0..256_usize, 0..20),
        runs in prop::collection::vec((0..5_u8, prop::sample::select(Mobility::ALL.to_vec())), 0..20),
        wanted in 1..7_u8,
        most in 1..300_u32,
        is_full in any::<bool>(),
    ) {
        with_table(|table| {
            let mut node = Node::new(table, layout(0));
            node.release(table, MEMORY).expect("it is reserved");
            let mut pages = Pages::new();
            // Other runs first, in the middle of the pages.
            let kernel: Vec<FrameRun> = runs
                .iter()
                .filter_map(|(long, mobility)| {
                    node.allocate(table, &Request { mobility: *mobility, ..Request::kernel(order(*long)) })
                })
                .collect();
            fill(table, &mut node, &mut pages);
            for page in &gone {
                if *page < pages.frame_of.len() {
                    pages.remove(table, &mut node, *page);
                }
            }
            for page in &pinned {
                if let Some(Some(frame)) = pages.frame_of.get(*page) {
                    table.get(*frame).expect("it exists").raise(Flag::Private);
                }
            }
            for (at, run) in kernel.into_iter().enumerate() {
                if at % 2 == 0 {
                    node.free(table, run).expect("nobody else uses it");
                }
            }
            let free = node.free_frames();
            let how = if is_full { Thoroughness::Full } else { Thoroughness::Light };
            let request = Request { order: order(wanted), ..Request::anonymous() };
            for _ in 0..4 {
                let done = node.compact(table, &mut pages, how, &request, most);
                assert!(done.moved <= most);
                assert_eq!(node.free_frames(), free, "nothing is gained or lost");
                node.check(table, &[]).expect("no violation");
                pages.check(table);
                if done.ending == Ending::Success {
                    assert!(node.attempt(table, Mark::Min, &request).is_some());
                    break;
                }
            }
        });
    }
}
