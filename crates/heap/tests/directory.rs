//! The directory against a map from the standard library. The addresses are only numbers here.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

extern crate alloc;

use alloc::collections::BTreeMap;

use mallow_heap::backing::Backing;
use mallow_heap::config::CHUNK_BYTES;
use mallow_heap::directory::{Directory, GRANULE_BYTES, Large, Owner};
use mallow_heap::region::Region;
use mallow_sys::sim::Sim;
use mallow_units::bytes::{GIB, MIB};
use mallow_units::page::PAGE_BYTES;
use proptest::prelude::*;

static SIM: Sim = Sim::new(GIB);

/// What is done to one granule.
#[derive(Clone, Copy, Debug)]
enum Step {
    Enter { pages: usize },
    Strike,
}

fn step() -> impl Strategy<Value = (usize, usize, Step)> {
    // Few granules, in leaves that are far apart, so that one is often met again.
    let granule =
        (0..3_usize, 0..20_usize).prop_map(|(leaf, granule)| (leaf * 100_000 + granule + 1) * GRANULE_BYTES);
    let offset = (0..GRANULE_BYTES / PAGE_BYTES).prop_map(|page| page * PAGE_BYTES);
    let step = prop_oneof![3 => (256..100_000_usize).prop_map(|pages| Step::Enter { pages }), 2 => Just(Step::Strike)];
    (granule, offset, step)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn finds_what_was_entered_and_not_struck(steps in proptest::collection::vec(step(), 1..200)) {
        let directory = Directory::new();
        let mut model: BTreeMap<usize, Large> = BTreeMap::new();
        for (granule, offset, step) in steps {
            match (step, model.get(&granule).copied()) {
                (Step::Enter { pages }, None) => {
                    let large = Large { start: granule + offset, bytes: pages * PAGE_BYTES, backing: Backing::from_bits(pages as u64) };
                    directory.prepare(&SIM).expect("nothing is refused");
                    directory.enter_large(large);
                    model.insert(granule, large);
                }
                (Step::Enter { .. }, Some(_)) => {}
                (Step::Strike, known) => {
                    let large = known.unwrap_or(Large { start: granule + offset, bytes: PAGE_BYTES, backing: Backing::default() });
                    prop_assert_eq!(directory.strike(large), known.is_some());
                    prop_assert!(!directory.strike(large), "struck twice");
                    model.remove(&granule);
                }
            }
            let found = directory.find(granule + offset);
            let expected = model.get(&granule).filter(|large| large.start == granule + offset).copied();
            prop_assert_eq!(large_of(found), expected);
            prop_assert!(large_of(directory.find(granule + offset + 16)).is_none(), "an interior address");
        }
        for large in model.values() {
            prop_assert_eq!(large_of(directory.find(large.start)), Some(*large));
            prop_assert_eq!(directory.find_around(large.start + 1, 4), Some(*large));
        }
    }
}

#[test]
fn every_address_of_an_entered_region_leads_to_it() {
    let directory = Directory::new();
    let bytes = (4 * MIB).next_multiple_of(CHUNK_BYTES);
    let region = Region::reserve(&SIM, bytes).expect("nothing is refused");
    directory.enter_region(&SIM, region, bytes).expect("nothing is refused");
    for address in (region.base()..region.base() + bytes).step_by(PAGE_BYTES) {
        let found = directory.find(address + 7);
        assert!(matches!(found, Some(Owner::Region(found)) if core::ptr::eq(found, region)), "{address:#x}");
    }
    assert!(directory.find(region.base() - 1).is_none() && directory.find(region.base() + bytes).is_none());
}

#[test]
fn a_system_that_refuses_memory_for_the_tree_is_reported() {
    // A system of its own: what it refuses must not reach the other tests.
    static REFUSING: Sim = Sim::new(GIB);
    let directory = Directory::new();
    for refused in 0..2 {
        REFUSING.refuse(refused..refused + 1);
        assert!(directory.prepare(&REFUSING).is_err(), "call {refused}");
    }
    assert!(directory.find(GRANULE_BYTES).is_none());
    directory.prepare(&REFUSING).expect("nothing is refused any more");
}

fn large_of(owner: Option<Owner>) -> Option<Large> {
    match owner {
        Some(Owner::Large(large)) => Some(large),
        _ => None,
    }
}
