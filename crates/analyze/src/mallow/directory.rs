//! The directory: where large blocks and further regions are.
//!
//! A tree of two levels: a root of addresses of leaves, each with two words for each entry. Called by `view`.

use alloc::collections::BTreeSet;

use mallow_trace::Landmark;

use super::layout::Layout;
use super::pages::{Pages, index};
use super::reader::{Reader, number};
use crate::memory::PAGE_BYTES;

/// Leaves that are read; 16 TiB in those of 16 GiB.
const MOST_LEAVES: usize = 1 << 10;

/// What the directory knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    /// Large blocks in use, as address and bytes.
    pub(super) blocks: Vec<(u64, u64)>,
    /// The records of regions.
    pub(super) regions: BTreeSet<u64>,
    /// The tree's own memory, as address and bytes.
    pub(super) own: Vec<(u64, u64)>,
}

/// Reads the whole directory.
pub(super) fn read(pages: &Pages<'_, impl Reader>, layout: &Layout) -> Directory {
    let mut found = Directory::default();
    let root = pages.word(layout.get(Landmark::Directory)).unwrap_or(0);
    let mut leaves = vec![0; layout.at(Landmark::DirectoryLeaves) * 8];
    if root == 0 || !pages.read(root, &mut leaves) {
        return found;
    }
    found.own.push((root, leaves.len() as u64));
    let leaf_bytes = layout.get(Landmark::LeafEntries) * 16;
    let mut entries = vec![0; index(leaf_bytes)];
    for leaf in leaves.chunks_exact(8).map(number).filter(|leaf| *leaf != 0).take(MOST_LEAVES) {
        if !pages.read(leaf, &mut entries) {
            continue;
        }
        found.own.push((leaf, leaf_bytes));
        for entry in entries.chunks_exact(16) {
            let (start, bytes) = (number(&entry[..8]), number(&entry[8..]) / PAGE_BYTES * PAGE_BYTES);
            if start & 1 == 1 {
                found.regions.insert(start - 1);
            } else if start != 0 && start.checked_add(bytes).is_some() {
                found.blocks.push((start, bytes));
            }
        }
    }
    found
}
