//! Growth: how long a new slab is.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_heap::allocator::Allocator;
use mallow_heap::config::{SLAB_SHARE, SlabUnits, UNIT_BYTES, slab_units};
use mallow_sys::sim::Sim;
use mallow_units::SizeClass;
use mallow_units::bytes::GIB;
use mallow_units::size_class::CLASS_COUNT;

#[test]
fn a_class_with_few_blocks_has_few_units() {
    for class in (0..CLASS_COUNT).filter_map(SizeClass::at) {
        let sim = Box::leak(Box::new(Sim::new(GIB)));
        let allocator: &'static Allocator = Box::leak(Box::new(Allocator::new(sim)));
        let heap = allocator.attach().expect("memory for a heap");
        let bytes = class.block_bytes();
        let SlabUnits { shortest, longest } = slab_units(class);
        let (mut units, mut opened) = (0, 0);
        while opened < longest {
            assert!(!allocator.allocate(heap, bytes).is_null());
            let now = u32::try_from(allocator.counters.run_bytes() / UNIT_BYTES).expect("few");
            if now > units {
                opened = now - units;
                let most = shortest.max(units / SLAB_SHARE);
                assert!(opened <= most, "{opened} units beside {units}, {bytes} bytes");
                units = now;
            }
        }
    }
}
