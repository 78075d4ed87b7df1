//! The layout of the library's records, as the segment of that library tells it.
//!
//! Values are in their ranges (`mallow_trace::Landmark::range`) and sizes of blocks grow, which the snapshot has checked. Called by all
//! of `mallow`.

use mallow_trace::{Landmark, Snapshot};

use super::pages::index;

/// Where the heap is, and how its records are laid out.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    landmarks: [u64; Landmark::COUNT],
    class_bytes: Vec<u64>,
}

impl Layout {
    /// `None` while the process has no heap.
    pub(super) fn of(snapshot: &Snapshot) -> Option<Self> {
        let class_bytes = snapshot.class_bytes().iter().map(|bytes| u64::from(*bytes)).collect();
        Some(Self { landmarks: *snapshot.landmarks()?, class_bytes })
    }

    /// One of the numbers.
    pub(super) fn get(&self, landmark: Landmark) -> u64 {
        self.landmarks[landmark as usize]
    }

    /// The same, as an index or a length.
    pub(super) fn at(&self, landmark: Landmark) -> usize {
        index(self.get(landmark))
    }

    /// Bytes in a block of each size class.
    pub(super) fn class_bytes(&self) -> &[u64] {
        &self.class_bytes
    }

    pub(super) fn unit_bytes(&self) -> u64 {
        self.get(Landmark::UnitBytes)
    }

    pub(super) fn chunk_bytes(&self) -> u64 {
        self.get(Landmark::ChunkUnits) * self.unit_bytes()
    }
}
