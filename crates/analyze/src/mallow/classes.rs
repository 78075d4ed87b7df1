//! Size classes: how many blocks of each there are, and what they take.
//!
//! Called by `view`.

use serde::{Deserialize, Serialize};

use super::slab::Slab;

/// What there is of one size class. Blocks are counted, not sampled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Class {
    /// Bytes in a block.
    pub block_bytes: u64,
    /// Slabs.
    pub slabs: u64,
    /// Bytes of address space in slabs.
    pub slab_bytes: u64,
    /// Bytes of them that are in memory.
    #[serde(rename = "resident_bytes")]
    pub resident: u64,
    /// Blocks that the program has.
    pub live_blocks: u64,
    /// Free blocks at hand on threads' lists.
    pub listed_blocks: u64,
    /// Blocks that other threads have freed, and that the owner has not taken in.
    pub waiting_blocks: u64,
    /// Free blocks in slabs.
    pub free_blocks: u64,
}

/// The blocks of one slab, each counted once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Blocks {
    pub(super) live: u64,
    pub(super) listed: u64,
    pub(super) waiting: u64,
    pub(super) free: u64,
}

impl Blocks {
    /// The blocks of `slab`, of which so many are said to be on a list, and to wait.
    pub(super) fn of(slab: &Slab, listed: u64, waiting: u64) -> Self {
        let waiting = waiting.min(slab.outstanding);
        let listed = listed.min(slab.outstanding - waiting);
        let live = slab.outstanding - waiting - listed;
        Self { live, listed, waiting, free: slab.carved - slab.outstanding }
    }
}

impl Class {
    pub(super) fn add(&mut self, blocks: Blocks, slab_bytes: u64, resident: u64) {
        self.slabs += 1;
        self.slab_bytes += slab_bytes;
        self.resident += resident;
        self.live_blocks += blocks.live;
        self.listed_blocks += blocks.listed;
        self.waiting_blocks += blocks.waiting;
        self.free_blocks += blocks.free;
    }

    /// Bytes of blocks that the program has.
    pub const fn live_bytes(&self) -> u64 {
        self.live_blocks.saturating_mul(self.block_bytes)
    }

    /// Bytes of free blocks in slabs.
    pub const fn free_bytes(&self) -> u64 {
        self.free_blocks.saturating_mul(self.block_bytes)
    }
}
