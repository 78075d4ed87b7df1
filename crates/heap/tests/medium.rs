//! Medium blocks: what a thread has freed it gets again at once, and nothing of it is taken for a block meanwhile.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_heap::allocator::Allocator;
use mallow_heap::config::{MAX_RUN_BYTES, UNIT_BYTES};
use mallow_heap::directory::GRANULE_BYTES;
use mallow_heap::heap::Heap;
use mallow_sys::sim::Sim;
use mallow_trace::Counter;
use mallow_units::bytes::GIB;
use mallow_units::page::PAGE_BYTES;

/// Bytes of a block of two units.
const TWO_UNITS: usize = UNIT_BYTES + 1;
/// Pairs in which the clock is looked at several times.
const PAIRS: usize = 100;

#[test]
fn a_block_that_was_freed_is_the_next_one_of_its_length() {
    let (allocator, heap) = new();
    let first = allocator.allocate(heap, TWO_UNITS);
    for bytes in (TWO_UNITS..=2 * UNIT_BYTES).cycle().step_by(997).take(PAIRS) {
        free(allocator, heap, first);
        allocator.check(heap);
        assert_eq!(allocator.allocate(heap, bytes), first, "{bytes} bytes");
        assert_eq!(allocator.usable_bytes("test", first), Ok(2 * UNIT_BYTES));
    }
    free(allocator, heap, first);
    allocator.detach(heap);
    assert_eq!(count(allocator, Counter::Allocations), count(allocator, Counter::Frees));
    assert_eq!(count(allocator, Counter::LiveBytes), 0);
}

#[test]
fn lengths_do_not_mix() {
    let (allocator, heap) = new();
    let blocks = [1, 2, 3, 4].map(|units| allocator.allocate(heap, units * UNIT_BYTES));
    // One unit is what the largest size class has, so the first is a block of a slab.
    for block in blocks {
        free(allocator, heap, block);
    }
    for units in [3, 2, 4] {
        let block = allocator.allocate(heap, units * UNIT_BYTES);
        assert_eq!(allocator.usable_bytes("test", block), Ok(units * UNIT_BYTES));
        assert_eq!(block, blocks[units - 1], "{units} units");
        allocator.check(heap);
    }
}

#[test]
fn what_is_kept_goes_back_after_the_thread() {
    let (allocator, heap) = new();
    let Some(other) = allocator.attach() else { panic!("no second heap") };
    for bytes in [TWO_UNITS, 5 * UNIT_BYTES, MAX_RUN_BYTES] {
        free(allocator, heap, allocator.allocate(heap, bytes));
    }
    assert!(count(allocator, Counter::HeapBytes) > 0, "some of it is kept");
    allocator.detach(heap);
    // The next thread would find it; if none comes, a trim does.
    allocator.trim(other, 0);
    assert_eq!(count(allocator, Counter::HeapBytes), 0);
}

#[test]
fn a_run_that_one_thread_took_is_kept_by_the_one_that_freed_it() {
    let (allocator, heap) = new();
    let Some(other) = allocator.attach() else { panic!("no second heap") };
    let block = allocator.allocate(heap, TWO_UNITS);
    free(allocator, other, block);
    allocator.check(other);
    assert_ne!(allocator.allocate(heap, TWO_UNITS), block);
    assert_eq!(allocator.allocate(other, TWO_UNITS), block);
}

#[test]
fn a_block_of_up_to_a_chunk_takes_what_is_resident_before_a_mapping() {
    let (allocator, heap) = new();
    // Two blocks side by side, and then one in their place.
    let halves = [0; 2].map(|_| allocator.allocate(heap, MAX_RUN_BYTES));
    let mapped = allocator.allocate(heap, MAX_RUN_BYTES + 1);
    assert_eq!(
        allocator.usable_bytes("test", mapped),
        Ok((MAX_RUN_BYTES + PAGE_BYTES).max(GRANULE_BYTES)),
        "nothing was resident"
    );
    for half in halves {
        free(allocator, heap, half);
    }
    allocator.detach(heap);
    let Some(heap) = allocator.attach() else { panic!("no heap") };
    let resident = allocator.allocate(heap, MAX_RUN_BYTES + 1);
    assert_eq!(allocator.usable_bytes("test", resident), Ok(MAX_RUN_BYTES + UNIT_BYTES), "units of a chunk");
    allocator.check(heap);
    for block in [mapped, resident] {
        free(allocator, heap, block);
    }
    allocator.check(heap);
}

fn new() -> (&'static Allocator, &'static Heap) {
    let sim: &Sim = Box::leak(Box::new(Sim::new(GIB)));
    let allocator: &Allocator = Box::leak(Box::new(Allocator::new(sim)));
    let Some(heap) = allocator.attach() else { panic!("no heap") };
    (allocator, heap)
}

fn free(allocator: &'static Allocator, heap: &'static Heap, block: *mut u8) {
    // SAFETY: the tests free what they got, once, and the heap is theirs.
    assert_eq!(unsafe { allocator.free(heap, block) }, Ok(()));
}

fn count(allocator: &Allocator, counter: Counter) -> u64 {
    allocator.counters.get(counter)
}
