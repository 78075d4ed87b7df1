//! The page heap against a list of the runs that are out: no overlap, alignment, zeros, dense packing, and the counts.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

extern crate alloc;

use alloc::collections::{BTreeMap, BTreeSet};

use mallow_heap::chunk::{End, Wish};
use mallow_heap::config::{CHUNK_UNITS, MAX_RUN_UNITS, UNIT_BYTES};
use mallow_heap::counters::Counters;
use mallow_heap::page_heap::PageHeap;
use mallow_heap::region::Region;
use mallow_sys::sim::Sim;
use mallow_trace::Counter;
use mallow_units::bytes::{GIB, MIB};
use proptest::prelude::*;

static SIM: Sim = Sim::new(GIB);
const REGION_BYTES: usize = 64 * MIB;

/// What is asked of the page heap.
#[derive(Clone, Copy, Debug)]
enum Step {
    Take { units: u32, align_log2: u32, end: End },
    TakeResident { units: u32 },
    GiveBack { nth: usize },
    Tick { ms: u64 },
    Trim { keep_units: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let units = prop_oneof![4 => 1..=4_u32, 2 => 5..=MAX_RUN_UNITS];
    let align_log2 = prop_oneof![3 => Just(0), 1 => 0..=MAX_RUN_UNITS.ilog2()];
    let end = prop_oneof![Just(End::Low), Just(End::High)];
    prop_oneof![
        10 => (units, align_log2, end).prop_map(|(units, align_log2, end)| Step::Take { units, align_log2, end }),
        1 => (1..=CHUNK_UNITS).prop_map(|units| Step::TakeResident { units }),
        9 => any::<usize>().prop_map(|nth| Step::GiveBack { nth }),
        1 => (0..500_u64).prop_map(|ms| Step::Tick { ms }),
        1 => (0..50_usize).prop_map(|keep_units| Step::Trim { keep_units }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_list_of_the_runs_that_are_out(steps in proptest::collection::vec(step(), 1..150)) {
        let mut model = Model::new();
        for step in steps {
            model.step(step);
        }
        model.give_everything_back();
    }
}

/// A page heap with one region, and what it has handed out.
struct Model {
    page_heap: PageHeap,
    counters: Counters,
    region: &'static Region,
    /// First unit and length of each run that is out.
    out: BTreeMap<usize, u32>,
    /// Chunks of which a run was ever out.
    opened: BTreeSet<usize>,
    now_ms: u64,
}

impl Model {
    fn new() -> Self {
        Self {
            page_heap: PageHeap::new(),
            counters: Counters::new(),
            region: Region::reserve(&SIM, REGION_BYTES).expect("nothing is refused"),
            out: BTreeMap::new(),
            opened: BTreeSet::new(),
            now_ms: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Take { units, align_log2, end } => self.take(units, 1 << align_log2, end),
            Step::TakeResident { units } => self.take_resident(units),
            Step::GiveBack { nth } => self.give_back(nth),
            Step::Tick { ms } => {
                self.now_ms += ms;
                self.page_heap.tick(&SIM, &self.counters, self.now_ms);
            }
            Step::Trim { keep_units } => {
                let keep = keep_units * UNIT_BYTES;
                self.page_heap.trim(&SIM, &self.counters, keep);
                assert!(self.dirty_bytes() <= keep, "trimmed to {keep} bytes");
            }
        }
        self.page_heap.check();
        let out: u32 = self.out.values().sum();
        assert_eq!(self.counters.run_bytes(), out as usize * UNIT_BYTES, "the sum of the runs that are out");
    }

    fn take(&mut self, units: u32, align_units: u32, end: End) {
        let had_room = self.opened.iter().any(|chunk| self.longest_free(*chunk) >= units);
        let region = self.region;
        let wish = Wish { units, align_units, end };
        let taken = self.page_heap.take(&SIM, &self.counters, wish, || Some(region));
        let run = taken.expect("the region is larger than all runs together");
        let unit = self.region.unit_at(run.start.as_ptr().addr());
        let chunk = unit / CHUNK_UNITS as usize;
        assert_eq!(run.units, units);
        assert!(unit.is_multiple_of(align_units as usize), "unit {unit} is not aligned to {align_units}");
        assert_eq!((unit + units as usize - 1) / CHUNK_UNITS as usize, chunk, "the run lies in one chunk");
        assert!(self.is_free(unit, units), "the run at unit {unit} overlaps one that is out");
        let is_new = self.opened.insert(chunk);
        assert!(!(is_new && had_room && align_units == 1), "a new chunk although an old one had room");
        self.out.insert(unit, units);
        self.use_contents(unit, units, run.is_zero);
    }

    fn take_resident(&mut self, units: u32) {
        let dirty = self.dirty_bytes();
        let wish = Wish { units, align_units: 1, end: End::High };
        let Some(run) = self.page_heap.take_resident(&SIM, &self.counters, wish) else { return };
        let unit = self.region.unit_at(run.start.as_ptr().addr());
        assert!(self.is_free(unit, units), "the run at unit {unit} overlaps one that is out");
        assert_eq!(self.dirty_bytes(), dirty - units as usize * UNIT_BYTES, "all of it was resident");
        self.out.insert(unit, units);
        self.use_contents(unit, units, run.is_zero);
    }

    fn give_back(&mut self, nth: usize) {
        let Some(nth) = nth.checked_rem(self.out.len()) else { return };
        let Some((unit, units)) = self.out.iter().nth(nth).map(|(unit, units)| (*unit, *units)) else {
            return;
        };
        self.out.remove(&unit);
        let start = u32::try_from(unit).unwrap_or(u32::MAX) % CHUNK_UNITS;
        self.page_heap.give_back(&SIM, &self.counters, self.region.chunk_of(unit), start, units);
    }

    fn give_everything_back(mut self) {
        while !self.out.is_empty() {
            self.step(Step::GiveBack { nth: 0 });
        }
        self.step(Step::Trim { keep_units: 0 });
        assert_eq!(self.counters.get(Counter::HeapBytes), 0);
    }

    /// Announces the use of a new run, reads it if it claims to be zero, and writes into it.
    fn use_contents(&self, unit: usize, units: u32, is_zero: bool) {
        let address = self.region.base() + unit * UNIT_BYTES;
        let start = core::ptr::NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(address))
            .expect("an address");
        let bytes = units as usize * UNIT_BYTES;
        // SAFETY: units that were handed out to us.
        unsafe { mallow_sys::Os::reuse(&SIM, start, bytes) };
        // SAFETY: as above, and nobody else's.
        let contents = unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), bytes) };
        assert!(!is_zero || contents.iter().all(|byte| *byte == 0), "the run at unit {unit} is not zero");
        contents.fill(1);
    }

    fn is_free(&self, unit: usize, units: u32) -> bool {
        let before = self.out.range(..unit + units as usize).next_back();
        before.is_none_or(|(other, length)| other + *length as usize <= unit)
    }

    /// The longest run of a chunk that is not out, counted unit by unit.
    fn longest_free(&self, chunk: usize) -> u32 {
        let first = chunk * CHUNK_UNITS as usize;
        let free = |unit: &usize| self.is_free(*unit, 1);
        let (mut longest, mut run) = (0, 0);
        for unit in first..first + CHUNK_UNITS as usize {
            run = if free(&unit) { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        longest
    }

    fn dirty_bytes(&self) -> usize {
        usize::try_from(self.counters.get(Counter::DirtyBytes)).unwrap_or(usize::MAX)
    }
}
