//! What a program may ask of an allocator, as values: made at random by proptest, or as a script that is always the
//! same for the same seed.
//!
//! Called by the tests of `heap`. Knows no allocator: a test carries an operation out, and `oracle` says whether the
//! promises were kept.

use core::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Heaps that one sequence of operations uses.
pub const HEAPS: usize = 3;

/// One request. `nth` chooses among the live blocks, whatever their number is.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// A new block.
    Allocate {
        /// Bytes asked for.
        bytes: usize,
        /// log2 of the alignment asked for.
        align_log2: u32,
    },
    /// Many new blocks of one size, because lists and slabs fill only when the same thing happens often.
    AllocateMany {
        /// Bytes asked for, each time.
        bytes: usize,
        /// How many.
        count: u32,
    },
    /// A new block of zero bytes.
    AllocateZeroed {
        /// Bytes asked for.
        bytes: usize,
    },
    /// A block is given back.
    Free {
        /// Which one.
        nth: usize,
    },
    /// Many blocks are given back, from all over.
    FreeMany {
        /// Which one first.
        nth: usize,
        /// How many.
        count: u32,
    },
    /// A block is made larger or smaller.
    Reallocate {
        /// Which one.
        nth: usize,
        /// Bytes asked for.
        bytes: usize,
    },
    /// Time passes, and the current heap looks around.
    Tick {
        /// Milliseconds that pass.
        ms: u64,
    },
    /// Free memory goes back to the kernel.
    Trim {
        /// Bytes that may stay.
        keep: usize,
    },
    /// From now on another heap is the current one, so that frees of the others' blocks are remote.
    Switch {
        /// Its number, below [`HEAPS`].
        heap: usize,
    },
    /// A heap is left with everything in it, as if its thread had exited.
    Leave {
        /// Its number, below [`HEAPS`].
        heap: usize,
    },
}

/// Requests of every kind of path: exact classes and their neighbours, runs, and few large blocks.
fn bytes() -> impl Strategy<Value = usize> {
    prop_oneof![
        12 => 0..=256_usize,
        6 => 256..=4096_usize,
        4 => (4_u32..=14, 0..8_usize, 0..3_usize).prop_map(|(log2, step, around)| {
            // Classes lie at eighths of a power of two; one byte less, the class itself, one byte more.
            let class = (1 << log2) + (step << log2) / 8;
            (class + around).saturating_sub(1)
        }),
        3 => 4096..=40_000_usize,
        2 => 40_000..=600_000_usize,
        1 => (1_usize << 20)..=(5 << 20),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let few_bytes = prop_oneof![3 => 0..=128_usize, 1 => 129..=2048_usize];
    let align_log2 = prop_oneof![6 => 0..=6_u32, 2 => 7..=14_u32, 1 => 15..=22_u32];
    prop_oneof![
        18 => bytes().prop_map(|bytes| Op::Allocate { bytes, align_log2: 4 }),
        4 => (bytes(), align_log2).prop_map(|(bytes, align_log2)| Op::Allocate { bytes, align_log2 }),
        2 => (few_bytes, 8..200_u32).prop_map(|(bytes, count)| Op::AllocateMany { bytes, count }),
        2 => (any::<usize>(), 8..200_u32).prop_map(|(nth, count)| Op::FreeMany { nth, count }),
        5 => bytes().prop_map(|bytes| Op::AllocateZeroed { bytes }),
        24 => any::<usize>().prop_map(|nth| Op::Free { nth }),
        5 => (any::<usize>(), bytes()).prop_map(|(nth, bytes)| Op::Reallocate { nth, bytes }),
        2 => (0..400_u64).prop_map(|ms| Op::Tick { ms }),
        1 => prop_oneof![Just(0), Just(100_000), Just(usize::MAX)].prop_map(|keep| Op::Trim { keep }),
        4 => (0..HEAPS).prop_map(|heap| Op::Switch { heap }),
        1 => (0..HEAPS).prop_map(|heap| Op::Leave { heap }),
    ]
}

/// Sequences of up to `len` operations.
pub fn ops(len: usize) -> impl Strategy<Value = Vec<Op>> {
    proptest::collection::vec(op(), len / 4..=len)
}

/// The sequence of up to `len` operations that belongs to `seed`.
///
/// # Panics
///
/// If the strategy above rejects its own values, which it does not.
#[must_use]
pub fn script(seed: u64, len: usize) -> Vec<Op> {
    let config = Config { rng_seed: RngSeed::Fixed(seed), ..default_config() };
    let tree = ops(len).new_tree(&mut TestRunner::new(config)).expect("the strategy filters nothing");
    tree.current()
}

/// proptest's default configuration, given to one thread at a time.
///
/// proptest makes it once under std's lock, which `ThreadSanitizer` cannot see into: without this order each read of it looks
/// like a race, and the search for the stacks of a race took minutes.
fn default_config() -> Config {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    while TAKEN.swap(true, Ordering::Acquire) {
        thread::yield_now();
    }
    let config = Config::default();
    TAKEN.store(false, Ordering::Release);
    config
}
