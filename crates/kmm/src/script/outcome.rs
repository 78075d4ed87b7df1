//! What came of a statement.

use core::fmt;

use mallow_units::Errno;

/// What came of a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The system call returned this; accesses return a digest of the bytes that they loaded, `mincore` one of its
    /// vector, see [`Outcome::digest`].
    Value(u64),
    /// The system call was refused.
    Refused(Errno),
    /// The access to the page with this number, counted from the first one of the statement, was answered by a signal.
    Killed(u64, Signal),
    /// The statement did not run, because its process does not exist.
    Skipped,
}

/// The answer to an access that cannot be carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// `SIGSEGV` with `SEGV_MAPERR`: nothing is mapped there.
    NotMapped,
    /// `SIGSEGV` with `SEGV_ACCERR`: the mapping does not allow it.
    NotAllowed,
    /// `SIGBUS`: the file does not reach so far.
    BeyondFile,
    /// Anything else; the number is the signal's, then its code.
    Other(i32, i32),
}

impl Outcome {
    /// The digest of no bytes.
    pub const EMPTY_DIGEST: u64 = 0xcbf2_9ce4_8422_2325;

    /// The digest of one byte more than `digest` is of.
    #[must_use]
    pub const fn digest(digest: u64, byte: u8) -> u64 {
        (digest ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value:#x}"),
            Self::Refused(errno) => write!(f, "{errno}"),
            Self::Killed(page, signal) => write!(f, "{signal} at page {page}"),
            Self::Skipped => f.write_str("skipped"),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMapped => f.write_str("SIGSEGV (not mapped)"),
            Self::NotAllowed => f.write_str("SIGSEGV (not allowed)"),
            Self::BeyondFile => f.write_str("SIGBUS"),
            Self::Other(signal, code) => write!(f, "signal {signal} with code {code}"),
        }
    }
}
