//! Usage: what the kernel says that the program used.
//!
//! The account is of the program and of all processes that it waited for. It must not be of anything else: a
//! process keeps its children's account when it replaces its program, so under `cargo run`, or after `exec` in
//! a script, this process already has one. The peak therefore comes from the wait for this one child, and of
//! the faults, which add up, those from before are taken away.
//!
//! Called by `child`. The kernel counts the moment before the child becomes the program too, so a program
//! smaller than this command shows the command's few MiB.
//!
//! # Source
//!
//! `wait4(2)`, `getrusage(2)`.

use mallow_units::Bytes;
use nix::sys::resource::{UsageWho, getrusage};

/// The kernel's account of one program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Most memory that one of its processes had resident at once.
    pub(crate) peak_rss: Bytes,
    /// The page faults of all of them.
    pub(crate) faults: Faults,
}

/// Page faults, by what they cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// Those that needed no input or output.
    pub(crate) minor: u64,
    /// Those that had to read from disk.
    pub(crate) major: u64,
}

impl Faults {
    /// Returns the faults of every child that this process has waited for.
    pub(crate) fn so_far() -> nix::Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        // The kernel counts in unsigned numbers and reports them as signed ones.
        Ok(Self {
            minor: usage.minor_page_faults().cast_unsigned(),
            major: usage.major_page_faults().cast_unsigned(),
        })
    }

    /// Returns the faults that came after `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { minor: self.minor.wrapping_sub(earlier.minor), major: self.major.wrapping_sub(earlier.major) }
    }
}
