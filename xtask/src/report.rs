//! What a check found: broken rules, each with its place, and things worth knowing.
//!
//! Made by every verb but `test`, printed by `main`.

use core::fmt;

/// A broken rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, relative to the root of the workspace.
    pub(crate) file: String,
    /// Counted from one; `None` if the rule is about the file as a whole.
    pub(crate) line: Option<usize>,
    /// What is wrong and what the rule is.
    pub(crate) message: String,
}

impl Finding {
    /// A rule that a line breaks.
    pub(crate) fn at(file: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: Some(line), message: message.into() }
    }

    /// A rule that a file breaks.
    pub(crate) fn of(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// The outcome of one check.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Tables and totals.
    pub(crate) notes: Vec<String>,
    /// What is allowed, but should be looked at.
    pub(crate) warnings: Vec<String>,
    /// What is not allowed.
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    /// Adds what another check found.
    pub(crate) fn append(&mut self, other: Self) {
        self.notes.extend(other.notes);
        self.warnings.extend(other.warnings);
        self.findings.extend(other.findings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_its_place_first() {
        assert_eq!(Finding::at("a/b.rs", 7, "too long").to_string(), "a/b.rs:7: too long");
        assert_eq!(Finding::of("a/b.rs", "too long").to_string(), "a/b.rs: too long");
    }
}
