//! Counters: what the library counts about a process.
//!
//! One table says each counter's name, unit and meaning; help texts, reports and documentation read it. Called
//! by `heap` ([`Counter::word`]) and by the tools ([`Counter::ALL`]).
//!
//! # Concurrency
//!
//! A counter is one word that the library stores with relaxed ordering, so two counters of one reading may
//! differ by the events between them. No counter is ever renumbered: new ones are appended.

use crate::segment::COUNTERS_AT;

/// A number that the library keeps about the process it is in.
///
/// The discriminant is the position among the segment's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// Blocks handed out.
    Allocations,
    /// Blocks given back.
    Frees,
    /// Bytes of blocks handed out now.
    LiveBytes,
    /// Highest value of [`Counter::LiveBytes`].
    PeakLiveBytes,
    /// Bytes of spans handed out now.
    HeapBytes,
    /// Highest value of [`Counter::HeapBytes`].
    PeakHeapBytes,
    /// Bytes that are free and still resident.
    DirtyBytes,
    /// Bytes returned to the kernel since start.
    PurgedBytes,
    /// Bytes of address space reserved.
    ReservedBytes,
    /// Bytes of address space made usable.
    CommittedBytes,
    /// Thread heaps ever made.
    Heaps,
    /// Frees of blocks that another allocator made.
    ForeignFrees,
}

/// What one step of a counter stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Memory, in bytes.
    Bytes,
    /// Events or things, counted one by one.
    Count,
}

/// A row of the table: what to call a counter and how to read it.
struct Row {
    counter: Counter,
    name: &'static str,
    unit: Unit,
    doc: &'static str,
}

const fn row(counter: Counter, name: &'static str, unit: Unit, doc: &'static str) -> Row {
    Row { counter, name, unit, doc }
}

const TABLE: [Row; Counter::COUNT] = [
    row(Counter::Allocations, "allocations", Unit::Count, "blocks handed out"),
    row(Counter::Frees, "frees", Unit::Count, "blocks given back"),
    row(Counter::LiveBytes, "live", Unit::Bytes, "blocks handed out now"),
    row(Counter::PeakLiveBytes, "peak live", Unit::Bytes, "most that was ever live"),
    row(Counter::HeapBytes, "heap", Unit::Bytes, "spans that hold slabs or large blocks now"),
    row(Counter::PeakHeapBytes, "peak heap", Unit::Bytes, "most that the heap ever held"),
    row(Counter::DirtyBytes, "dirty", Unit::Bytes, "free, and still resident"),
    row(Counter::PurgedBytes, "purged", Unit::Bytes, "returned to the kernel since start"),
    row(Counter::ReservedBytes, "reserved", Unit::Bytes, "address space set aside"),
    row(Counter::CommittedBytes, "committed", Unit::Bytes, "address space made usable"),
    row(Counter::Heaps, "heaps", Unit::Count, "thread heaps ever made"),
    row(
        Counter::ForeignFrees,
        "foreign frees",
        Unit::Count,
        "blocks of another allocator, handed back to it",
    ),
];

// Row `i` describes the counter whose discriminant is `i`.
const _: () = {
    let mut i = 0;
    while i < Counter::COUNT {
        assert!(TABLE[i].counter as usize == i);
        i += 1;
    }
};

impl Counter {
    /// How many counters there are.
    pub const COUNT: usize = Self::ForeignFrees as usize + 1;

    /// Every counter, in the order of the segment.
    pub const ALL: [Self; Self::COUNT] = {
        let mut all = [Self::Allocations; Self::COUNT];
        let mut i = 0;
        while i < Self::COUNT {
            all[i] = TABLE[i].counter;
            i += 1;
        }
        all
    };

    /// Returns the index of this counter's word in the segment.
    #[must_use]
    pub const fn word(self) -> usize {
        COUNTERS_AT + self as usize
    }

    /// Returns the counter's name: lowercase, a few letters, for the left column of a report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].name
    }

    /// Returns the unit of the counter's value.
    #[must_use]
    pub const fn unit(self) -> Unit {
        TABLE[self as usize].unit
    }

    /// Returns what the counter means, in one line.
    #[must_use]
    pub const fn doc(self) -> &'static str {
        TABLE[self as usize].doc
    }
}
