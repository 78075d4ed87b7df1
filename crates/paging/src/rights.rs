//! What an entry lets a program do with its page.

use core::fmt;

use crate::entry::Entry;

/// The rights of an entry, as the bits that say so.
///
/// Whoever may do anything may read: x86-64 has no page that can be executed or written only.
///
/// ```
/// use mallow_paging::Rights;
/// assert_eq!(Rights::READ_WRITE.to_string(), "rw-u");
/// assert_eq!(Rights::READ.executable().kernel().to_string(), "r-xk");
/// assert_eq!(Rights::NONE.to_string(), "---u");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rights(u64);

impl Rights {
    /// Every bit that a change of rights may change.
    pub(crate) const MASK: u64 =
        Entry::PRESENT | Entry::NO_ACCESS | Entry::WRITE | Entry::USER | Entry::NO_EXECUTE;

    /// The frame stays, but every access faults: `PROT_NONE`.
    pub const NONE: Self = Self(Entry::NO_ACCESS | Entry::USER | Entry::NO_EXECUTE);
    /// Reading.
    pub const READ: Self = Self(Entry::PRESENT | Entry::USER | Entry::NO_EXECUTE);
    /// Reading and writing.
    pub const READ_WRITE: Self = Self(Self::READ.0 | Entry::WRITE);
    /// Reading and executing.
    pub const READ_EXECUTE: Self = Self(Entry::PRESENT | Entry::USER);
    /// Everything.
    pub const READ_WRITE_EXECUTE: Self = Self(Self::READ_EXECUTE.0 | Entry::WRITE);

    /// The same, with execution. No effect on [`Rights::NONE`] until it may be read.
    #[must_use]
    pub const fn executable(self) -> Self {
        Self(self.0 & !Entry::NO_EXECUTE)
    }

    /// The same, without writing.
    #[must_use]
    pub const fn read_only(self) -> Self {
        Self(self.0 & !Entry::WRITE)
    }

    /// The same, for the kernel only.
    #[must_use]
    pub const fn kernel(self) -> Self {
        Self(self.0 & !Entry::USER)
    }

    /// Whether a program may read.
    pub const fn may_read(self) -> bool {
        self.0 & Entry::PRESENT != 0
    }

    /// Whether a program may write.
    pub const fn may_write(self) -> bool {
        self.0 & (Entry::PRESENT | Entry::WRITE) == Entry::PRESENT | Entry::WRITE
    }

    /// Whether a program may execute.
    pub const fn may_execute(self) -> bool {
        self.0 & (Entry::PRESENT | Entry::NO_EXECUTE) == Entry::PRESENT
    }

    /// Whether they hold for programs, not only for the kernel.
    pub const fn are_for_users(self) -> bool {
        self.0 & Entry::USER != 0
    }

    /// Whether everything that `other` allows is allowed too.
    pub const fn cover(self, other: Self) -> bool {
        (self.may_read() || !other.may_read())
            && (self.may_write() || !other.may_write())
            && (self.may_execute() || !other.may_execute())
            && (self.are_for_users() || !other.are_for_users())
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn of_bits(bits: u64) -> Self {
        Self(bits & Self::MASK)
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |yes, letter| if yes { letter } else { '-' };
        write!(
            f,
            "{}{}{}{}",
            letter(self.may_read(), 'r'),
            letter(self.may_write(), 'w'),
            letter(self.may_execute(), 'x'),
            if self.are_for_users() { 'u' } else { 'k' }
        )
    }
}
