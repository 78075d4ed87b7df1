//! An operating system that refuses, at every call in turn: requests may fail, nothing is lost, and later they succeed.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod client;

use core::ops::Range;

use client::{Answer, Client, allocator_on, assert_all_returned};
use mallow_sys::sim::Sim;
use mallow_testkit::ops::{self, Op};
use mallow_units::bytes::MIB;

/// Operations in the script.
const LENGTH: usize = 200;
/// Bytes of address space claimed, so that there are small regions and several of them.
const ADDRESS_SPACE_BYTES: usize = 64 * MIB;

/// What one run of the script came to.
struct Run {
    /// Calls of the system that can fail.
    calls: u64,
    /// Operations that were refused.
    refused: usize,
}

#[test]
fn every_call_may_be_refused_once() {
    refuse_each_in_turn(1);
}

#[test]
fn every_call_may_be_the_first_of_some_that_are_refused() {
    refuse_each_in_turn(7);
}

#[test]
fn every_call_may_be_the_last_that_succeeds_for_long() {
    refuse_each_in_turn(200);
}

#[test]
fn a_system_that_refuses_everything_loses_nothing() {
    let run = run(0..u64::MAX);
    assert!(run.refused > 0, "something needed memory");
}

/// Runs the script once for each call that it makes, with that call and the next ones refused, `count` in all.
fn refuse_each_in_turn(count: u64) {
    let mut first = 0;
    let mut refused = 0;
    loop {
        let run = run(first..first + count);
        refused += run.refused;
        if run.calls <= first {
            break;
        }
        first += 1;
    }
    assert!(refused > 0, "something needed memory");
}

/// Runs the script with some calls refused. Whatever fails is tried again when the system is willing, and must succeed.
fn run(calls: Range<u64>) -> Run {
    let sim: &'static Sim = Box::leak(Box::new(Sim::new(ADDRESS_SPACE_BYTES)));
    let allocator = allocator_on(sim);
    let mut client = Client::new(allocator, Some(sim), 1);
    let mut refused = 0;
    sim.refuse(calls.clone());
    for op in script() {
        if client.step(op) == Answer::Refused {
            refused += 1;
            assert!(sim.call_count() > calls.start, "{op:?} was refused by nobody");
            client.check();
            sim.refuse_all(false);
            assert_eq!(client.step(op), Answer::Done, "{op:?} failed again after the system gave in");
            sim.refuse(calls.clone());
        }
    }
    let run = Run { calls: sim.call_count(), refused };
    sim.refuse_all(false);
    client.finish();
    assert_all_returned(allocator);
    run
}

/// The same for every run: large blocks that grow, shrink and are zeroed, and what the generator makes.
fn script() -> Vec<Op> {
    let large = |mib: usize| mib * MIB + 4096;
    let mut script = vec![
        Op::Allocate { bytes: large(1), align_log2: 4 },
        Op::Reallocate { nth: 0, bytes: large(4) },
        Op::Reallocate { nth: 0, bytes: large(1) },
        Op::Allocate { bytes: large(1), align_log2: 21 },
        Op::AllocateZeroed { bytes: large(4) },
        Op::FreeMany { nth: 0, count: 3 },
        Op::AllocateZeroed { bytes: large(4) },
        Op::Tick { ms: 300 },
        Op::AllocateMany { bytes: 100, count: 1000 },
        Op::Trim { keep: 0 },
    ];
    script.extend(ops::script(3, LENGTH));
    script
}
