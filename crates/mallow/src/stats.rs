//! Reading the counters from Rust.

use mallow_heap::process::{self, ROOT};
use mallow_trace::Counter;

/// What the allocator has counted. Exact for the calling thread and for threads that have exited; other threads' blocks
/// are as of their last few milliseconds of activity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Blocks handed out since the start.
    pub allocations: u64,
    /// Blocks given back since the start.
    pub frees: u64,
    /// Bytes in live blocks, rounded up as they are stored.
    pub live_bytes: u64,
    /// The most that was ever live.
    pub peak_live_bytes: u64,
    /// Bytes in slabs and in blocks above 16 KiB.
    pub heap_bytes: u64,
    /// Bytes that are free and still resident.
    pub dirty_bytes: u64,
    /// Bytes returned to the kernel since the start.
    pub purged_bytes: u64,
}

/// Reads the counters. Cost: looks at each of the calling thread's slabs that has room.
pub fn stats() -> Stats {
    process::settle();
    let get = |counter| ROOT.counters.get(counter);
    Stats {
        allocations: get(Counter::Allocations),
        frees: get(Counter::Frees),
        live_bytes: get(Counter::LiveBytes),
        peak_live_bytes: get(Counter::PeakLiveBytes),
        heap_bytes: get(Counter::HeapBytes),
        dirty_bytes: get(Counter::DirtyBytes),
        purged_bytes: get(Counter::PurgedBytes),
    }
}
