//! A look: what `/proc` says about a process at one moment, while it waits.
//!
//! Called by [`Lab`](super::Lab); experiments compare the numbers of two looks.

use core::fmt::Write;

use mallow_analyze::escape;
use mallow_analyze::read::smaps::{self, Amount, Mapping};
use mallow_analyze::read::status::{self, Status};

use super::Obstacle;
use super::call::Place;
use crate::process::Process;
use crate::style::Style;

/// A number that an experiment shows, and compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Column {
    /// All of the address space.
    Mapped,
    /// All that is in memory.
    Resident,
    /// Of that, what has no file behind it.
    Anonymous,
    /// What is in memory, each page divided by the number of its users.
    Proportional,
    /// What nobody else uses and was written to.
    PrivateDirty,
    /// What others use too and was written to.
    SharedDirty,
    /// The address space that the break has made.
    Heap,
    /// Of that, what is in memory.
    HeapResident,
    /// The stack of the first thread.
    Stack,
    /// Of that, what is in memory.
    StackResident,
    /// What may not be swapped out.
    Locked,
    /// What is in huge pages.
    Huge,
    /// Page tables, which are charged to the process and not resident in it.
    PageTables,
    /// How many mappings there are.
    Mappings,
    /// How many arenas of glibc there are beside the main one.
    Arenas,
    /// How many threads there are.
    Threads,
}

/// The kernel's account of a process at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) mappings: Vec<Mapping>,
    status: Status,
}

/// A line of `maps` that is new, or gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    pub(crate) is_new: bool,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) permissions: String,
    pub(crate) name: String,
}

impl Column {
    /// The name over its numbers.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Mapped => "mapped",
            Self::Resident => "resident",
            Self::Anonymous => "anonymous",
            Self::Proportional => "PSS",
            Self::PrivateDirty => "private dirty",
            Self::SharedDirty => "shared dirty",
            Self::Heap => "[heap]",
            Self::HeapResident => "resident in it",
            Self::Stack => "[stack]",
            Self::StackResident => "resident in it",
            Self::Locked => "locked",
            Self::Huge => "huge pages",
            Self::PageTables => "page tables",
            Self::Mappings => "mappings",
            Self::Arenas => "arenas",
            Self::Threads => "threads",
        }
    }

    /// The name in JSON.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Mapped => "mapped_bytes",
            Self::Resident => "resident_bytes",
            Self::Anonymous => "anonymous_bytes",
            Self::Proportional => "pss_bytes",
            Self::PrivateDirty => "private_dirty_bytes",
            Self::SharedDirty => "shared_dirty_bytes",
            Self::Heap => "heap_bytes",
            Self::HeapResident => "heap_resident_bytes",
            Self::Stack => "stack_bytes",
            Self::StackResident => "stack_resident_bytes",
            Self::Locked => "locked_bytes",
            Self::Huge => "huge_page_bytes",
            Self::PageTables => "page_table_bytes",
            Self::Mappings => "mapping_count",
            Self::Arenas => "arena_count",
            Self::Threads => "thread_count",
        }
    }

    /// Whether it counts things and not bytes.
    pub(crate) const fn is_count(self) -> bool {
        matches!(self, Self::Mappings | Self::Arenas | Self::Threads)
    }
}

impl Look {
    /// Reads what the kernel says now.
    pub(crate) fn at(pid: u32) -> Result<Self, Obstacle> {
        let process = Process::open(pid).map_err(Obstacle::new)?;
        let file =
            process.read_memory("smaps").map_err(|why| Obstacle::new(process.failure("smaps", why)))?;
        let mappings = smaps::parse(&file)
            .map_err(|error| Obstacle::new(format!("cannot understand smaps: {error}")))?;
        let file = process.read("status").map_err(|why| Obstacle::new(process.failure("status", why)))?;
        let status = status::parse(&file)
            .map_err(|error| Obstacle::new(format!("cannot understand status: {error}")))?;
        Ok(Self { mappings, status })
    }

    /// One of its numbers.
    pub(crate) fn get(&self, column: Column) -> u64 {
        let sum = |amount| self.mappings.iter().filter_map(|mapping| mapping.amounts.get(amount)).sum();
        let named = |name: &[u8]| {
            self.mappings.iter().filter(move |mapping| mapping.name == name).collect::<Vec<_>>()
        };
        let bytes = |name| named(name).iter().map(|mapping| mapping.bytes()).sum();
        let resident = |name| named(name).iter().map(|mapping| mapping.resident_bytes()).sum();
        match column {
            Column::Mapped => {
                self.mappings.iter().filter(|mapping| mapping.name != b"[vsyscall]").map(Mapping::bytes).sum()
            }
            Column::Resident => sum(Amount::Rss),
            Column::Anonymous => sum(Amount::Anonymous),
            Column::Proportional => sum(Amount::Pss),
            Column::PrivateDirty => sum(Amount::PrivateDirty),
            Column::SharedDirty => sum(Amount::SharedDirty),
            Column::Heap => bytes(b"[heap]"),
            Column::HeapResident => resident(b"[heap]"),
            Column::Stack => bytes(b"[stack]"),
            Column::StackResident => resident(b"[stack]"),
            Column::Locked => self.status.locked.unwrap_or(0),
            Column::Huge => sum(Amount::AnonHugePages),
            Column::PageTables => self.status.page_tables.unwrap_or(0),
            Column::Mappings => self.mappings.len() as u64,
            Column::Arenas => self.arenas(),
            Column::Threads => self.status.threads,
        }
    }

    /// How much more there is than at another moment; 0 if it is less.
    pub(crate) fn above(&self, other: &Self, column: Column) -> u64 {
        self.get(column).saturating_sub(other.get(column))
    }

    /// The mapping that a place lies in.
    pub(crate) fn mapping_of(&self, place: Place) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| (mapping.start..mapping.end).contains(&place.address))
    }

    /// Whether a place lies in what the break has made.
    pub(crate) fn is_in_heap(&self, place: Place) -> bool {
        self.mapping_of(place).is_some_and(|mapping| mapping.name == b"[heap]")
    }

    /// Whether a file is mapped whose name contains this.
    pub(crate) fn has_file(&self, part: &str) -> bool {
        let file =
            |mapping: &Mapping| mapping.name.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
        self.mappings.iter().any(|mapping| String::from_utf8_lossy(&file(mapping)).contains(part))
    }

    /// What is mapped here and was not, or was and is not any more.
    pub(crate) fn changes_since(&self, earlier: &Self) -> Vec<Change> {
        let line = |is_new| {
            move |mapping: &Mapping| Change {
                is_new,
                start: mapping.start,
                end: mapping.end,
                permissions: mapping.permissions.to_string(),
                name: escape::name(&mapping.name),
            }
        };
        let before: Vec<Change> = earlier.mappings.iter().map(line(true)).collect();
        let now: Vec<Change> = self.mappings.iter().map(line(true)).collect();
        let gone = before.iter().filter(|one| !now.contains(one)).cloned();
        let mut changes: Vec<Change> = gone.map(|one| Change { is_new: false, ..one }).collect();
        changes.extend(now.iter().filter(|one| !before.contains(one)).cloned());
        changes.sort_by_key(|change| (change.start, change.is_new));
        changes
    }

    /// glibc begins the heaps of arenas at multiples of 64 MiB, and reserves as much for each.
    fn arenas(&self) -> u64 {
        const RESERVED: u64 = 64 << 20;
        let begins_one = |mapping: &&Mapping| {
            mapping.start.is_multiple_of(RESERVED) && mapping.permissions.write && mapping.name.is_empty()
        };
        let is_reserved = |start: u64| {
            let end = start + RESERVED;
            let covered = self.mappings.iter().filter(|mapping| mapping.start >= start && mapping.end <= end);
            covered.filter(|mapping| mapping.name.is_empty()).map(Mapping::bytes).sum::<u64>() == RESERVED
        };
        self.mappings.iter().filter(begins_one).filter(|mapping| is_reserved(mapping.start)).count() as u64
    }
}

impl Change {
    /// As a line of `maps`, with the size in front of the name.
    pub(crate) fn line(&self, style: Style) -> String {
        let sign = if self.is_new { '+' } else { '-' };
        let mut line = format!("{sign} {:012x}-{:012x} {}", self.start, self.end, self.permissions);
        // Writing to a string cannot fail.
        let _ = write!(line, " {:>10}  {}", style.bytes(self.end - self.start), self.name);
        line.trim_end().to_owned()
    }
}
