//! The slot map against a vector of counts, with several processors.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_kmm::swap::{Cluster, Cursor, Slot, SlotError, Slots};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Op {
    Allocate { cpu: usize },
    Share { nth: usize },
    Release { nth: usize },
    Leave { cpu: usize },
    Stray { slot: u32 },
}

const CPUS: usize = 3;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..CPUS).prop_map(|cpu| Op::Allocate { cpu }),
        2 => any::<usize>().prop_map(|nth| Op::Share { nth }),
        5 => any::<usize>().prop_map(|nth| Op::Release { nth }),
        1 => (0..CPUS).prop_map(|cpu| Op::Leave { cpu }),
        1 => any::<u32>().prop_map(|slot| Op::Stray { slot }),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_vector_of_counts(len in 0_u32..300, ops in prop::collection::vec(op(), 0..600)) {
        let mut slots = Slots::new(vec![Cluster::new(); 5], len).unwrap();
        let mut cpus: [Cursor; CPUS] = Default::default();
        let mut model = vec![0_u16; len as usize];
        for op in ops {
            let used: Vec<u32> = (0..len).filter(|at| model[*at as usize] > 0).collect();
            let pick = |nth: usize| (!used.is_empty()).then(|| used[nth % used.len()]);
            match op {
                Op::Allocate { cpu } => match slots.allocate(&mut cpus[cpu]) {
                    Some(Slot(at)) => {
                        prop_assert_eq!(model[at as usize], 0, "the slot is in use");
                        model[at as usize] = 1;
                    }
                    None => prop_assert_eq!(used.len(), model.len(), "there is a free one"),
                },
                Op::Share { nth } => if let Some(at) = pick(nth) {
                    prop_assert_eq!(slots.share(Slot(at)), Ok(()));
                    model[at as usize] += 1;
                },
                Op::Release { nth } => if let Some(at) = pick(nth) {
                    model[at as usize] -= 1;
                    prop_assert_eq!(slots.release(Slot(at)), Ok(model[at as usize] == 0));
                },
                Op::Leave { cpu } => slots.leave(&mut cpus[cpu]),
                Op::Stray { slot } => if model.get(slot as usize).is_none_or(|count| *count == 0) {
                    let slot = Slot(slot);
                    prop_assert_eq!(slots.share(slot), Err(SlotError::Unused(slot)));
                    prop_assert_eq!(slots.release(slot), Err(SlotError::Unused(slot)));
                },
            }
            prop_assert_eq!(slots.check(), Ok(()));
            let free = model.iter().filter(|count| **count == 0).count();
            prop_assert_eq!(slots.free() as usize, free);
            prop_assert!(model.iter().zip(0..).all(|(count, at)| slots.references(Slot(at)) == *count));
        }
    }
}

#[test]
fn pages_that_leave_together_lie_together() {
    let mut slots = Slots::new(vec![Cluster::new(); 4], 256).unwrap();
    let (mut one, mut other) = (Cursor::new(), Cursor::new());
    let mut of_one = Vec::new();
    for _ in 0..64 {
        of_one.push(slots.allocate(&mut one).unwrap().0);
        slots.allocate(&mut other).unwrap();
    }
    assert!(of_one.windows(2).all(|pair| pair[1] == pair[0] + 1), "{of_one:?}");
    assert!(slots.around(Slot(of_one[9]), 8).map(|slot| slot.0).eq(of_one[8]..of_one[16]));
}

#[test]
fn too_many_references_are_refused() {
    let mut slots = Slots::new([Cluster::new()], 1).unwrap();
    let slot = slots.allocate(&mut Cursor::new()).unwrap();
    for _ in 1..u16::MAX {
        slots.share(slot).unwrap();
    }
    assert_eq!(slots.share(slot), Err(SlotError::Saturated(slot)));
    assert_eq!(slots.references(slot), u16::MAX);
}

#[test]
fn a_map_needs_its_clusters() {
    assert!(Slots::new([Cluster::new()], 65).is_none());
    assert!(Slots::new([], 0).unwrap().allocate(&mut Cursor::new()).is_none());
}
