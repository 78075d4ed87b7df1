//! What a machine keeps for the time when memory is short: the generations, swap, and what has happened so far.
//!
//! Part of `World`. The code that works on it is in `shortage` (who makes room), `compaction`, `evict` (how a page goes), `swap_in` (how it
//! comes back) and `kill`.

use alloc::string::String;
use alloc::vec::Vec;

use mallow_buddy::Request;
use mallow_buddy::slow::{Progress, Step};
use mallow_frame::Memory;
use mallow_units::FrameNumber;

use crate::lru::Lru;
use crate::mm::Pid;
use crate::physical::Physical;
use crate::reclaim::SWAPPINESS;
use crate::swap::{Cluster, Cursor, Disk, Entry, Frames, Slab, Swap, SwapStorage};

/// The swap of a machine.
pub type MachineSwap = Swap<Vec<Cluster>, Vec<Entry>, Vec<Slab>, Disk>;

/// Steps that the trace keeps; the oldest go first.
const TRACE_MAX: usize = 4096;

/// What a machine has to swap to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SwapConfig {
    /// Slots: `SwapTotal`. Unit: pages.
    pub pages: u32,
    /// Frames that the compressed store may take at most, in per cent of memory: `zswap.max_pool_percent`. 0 is no such store.
    pub pool_percent: u32,
    /// Whether there is a disk behind the compressed store. Without one, what does not compress stays in memory.
    pub has_disk: bool,
}

impl SwapConfig {
    /// No swap.
    pub const NONE: Self = Self { pages: 0, pool_percent: 0, has_disk: false };

    /// A disk of `pages`, with a compressed store in front of it.
    pub const fn of_pages(pages: u32) -> Self {
        Self { pages, pool_percent: 20, has_disk: true }
    }
}

/// What time things take when memory is short. Unit: nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PressureCosts {
    /// To compress a page.
    pub compress: u64,
    /// To decompress one.
    pub decompress: u64,
    /// To write a page to the disk. Whoever reclaims in the background lets others pay nothing for it.
    pub swap_write: u64,
    /// To read a page from the disk.
    pub swap_read: u64,
    /// To look at a page and its entries.
    pub scan: u64,
    /// To move a page to another frame: to look at it, hide it, and copy it.
    pub migrate: u64,
}

impl Default for PressureCosts {
    /// About those of a virtual machine of 2025 with a disk of flash.
    fn default() -> Self {
        Self {
            compress: 4000,
            decompress: 1500,
            swap_write: 20_000,
            swap_read: 100_000,
            scan: 200,
            migrate: 1000,
        }
    }
}

/// What happened, named as in `/proc/vmstat` where that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PressureCounts {
    /// Pages that were looked at by those who needed a frame: `pgscan_direct`.
    pub scanned_directly: u64,
    /// Pages that they freed: `pgsteal_direct`.
    pub freed_directly: u64,
    /// Pages that were looked at in the background: `pgscan_kswapd`.
    pub scanned_behind: u64,
    /// Pages that were freed there: `pgsteal_kswapd`.
    pub freed_behind: u64,
    /// Times that somebody had to reclaim for himself: `allocstall`.
    pub stalls: u64,
    /// Times that the background was woken: `pageoutrun`.
    pub wakeups: u64,
    /// Dirty pages of files that were written to get their frames: `nr_vmscan_write`.
    pub written_files: u64,
    /// Pages that were dropped because their process had said that it may be: `pglazyfreed`.
    pub lazily_freed: u64,
    /// Processes that were killed: `oom_kill`.
    pub kills: u64,
    /// Times that somebody had pages moved together, for want of a run: `compact_stall`.
    pub compactions: u64,
    /// Those after which there was one: `compact_success`.
    pub compacted: u64,
    /// Pages that were moved: `pgmigrate_success`.
    pub moved: u64,
    /// Pages that could not be: `pgmigrate_fail`.
    pub not_moved: u64,
    /// Pages of shared memory that are in swap.
    pub shared_swapped: u64,
}

/// What was written about one kill.
#[derive(Clone, Debug)]
pub struct KillReport {
    /// Nanoseconds since the machine booted.
    pub at_ns: u64,
    /// Who was killed; `None` if nobody could be.
    pub victim: Option<Pid>,
    /// The log, as Linux writes it.
    pub log: String,
    /// Why this one.
    pub explanation: String,
}

/// One step of the allocation slow path.
#[derive(Clone, Copy, Debug)]
pub struct TraceEntry {
    /// Nanoseconds since the machine booted.
    pub at_ns: u64,
    /// Which allocation it belongs to, counted from 1.
    pub allocation: u64,
    /// What was done.
    pub step: Step,
    /// What it brought.
    pub brought: Progress,
    /// Frames that are free after it.
    pub free: u64,
}

/// All that belongs to memory pressure.
#[derive(Debug)]
pub struct Pressure {
    /// Which pages have been used when.
    pub lru: Lru,
    /// Where pages go.
    pub swap: MachineSwap,
    /// The cluster that each processor fills.
    pub(crate) cursors: Vec<Cursor>,
    /// `vm.swappiness`, at most 200.
    pub swappiness: u8,
    /// What time things take.
    pub costs: PressureCosts,
    /// What happened.
    pub counts: PressureCounts,
    /// Who was killed, the first first.
    pub kills: Vec<KillReport>,
    /// The last steps of the slow path.
    pub trace: Vec<TraceEntry>,
    /// Whether the background shall run as soon as it can.
    pub(crate) is_background_due: bool,
    /// Time that the running process has spent here. Unit: nanoseconds.
    pub(crate) spent_ns: u64,
    /// Time at the last look. Unit: nanoseconds since the machine booted.
    pub(crate) now_ns: u64,
    /// Whether somebody reclaims now, so that what he allocates does not reclaim again.
    pub(crate) is_reclaiming: bool,
    /// Who was killed and still has to exit.
    pub(crate) dying: Vec<Pid>,
}

impl Pressure {
    /// The state of a machine with `frames` of memory that has just booted; `None` if the host has no room for its swap.
    pub fn new(config: SwapConfig, frames: u32, cpus: usize) -> Option<Self> {
        let pool = u64::from(frames) * u64::from(config.pool_percent.min(100)) / 100;
        let pool = u32::try_from(pool).unwrap_or(frames);
        let pool = if config.pages == 0 { 0 } else { pool };
        let storage = SwapStorage {
            clusters: filled(config.pages.div_ceil(crate::swap::CLUSTER_SLOTS), Cluster::new)?,
            entries: filled(config.pages, || Entry::NOTHING)?,
            slabs: filled(pool, Slab::new)?,
        };
        let disk = Disk::new(if config.has_disk { config.pages } else { 0 });
        Some(Self {
            lru: Lru::new(),
            swap: Swap::new(storage, config.pages, pool, disk)?,
            cursors: (0..cpus.max(1)).map(|_| Cursor::new()).collect(),
            swappiness: SWAPPINESS,
            costs: PressureCosts::default(),
            counts: PressureCounts::default(),
            kills: Vec::new(),
            trace: Vec::new(),
            is_background_due: false,
            spent_ns: 0,
            now_ns: 0,
            is_reclaiming: false,
            dying: Vec::new(),
        })
    }

    pub(crate) fn note(&mut self, entry: TraceEntry) {
        if self.trace.len() == TRACE_MAX {
            self.trace.drain(..TRACE_MAX / 2);
        }
        self.trace.push(entry);
    }
}

fn filled<T>(count: u32, one: impl FnMut() -> T) -> Option<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(count as usize).ok()?;
    list.resize_with(count as usize, one);
    Some(list)
}

/// The frames of the compressed store: some of those below the watermark, as whoever frees memory may have.
pub(crate) struct PoolFrames<'p>(pub(crate) &'p mut Physical);

impl Frames for PoolFrames<'_> {
    fn take(&mut self) -> Option<FrameNumber> {
        self.0.take_for_reclaim(&Request::kernel(mallow_units::Order::ZERO))
    }

    fn give(&mut self, frame: FrameNumber) {
        self.0.drop_reference(frame);
    }

    fn read(&self, frame: FrameNumber, offset: usize, bytes: &mut [u8]) {
        let is_read = self.0.ram().read(frame, offset, bytes);
        debug_assert!(is_read, "a frame of the pool is one of the machine");
    }

    fn write(&mut self, frame: FrameNumber, offset: usize, bytes: &[u8]) {
        let is_written = self.0.ram().write(frame, offset, bytes);
        debug_assert!(is_written, "a frame of the pool is one of the machine");
    }
}
