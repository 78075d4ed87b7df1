//! Real threads on one allocator: random work, blocks that change hands, threads that come and go, trims among it all.
//!
//! Once on the simulator and once on Linux. `MALLOW_SOAK=1` works a hundred times as long. Also what ThreadSanitizer
//! and AddressSanitizer watch (`ci/sanitize.sh`).
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod client;

use std::thread;

use client::{Answer, Client, allocator_on, assert_all_returned};
use mallow_heap::allocator::Allocator;
use mallow_sys::linux::LINUX;
use mallow_sys::lock::Lock;
use mallow_sys::sim::Sim;
use mallow_testkit::ops::{self, Op};
use mallow_testkit::oracle::Live;
use mallow_units::bytes::GIB;

const THREADS: u64 = 4;
/// Rounds of work of one thread.
const ROUNDS: u64 = if cfg!(tiny) { 6 } else { 20 };
/// Operations in a round at most.
const LENGTH: usize = 150;
/// Blocks passed to other threads after each round.
const PASSED: usize = 40;

/// Blocks on their way from thread to thread. The lock is not std's, because the sanitizers cannot see into that one.
type Market = Lock<Vec<Live>>;

#[test]
fn threads_that_stay_keep_every_promise_on_the_simulator() {
    on_the_simulator(stay);
}

#[test]
fn threads_that_stay_keep_every_promise_on_linux() {
    stay(allocator_on(&LINUX));
}

#[test]
fn threads_that_come_and_go_keep_every_promise_on_the_simulator() {
    on_the_simulator(come_and_go);
}

#[test]
fn threads_that_come_and_go_keep_every_promise_on_linux() {
    come_and_go(allocator_on(&LINUX));
}

#[test]
fn what_one_thread_makes_another_frees_on_the_simulator() {
    on_the_simulator(make_and_free);
}

#[test]
fn what_one_thread_makes_another_frees_on_linux() {
    make_and_free(allocator_on(&LINUX));
}

fn on_the_simulator(scenario: fn(&'static Allocator)) {
    let sim: &'static Sim = Box::leak(Box::new(Sim::new(GIB)));
    scenario(allocator_on(sim));
}

/// A few threads, each with a heap for all its life, pass blocks to each other.
fn stay(allocator: &'static Allocator) {
    let market = Market::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..THREADS {
            let market = &market;
            scope.spawn(move || {
                let mut client = Client::new(allocator, None, number);
                for round in 0..rounds() {
                    work(&mut client, number << 32 | round);
                    trade(&mut client, market);
                }
                client.finish();
            });
        }
    });
    close(allocator, &market);
}

/// Each round is another thread, which leaves blocks behind in a heap that the next one takes over.
fn come_and_go(allocator: &'static Allocator) {
    let market = Market::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..THREADS {
            let market = &market;
            scope.spawn(move || {
                for round in 0..rounds() {
                    let life = move || {
                        let seed = number << 32 | round;
                        let mut client = Client::new(allocator, None, seed);
                        work(&mut client, seed);
                        trade(&mut client, market);
                        client.finish();
                    };
                    thread::scope(|scope| scope.spawn(life).join()).expect("no promise was broken");
                }
            });
        }
    });
    close(allocator, &market);
}

/// Half of the threads only allocate, the others only free.
fn make_and_free(allocator: &'static Allocator) {
    let market = Market::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..THREADS {
            let market = &market;
            scope.spawn(move || {
                let mut client = Client::new(allocator, None, number);
                for round in 0..rounds() * 4 {
                    if number % 2 == 0 {
                        let bytes = usize::try_from(round * 37 % 3000).unwrap_or(0);
                        assert_eq!(client.step(Op::AllocateMany { bytes, count: 300 }), Answer::Done);
                        let made = core::iter::from_fn(|| client.oracle.leave(0));
                        market.lock().extend(made);
                    } else {
                        let bought: Vec<Live> = market.lock().drain(..).collect();
                        bought.into_iter().for_each(|live| client.oracle.accept(live));
                        let count = u32::try_from(client.oracle.len()).expect("few blocks");
                        assert_eq!(client.step(Op::FreeMany { nth: 0, count }), Answer::Done);
                        assert_eq!(client.step(Op::Trim { keep: 0 }), Answer::Done);
                    }
                }
                client.finish();
            });
        }
    });
    close(allocator, &market);
}

fn work(client: &mut Client, seed: u64) {
    for op in ops::script(seed, LENGTH) {
        assert_eq!(client.step(op), Answer::Done, "the system refuses nothing, but {op:?} failed");
    }
}

/// Passes some blocks on, and takes as many from others.
fn trade(client: &mut Client, market: &Market) {
    let sold = core::iter::from_fn(|| client.oracle.leave(0)).take(PASSED);
    let mut market = market.lock();
    let bought = market.len().saturating_sub(PASSED * 2);
    let bought: Vec<Live> = market.drain(..bought).collect();
    market.extend(sold);
    drop(market);
    bought.into_iter().for_each(|live| client.oracle.accept(live));
}

/// Frees what is left on the market; then nothing may be left at all.
fn close(allocator: &'static Allocator, market: &Market) {
    let mut client = Client::new(allocator, None, THREADS);
    let left = core::mem::take(&mut *market.lock());
    left.into_iter().for_each(|live| client.oracle.accept(live));
    client.finish();
    assert_all_returned(allocator);
}

fn rounds() -> u64 {
    if std::env::var_os("MALLOW_SOAK").is_some() { ROUNDS * 100 } else { ROUNDS }
}
