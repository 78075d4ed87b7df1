//! What a program asks for: the flag words of the system calls, bit for bit those of x86-64 Linux.
//!
//! A word may hold any bits: which of them are refused, and when, is part of what a call does.

use mallow_units::VirtAddr;

use crate::area::FileId;

macro_rules! words {
    ($($(#[$doc:meta])* $word:ident($number:ty) { $($(#[$bit_doc:meta])* $name:ident = $bit:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
        pub struct $word(pub $number);

        impl $word {
            $($(#[$bit_doc])* pub const $name: Self = Self($bit);)*

            /// Whether all bits of `other` are set.
            pub const fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// With the bits of `other` too.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Without the bits of `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }
    )*};
}

words! {
    /// The access asked for: `PROT_*`.
    Prot(u32) {
        /// No access.
        NONE = 0,
        /// To read.
        READ = 1,
        /// To write.
        WRITE = 2,
        /// To execute.
        EXEC = 4,
        /// Accepted and without meaning.
        SEM = 8,
        /// `mprotect`: from the start of the stack.
        GROWS_DOWN = 0x0100_0000,
        /// `mprotect`: to the end of an upward stack, of which x86-64 has none.
        GROWS_UP = 0x0200_0000,
    }

    /// How to map: `MAP_*`.
    MapFlags(u32) {
        /// Writes are seen by others.
        SHARED = 0x01,
        /// Writes stay here.
        PRIVATE = 0x02,
        /// As `SHARED`; refuses flags that it does not know.
        SHARED_VALIDATE = 0x03,
        /// Anonymous memory that may be dropped under pressure.
        DROPPABLE = 0x08,
        /// The bits that hold one of the kinds above.
        KIND = 0x0f,
        /// At this address, in place of what is there.
        FIXED = 0x10,
        /// Without a file.
        ANONYMOUS = 0x20,
        /// Below 2 GiB.
        BELOW_2G = 0x40,
        /// Not below 4 GiB.
        ABOVE_4G = 0x80,
        /// A stack.
        GROWS_DOWN = 0x0100,
        /// Accepted and without meaning.
        DENY_WRITE = 0x0800,
        /// Accepted and without meaning.
        EXECUTABLE = 0x1000,
        /// With `mlock`.
        LOCKED = 0x2000,
        /// Not charged to the commit account.
        NO_RESERVE = 0x4000,
        /// With all pages present.
        POPULATE = 0x8000,
        /// With `POPULATE`: without it.
        NON_BLOCK = 0x1_0000,
        /// For the stack of a thread: without huge pages.
        STACK = 0x2_0000,
        /// With huge pages of their own pool.
        HUGE_TLB = 0x4_0000,
        /// For files on persistent memory.
        SYNC = 0x8_0000,
        /// At this address, unless something is there.
        FIXED_NO_REPLACE = 0x10_0000,
        /// With `HUGE_TLB`: the bits that hold the logarithm of the size of page.
        HUGE_SIZE = 0x7c00_0000,
    }

    /// How to remap: `MREMAP_*`.
    RemapFlags(u32) {
        /// It may move.
        MAY_MOVE = 1,
        /// It moves to this address.
        FIXED = 2,
        /// The old range stays mapped, empty.
        DONT_UNMAP = 4,
    }

    /// What `mlockall` locks (`MCL_*`), and the one bit of `mlock2`.
    LockFlags(u32) {
        /// `mlockall`: what is mapped.
        CURRENT = 1,
        /// `mlockall`: what will be mapped.
        FUTURE = 2,
        /// `mlockall`: pages when touched, not all at once.
        ON_FAULT = 4,
    }

    /// What a program says about pages: `MADV_*`.
    Advice(i32) {
        /// Nothing special.
        NORMAL = 0,
        /// Will be read here and there.
        RANDOM = 1,
        /// Will be read from front to back.
        SEQUENTIAL = 2,
        /// Will be needed soon.
        WILL_NEED = 3,
        /// Drop the contents now.
        DONT_NEED = 4,
        /// Drop the contents under pressure.
        FREE = 8,
        /// Punch a hole into the file.
        REMOVE = 9,
        /// Not for children.
        DONT_FORK = 10,
        /// For children.
        DO_FORK = 11,
        /// Share pages of equal contents.
        MERGEABLE = 12,
        /// Do not.
        UNMERGEABLE = 13,
        /// Huge pages are welcome.
        HUGE_PAGE = 14,
        /// No huge pages.
        NO_HUGE_PAGE = 15,
        /// Not into core files.
        DONT_DUMP = 16,
        /// Into core files.
        DO_DUMP = 17,
        /// Empty for children.
        WIPE_ON_FORK = 18,
        /// As it is for children.
        KEEP_ON_FORK = 19,
        /// Not needed for a while.
        COLD = 20,
        /// Swap out now.
        PAGE_OUT = 21,
        /// Fault in for reading now.
        POPULATE_READ = 22,
        /// Fault in for writing now.
        POPULATE_WRITE = 23,
        /// As `DONT_NEED`, locked pages too.
        DONT_NEED_LOCKED = 24,
        /// Make huge pages now.
        COLLAPSE = 25,
        /// Touching these is an error.
        GUARD_INSTALL = 102,
        /// No longer.
        GUARD_REMOVE = 103,
    }
}

/// A file descriptor, as far as `mmap` looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenFile {
    /// The file.
    pub file: FileId,
    /// Open for reading.
    pub is_readable: bool,
    /// Open for writing.
    pub is_writable: bool,
    /// Whether its kind can be mapped: a pipe cannot.
    pub is_mappable: bool,
    /// On a file system mounted `noexec`.
    pub is_no_exec: bool,
}

impl OpenFile {
    /// A regular file, open for reading and writing.
    pub const fn read_write(file: FileId) -> Self {
        Self { file, is_readable: true, is_writable: true, is_mappable: true, is_no_exec: false }
    }

    /// A regular file, open for reading.
    pub const fn read_only(file: FileId) -> Self {
        Self { is_writable: false, ..Self::read_write(file) }
    }
}

/// The arguments of `mmap`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapRequest {
    /// Where, or near where; 0 for anywhere.
    pub address: VirtAddr,
    /// Bytes.
    pub length: u64,
    /// The access.
    pub prot: Prot,
    /// How.
    pub flags: MapFlags,
    /// What; not looked at for anonymous memory, and `None` stands for a bad descriptor without.
    pub file: Option<OpenFile>,
    /// From where in the file, in bytes.
    pub offset: u64,
}

impl MapRequest {
    /// Private anonymous memory, anywhere.
    pub const fn anonymous(length: u64, prot: Prot) -> Self {
        let flags = MapFlags::PRIVATE.with(MapFlags::ANONYMOUS);
        Self { address: VirtAddr(0), length, prot, flags, file: None, offset: 0 }
    }

    /// The same, at `address`, in place of what is there.
    #[must_use]
    pub const fn at(self, address: VirtAddr) -> Self {
        Self { address, flags: self.flags.with(MapFlags::FIXED), ..self }
    }
}
