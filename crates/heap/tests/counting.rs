//! Statistics: every block that was handed out is counted, and every one that came home, whatever happens in between.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use core::time::Duration;
use std::thread;

use mallow_heap::allocator::Allocator;
use mallow_heap::heap::Heap;
use mallow_sys::sim::Sim;
use mallow_trace::Counter;
use mallow_units::bytes::GIB;
use mallow_units::page::PAGE_BYTES;

const BYTES: usize = 16;
const PAGE_BLOCKS: usize = PAGE_BYTES / BYTES;

fn take(allocator: &'static Allocator, heap: &'static Heap, count: usize) -> Vec<*mut u8> {
    (0..count).map(|_| allocator.allocate(heap, BYTES)).collect()
}

fn free(allocator: &'static Allocator, heap: &'static Heap, blocks: impl IntoIterator<Item = *mut u8>) {
    for block in blocks {
        // SAFETY: a live block that is not used any more; the heap is ours.
        assert_eq!(unsafe { allocator.free(heap, block) }, Ok(()));
    }
}

#[test]
fn what_came_home_before_a_slow_thread_takes_back_a_purged_page_is_counted() {
    static SIM: Sim = Sim::new(GIB);
    let allocator: &'static Allocator = Box::leak(Box::new(Allocator::new(&SIM)));
    let heap = allocator.attach().expect("memory for a heap");
    let mut held = take(allocator, heap, 4 * PAGE_BLOCKS);
    // One page goes to the kernel, and half of another one stays in the slab.
    held.sort_unstable();
    free(allocator, heap, held.drain(..PAGE_BLOCKS + PAGE_BLOCKS / 2));
    allocator.trim(heap, 0);
    // A thread that allocates slowly gets a few of the listed blocks, which makes the slab busy again.
    thread::sleep(Duration::from_millis(5));
    let few = take(allocator, heap, 8);
    free(allocator, heap, few);
    // Now it gets a few of the purged ones, and most of what was carved goes back at once.
    thread::sleep(Duration::from_millis(5));
    held.extend(take(allocator, heap, 1));
    free(allocator, heap, held);
    allocator.take_stock(heap);
    let count = |counter| allocator.counters.get(counter);
    assert_eq!(count(Counter::Frees), count(Counter::Allocations));
    assert_eq!(count(Counter::LiveBytes), 0);
}
