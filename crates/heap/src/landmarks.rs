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
use crate::directory::Directory;
use crate::heap::Heap;
use crate::region::{Region, Remote};
use crate::registry::Registry;
use crate::slab::{FULL, Slab, ZERO};

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

    fn value_of(&self, landmark: Landmark, region: &'static Region) -> usize {
        match landmark {
            // Known to the counters.
            Landmark::Segment | Landmark::Shown => 0,
            Landmark::UnitBytes => UNIT_BYTES,
            Landmark::ChunkUnits => CHUNK_UNITS as usize,
            Landmark::Region => core::ptr::from_ref(region).expose_provenance(),
            Landmark::RegionBase
            | Landmark::RegionHeader
            | Landmark::RegionHeaderBytes
            | Landmark::RegionUnits
            | Landmark::RegionArrays => Region::place_of(landmark),
            Landmark::SlabBytes => size_of::<Slab>(),
            Landmark::SlabOutstanding
            | Landmark::SlabMark
            | Landmark::SlabBare
            | Landmark::SlabCarved
            | Landmark::SlabClass
            | Landmark::SlabKind
            | Landmark::SlabUnits
            | Landmark::SlabFlags => Slab::place_of_field(landmark),
            Landmark::FlagFull => usize::from(FULL),
            Landmark::FlagZero => usize::from(ZERO),
            Landmark::RemoteBytes => size_of::<Remote>(),
            Landmark::RemoteCount => remote::COUNT_FIELD as usize,
            Landmark::ChunkBytes => size_of::<Chunk>(),
            Landmark::ChunkUsed | Landmark::ChunkBacked | Landmark::ChunkZero => Chunk::place_of(landmark),
            Landmark::HeapTable | Landmark::HeapTableBytes | Landmark::HeapCount => {
                self.registry.landmark(landmark)
            }
            Landmark::HeapBytes => Registry::HEAP_BYTES,
            Landmark::HeapLists => Heap::LISTS_AT,
            Landmark::Classes => CLASS_COUNT,
            Landmark::Directory | Landmark::DirectoryLeaves | Landmark::LeafEntries => {
                Directory::landmark(&self.large.directory, landmark)
            }
        }
    }
}
