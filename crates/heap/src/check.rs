//! Walks everything that one thread may look at and asserts every invariant. For tests.

use mallow_units::SizeClass;

use crate::allocator::{Allocator, Place};
use crate::config::UNIT_BYTES;
use crate::heap::Heap;
use crate::slab::Kind;

impl Allocator {
    /// Checks the shared structures and `heap`, which the caller owns.
    ///
    /// # Panics
    ///
    /// If an invariant is broken.
    pub fn check(&'static self, heap: &'static Heap) {
        self.page_heap().check();
        let (mut listed, mut emptied_units) = (0, 0);
        for class in SizeClass::all() {
            for slab in heap.bins[class.index()].slabs() {
                slab.check();
                assert!(slab.class() == class && slab.is_listed(), "a slab in the wrong bin");
                assert!(slab.heap_id() == heap.id(), "a slab of another heap");
                assert!(
                    matches!(self.place_of(slab.start()), Place::Slab(found) if core::ptr::eq(found, slab))
                );
                listed += 1;
                emptied_units += if slab.has_been_emptied() { slab.units() } else { 0 };
            }
        }
        let mut kept_units = 0;
        for run in heap.runs.runs() {
            assert!(run.kind() == Kind::Kept, "a run that is kept and used");
            let mut units = (run.start()..run.start() + run.bytes()).step_by(UNIT_BYTES);
            assert!(
                units.all(|unit| matches!(self.place_of(unit), Place::Nothing)),
                "no block in a kept run"
            );
            kept_units += run.units();
        }
        assert!(kept_units == heap.runs.units(), "the sum of what is kept");
        assert!(listed == heap.listed_slabs.get(), "the count of listed slabs");
        assert!(emptied_units == heap.emptied_units.get(), "the units of slabs that became empty");
    }
}
