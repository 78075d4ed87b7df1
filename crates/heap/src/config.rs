//! Geometry: every size and count that shapes the heap, in one place.
//!
//! `--cfg tiny` shrinks chunks and regions so that rare paths (a full chunk, a second region) are common in tests.

use mallow_ds::remote;
use mallow_units::bytes::{GIB, KIB, MIB, TIB};
use mallow_units::page::PAGE_BYTES;
use mallow_units::size_class::{CLASS_COUNT, MAX_CLASS_BYTES, QUANTUM, SizeClass};

/// Bytes in a unit, the step of the page map. The smallest slab; four pages of 4 KiB.
pub const UNIT_BYTES: usize = 16 * KIB;
/// log2 of [`UNIT_BYTES`].
pub const UNIT_SHIFT: u32 = UNIT_BYTES.ilog2();
/// Units in a chunk: a 2 MiB huge page.
pub const CHUNK_UNITS: u32 = if cfg!(tiny) { 64 } else { 128 };
/// Bytes in a chunk.
pub const CHUNK_BYTES: usize = CHUNK_UNITS as usize * UNIT_BYTES;
/// Units in the longest run; longer requests are large blocks. Half a chunk, so that two fit side by side.
pub const MAX_RUN_UNITS: u32 = CHUNK_UNITS / 2;
/// Bytes; the largest request that is served by a run.
pub const MAX_RUN_BYTES: usize = MAX_RUN_UNITS as usize * UNIT_BYTES;
/// Pages in the longest slab; [`crate::slab::Slab`] has one bit for each.
pub const MAX_SLAB_PAGES: usize = 32;

/// Bytes of heap area to try to reserve, largest first: the whole address space that a process may need, down to
/// what fits under `ulimit -v`.
pub const RESERVATION_LADDER: &[usize] = if cfg!(tiny) {
    &[2 * MIB]
} else {
    &[TIB, 256 * GIB, 64 * GIB, 8 * GIB, GIB, 64 * MIB, 16 * MIB, 4 * MIB]
};
/// Under a finite address-space limit, the first rung that is at most this part of it is tried, so that the program's own
/// mappings (libraries, thread stacks) keep their room.
pub const RESERVATION_SHARE: usize = 4;
/// Bytes of heap area committed at least, and the most, in one step.
pub const COMMIT_STEP_BYTES: (usize, usize) = (if cfg!(tiny) { MIB } else { 4 * MIB }, 64 * MIB);

/// Most thread heaps at one time: the owner id in a page map entry has 16 bits, of which a few values are special.
pub const MAX_HEAPS: usize = 65_000;

/// Heaps that threads share which need little: as many as may lose their processor in the middle of a visit at the same time.
pub const SHARED_HEAPS: usize = 64;
/// Calls of the slow path after which a thread gets a heap of its own.
pub const SHARED_CALLS: usize = 64;
/// Heaps for each processor that threads get at their first call.
pub const EARLY_HEAPS_PER_PROCESSOR: u64 = 2;
/// Processors until the operating system has said how many there are.
pub const LIKELY_PROCESSORS: u64 = 2;

/// Blocks that a sender collects for one slab before it passes them on.
pub const PARCEL_BLOCKS: usize = 32;
/// Bytes that a sender collects for one slab before it passes them on.
pub const PARCEL_BYTES: usize = 4 * KIB;
/// Slabs for which a sender collects at the same time. A power of two.
pub const PARCEL_SLOTS: usize = CLASS_COUNT;
/// How far apart the places of the same class of two heaps are: odd, and not near a fraction of all.
pub const HEAP_STRIDE: usize = 23;

/// Blocks that a thread gets per refill while it allocates slowly, so that it comes by the slow path often enough to
/// return memory in time.
pub const SLOW_PACE_BLOCKS: u32 = 8;
/// Milliseconds between two refills above which a thread allocates slowly.
pub const SLOW_PACE_MS: u64 = 1;
/// Blocks that go to a thread or come back before it looks at the clock again, unless it allocates slowly.
pub const CLOCK_CREDIT: u32 = 64;
/// Milliseconds after its last tick from which on a thread is taken for asleep: if it is not, others do some of its work.
pub const SLEEP_MS: u64 = 50;
/// Milliseconds between two looks at what could be returned.
pub const TICK_MS: u64 = 10;
/// While a thread only frees, this many times as long as a tick took passes before the next.
pub const TICK_PAUSE: u64 = 4;
/// Milliseconds that free memory stays resident in case it is needed again.
pub const DECAY_MS: u64 = 250;
/// Free resident memory may be this part of what is in use, before growth has to purge first. A power of two; `patience` makes it
/// more where purging was in vain.
pub const DIRTY_SHARE: usize = 8;
/// Bytes; free resident memory up to this never has to be purged when more is freed. Beyond it, chunks that are free as a whole are, if
/// `patience` does not keep them.
pub const FREED_FLOOR_BYTES: usize = 16 * MIB;
/// Free resident memory may be this part of what is in use, in a large heap in which purging was in vain lately, before parts of
/// chunks are purged, and not only whole ones.
pub const PARTS_SHARE: usize = 2;
/// Bytes that one free purges at most, so that it does not last long.
pub const FREED_STEP_BYTES: usize = 4 * MIB;
/// Chunks that one request looks at for something to purge.
pub const PURGE_VISITS: u32 = 8;
/// Ticks in which the memory of how much was in use fades to about a third.
pub const LATELY_TICKS: usize = 64;
/// Units; growth purges no shorter runs: a system call for each would cost more than it gives.
pub const MIN_PURGED_UNITS: u32 = 4;
/// Bytes in use from which on new chunks are huge pages, where the system lets us ask for them: the untouched part of the last one
/// is then small beside the rest.
pub const HUGE_FROM_BYTES: usize = 16 * MIB;
/// Bytes in use from which on chunks that are full, and were so at the last look, become huge pages.
pub const COLLAPSE_FROM_BYTES: usize = 4 * MIB;
/// Milliseconds between two looks for such chunks.
pub const COLLAPSE_MS: u64 = 50;
/// Chunks that one look makes huge pages of at most, 0.3 ms each.
pub const COLLAPSE_STEP: usize = 8;
/// Chunks that one look for such chunks visits at most.
pub const COLLAPSE_VISITS: usize = 1024;
/// Bytes; free resident memory up to this never has to be purged before growth.
pub const DIRTY_FLOOR_BYTES: usize = 2 * MIB;
/// Bytes that one tick purges at most from the page heap, so that no request waits long.
pub const PURGE_STEP_BYTES: usize = 64 * MIB;
/// A tick looks at this part of a heap's slabs.
pub const SCAN_SHARE: usize = 8;
/// A tick looks at this many slabs at least, and at most.
pub const SCAN_LIMITS: (usize, usize) = (64, 2048);

/// Of so many requests for medium blocks that can be served from the runs that the thread keeps, one looks at the clock.
pub const CLOCK_PERIOD: u32 = 8;
/// A kept run may be longer than the medium block that it is used for by this part: it is at hand, and was used a moment ago.
pub const SPARE_SHARE: usize = 8;
/// Runs that a thread keeps at most.
pub const RUN_CACHE_SLOTS: usize = 16;
/// Bytes in runs that a thread keeps: at least the first may always be kept, and the second if there are few threads.
pub const RUN_CACHE_BYTES: (usize, usize) = (32 * KIB, 256 * KIB);
/// Bytes in runs that all threads together keep, if that is enough for each to keep its least.
pub const RUN_CACHE_TOTAL_BYTES: usize = 4 * MIB;
/// All threads together may keep this part of what is in use, if that is more.
pub const RUN_CACHE_SHARE: usize = 16;

/// Slabs with room in a warm heap, at most: for each a look when its thread ends.
pub const WARM_SLABS: usize = 64;
/// Bytes that a warm heap may hold.
pub const WARM_HEAP_BYTES: usize = 512 * KIB;
/// Bytes that all warm heaps together may hold.
pub const WARM_TOTAL_BYTES: usize = 2 * MIB;

/// Slabs with room from which on a heap is looked through for pages before its thread falls silent or exits.
pub const SPARSE_FROM_SLABS: usize = 1024;

/// Freed large mappings kept for reuse.
pub const LARGE_CACHE_SLOTS: usize = 128;
/// Bytes in a huge page.
pub const HUGE_PAGE_BYTES: usize = 2 * MIB;
/// Bytes; large blocks from this on may get huge pages.
pub const HUGE_BLOCK_BYTES: usize = 2 * MIB;
/// Bytes; freed large mappings kept in all, at least.
pub const LARGE_CACHE_FLOOR_BYTES: usize = 8 * MIB;

/// A new slab is this part of what its class has, within [`SlabUnits`]: a class with few blocks has few bytes that are not used.
pub const SLAB_SHARE: u32 = 4;

/// How long slabs of a class are, in units; powers of two.
#[derive(Clone, Copy, Debug)]
pub struct SlabUnits {
    /// The first one: at least two blocks.
    pub shortest: u32,
    /// One of many: at least 32 blocks (8 above 4 KiB), a tail of at most a thirty-second, and 64 KiB.
    pub longest: u32,
}

/// How long slabs of `class` are.
pub const fn slab_units(class: SizeClass) -> SlabUnits {
    SLAB_UNITS[class.index()]
}

const SLAB_UNITS: [SlabUnits; CLASS_COUNT] = {
    let mut table = [SlabUnits { shortest: 0, longest: 0 }; CLASS_COUNT];
    let mut index = 0;
    while index < CLASS_COUNT {
        let Some(class) = SizeClass::at(index) else { panic!() };
        let wanted = if class.block_bytes() > 4 * KIB { 8 } else { 32 };
        table[index] = SlabUnits {
            shortest: fitting_units(class, 1, 2, 1),
            longest: fitting_units(class, 4, wanted, 32),
        };
        index += 1;
    }
    table
};

/// The fewest of 1, 2, 4, 8 units, but not fewer than `least`, that hold `blocks` blocks and leave a tail of at most a
/// `share`-th.
const fn fitting_units(class: SizeClass, least: u32, blocks: usize, share: usize) -> u32 {
    let mut units = least;
    while units < 8 {
        let bytes = units as usize * UNIT_BYTES;
        let fitting = bytes / class.block_bytes();
        if fitting >= blocks && (bytes - fitting * class.block_bytes()) * share <= bytes {
            return units;
        }
        units *= 2;
    }
    8
}

/// Whether one remote word can hold all blocks of a slab.
const fn all_blocks_fit_a_chain(class: SizeClass, units: u32) -> bool {
    let bytes = units as usize * UNIT_BYTES;
    let blocks = bytes / class.block_bytes();
    let sum = blocks * (blocks - 1) / 2 * (class.block_bytes() / QUANTUM);
    bytes / QUANTUM <= remote::PLACES
        && (blocks as u64) < remote::CHAIN_LIMITS.0
        && (sum as u64) < remote::CHAIN_LIMITS.1
}

const _: () = {
    assert!(PARCEL_SLOTS.is_power_of_two());
    assert!(UNIT_BYTES.is_multiple_of(PAGE_BYTES) && UNIT_BYTES.is_power_of_two());
    assert!(CHUNK_UNITS <= mallow_ds::bitmap::BITS && CHUNK_BYTES.is_power_of_two());
    assert!(8 * UNIT_BYTES / PAGE_BYTES <= MAX_SLAB_PAGES && 8 <= MAX_RUN_UNITS);
    assert!(MAX_CLASS_BYTES <= MAX_RUN_BYTES);
    let mut rung = 0;
    while rung < RESERVATION_LADDER.len() {
        assert!(RESERVATION_LADDER[rung].is_multiple_of(CHUNK_BYTES));
        rung += 1;
    }
    let mut index = 0;
    while index < CLASS_COUNT {
        let Some(class) = SizeClass::at(index) else { panic!() };
        let SlabUnits { shortest, longest } = slab_units(class);
        assert!(shortest as usize * UNIT_BYTES / class.block_bytes() >= 2);
        assert!(longest as usize * UNIT_BYTES / class.block_bytes() >= 8);
        assert!(shortest.is_power_of_two() && longest.is_power_of_two() && shortest <= longest);
        assert!(all_blocks_fit_a_chain(class, longest));
        index += 1;
    }
};
