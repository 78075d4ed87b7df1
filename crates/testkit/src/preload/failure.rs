//! The ways in which a run can fail its test.

use core::fmt;
use core::time::Duration;
use std::io;

use super::outcome::Outcome;

/// Why a run failed. `Display` names the command and everything that the program printed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The program could not be started, or its output not be kept.
    DidNotStart {
        /// The command line.
        command: String,
        /// What the operating system said.
        error: io::Error,
    },
    /// The program was killed at its limit.
    TookTooLong {
        /// The limit.
        limit: Duration,
        /// What it had done until then.
        outcome: Box<Outcome>,
    },
    /// The program ended, but not as it should.
    Unexpected {
        /// What it should have done.
        expected: String,
        /// What it did.
        outcome: Box<Outcome>,
    },
    /// The program behaves differently on the library.
    Differs {
        /// What it did on libc.
        without: Box<Outcome>,
        /// What it did on the library.
        with: Box<Outcome>,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DidNotStart { command, error } => write!(f, "cannot start {command}: {error}"),
            Self::TookTooLong { limit, outcome } => {
                write!(f, "killed after {} s: {outcome}", limit.as_secs_f32())
            }
            Self::Unexpected { expected, outcome } => write!(f, "should {expected}: {outcome}"),
            Self::Differs { without, with } => {
                write!(f, "differs\n-- without the library: {without}\n-- with it: {with}")
            }
        }
    }
}

impl core::error::Error for Failure {}
