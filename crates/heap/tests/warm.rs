//! Warm heaps: the next thread finds what the last one left, and what nobody comes for goes back.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_heap::allocator::Allocator;
use mallow_heap::config::WARM_HEAP_BYTES;
use mallow_heap::heap::Heap;
use mallow_sys::sim::Sim;
use mallow_trace::Counter;
use mallow_units::bytes::{GIB, KIB};

/// Heaps that may be warm at the same time.
const WARM_HEAPS: usize = 4;

#[test]
fn the_next_thread_has_the_lists_of_the_last_one() {
    let (allocator, _) = new();
    let heap = attach(allocator);
    let block = use_a_little(allocator, heap);
    let taken = count(allocator, Counter::HeapBytes);
    allocator.detach(heap);
    assert_eq!(count(allocator, Counter::HeapBytes), taken, "its slab is still open");
    let next = attach(allocator);
    assert!(core::ptr::eq(heap, next));
    let again = allocator.allocate(next, 100);
    assert_ne!(again, block, "the blocks on the list come before those that were freed");
    assert_eq!(count(allocator, Counter::HeapBytes), taken, "the slab serves the next thread");
    free(allocator, next, again);
    allocator.check(next);
}

#[test]
fn the_counters_know_what_is_in_a_warm_heap() {
    let (allocator, _) = new();
    let (heap, other) = (attach(allocator), attach(allocator));
    use_a_little(allocator, heap);
    allocator.detach(heap);
    allocator.take_stock(other);
    assert_eq!(count(allocator, Counter::Allocations), 1);
    assert_eq!(count(allocator, Counter::Frees), 1);
    assert_eq!(count(allocator, Counter::LiveBytes), 0);
}

#[test]
fn what_nobody_comes_for_goes_back() {
    let (allocator, sim) = new();
    let other = attach(allocator);
    let heaps: Vec<_> = (0..WARM_HEAPS).map(|_| attach(allocator)).collect();
    for heap in heaps {
        use_a_little(allocator, heap);
        allocator.detach(heap);
    }
    assert!(count(allocator, Counter::HeapBytes) > 0);
    for _ in 0..40 {
        sim.advance_ms(20);
        allocator.tick(other);
    }
    assert_eq!(count(allocator, Counter::HeapBytes), 0);
    assert_eq!(count(allocator, Counter::Allocations), count(allocator, Counter::Frees));
    // Those heaps are adopted as others are.
    let again = attach(allocator);
    use_a_little(allocator, again);
    allocator.check(again);
}

#[test]
fn the_exits_of_threads_are_as_good_as_ticks() {
    let (allocator, sim) = new();
    let heap = attach(allocator);
    use_a_little(allocator, heap);
    allocator.detach(heap);
    for _ in 0..40 {
        sim.advance_ms(20);
        allocator.purge_after_exit();
    }
    assert_eq!(count(allocator, Counter::HeapBytes), 0);
}

#[test]
fn a_trim_clears_warm_heaps_out() {
    let (allocator, _) = new();
    let (heap, other) = (attach(allocator), attach(allocator));
    use_a_little(allocator, heap);
    allocator.detach(heap);
    allocator.trim(other, 0);
    assert_eq!(count(allocator, Counter::HeapBytes), 0);
    assert_eq!(count(allocator, Counter::DirtyBytes), 0);
    assert!(core::ptr::eq(attach(allocator), heap));
}

#[test]
fn no_more_than_a_few_heaps_are_warm() {
    let (allocator, _) = new();
    let heaps: Vec<_> = (0..100).map(|_| attach(allocator)).collect();
    let each = {
        let before = count(allocator, Counter::HeapBytes);
        use_a_little(allocator, heaps[0]);
        count(allocator, Counter::HeapBytes) - before
    };
    for heap in &heaps[1..] {
        use_a_little(allocator, heap);
    }
    for heap in heaps {
        allocator.detach(heap);
    }
    assert_eq!(count(allocator, Counter::HeapBytes), WARM_HEAPS as u64 * each);
}

#[test]
fn a_large_heap_is_not_left_warm() {
    let (allocator, _) = new();
    let heap = attach(allocator);
    // One block of each length: the slabs stay, since each is the only one of its class.
    for _ in 0..2 {
        let blocks: Vec<_> = (0..WARM_HEAP_BYTES / KIB)
            .map(|nth| allocator.allocate(heap, 4 * KIB + nth % 24 * 512))
            .collect();
        blocks.into_iter().for_each(|block| free(allocator, heap, block));
    }
    assert!(count(allocator, Counter::HeapBytes) > WARM_HEAP_BYTES as u64);
    allocator.detach(heap);
    assert_eq!(count(allocator, Counter::HeapBytes), 0);
}

#[test]
fn a_forked_child_finds_them_warm() {
    let (allocator, sim) = new();
    let (heap, own) = (attach(allocator), attach(allocator));
    use_a_little(allocator, heap);
    allocator.detach(heap);
    allocator.prepare_fork();
    // SAFETY: this thread prepared, just before; the process is its own child here.
    unsafe { allocator.after_fork_in_child(own) };
    assert!(core::ptr::eq(attach(allocator), heap));
    use_a_little(allocator, heap);
    allocator.detach(heap);
    for _ in 0..40 {
        sim.advance_ms(20);
        allocator.tick(own);
    }
    assert_eq!(count(allocator, Counter::HeapBytes), 0);
}

fn new() -> (&'static Allocator, &'static Sim) {
    let sim: &Sim = Box::leak(Box::new(Sim::new(GIB)));
    (Box::leak(Box::new(Allocator::new(sim))), sim)
}

fn attach(allocator: &'static Allocator) -> &'static Heap {
    let Some(heap) = allocator.attach() else { panic!("no heap") };
    heap
}

/// One block, freed at once; returns where it was.
fn use_a_little(allocator: &'static Allocator, heap: &'static Heap) -> *mut u8 {
    let block = allocator.allocate(heap, 100);
    free(allocator, heap, block);
    block
}

fn free(allocator: &'static Allocator, heap: &'static Heap, block: *mut u8) {
    // SAFETY: the tests free what they got, once, and the heap is theirs.
    assert_eq!(unsafe { allocator.free(heap, block) }, Ok(()));
}

fn count(allocator: &Allocator, counter: Counter) -> u64 {
    allocator.counters.get(counter)
}
