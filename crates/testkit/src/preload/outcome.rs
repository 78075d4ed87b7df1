//! What came of a run.

use alloc::borrow::Cow;
use core::fmt;
use core::time::Duration;
use std::process::ExitStatus;

use super::failure::Failure;

/// Everything a program left behind. `Display` is the whole story, for the message of a failed test.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The command line, as a person could type it.
    pub command: String,
    /// Exit code or signal.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Bytes. The largest resident set of the program or of a descendant that it waited for.
    pub peak_rss_bytes: u64,
    /// From the start to the end of the program.
    pub elapsed: Duration,
}

impl Outcome {
    /// Returns standard output as text.
    #[must_use]
    pub fn stdout(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Returns standard error as text.
    #[must_use]
    pub fn stderr(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }

    /// Gives the outcome back if the program exited with status 0.
    pub fn success(self) -> Result<Self, Failure> {
        self.require("exit with status 0", |outcome| outcome.status.success())
    }

    /// Gives the outcome back if `holds`; otherwise says that the program should have done what `expected` says.
    pub fn require(self, expected: &str, holds: impl FnOnce(&Self) -> bool) -> Result<Self, Failure> {
        if holds(&self) {
            return Ok(self);
        }
        Err(Failure::Unexpected { expected: expected.into(), outcome: Box::new(self) })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.peak_rss_bytes >> 20;
        writeln!(f, "{}", self.command)?;
        writeln!(f, "{}, {:.1} s, peak RSS {mib} MiB", self.status, self.elapsed.as_secs_f32())?;
        write!(f, "stdout: {}\nstderr: {}", self.stdout(), self.stderr())
    }
}
