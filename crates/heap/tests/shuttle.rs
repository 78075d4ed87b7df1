//! The whole heap under random schedules: `ci/shuttle.sh`.
//!
//! Every atomic of the allocator is a place where another thread may run, and a lock that is held lets the others run. Each
//! scenario asks one question and is small, so that a few thousand schedules say something. A failure prints the
//! schedule that led to it.
#![cfg(shuttle)]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod client;

use client::{Answer, Client, allocator_on, assert_all_returned};
use mallow_heap::allocator::Allocator;
use mallow_sys::sim::Sim;
use mallow_testkit::ops::Op;
use mallow_testkit::oracle::Live;
use mallow_trace::Counter;
use mallow_units::bytes::GIB;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, MaxSteps, Runner};

/// Schedules of each kind per scenario, if `SHUTTLE_SCHEDULES` does not say otherwise.
const SCHEDULES: usize = 200;
/// Threads that may lose their turn at the worst moment in one schedule.
const PREEMPTIONS: usize = 3;
/// Bytes of a test thread's stack.
const STACK_BYTES: usize = 1 << 20;

/// Bytes of a block of which two fill the first slabs, and each remote free is a batch of its own.
const FEW_TO_A_SLAB: usize = 16 << 10;
/// Blocks of that size that lie in some slabs.
const SOME_SLABS: u32 = 10;

#[test]
fn threads_with_their_own_blocks_do_not_meet() {
    explore(|allocator, sim| {
        let thread = |seed| {
            thread::spawn(move || {
                let mut client = Client::new(allocator, Some(sim), seed);
                run(
                    &mut client,
                    [
                        Op::AllocateMany { bytes: FEW_TO_A_SLAB, count: SOME_SLABS },
                        Op::Allocate { bytes: 40_000, align_log2: 4 },
                        Op::FreeMany { nth: 0, count: 6 },
                        Op::AllocateZeroed { bytes: FEW_TO_A_SLAB },
                    ],
                );
                client.finish();
            })
        };
        join([thread(1), thread(2)]);
    });
}

#[test]
fn blocks_freed_by_two_others_come_home_to_a_living_owner() {
    explore(|allocator, sim| {
        let [mut owner, one, another] = clients(allocator, sim);
        let (some, others) = (make(&mut owner, SOME_SLABS), make(&mut owner, SOME_SLABS));
        let senders = [free_in(one, some), free_in(another, others)];
        run(
            &mut owner,
            [
                Op::AllocateMany { bytes: FEW_TO_A_SLAB, count: SOME_SLABS },
                Op::Tick { ms: 1 },
                Op::FreeMany { nth: 0, count: SOME_SLABS },
                Op::Tick { ms: 1 },
            ],
        );
        join(senders);
        owner.finish();
    });
}

#[test]
fn blocks_freed_while_their_owner_leaves_are_not_forgotten() {
    explore(|allocator, sim| {
        let [mut owner, sender, bystander] = clients(allocator, sim);
        bystander.finish();
        let blocks = make(&mut owner, SOME_SLABS);
        join([free_in(sender, blocks), thread::spawn(move || owner.finish())]);
    });
}

#[test]
fn senders_to_a_vacant_heap_take_turns() {
    explore(|allocator, sim| {
        let [mut owner, one, another] = clients(allocator, sim);
        let (some, others) = (make(&mut owner, SOME_SLABS), make(&mut owner, SOME_SLABS));
        owner.finish();
        join([free_in(one, some), free_in(another, others)]);
    });
}

#[test]
fn a_heap_that_is_adopted_while_it_is_visited_belongs_to_one_at_a_time() {
    explore(|allocator, sim| {
        let [bystander, visitor, mut owner] = clients(allocator, sim);
        bystander.finish();
        let blocks = make(&mut owner, SOME_SLABS);
        // The heap that is left last is adopted first.
        owner.finish();
        let adopter = thread::spawn(move || {
            let mut client = Client::new(allocator, Some(sim), 9);
            run(
                &mut client,
                [
                    Op::AllocateMany { bytes: FEW_TO_A_SLAB, count: SOME_SLABS },
                    Op::FreeMany { nth: 3, count: 5 },
                ],
            );
            client.finish();
        });
        join([free_in(visitor, blocks), adopter]);
    });
}

#[test]
fn whoever_trims_disturbs_nobody() {
    explore(|allocator, sim| {
        let [mut owner, sender, mut trimmer] = clients(allocator, sim);
        let blocks = make(&mut owner, SOME_SLABS);
        let leaver = thread::spawn(move || {
            run(&mut owner, [Op::AllocateMany { bytes: FEW_TO_A_SLAB, count: 5 }, Op::Tick { ms: 300 }]);
            owner.finish();
        });
        let trimmer = thread::spawn(move || {
            run(&mut trimmer, [Op::Trim { keep: 0 }, Op::Tick { ms: 300 }]);
            trimmer.finish();
        });
        join([leaver, free_in(sender, blocks), trimmer]);
    });
}

#[test]
fn what_comes_home_to_a_sleeper_is_taken_over_once() {
    explore(|allocator, sim| {
        let [mut owner, sender, mut trimmer] = clients(allocator, sim);
        let blocks = make(&mut owner, SOME_SLABS);
        let sleeper = thread::spawn(move || {
            run(
                &mut owner,
                [
                    Op::AllocateMany { bytes: FEW_TO_A_SLAB, count: SOME_SLABS },
                    Op::Tick { ms: 1 },
                    Op::FreeMany { nth: 0, count: 3 },
                ],
            );
            owner.finish();
        });
        let trimmer = thread::spawn(move || {
            run(&mut trimmer, [Op::Trim { keep: 0 }, Op::Tick { ms: 300 }, Op::Tick { ms: 300 }]);
            trimmer.finish();
        });
        join([sleeper, free_in(sender, blocks), trimmer]);
    });
}

#[test]
fn large_and_medium_blocks_change_hands() {
    explore(|allocator, sim| {
        let [one, another, mut receiver] = clients(allocator, sim);
        let thread = |mut client: Client| {
            thread::spawn(move || {
                run(
                    &mut client,
                    [
                        Op::Allocate { bytes: 1 << 20, align_log2: 4 },
                        Op::Reallocate { nth: 1, bytes: 3 << 19 },
                        Op::Allocate { bytes: 50_000, align_log2: 4 },
                    ],
                );
                let given = [client.oracle.leave(2), client.oracle.leave(1)];
                client.finish();
                given.into_iter().flatten()
            })
        };
        for thread in [thread(one), thread(another)] {
            let given = thread.join().expect("no promise was broken");
            given.for_each(|live| receiver.oracle.accept(live));
        }
        receiver.finish();
    });
}

/// Runs `scenario` on a new allocator under many schedules; at the end, nothing may be left.
fn explore(scenario: fn(&'static Allocator, &'static Sim)) {
    let schedules =
        std::env::var("SHUTTLE_SCHEDULES").map_or(SCHEDULES, |text| text.parse().expect("a number"));
    explore_with(RandomScheduler::new(schedules), scenario);
    explore_with(PctScheduler::new(PREEMPTIONS, schedules), scenario);
}

fn explore_with(scheduler: impl Scheduler + 'static, scenario: fn(&'static Allocator, &'static Sim)) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.max_steps = MaxSteps::FailAfter(2_000_000);
    Runner::new(scheduler, config).run(move || {
        let sim: &'static Sim = Box::leak(Box::new(Sim::new(GIB)));
        let allocator = allocator_on(sim);
        scenario(allocator, sim);
        assert_nothing_forgotten(allocator);
        assert_all_returned(allocator);
    });
}

/// Three clients with heaps of their own, made before any heap is vacant: a later one would be adopted.
fn clients(allocator: &'static Allocator, sim: &'static Sim) -> [Client; 3] {
    [1, 2, 3].map(|seed| {
        let mut client = Client::new(allocator, Some(sim), seed);
        run(&mut client, [Op::Allocate { bytes: 16, align_log2: 4 }]);
        client
    })
}

/// Says that no freed block waits in a heap that nobody has.
fn assert_nothing_forgotten(allocator: &'static Allocator) {
    let count = allocator.counters.get(Counter::Heaps);
    let heaps: Vec<_> = (0..count).map(|_| allocator.attach().expect("all clients have left")).collect();
    assert_eq!(allocator.counters.get(Counter::Heaps), count, "a heap was not vacant");
    for heap in heaps {
        assert!(heap.mailbox.get().is_empty(), "a slab waits in the mailbox of a vacant heap");
        allocator.detach(heap);
    }
}

fn run<const N: usize>(client: &mut Client, ops: [Op; N]) {
    for op in ops {
        assert_eq!(client.step(op), Answer::Done, "the system refuses nothing, but {op:?} failed");
    }
}

/// Blocks of `client` for another thread to free.
fn make(client: &mut Client, count: u32) -> Vec<Live> {
    let kept = client.oracle.len();
    run(client, [Op::AllocateMany { bytes: FEW_TO_A_SLAB, count }]);
    core::iter::from_fn(|| client.oracle.leave(kept)).take(count as usize).collect()
}

/// A thread that frees `blocks` through the heap of `client`.
fn free_in(mut client: Client, blocks: Vec<Live>) -> JoinHandle<()> {
    thread::spawn(move || {
        blocks.into_iter().for_each(|live| client.oracle.accept(live));
        client.finish();
    })
}

fn join<const N: usize>(threads: [JoinHandle<()>; N]) {
    for thread in threads {
        thread.join().expect("no promise was broken");
    }
}
