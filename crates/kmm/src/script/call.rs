//! What a statement does: a system call with raw arguments, or an access.

use alloc::string::String;

use super::place::Place;

/// A system call, or a touch of memory. Arguments are what the kernel gets, right or wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Call {
    /// Makes a file in memory, all of it holes.
    File {
        /// What statements call it.
        name: String,
        /// Bytes; need not be whole pages.
        bytes: u64,
    },
    /// `mmap(2)`.
    Mmap {
        /// The first argument.
        at: Place,
        /// Bytes.
        bytes: u64,
        /// Bits of [`super::protection`].
        protection: u32,
        /// Bits of [`super::flag`], without `MAP_ANONYMOUS`.
        flags: u32,
        /// What is mapped.
        source: Source,
    },
    /// `munmap(2)`.
    Munmap {
        /// The first byte.
        at: Place,
        /// Bytes.
        bytes: u64,
    },
    /// `mprotect(2)`.
    Mprotect {
        /// The first byte.
        at: Place,
        /// Bytes.
        bytes: u64,
        /// Bits of [`super::protection`].
        protection: u32,
    },
    /// `mremap(2)`.
    Mremap {
        /// The first byte.
        at: Place,
        /// Bytes now.
        old_bytes: u64,
        /// Bytes afterwards.
        new_bytes: u64,
        /// Bits of [`super::remap`].
        flags: u32,
        /// The fifth argument; 0 if the script gives none.
        to: Option<Place>,
    },
    /// `brk(2)`: the system call, which returns the break and not an error.
    Brk {
        /// The new break.
        to: Place,
    },
    /// `mlock2(2)`.
    Mlock {
        /// The first byte.
        at: Place,
        /// Bytes.
        bytes: u64,
        /// With `MLOCK_ONFAULT`.
        on_fault: bool,
    },
    /// `munlock(2)`.
    Munlock {
        /// The first byte.
        at: Place,
        /// Bytes.
        bytes: u64,
    },
    /// `mlockall(2)`.
    Mlockall {
        /// Bits of [`super::lock`].
        flags: u32,
    },
    /// `munlockall(2)`.
    Munlockall,
    /// `madvise(2)`.
    Madvise {
        /// The first byte.
        at: Place,
        /// Bytes.
        bytes: u64,
        /// A value of [`super::advice`].
        advice: u32,
    },
    /// `mincore(2)`.
    Mincore {
        /// The first byte.
        at: Place,
        /// Bytes.
        bytes: u64,
    },
    /// Loads one byte of each page.
    Read {
        /// The first byte that is loaded.
        at: Place,
        /// Bytes from there within which the loads lie.
        bytes: u64,
    },
    /// Stores one byte in each page.
    Write {
        /// The first byte that is stored to.
        at: Place,
        /// Bytes from there within which the stores lie.
        bytes: u64,
        /// What is stored.
        value: u8,
    },
    /// `setrlimit(2)` of the soft limit.
    Rlimit {
        /// Of what.
        resource: Resource,
        /// How much.
        limit: Limit,
    },
    /// `fork(2)`.
    Fork,
    /// `exit(2)`.
    Exit,
}

/// What a mapping shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// Memory of its own: `MAP_ANONYMOUS`.
    Anonymous,
    /// A file that a statement has made.
    File {
        /// Its name.
        name: String,
        /// Bytes from its start.
        offset: u64,
    },
}

/// What a limit is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// `RLIMIT_AS`: all mappings.
    AddressSpace,
    /// `RLIMIT_DATA`: private writable mappings, and the heap.
    Data,
    /// `RLIMIT_STACK`: each mapping that grows down.
    Stack,
    /// `RLIMIT_MEMLOCK`: locked pages.
    LockedMemory,
}

/// A soft limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// Bytes.
    Bytes(u64),
    /// Bytes above what the process uses when the statement runs. For the stack the same as [`Limit::Bytes`].
    Above(u64),
    /// `RLIM_INFINITY`.
    None,
}
