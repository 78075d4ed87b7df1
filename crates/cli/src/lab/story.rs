//! The story of an experiment: what was done and seen, in order.
//!
//! Written by [`Lab`](super::Lab), read by [`page`](super::page). Nothing here knows how it will look.

use super::Obstacle;
use super::look::{Change, Column, Look};
use super::subject::Done;

/// Everything that happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    /// The numbers that are shown.
    pub(crate) columns: Vec<Column>,
    /// What was done, in order.
    pub(crate) steps: Vec<Step>,
    /// Other numbers.
    pub(crate) tables: Vec<Grid>,
    /// What must be seen.
    pub(crate) findings: Vec<Finding>,
    /// Where the articles say something else, or not enough.
    pub(crate) remarks: Vec<Remark>,
    /// What else there is to say.
    pub(crate) notes: Vec<String>,
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A new process.
    Heading(String),
    /// Calls after which nothing could be looked at.
    Calls(Vec<Done>),
    /// Calls, and what the kernel says after them.
    Look(Box<Looked>),
}

/// Calls, and what the kernel says after them.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    /// Which process, in front of its calls; empty if there is only one.
    pub(crate) who: String,
    pub(crate) done: Vec<Done>,
    pub(crate) now: Look,
    /// The look before, if it was at the same process.
    pub(crate) before: Option<Look>,
    pub(crate) changes: Vec<Change>,
}

/// Numbers that are not a process's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Grid {
    pub(crate) titles: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// What must be seen, as a sentence without its full stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    pub(crate) is_seen: bool,
    pub(crate) what: String,
}

/// What the articles say, and what is so here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Remark {
    pub(crate) articles: String,
    pub(crate) here: String,
}

/// How an experiment came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Everything was seen.
    Seen,
    /// Something was not.
    NotSeen,
    /// It could not be made, for this reason.
    CouldNotLook(Obstacle),
}

impl Story {
    /// How it came out, if it ended like this.
    pub(crate) fn verdict(&self, ended: Result<(), Obstacle>) -> Verdict {
        match ended {
            Err(obstacle) => Verdict::CouldNotLook(obstacle),
            Ok(()) if self.findings.iter().all(|finding| finding.is_seen) => Verdict::Seen,
            Ok(()) => Verdict::NotSeen,
        }
    }
}

impl Verdict {
    /// In a word or three.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::NotSeen => "not seen",
            Self::CouldNotLook(_) => "could not look",
        }
    }
}
