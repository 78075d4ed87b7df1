//! Random sequences of operations on a strict simulated system, against an oracle that knows only the promises.
//!
//! A failing sequence is made smaller and its seed is kept in `tests/regressions`. A sequence that kills the process leaves
//! no such trace: run it again with the seed of the first line that this test prints, and `PROPTEST_FORK=true`.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod client;

use core::hash::BuildHasher;
use std::hash::RandomState;
use std::io::Write;

use client::{Answer, Client, allocator_on, assert_all_returned};
use mallow_sys::sim::Sim;
use mallow_testkit::ops::{self, Op};
use mallow_units::bytes::GIB;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestRunner};

/// Operations, or bursts of them, in one sequence at most.
const LENGTH: usize = 400;
/// Sequences, if `PROPTEST_CASES` does not say otherwise.
const SEQUENCES: u32 = 48;

#[test]
fn every_promise_is_kept_in_every_order_of_operations() {
    let mut config = Config::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = SEQUENCES;
    }
    config.failure_persistence =
        Some(Box::new(FileFailurePersistence::Direct("tests/regressions/model.txt")));
    config.max_shrink_iters = 1000;
    config.test_name = Some("every_promise_is_kept_in_every_order_of_operations");
    config.source_file = Some(file!());
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(RandomState::new().hash_one(SEQUENCES));
    }
    if let RngSeed::Fixed(seed) = config.rng_seed {
        // Written at once, not kept back until the test has failed: a crash would lose it.
        let _ = writeln!(std::io::stderr(), "model: PROPTEST_RNG_SEED={seed} repeats this run");
    }
    TestRunner::new(config)
        .run(&ops::ops(LENGTH), |ops| {
            run(&ops);
            Ok(())
        })
        .expect("every promise is kept");
}

fn run(ops: &[Op]) {
    let sim: &'static Sim = Box::leak(Box::new(Sim::new(GIB)));
    let allocator = allocator_on(sim);
    let mut client = Client::new(allocator, Some(sim), 1);
    for op in ops {
        assert_eq!(client.step(*op), Answer::Done, "the system refuses nothing, but {op:?} failed");
    }
    client.finish();
    assert_all_returned(allocator);
}
