//! What a process has in memory: its tables, and how much they hold.

use mallow_paging::PageTable;
use mallow_units::{PageCount, PageNumber, PageSpan};

use crate::oom::Adjustment;

/// All pages that a process can have: the lower half of what its tables reach.
pub(crate) const ALL_PAGES: PageSpan = match PageSpan::of(PageNumber(0), 1 << 35) {
    Some(span) => span,
    None => panic!("the half of 48 bits is not empty"),
};

/// The number of a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pid(pub u32);

/// The name of a process, as in `/proc/pid/comm`.
///
/// # Invariants
///
/// 1. The first `len` bytes are UTF-8, and at most 15.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Name {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Name {
    /// Bytes of the longest name.
    pub const MAX: usize = 15;

    /// As much of `name` as fits, in whole characters.
    pub fn new(name: &str) -> Self {
        let len = name.floor_char_boundary(Self::MAX);
        let mut bytes = [0; Self::MAX];
        bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
        #[expect(clippy::cast_possible_truncation, reason = "at most 15")]
        let len = len as u8;
        Self { bytes, len }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

/// Pages that a process has, by kind: the `Rss` lines of `/proc/pid/status`, and `VmSwap`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Resident {
    /// Private memory. `RssAnon`.
    pub anon: u64,
    /// Pages of files. `RssFile`.
    pub file: u64,
    /// Pages of shared memory. `RssShmem`.
    pub shmem: u64,
    /// Pages in swap. `VmSwap`.
    pub swap: u64,
}

impl Resident {
    /// Pages in memory: `VmRSS`.
    pub const fn total(&self) -> u64 {
        self.anon + self.file + self.shmem
    }
}

/// The memory of one process, as far as others may have to take it away: the part that is not about areas.
#[derive(Debug)]
pub struct Mm {
    /// The tables.
    pub table: PageTable,
    /// What they hold.
    pub resident: Resident,
    /// The most that was in memory at once: `VmHWM`. Unit: pages.
    pub peak: u64,
    /// Faults that were resolved without reading from swap or a file.
    pub minor_faults: u64,
    /// Faults that were not.
    pub major_faults: u64,
    /// Killed for want of memory; it does not run any more.
    pub is_killed: bool,
    /// What it is called.
    pub name: Name,
    /// Whose it is.
    pub uid: u32,
    /// `oom_score_adj`.
    pub adjustment: Adjustment,
    /// `VmSize`, as it was after the last call.
    pub address_space: PageCount,
}

impl Mm {
    /// A process without pages.
    pub const fn new(table: PageTable) -> Self {
        let resident = Resident { anon: 0, file: 0, shmem: 0, swap: 0 };
        Self {
            table,
            resident,
            peak: 0,
            minor_faults: 0,
            major_faults: 0,
            is_killed: false,
            name: Name { bytes: [0; Name::MAX], len: 0 },
            uid: 0,
            adjustment: Adjustment::ORDINARY,
            address_space: PageCount(0),
        }
    }
}
