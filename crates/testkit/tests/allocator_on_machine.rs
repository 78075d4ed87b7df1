//! The allocator on a simulated machine of 64 MiB: the same code as in a process, with every page from the machine's fault handler.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

#[path = "../../heap/tests/client/mod.rs"]
mod client;

use client::{Answer, Client, allocator_on, assert_all_returned};
use mallow_heap::allocator::Allocator;
use mallow_kmm::machine::{Config, Machine};
use mallow_kmm::overcommit::{Mode, Share};
use mallow_kmm::pressure::SwapConfig;
use mallow_kmm::sim::MachineOs;
use mallow_testkit::ops::{self, Op};
use mallow_units::Bytes;
use mallow_units::bytes::{GIB, MIB};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{RngSeed, TestRunner};

const RAM: Bytes = Bytes(64 * MIB as u64);
/// Per cent of the memory that may be promised; the rest is for tables.
const PROMISED: u32 = 80;

/// A machine that promises no more than it has, and an allocator on it.
fn boot() -> (&'static MachineOs, &'static Allocator) {
    let os = MachineOs::boot(Config::new(RAM), Bytes(64 * GIB as u64)).expect("the host has room");
    os.with(|machine, _| {
        machine.world.policy.mode = Mode::Never;
        machine.world.policy.share = Share::Percent(PROMISED);
    });
    (os, allocator_on(os))
}

fn check(os: &MachineOs) {
    let checked = os.with(|machine: &mut Machine, _| machine.check());
    if let Err(broken) = checked {
        panic!("{broken}");
    }
}

fn anon_bytes(os: &MachineOs) -> usize {
    os.with(|machine, pid| {
        machine.resident(pid).map_or(0, |resident| usize::try_from(resident.anon).unwrap_or(0))
    }) * 4096
}

#[test]
fn every_promise_is_kept_whatever_the_machine_refuses() {
    for seed in 0..6 {
        let (os, allocator) = boot();
        let mut client = Client::new(allocator, None, seed);
        let config = proptest::test_runner::Config { rng_seed: RngSeed::Fixed(seed), ..Default::default() };
        let mut runner = TestRunner::new(config);
        let ops: Vec<Op> = ops::ops(400).new_tree(&mut runner).expect("a sequence").current();
        let mut refused = 0;
        for (at, op) in ops.iter().enumerate() {
            refused += u32::from(client.step(*op) == Answer::Refused);
            if at % 16 == 0 {
                check(os);
            }
            if at % 64 == 63 {
                // As after a switch of address spaces: the next touch of each page goes through the tables again.
                os.hide_all();
            }
        }
        client.finish();
        assert_all_returned(allocator);
        check(os);
        let left = anon_bytes(os);
        assert!(left < 4 * MIB, "{left} bytes are left after {} operations, {refused} refused", ops.len());
    }
}

#[test]
fn what_does_not_fit_is_refused_and_what_is_freed_fits_again() {
    let (os, allocator) = boot();
    let mut client = Client::new(allocator, None, 7);
    let fill = |client: &mut Client| {
        let mut blocks = 0;
        while client.step(Op::Allocate { bytes: 100_000, align_log2: 4 }) == Answer::Done {
            blocks += 1;
            assert!(blocks * 100_000 < 64 * MIB, "more is handed out than there is");
        }
        blocks
    };
    let first = fill(&mut client);
    assert!(first * 100_000 > 36 * MIB, "only {first} blocks fit");
    check(os);
    for _ in 0..first {
        assert_eq!(client.step(Op::Free { nth: 0 }), Answer::Done);
    }
    assert_eq!(client.step(Op::Trim { keep: 0 }), Answer::Done);
    check(os);
    assert!(anon_bytes(os) < 4 * MIB, "freed memory went back to the machine");
    let again = fill(&mut client);
    assert!(again * 10 >= first * 9, "{again} blocks fit after {first}");
    client.finish();
    check(os);
}

#[test]
fn three_times_the_memory_comes_back_whole_from_swap() {
    let swap = SwapConfig::of_pages(4 * 64 * 256);
    let config = Config { swap, ..Config::new(RAM) };
    let os = MachineOs::boot(config, Bytes(64 * GIB as u64)).expect("the host has room");
    let allocator = allocator_on(os);
    let mut client = Client::new(allocator, None, 3);
    for block in 0..600 {
        // Small, medium and large ones.
        let bytes = [40_000, 300_000, 700_000, 1_500_000][block % 4];
        assert_eq!(client.step(Op::AllocateMany { bytes: bytes / 50, count: 10 }), Answer::Done);
        assert_eq!(client.step(Op::Allocate { bytes: bytes / 2, align_log2: 4 }), Answer::Done);
    }
    let (resident, total) = os.with(|machine, pid| (machine.resident(pid), machine.total()));
    let resident = resident.expect("the process lives");
    assert!(resident.anon + resident.swap > 3 * total.0, "{resident:?}");
    check(os);
    // Every block is compared before it is freed.
    client.finish();
    check(os);
    assert_all_returned(allocator);
}

#[test]
fn pages_are_touched_before_they_cost_anything() {
    let (os, allocator) = boot();
    let mut client = Client::new(allocator, None, 1);
    assert_eq!(client.step(Op::AllocateZeroed { bytes: 20 * MIB }), Answer::Done);
    check(os);
    let faults = os.with(|machine, _| machine.world.events.faults);
    assert!(faults > 0, "every page came through the fault handler");
    client.finish();
    assert_all_returned(allocator);
    check(os);
    let gone = os.with(|machine, pid| {
        machine.explain(pid, machine.process(pid).ok()?.space.areas().next()?.span().start().start())
    });
    assert!(gone.is_some(), "the allocator keeps its region, and it can be explained");
}
