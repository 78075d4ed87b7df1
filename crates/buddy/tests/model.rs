//! Random operations against a bitset of frames, at a small geometry, with every invariant checked after each step.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_buddy::cpu::Limits;
use mallow_buddy::{CpuFrames, Effort, Layout, Mark, Node, Request, Reserve, Tuning};
use mallow_frame::{Frame, FrameRun, FrameState, FrameTable, Mobility, Region, Regions, ZoneKind};
use mallow_units::{FrameNumber, Order};
use proptest::prelude::*;

/// Two regions that are aligned to nothing, a hole between them, and the boundary of the zones inside the second.
const REGIONS: [Region; 2] = [Region::new(FrameNumber(3), 50), Region::new(FrameNumber(70), 131)];
const BOUNDARY: FrameNumber = FrameNumber(128);
const FRAMES: u32 = 181;

fn layout(min_free_kbytes: u64) -> Layout {
    Layout {
        boundary: BOUNDARY,
        block_order: Order::new(4).expect("an order"),
        tuning: Tuning { min_free_kbytes: Some(min_free_kbytes), ..Tuning::default() },
    }
}

#[derive(Clone, Debug)]
enum Op {
    Allocate { cpu: usize, order: u8, mobility: Mobility, highest: ZoneKind },
    Free { cpu: usize, nth: usize },
    FreeToNode { nth: usize },
    Split { nth: usize },
    Join { nth: usize },
    Drain { cpu: usize },
    ClaimAfterFree { nth: usize },
    FreeWhileHeld { nth: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let mobility = prop::sample::select(Mobility::ALL.to_vec());
    let zone = prop::sample::select(ZoneKind::ALL.to_vec());
    prop_oneof![
        8 => (0..2_usize, 0..6_u8, mobility, zone)
            .prop_map(|(cpu, order, mobility, highest)| Op::Allocate { cpu, order, mobility, highest }),
        6 => (0..2_usize, any::<usize>()).prop_map(|(cpu, nth)| Op::Free { cpu, nth }),
        1 => any::<usize>().prop_map(|nth| Op::FreeToNode { nth }),
        1 => any::<usize>().prop_map(|nth| Op::Split { nth }),
        1 => any::<usize>().prop_map(|nth| Op::Join { nth }),
        1 => (0..2_usize).prop_map(|cpu| Op::Drain { cpu }),
        1 => any::<usize>().prop_map(|nth| Op::ClaimAfterFree { nth }),
        1 => any::<usize>().prop_map(|nth| Op::FreeWhileHeld { nth }),
    ]
}

/// What has been promised: which frames are somebody's.
struct Model {
    owned: Vec<bool>,
    live: Vec<FrameRun>,
}

impl Model {
    fn take(&mut self, run: FrameRun, request: &Request) {
        assert_eq!(run.order(), request.order);
        assert_eq!(run.first().aligned_to(run.order()), run.first(), "aligned");
        for frame in run.frames() {
            assert!(REGIONS.iter().any(|region| region.contains(frame)), "{frame:?} exists");
            assert!(request.highest == ZoneKind::Normal || frame < BOUNDARY, "{frame:?} is low enough");
            assert!(
                !core::mem::replace(&mut self.owned[frame.0 as usize], true),
                "{frame:?} is handed out once"
            );
        }
        let last = FrameNumber(run.first().0 + run.frame_count() - 1);
        assert_eq!(run.first() < BOUNDARY, last < BOUNDARY, "a run is in one zone");
        self.live.push(run);
    }

    /// Takes a run back that is still allocated.
    fn keep(&mut self, run: FrameRun) {
        let request = Request::kernel(run.order());
        self.take(run, &request);
    }

    fn give(&mut self, nth: usize) -> Option<FrameRun> {
        let at = nth.checked_rem(self.live.len())?;
        let run = self.live.swap_remove(at);
        run.frames().for_each(|frame| self.owned[frame.0 as usize] = false);
        Some(run)
    }

    fn owned(&self) -> u32 {
        u32::try_from(self.owned.iter().filter(|owned| **owned).count()).expect("few")
    }
}

struct Machine<'t> {
    table: FrameTable<'t>,
    node: Node,
    cpus: [CpuFrames; 2],
    model: Model,
}

impl<'t> Machine<'t> {
    fn new(table: FrameTable<'t>, layout: Layout) -> Self {
        let mut node = Node::new(table, layout);
        for region in REGIONS {
            assert_eq!(node.release(table, region), Ok(region.frames));
        }
        let cpus = [Limits { singles: 6, runs: 4 }, Limits { singles: 2, runs: 1 }]
            .map(|limits| CpuFrames::with_limits(&node, limits));
        let model = Model { owned: vec![false; 256], live: Vec::new() };
        Self { table, node, cpus, model }
    }

    fn apply(&mut self, op: &Op) {
        let Self { table, node, cpus, model } = self;
        let table = *table;
        match *op {
            Op::Allocate { cpu, order, mobility, highest } => {
                let order = Order::new(order).expect("an order");
                let request = Request { mobility, highest, ..Request::kernel(order) };
                match cpus[cpu].allocate(table, node, &request) {
                    Some(run) => model.take(run, &request),
                    None => {
                        assert!(!node.is_above(Mark::Low, &request), "{request:?} is refused without need");
                    }
                }
            }
            Op::Free { cpu, nth } => {
                let Some(run) = model.give(nth) else { return };
                assert_eq!(cpus[cpu].free(table, node, run), Ok(()));
            }
            Op::FreeToNode { nth } => {
                let Some(run) = model.give(nth) else { return };
                assert_eq!(node.free(table, run), Ok(()));
            }
            Op::Split { nth } => {
                let Some(run) = model.give(nth) else { return };
                let order = run.order();
                match run.split(table) {
                    Ok((lower, upper)) => [lower, upper].into_iter().for_each(|half| model.keep(half)),
                    Err(run) => {
                        assert_eq!(order, Order::ZERO);
                        model.keep(run);
                    }
                }
            }
            Op::Join { nth } => {
                let Some(one) = model.give(nth) else { return };
                let (order, buddy) = (one.order(), one.first().0 ^ one.order().frames());
                let is_buddy = |run: &FrameRun| run.first().0 == buddy && run.order() == order;
                let found = model.live.iter().position(is_buddy);
                match found.and_then(|at| model.give(at)) {
                    None => model.keep(one),
                    Some(two) => match one.join(two, table) {
                        Ok(run) => model.keep(run),
                        Err((one, two)) => {
                            let place = |run: &FrameRun| table.get(run.first()).map(Frame::place);
                            assert_ne!(place(&one), place(&two), "{one:?} {two:?}");
                            [one, two].into_iter().for_each(|run| model.keep(run));
                        }
                    },
                }
            }
            Op::Drain { cpu } => {
                let (held, free) = (cpus[cpu].held(), node.free_frames());
                assert_eq!(cpus[cpu].drain(table, node), held);
                assert_eq!((cpus[cpu].held(), node.free_frames()), (0, free + held));
            }
            Op::ClaimAfterFree { nth } => {
                let Some(run) = model.give(nth) else { return };
                let first = run.first();
                assert_eq!(cpus[0].free(table, node, run), Ok(()));
                assert!(table.run(first).is_err(), "what is free has no token");
                assert!(table.set_use(first, FrameState::Slab).is_err(), "and no use");
            }
            Op::FreeWhileHeld { nth } => {
                let Some(run) = model.give(nth) else { return };
                let entry = table.get(run.first()).expect("a live run exists");
                entry.hold();
                let refused = cpus[0].free(table, node, run).expect_err("it is held");
                entry.let_go();
                entry.map();
                let refused = node.free(table, refused.run).expect_err("it is mapped");
                entry.unmap();
                model.keep(refused.run);
            }
        }
    }

    fn check(&self) {
        self.node.check(self.table, &self.cpus).expect("no violation");
        let held: u32 = self.cpus.iter().map(CpuFrames::held).sum();
        assert_eq!(self.node.free_frames() + held + self.model.owned(), FRAMES);
        for frame in self.table.numbers() {
            let (_, head) = self.table.head_of(frame).expect("it exists");
            assert_eq!(head.state.is_allocated(), self.model.owned[frame.0 as usize], "{frame:?}");
        }
    }

    /// How many blocks of each order are free in each zone.
    fn blocks(&self) -> Vec<u32> {
        let of_zone =
            |zone: &mallow_buddy::Zone| Order::all().map(|order| zone.area().blocks(order)).collect();
        self.node.zones().iter().flat_map::<Vec<u32>, _>(of_zone).collect()
    }
}

fn with_table(test: impl FnOnce(FrameTable<'_>)) {
    let regions = Regions::new(&REGIONS).expect("they are in order");
    let frames: Vec<Frame> = (0..regions.frames()).map(|_| Frame::new()).collect();
    test(FrameTable::new(&frames, &regions).expect("enough entries"));
}

proptest! {
    #[test]
    fn keeps_its_promises(ops in prop::collection::vec(op(), 1..300), min_free in 0..64_u64) {
        with_table(|table| {
            let mut machine = Machine::new(table, layout(min_free));
            machine.check();
            let fresh = machine.blocks();
            for op in &ops {
                machine.apply(op);
                machine.check();
            }
            // When everything has come back it is as it was.
            while let Some(run) = machine.model.give(0) {
                machine.node.free(table, run).unwrap();
            }
            for cpu in &mut machine.cpus {
                cpu.drain(table, &mut machine.node);
            }
            machine.check();
            assert_eq!(machine.blocks(), fresh);
        });
    }
}

#[test]
fn everything_can_be_taken_by_who_may_touch_the_reserve() {
    with_table(|table| {
        let mut machine = Machine::new(table, layout(64));
        let request = Request { reserve: Reserve::All, effort: Effort::Nothing, ..Request::anonymous() };
        while let Some(run) = machine.node.allocate(table, &request) {
            machine.model.take(run, &request);
        }
        machine.check();
        assert_eq!((machine.node.free_frames(), machine.model.owned()), (0, FRAMES));
    });
}

#[test]
fn an_ordinary_request_stops_at_the_mark() {
    with_table(|table| {
        let mut machine = Machine::new(table, layout(64));
        let request = Request::anonymous();
        while let Some(run) = machine.node.allocate(table, &request) {
            machine.model.take(run, &request);
        }
        for zone in machine.node.zones() {
            assert!(zone.watermarks().low > 0);
            assert_eq!(zone.free(), zone.watermarks().low + zone.protected_from(ZoneKind::Normal));
        }
    });
}

#[test]
fn low_memory_is_kept_for_who_can_use_no_other() {
    with_table(|table| {
        let tuning = Tuning { min_free_kbytes: Some(0), lowmem_reserve_ratio: 2, ..Tuning::default() };
        let mut machine = Machine::new(table, Layout { tuning, ..layout(0) });
        let request = Request::anonymous();
        while let Some(run) = machine.node.allocate(table, &request) {
            machine.model.take(run, &request);
        }
        let low = machine.node.zone(ZoneKind::Dma32);
        // One frame for two of the 73 above the boundary.
        assert_eq!((low.protected_from(ZoneKind::Normal), low.free()), (36, 36));
        let device = Request { highest: ZoneKind::Dma32, ..request };
        let run = machine.node.allocate(table, &device).unwrap();
        assert!(run.first() < BOUNDARY);
    });
}

#[test]
fn the_nth_allocation_is_refused_and_only_that() {
    with_table(|table| {
        let mut machine = Machine::new(table, layout(0));
        for nth in 1..20 {
            machine.node.refuse(nth);
            let runs: Vec<_> = (0..20)
                .map(|_| machine.cpus[0].allocate(table, &mut machine.node, &Request::anonymous()))
                .collect();
            for (at, run) in (1..).zip(runs) {
                assert_eq!(run.is_none(), at == nth, "allocation {at} with the {nth}th refused");
                if let Some(run) = run {
                    machine.cpus[0].free(table, &mut machine.node, run).unwrap();
                }
            }
            machine.check();
        }
    });
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    with_table(|table| {
        let mut machine = Machine::new(table, layout(0));
        let free = Request { usage: FrameState::Buddy, ..Request::anonymous() };
        assert!(machine.node.allocate(table, &free).is_none());
        assert!(machine.cpus[0].allocate(table, &mut machine.node, &free).is_none());
        assert!(machine.node.release(table, REGIONS[0]).is_err(), "it has been released");
        assert!(machine.node.release(table, Region::new(FrameNumber(50), 10)).is_err(), "there is a hole");
        assert!(table.run(FrameNumber(60)).is_err(), "no such frame");
        assert!(table.run(FrameNumber(4)).is_err(), "a free one");
        machine.check();
    });
}
