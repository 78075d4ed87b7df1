//! Sleepers: what other threads free of a thread's blocks comes back, although it never comes by again.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_heap::allocator::Allocator;
use mallow_heap::config::{SLEEP_MS, TICK_MS};
use mallow_heap::heap::Heap;
use mallow_sys::sim::Sim;
use mallow_units::bytes::{GIB, KIB, MIB};

/// Bytes of the blocks that change hands, in all.
const BUILT_BYTES: usize = 8 * MIB;

fn allocator() -> (&'static Allocator, &'static Sim) {
    let sim: &'static Sim = Box::leak(Box::new(Sim::new(GIB)));
    (Box::leak(Box::new(Allocator::new(sim))), sim)
}

fn attach(allocator: &'static Allocator) -> &'static Heap {
    allocator.attach().expect("memory for a heap")
}

fn build(allocator: &'static Allocator, builder: &'static Heap, bytes: usize) -> Vec<*mut u8> {
    (0..BUILT_BYTES / bytes).map(|_| allocator.allocate(builder, bytes)).collect()
}

fn free_all(allocator: &'static Allocator, heap: &'static Heap, blocks: impl IntoIterator<Item = *mut u8>) {
    for block in blocks {
        // SAFETY: allocated by the test, and not used since.
        unsafe { allocator.free(heap, block) }.expect("ours");
    }
}

#[test]
fn a_tick_takes_over_what_came_home_to_a_sleeper() {
    for bytes in [16, 100, KIB, 5000, 16 * KIB] {
        let (allocator, sim) = allocator();
        let (builder, user) = (attach(allocator), attach(allocator));
        let blocks = build(allocator, builder, bytes);
        free_all(allocator, user, blocks);
        sim.advance_ms(SLEEP_MS);
        // One tick looks at one heap, and sends what was still on its way before that.
        for _ in 0..4 {
            allocator.tick(user);
            sim.advance_ms(TICK_MS);
        }
        let left = allocator.counters.run_bytes();
        assert!(left <= BUILT_BYTES / 16, "{left} bytes are still in slabs of {bytes} bytes");
        // The builder wakes up, and finds nothing wrong.
        let blocks = build(allocator, builder, bytes);
        allocator.check(builder);
        free_all(allocator, builder, blocks);
        allocator.check(builder);
        allocator.check(user);
    }
}

#[test]
fn a_thread_that_is_awake_is_left_alone() {
    let (allocator, sim) = allocator();
    let (builder, user) = (attach(allocator), attach(allocator));
    let blocks = build(allocator, builder, KIB);
    free_all(allocator, user, blocks);
    let before = allocator.counters.run_bytes();
    for _ in 0..4 {
        sim.advance_ms(TICK_MS);
        builder.note_awake(sim_now(allocator));
        allocator.tick(user);
    }
    assert_eq!(allocator.counters.run_bytes(), before);
}

#[test]
fn a_trim_takes_over_what_came_home_to_anybody() {
    let (allocator, _) = allocator();
    let (builder, user) = (attach(allocator), attach(allocator));
    let blocks = build(allocator, builder, KIB);
    free_all(allocator, user, blocks);
    // What is on its way is sent by the first.
    allocator.trim(user, 0);
    allocator.trim(user, 0);
    let left = allocator.counters.run_bytes();
    assert!(left <= BUILT_BYTES / 16, "{left} bytes are still in slabs");
}

#[test]
fn slabs_with_live_blocks_stay_where_they_are() {
    let (allocator, sim) = allocator();
    let (builder, user) = (attach(allocator), attach(allocator));
    let blocks = build(allocator, builder, KIB);
    let (kept, freed): (Vec<_>, Vec<_>) = blocks.into_iter().enumerate().partition(|(nth, _)| nth % 40 == 0);
    free_all(allocator, user, freed.into_iter().map(|(_, block)| block));
    sim.advance_ms(SLEEP_MS);
    for _ in 0..4 {
        allocator.tick(user);
        sim.advance_ms(SLEEP_MS);
    }
    for (_, block) in &kept {
        // SAFETY: live.
        unsafe { block.write_bytes(7, KIB) };
    }
    allocator.check(builder);
    // The letters are still in the mailbox: when the builder needs blocks, it finds those that came home.
    let before = allocator.counters.run_bytes();
    let blocks = build(allocator, builder, KIB);
    assert!(allocator.counters.run_bytes() < before + BUILT_BYTES / 2);
    free_all(allocator, builder, blocks.into_iter().chain(kept.into_iter().map(|(_, block)| block)));
    allocator.check(builder);
}

fn sim_now(allocator: &'static Allocator) -> u64 {
    allocator.os().now_ms()
}
