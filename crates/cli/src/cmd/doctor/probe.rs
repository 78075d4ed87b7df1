//! A probe: something that was tried, and what came of it.

use serde_json::{Value, json};

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// It works.
    Yes,
    /// It does not, and nothing much is lost, or nothing can be done about it.
    No,
    /// It does not, or not fully, and could.
    Limited,
    /// It was not tried.
    Unknown,
}

/// What was tried.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// In a few words.
    pub(super) name: &'static str,
    /// What came of it.
    pub(super) state: State,
    /// The same with details.
    pub(super) found: String,
    /// What that means for the verbs.
    pub(super) meaning: String,
}

impl State {
    /// In a word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Limited => "limited",
            Self::Unknown => "n/a",
        }
    }
}

impl Probe {
    /// A probe that came out as `state`.
    pub(super) fn new(
        name: &'static str,
        state: State,
        found: impl Into<String>,
        meaning: impl Into<String>,
    ) -> Self {
        Self { name, state, found: found.into(), meaning: meaning.into() }
    }

    /// The object for programs.
    pub(super) fn object(&self, group: &str) -> Value {
        json!({
            "group": group,
            "name": self.name,
            "state": if self.state == State::Unknown { "unknown" } else { self.state.word() },
            "found": self.found,
            "meaning": self.meaning,
        })
    }
}
