//! Windows: which units a heap's short ways know of.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_heap::allocator::Allocator;
use mallow_heap::config::UNIT_SHIFT;
use mallow_heap::heap::Heap;
use mallow_sys::sim::Sim;
use mallow_units::bytes::{GIB, KIB};

#[test]
fn a_thread_that_only_frees_learns_of_new_units() {
    let sim = Box::leak(Box::new(Sim::new(GIB)));
    let allocator: &'static Allocator = Box::leak(Box::new(Allocator::new(sim)));
    let (maker, freer) = (attach(allocator), attach(allocator));
    for bytes in [KIB, 64 * KIB] {
        let mut blocks = vec![allocator.allocate(maker, bytes)];
        while knows(freer, blocks[0]) {
            blocks.insert(0, allocator.allocate(maker, bytes));
        }
        for block in blocks {
            // SAFETY: allocated above, and not used since.
            unsafe { allocator.free(freer, block) }.expect("ours");
            assert!(knows(freer, block), "{bytes} bytes");
        }
    }
}

fn attach(allocator: &'static Allocator) -> &'static Heap {
    allocator.attach().expect("memory for a heap")
}

/// Whether the unit that `block` is in is one that the heap's short ways know of.
fn knows(heap: &Heap, block: *mut u8) -> bool {
    let window = heap.window();
    block.addr().wrapping_sub(window.base) >> UNIT_SHIFT < window.limit
}
