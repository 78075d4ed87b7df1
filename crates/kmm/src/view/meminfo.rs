//! `/proc/meminfo`: what the memory of the machine is used for.

use core::fmt;

use mallow_frame::FrameState;

use super::PAGE_KIB;
use crate::lru::Kind;
use crate::machine::Machine;

/// `/proc/meminfo`. Unit: pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemInfo {
    /// `MemTotal`.
    pub total: u64,
    /// `MemFree`.
    pub free: u64,
    /// `MemAvailable`.
    pub available: u64,
    /// `Cached`: files and shared memory.
    pub cached: u64,
    /// `Active(anon)`: memory of processes and shared memory, in the two youngest generations.
    pub active_anon: u64,
    /// `Inactive(anon)`.
    pub inactive_anon: u64,
    /// `Active(file)`.
    pub active_file: u64,
    /// `Inactive(file)`.
    pub inactive_file: u64,
    /// `Unevictable`.
    pub unevictable: u64,
    /// `SwapTotal`.
    pub swap_total: u64,
    /// `SwapFree`.
    pub swap_free: u64,
    /// `Zswap`: frames of the compressed store.
    pub compressed: u64,
    /// `Zswapped`: pages that are in them.
    pub in_compressed: u64,
    /// `Dirty`.
    pub dirty: u64,
    /// `AnonPages`.
    pub anon: u64,
    /// `Mapped`: pages of files and shared memory that somebody maps.
    pub mapped: u64,
    /// `Shmem`.
    pub shared: u64,
    /// `Slab`.
    pub slab: u64,
    /// `PageTables`.
    pub tables: u64,
    /// `CommitLimit`.
    pub commit_limit: u64,
    /// `Committed_AS`.
    pub committed: u64,
}

impl Machine {
    /// `/proc/meminfo`.
    ///
    /// Cost: a look at every frame.
    pub fn meminfo(&self) -> MemInfo {
        let (world, physical) = (&self.world, &self.world.physical);
        let (lru, swap) = (&world.pressure.lru, &world.pressure.swap);
        let (mut mapped, mut dirty) = (0, 0);
        for (_, file) in world.files.iter() {
            for frame in file.pages.values() {
                let info = physical.frame(*frame);
                mapped += u64::from(info.mappings() > 0);
                let needs_writing = !file.is_shared_memory() && info.has(mallow_frame::Flag::Dirty);
                dirty += u64::from(needs_writing);
            }
        }
        let (free, cached, shared) = (physical.free_frames(), self.cached_pages(), self.shared_pages());
        let low: u64 = physical.node().zones().iter().map(|zone| u64::from(zone.watermarks().low)).sum();
        let files = cached - shared;
        MemInfo {
            total: world.totals().ram.0,
            free,
            available: (free + files - (files / 2).min(low)).saturating_sub(low),
            cached,
            active_anon: lru.active(Kind::Anon),
            inactive_anon: lru.inactive(Kind::Anon),
            active_file: lru.active(Kind::File),
            inactive_file: lru.inactive(Kind::File),
            unevictable: lru.unevictable(),
            swap_total: u64::from(swap.len()),
            swap_free: u64::from(swap.free()),
            compressed: u64::from(swap.compressed().frames),
            in_compressed: u64::from(swap.compressed().packed) + u64::from(swap.compressed().patterns),
            dirty,
            anon: physical.count_by_state(FrameState::Anon) + physical.count_by_state(FrameState::SwapCache),
            mapped,
            shared,
            slab: physical.count_by_state(FrameState::Slab),
            tables: physical.table_frames(),
            commit_limit: world.policy.limit(world.totals()).0,
            committed: world.committed.pages().0,
        }
    }
}

impl fmt::Display for MemInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("MemTotal:", self.total),
            ("MemFree:", self.free),
            ("MemAvailable:", self.available),
            ("Cached:", self.cached),
            ("Active(anon):", self.active_anon),
            ("Inactive(anon):", self.inactive_anon),
            ("Active(file):", self.active_file),
            ("Inactive(file):", self.inactive_file),
            ("Unevictable:", self.unevictable),
            ("SwapTotal:", self.swap_total),
            ("SwapFree:", self.swap_free),
            ("Zswap:", self.compressed),
            ("Zswapped:", self.in_compressed),
            ("Dirty:", self.dirty),
            ("AnonPages:", self.anon),
            ("Mapped:", self.mapped),
            ("Shmem:", self.shared),
            ("Slab:", self.slab),
            ("PageTables:", self.tables),
            ("CommitLimit:", self.commit_limit),
            ("Committed_AS:", self.committed),
        ];
        lines.into_iter().try_for_each(|(name, pages)| writeln!(f, "{name:<15} {:>8} kB", pages * PAGE_KIB))
    }
}
