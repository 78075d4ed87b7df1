//! The words of the format, and the bits that they stand for in the system calls of x86-64.

/// A word and its bits.
pub(super) type Word = (&'static str, u32);

macro_rules! words {
    ($($(#[$doc:meta])* $module:ident $table:ident { $($(#[$item:meta])* $name:ident = $bits:literal $word:literal,)* })*) => {
        $(
            $(#[$doc])*
            pub mod $module {
                $($(#[$item])* pub const $name: u32 = $bits;)*
            }
            pub(super) const $table: &[Word] = &[$(($word, $bits),)*];
        )*
    };
}

words! {
    /// The third argument of `mmap` and `mprotect`.
    protection PROTECTION {
        /// May be read.
        READ = 1 "r",
        /// May be written.
        WRITE = 2 "w",
        /// May be executed.
        EXEC = 4 "x",
        /// `mprotect` from the start of a mapping that grows down.
        GROWSDOWN = 0x0100_0000 "growsdown",
    }

    /// The fourth argument of `mmap`.
    flag FLAGS {
        /// Others see what is written. With [`PRIVATE`]: `MAP_SHARED_VALIDATE`.
        SHARED = 1 "shared",
        /// Others do not.
        PRIVATE = 2 "private",
        /// Both: flags that have no meaning are refused.
        SHARED_VALIDATE = 3 "shared_validate",
        /// At the address, and whatever was there goes.
        FIXED = 0x10 "fixed",
        /// No file. Scripts write `anon`, which is a source.
        ANONYMOUS = 0x20 "anonymous",
        /// Grows down when the page below it is touched.
        GROWSDOWN = 0x100 "growsdown",
        /// Locked.
        LOCKED = 0x2000 "locked",
        /// Not charged.
        NORESERVE = 0x4000 "noreserve",
        /// Touched at once.
        POPULATE = 0x8000 "populate",
        /// With [`POPULATE`]: not touched after all.
        NONBLOCK = 0x1_0000 "nonblock",
        /// For a stack: no huge pages.
        STACK = 0x2_0000 "stack",
        /// At the address, or not at all.
        NOREPLACE = 0x10_0000 "noreplace",
    }

    /// The fourth argument of `mremap`.
    remap REMAP {
        /// May go elsewhere.
        MAYMOVE = 1 "maymove",
        /// To an address that the caller says.
        FIXED = 2 "fixed",
        /// Leaves an empty mapping behind.
        DONTUNMAP = 4 "dontunmap",
    }

    /// The argument of `mlockall`.
    lock LOCK {
        /// What is there.
        CURRENT = 1 "current",
        /// What will be.
        FUTURE = 2 "future",
        /// Pages as they are touched.
        ONFAULT = 4 "onfault",
    }

    /// The third argument of `madvise`.
    advice ADVICE {
        /// No special treatment.
        NORMAL = 0 "normal",
        /// No read-ahead.
        RANDOM = 1 "random",
        /// Much read-ahead.
        SEQUENTIAL = 2 "sequential",
        /// Will be needed soon.
        WILLNEED = 3 "willneed",
        /// Drops the contents.
        DONTNEED = 4 "dontneed",
        /// The contents may be dropped.
        FREE = 8 "free",
        /// Punches a hole into the file.
        REMOVE = 9 "remove",
        /// Children do not get the mapping.
        DONTFORK = 10 "dontfork",
        /// Children get it.
        DOFORK = 11 "dofork",
        /// Equal pages may be merged.
        MERGEABLE = 12 "mergeable",
        /// No longer.
        UNMERGEABLE = 13 "unmergeable",
        /// Huge pages, please.
        HUGEPAGE = 14 "hugepage",
        /// No huge pages.
        NOHUGEPAGE = 15 "nohugepage",
        /// Not in core dumps.
        DONTDUMP = 16 "dontdump",
        /// In core dumps.
        DODUMP = 17 "dodump",
        /// Children get empty pages.
        WIPEONFORK = 18 "wipeonfork",
        /// Children get the contents.
        KEEPONFORK = 19 "keeponfork",
        /// Not needed soon.
        COLD = 20 "cold",
        /// To be reclaimed now.
        PAGEOUT = 21 "pageout",
        /// Touched for reading now.
        POPULATE_READ = 22 "populate_read",
        /// Touched for writing now.
        POPULATE_WRITE = 23 "populate_write",
        /// Drops the contents, of locked pages too.
        DONTNEED_LOCKED = 24 "dontneed_locked",
        /// Makes a huge page now.
        COLLAPSE = 25 "collapse",
        /// Touching it is an error.
        GUARD_INSTALL = 102 "guard_install",
        /// No longer.
        GUARD_REMOVE = 103 "guard_remove",
    }
}

/// The bits of a word.
pub(super) fn bits(table: &[Word], word: &str) -> Option<u32> {
    table.iter().find(|(name, _)| *name == word).map(|(_, bits)| *bits)
}

/// The word for a value.
pub(super) fn word(table: &'static [Word], bits: u32) -> Option<&'static str> {
    table.iter().find(|(_, value)| *value == bits).map(|(name, _)| *name)
}
