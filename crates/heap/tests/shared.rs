//! Heaps that threads share: who gets which, and that nothing is lost in them.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod client;

use std::thread;

use client::{Answer, Client, allocator_on, assert_all_returned};
use mallow_ds::owner::Owner;
use mallow_heap::allocator::Allocator;
use mallow_heap::heap::Heap;
use mallow_heap::shared::Found;
use mallow_sys::linux::LINUX;
use mallow_sys::sim::Sim;
use mallow_testkit::ops::{self, Op};
use mallow_units::bytes::GIB;

/// Heaps that are made before threads share.
const EARLY: usize = 4;
const THREADS: u64 = 4;
const ROUNDS: u64 = if cfg!(tiny) { 10 } else { 40 };

/// An allocator on the simulator so many of whose heaps are in use that new threads share.
fn crowded() -> &'static Allocator {
    let sim: &'static Sim = Box::leak(Box::new(Sim::new(GIB)));
    crowd(allocator_on(sim))
}

fn crowd(allocator: &'static Allocator) -> &'static Allocator {
    for _ in 0..EARLY {
        assert!(matches!(allocator.find_heap(0), Some(Found::Own(_))), "few threads have heaps of their own");
    }
    allocator
}

fn shared(found: Option<Found>) -> &'static Heap {
    match found {
        Some(Found::Shared(heap)) => heap,
        other => panic!("a shared heap was expected, not {other:?}"),
    }
}

/// A client without heaps of its own.
fn sharing(allocator: &'static Allocator, seed: u64) -> Client {
    let mut client = Client::new(allocator, None, seed);
    client.is_sharing = true;
    client
}

#[test]
fn small_threads_share_one_heap_and_others_get_their_own() {
    let allocator = crowded();
    let first = shared(allocator.find_heap(0));
    let second = shared(allocator.find_heap(1));
    assert!(!core::ptr::eq(first, second), "a heap that is visited is left alone");
    allocator.leave(first);
    assert!(core::ptr::eq(first, shared(allocator.find_heap(2))));
    let Some(Found::Own(own)) = allocator.find_heap(1000) else { panic!("a thread that needs much shares") };
    assert_eq!((own.owner.get(), first.owner.get()), (Owner::Owned, Owner::Visited));
    allocator.leave(first);
    allocator.leave(second);
    assert_eq!([first, second].map(|heap| heap.owner.get()), [Owner::Vacant; 2]);
}

#[test]
fn nobody_adopts_a_shared_heap() {
    let allocator = crowded();
    let heap = shared(allocator.find_heap(0));
    allocator.leave(heap);
    for _ in 0..100 {
        let own = allocator.attach().expect("memory for a heap");
        assert!(!core::ptr::eq(own, heap));
    }
}

#[test]
fn where_all_shared_heaps_are_visited_a_thread_gets_its_own() {
    let allocator = crowded();
    let visited: Vec<_> = core::iter::from_fn(|| match allocator.find_heap(1) {
        Some(Found::Shared(heap)) => Some(heap),
        _ => None,
    })
    .collect();
    assert!(visited.len() > 1 && visited.len() < 1000, "{} shared heaps", visited.len());
    visited.into_iter().for_each(|heap| allocator.leave(heap));
}

#[test]
fn a_forked_child_replaces_what_it_cannot_use_and_keeps_the_rest() {
    let allocator = crowded();
    let at_rest = shared(allocator.find_heap(0));
    let own = allocator.attach().expect("memory for a heap");
    allocator.prepare_fork();
    // SAFETY: this thread prepared, just before; the process is its own child here.
    unsafe { allocator.after_fork_in_child(own) };
    assert_eq!(
        at_rest.owner.get(),
        Owner::Vacant,
        "its visitor is gone, and was not in the middle of a step"
    );
    for _ in 0..100 {
        let adopted = allocator.attach().expect("memory for a heap");
        assert!(!core::ptr::eq(adopted, at_rest), "it is shared still");
    }
    // As if its visitor had been in the middle of a step.
    at_rest.owner.replace(Owner::Frozen);
    allocator.prepare_fork();
    // SAFETY: as above.
    unsafe { allocator.after_fork_in_child(own) };
    let other = shared(allocator.find_heap(1));
    assert!(!core::ptr::eq(other, at_rest) && other.owner.get() != Owner::Frozen);
    allocator.leave(other);
}

#[test]
fn what_a_shared_heap_keeps_goes_back_when_other_threads_tick() {
    let sim: &'static Sim = Box::leak(Box::new(Sim::new(GIB)));
    let allocator = crowd(allocator_on(sim));
    let mut client = sharing(allocator, 7);
    for _ in 0..20 {
        assert_eq!(client.step(Op::AllocateMany { bytes: 3000, count: 30 }), Answer::Done);
        assert_eq!(client.step(Op::FreeMany { nth: 0, count: 30 }), Answer::Done);
    }
    client.finish();
    let other = allocator.attach().expect("memory for a heap");
    for _ in 0..200 {
        sim.advance_ms(50);
        allocator.tick(other);
    }
    allocator.take_stock(other);
    let counter = |counter| allocator.counters.get(counter);
    assert_eq!(counter(mallow_trace::Counter::LiveBytes), 0);
    assert_eq!(counter(mallow_trace::Counter::HeapBytes), 0, "slabs and runs that nobody uses");
    assert_eq!(counter(mallow_trace::Counter::DirtyBytes), 0);
}

#[test]
fn threads_that_share_keep_every_promise_on_the_simulator() {
    share(crowded());
}

#[test]
fn threads_that_share_keep_every_promise_on_linux() {
    share(crowd(allocator_on(&LINUX)));
}

/// Threads that share heaps and threads that have their own pass blocks to each other by ending.
fn share(allocator: &'static Allocator) {
    thread::scope(|scope| {
        for number in 0..THREADS {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let seed = number << 32 | round;
                    let mut small = sharing(allocator, seed);
                    for op in ops::script(seed, 60) {
                        assert_eq!(
                            small.step(op),
                            Answer::Done,
                            "the system refuses nothing, but {op:?} failed"
                        );
                    }
                    // Its last blocks are freed by a thread with a heap of its own.
                    let mut heir = Client::new(allocator, None, seed);
                    core::iter::from_fn(|| small.oracle.leave(0)).for_each(|live| heir.oracle.accept(live));
                    small.finish();
                    heir.finish();
                }
            });
        }
    });
    assert_all_returned(allocator);
}
