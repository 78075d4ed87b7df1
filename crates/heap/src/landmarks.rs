//! Landmarks: what the segment says about where the heap lies, for tools that read it from outside.
//!
//! A tool that looks at a process that sleeps gets no answer from it, and one that asked a busy process would disturb it. So the library
//! says once where everything is, and the tool does the looking. Called by `runs` when there is a first region.

use core::ptr::NonNull;

use mallow_ds::remote;
use mallow_trace::segment::CLASSES_PER_WORD;
use mallow_trace::{Counter, Landmark};
use mallow_units::SizeClass;
use mallow_units::size_class::CLASS_COUNT;

use crate::allocator::Allocator;
use crate::chunk::Chunk;
use crate::config::{CHUNK_UNITS, UNIT_BYTES};
use crate::heap::Heap;
use crate::region::{Region, Remote};
use crate::slab::Slab;

impl Allocator {
    /// Begins to show counters and landmarks in the header of the first region.
    pub(crate) fn show_landmarks(&self, region: &'static Region) {
        let segment: NonNull<u64> = region.segment();
        // SAFETY: the region keeps this part of its header for the segment; it is never released.
        unsafe { self.counters.settle_in(segment, |landmark| self.value_of(landmark, region)) };
        // A thread that has a heap and waits for its first units may have counted it where nobody looks any more.
        self.counters.raise(Counter::Heaps, self.registry.heap_count());
        self.counters.show_classes((0..CLASS_COUNT).step_by(CLASSES_PER_WORD).map(|first| {
            let classes = (first..first + CLASSES_PER_WORD).filter_map(SizeClass::at);
            classes.rev().fold(0, |word, class| word << u16::BITS | class.block_bytes() as u64)
        }));
    }

    /// What a landmark is; 0 for those that only the counters know.
    fn value_of(&self, landmark: Landmark, region: &'static Region) -> usize {
        let own = match landmark {
            Landmark::UnitBytes => Some(UNIT_BYTES),
            Landmark::ChunkUnits => Some(CHUNK_UNITS as usize),
            Landmark::Region => Some(core::ptr::from_ref(region).expose_provenance()),
            Landmark::RemoteBytes => Some(size_of::<Remote>()),
            Landmark::RemoteCount => Some(remote::COUNT_FIELD as usize),
            Landmark::HeapLists => Some(Heap::LISTS_AT),
            Landmark::Classes => Some(CLASS_COUNT),
            _ => None,
        };
        let of_record =
            || Region::landmark(landmark).or(Chunk::landmark(landmark)).or(Slab::landmark(landmark));
        let of_table =
            || self.registry.landmark(landmark).or_else(|| self.large.directory.landmark(landmark));
        own.or_else(of_record).or_else(of_table).unwrap_or(0)
    }
}
