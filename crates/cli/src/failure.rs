//! Failures: what the command says when it cannot do what it was asked.
//!
//! One sentence that names the thing and what is allowed, then one line on what to do. Errors that come from
//! the system and have no better advice travel as plain `anyhow` errors and end with [`OURS`] or [`CANNOT_LOOK`].

use core::error::Error;
use core::fmt;

/// Exit status of a verb that looks at something and could not.
pub(crate) const CANNOT_LOOK: u8 = 2;

/// Exit status of a verb that looks at something and found what is worth acting on.
pub(crate) const FOUND: u8 = 1;

/// Exit status of `run` when the command itself fails or is given a wrong command line.
pub(crate) const OURS: u8 = 125;

/// Exit status when the program is found and cannot be executed.
pub(crate) const NOT_EXECUTABLE: u8 = 126;

/// Exit status when the program is not found.
pub(crate) const NOT_FOUND: u8 = 127;

/// A reason to stop, for people.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Exit status.
    pub(crate) status: u8,
    sentence: String,
    advice: String,
}

impl Failure {
    /// Makes a failure from a sentence without its full stop and a line of advice.
    pub(crate) fn new(status: u8, sentence: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into(), advice: advice.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.\n{}", self.sentence, self.advice)
    }
}

impl Error for Failure {}
