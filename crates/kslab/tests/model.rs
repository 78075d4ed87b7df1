//! Random operations on caches of every kind, against a set of the objects that are out; and memory that refuses at every turn.

#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod ram;

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use mallow_kslab::{Cache, Checks, CpuCache, Spec};
use mallow_units::Align;
use proptest::prelude::*;
use proptest::sample::Index;
use ram::Ram;

const CPUS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Op {
    Alloc { cpu: usize, count: usize },
    Free { cpu: usize, which: Index, count: usize },
    Drain { cpu: usize },
    Shrink,
    Reap,
    Refuse { after: u64 },
    Grant,
}

fn op() -> impl Strategy<Value = Op> {
    let cpu = 0..CPUS;
    prop_oneof![
        8 => (cpu.clone(), 1..90_usize).prop_map(|(cpu, count)| Op::Alloc { cpu, count }),
        8 => (cpu.clone(), any::<Index>(), 1..90_usize)
            .prop_map(|(cpu, which, count)| Op::Free { cpu, which, count }),
        1 => cpu.prop_map(|cpu| Op::Drain { cpu }),
        1 => Just(Op::Shrink),
        2 => Just(Op::Reap),
        1 => (0..6_u64).prop_map(|after| Op::Refuse { after }),
        1 => Just(Op::Grant),
    ]
}

fn construct(object: &mut [MaybeUninit<u8>]) {
    object.fill(MaybeUninit::new(0x11));
}

fn spec() -> impl Strategy<Value = Spec> {
    let bytes = prop_oneof![1..70_usize, 70..700_usize, 700..9000_usize];
    let checks = prop_oneof![
        4 => Just(Checks::NONE),
        1 => Just(Checks::ALL),
        1 => Just(Checks::RED_ZONES),
        1 => Just(Checks::POISON | Checks::TAGS),
    ];
    (bytes, 3..9_u32, checks, any::<bool>()).prop_map(|(bytes, log2, checks, is_constructed)| {
        let align = Align::new(1 << log2).expect("a power of two");
        let spec = Spec::new("object", bytes).aligned(align).checked(checks);
        if is_constructed { spec.constructed_by(construct) } else { spec }
    })
}

/// An object that is out, and what its first byte holds.
struct Out {
    object: NonNull<u8>,
    mark: u8,
}

struct Model<'r> {
    cache: Cache<&'r Ram>,
    cpus: Vec<CpuCache>,
    out: Vec<Out>,
    spec: Spec,
    mark: u8,
}

impl<'r> Model<'r> {
    fn new(ram: &'r Ram, spec: Spec) -> Self {
        let cache = Cache::create(ram, spec).expect("a possible cache");
        let cpus = (0..CPUS).map(|cpu| cache.attach(u32::try_from(cpu).expect("few"))).collect();
        Self { cache, cpus, out: Vec::new(), spec, mark: 0 }
    }

    fn alloc(&mut self, cpu: usize) -> bool {
        let Some(object) = self.cache.alloc(&mut self.cpus[cpu]) else { return false };
        assert!(self.spec.align.divides(object.addr().get()));
        if self.spec.constructor.is_some() {
            // SAFETY: the object is ours, and constructed.
            let bytes = unsafe { NonNull::slice_from_raw_parts(object, self.spec.bytes).as_ref() };
            assert!(bytes.iter().all(|byte| *byte == 0x11), "not in its constructed state");
        }
        self.mark = self.mark.wrapping_add(1);
        self.write(object, self.mark);
        self.out.push(Out { object, mark: self.mark });
        true
    }

    fn write(&self, object: NonNull<u8>, mark: u8) {
        // SAFETY: the object is ours, and has that many bytes.
        unsafe { object.write_bytes(mark, self.spec.bytes) };
    }

    fn free(&mut self, cpu: usize, at: usize) {
        let Out { object, mark } = self.out.swap_remove(at);
        // SAFETY: the object is ours.
        let bytes = unsafe { NonNull::slice_from_raw_parts(object, self.spec.bytes).as_ref() };
        assert!(bytes.iter().all(|byte| *byte == mark), "somebody else wrote to our object");
        if self.spec.constructor.is_some() {
            self.write(object, 0x11);
        }
        // SAFETY: it was handed out, and is forgotten.
        unsafe { self.cache.free(&mut self.cpus[cpu], object) };
    }

    fn apply(&mut self, ram: &Ram, op: Op) {
        match op {
            Op::Alloc { cpu, count } => {
                for _ in 0..count {
                    if !self.alloc(cpu) {
                        break;
                    }
                }
            }
            Op::Free { cpu, which, count } => {
                for _ in 0..count.min(self.out.len()) {
                    self.free(cpu, which.index(self.out.len()));
                }
            }
            Op::Drain { cpu } => self.cache.drain(&mut self.cpus[cpu]),
            Op::Shrink => {
                let (before, returned) = (ram.used_frames(), self.cache.shrink());
                assert_eq!(u64::from(before), u64::from(ram.used_frames()) + returned.0);
            }
            Op::Reap => {
                let (before, returned) = (ram.used_frames(), self.cache.reap());
                assert_eq!(u64::from(before), u64::from(ram.used_frames()) + returned.0);
            }
            Op::Refuse { after } => ram.refuse_after(after),
            Op::Grant => ram.refuse_none(),
        }
        self.check();
    }

    fn check(&self) {
        self.cache.check(&self.cpus);
        let mut out = Vec::new();
        self.cache.for_each_out(|object, _| out.push(object));
        assert!(self.out.iter().all(|ours| out.contains(&ours.object)), "an object of ours is free");
    }

    /// Frees all; nothing may be left.
    fn end(mut self, ram: &Ram) {
        while !self.out.is_empty() {
            self.free(0, 0);
        }
        for cpu in self.cpus {
            self.cache.detach(cpu).expect("our own");
        }
        self.cache.destroy().expect("nothing is out");
        assert_eq!(ram.used_frames(), 0);
        assert!(ram.take_reports().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn objects_are_handed_out_once_and_come_home(spec in spec(), ops in prop::collection::vec(op(), 1..40)) {
        let ram = Ram::new(2048);
        let mut model = Model::new(&ram, spec);
        for op in ops {
            model.apply(&ram, op);
        }
        model.end(&ram);
    }
}

#[test]
fn every_refusal_leaves_everything_as_it_was() {
    for (bytes, checks) in [(192, Checks::NONE), (16, Checks::NONE), (2000, Checks::NONE), (100, Checks::ALL)]
    {
        let spec = Spec::new("object", bytes).checked(checks);
        let rounds = |model: &mut Model<'_>| {
            let granted: usize = (0..400).filter(|at| model.alloc(at % CPUS)).count();
            model.check();
            while !model.out.is_empty() {
                model.free(model.out.len() % CPUS, model.out.len() / 2);
            }
            model.check();
            granted
        };
        let asked = {
            let ram = Ram::new(2048);
            let mut model = Model::new(&ram, spec);
            assert_eq!(rounds(&mut model), 400);
            model.end(&ram);
            ram.asked()
        };
        for nth in 0..=asked {
            let ram = Ram::new(2048);
            let mut model = Model::new(&ram, spec);
            ram.refuse_after(nth);
            let before = rounds(&mut model);
            assert!(nth == asked || before <= 400);
            // Whatever was refused, memory makes it work again.
            ram.refuse_none();
            assert_eq!(rounds(&mut model), 400, "after a refusal of allocation {nth}");
            model.end(&ram);
        }
    }
}

#[test]
fn a_refused_object_costs_no_page() {
    let ram = Ram::new(64);
    let mut model = Model::new(&ram, Spec::new("object", 192));
    ram.refuse_after(0);
    assert!(!model.alloc(0));
    assert_eq!(ram.used_frames(), 0);
    model.check();
    ram.refuse_none();
    model.end(&ram);
}
