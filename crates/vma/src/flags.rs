//! What is true of all pages of an area: one word of flags.

use core::fmt;
use core::ops::{BitAnd, BitOr, BitXor, Not};

/// A set of flags of an area.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $short:literal;)*) => {
        impl Flags {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
        }

        /// Each flag with the two letters that `VmFlags` of `smaps` has for it; empty if Linux shows none.
        pub const NAMES: &[(Flags, &str)] = &[$((Flags::$name, $short)),*];
    };
}

// Read, write, execute and share stand four bits below the permission to ask for them, as in Linux.
flags! {
    /// May be read now.
    READ = 0, "rd";
    /// May be written now.
    WRITE = 1, "wr";
    /// May be executed now.
    EXEC = 2, "ex";
    /// Writes are seen by others who map the same file; a file mapped shared without write access lacks it.
    SHARED = 3, "sh";
    /// `mprotect` may allow reading.
    MAY_READ = 4, "mr";
    /// `mprotect` may allow writing.
    MAY_WRITE = 5, "mw";
    /// `mprotect` may allow execution.
    MAY_EXEC = 6, "me";
    /// Was mapped with `MAP_SHARED`.
    MAY_SHARE = 7, "ms";
    /// A stack: grows towards lower addresses when touched below its start.
    GROWS_DOWN = 8, "gd";
    /// Its pages stay in memory.
    LOCKED = 9, "lo";
    /// With `LOCKED`: pages are locked once touched, not all at once.
    LOCK_ON_FAULT = 10, "lf";
    /// `MAP_NORESERVE`: never charged.
    NO_RESERVE = 11, "nr";
    /// Its pages are charged to the commit account.
    ACCOUNTED = 12, "ac";
    /// Huge pages are welcome.
    HUGE_PAGE = 13, "hg";
    /// No huge pages.
    NO_HUGE_PAGE = 14, "nh";
    /// A child does not get it.
    DONT_COPY = 15, "dc";
    /// A child gets it empty.
    WIPE_ON_FORK = 16, "wf";
    /// Left out of a core file.
    DONT_DUMP = 17, "dd";
    /// Will be read from front to back.
    SEQUENTIAL = 18, "sr";
    /// Will be read here and there.
    RANDOM = 19, "rr";
    /// Pages of equal contents may be shared.
    MERGEABLE = 20, "mg";
    /// `MAP_DROPPABLE`: its pages may vanish under pressure instead of going to swap.
    DROPPABLE = 21, "dp";
    /// Guards have been put into it, or into what has become part of it.
    MAYBE_GUARDED = 23, "gu";
    /// Its anonymous pages are shared with those of a process it was forked from.
    FORKED = 31, "";
}

impl Flags {
    /// None.
    pub const NONE: Self = Self(0);
    /// What `mprotect` sets.
    pub const ACCESS: Self = Self(Self::READ.0 | Self::WRITE.0 | Self::EXEC.0);
    /// What `mlock` sets.
    pub const LOCK: Self = Self(Self::LOCKED.0 | Self::LOCK_ON_FAULT.0);
    /// What says nothing about whether two areas are alike.
    pub const NOT_COMPARED: Self = Self(Self::FORKED.0 | Self::MAYBE_GUARDED.0);

    /// Whether all of `flags` are in it.
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Whether one of `flags` is in it.
    pub const fn has_any(self, flags: Self) -> bool {
        self.0 & flags.0 != 0
    }

    /// With `flags` too.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// Without `flags`.
    #[must_use]
    pub const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }

    /// The access that `mprotect` could give.
    #[must_use]
    pub const fn may_access(self) -> Self {
        Self((self.0 >> 4) & Self::ACCESS.0)
    }

    /// The flags as a number; the bits are those of this crate, not of Linux.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Flags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitXor for Flags {
    type Output = Self;
    fn bitxor(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}

impl Not for Flags {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// As in `VmFlags` of `smaps`: two letters each, in the order of the bits.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = NAMES.iter().filter(|(flag, name)| self.has(*flag) && !name.is_empty());
        for (at, (_, name)) in shown.enumerate() {
            f.write_str(if at == 0 { "" } else { " " })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}
