//! The lab: experiments that show on this machine what is said about memory.
//!
//! ```text
//!  experiment ──► Call ──► Subject, a process of its own ──► the C library, or mallow in its place ──► kernel
//!       ▲                                                                                               │
//!       └──── Finding, Remark ◄──── Look ◄──── /proc/PID/smaps, status ◄────────────────────────────────┘
//! ```
//!
//! An experiment is a small program whose steps are made one at a time, in a process of their own that is looked at in
//! between. Each says what must be seen; it is not there to be believed. What it asserts are counts of bytes, pages
//! and faults, never times, so that a busy machine changes nothing.
//!
//! Called by `cmd::lab`. One file per experiment in [`experiments`]; what is written about them is put together in
//! [`story`] and printed by [`page`].

pub(crate) mod call;
pub(crate) mod cgroup;
pub(crate) mod experiments;
pub(crate) mod look;
pub(crate) mod machine;
pub(crate) mod page;
pub(crate) mod scratch;
pub(crate) mod story;
pub(crate) mod subject;

use core::fmt;
use std::io;
use std::path::PathBuf;

use mallow_units::Bytes;

use crate::carried::{LIBRARY, SUBJECT};
use call::Call;
use look::{Column, Look};
use story::{Finding, Grid, Looked, Remark, Step, Story};
use subject::{Done, Subject, Surroundings};

pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const GIB: u64 = 1 << 30;

/// Something to see.
#[derive(Debug)]
pub(crate) struct Experiment {
    /// What it is called by.
    pub(crate) name: &'static str,
    /// What it shows, as a sentence without its full stop.
    pub(crate) title: &'static str,
    /// How that comes about, in paragraphs.
    pub(crate) explanation: &'static [&'static str],
    /// Makes it.
    pub(crate) run: fn(&mut Lab) -> Result<(), Obstacle>,
}

/// Whose `malloc` an experiment is made on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Allocator {
    /// That of the C library.
    Glibc,
    /// Ours.
    Mallow,
}

/// Why an experiment could not be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Obstacle(String);

/// Where an experiment is made.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) allocator: Allocator,
    /// Whether settings of the whole machine may be changed for a moment.
    pub(crate) may_change_machine: bool,
    subject: PathBuf,
    library: PathBuf,
    last: Option<(u32, Look)>,
    /// What the C library of the last process calls itself: 2036 is glibc 2.36.
    pub(crate) glibc: Option<u64>,
    pub(crate) story: Story,
}

impl Lab {
    pub(crate) fn new(allocator: Allocator, may_change_machine: bool) -> anyhow::Result<Self> {
        Ok(Self {
            allocator,
            may_change_machine,
            subject: SUBJECT.install()?,
            library: LIBRARY.install()?,
            last: None,
            glibc: None,
            story: Story::default(),
        })
    }

    /// Whether the experiment is made on mallow.
    pub(crate) fn is_on_mallow(&self) -> bool {
        self.allocator == Allocator::Mallow
    }

    /// Starts a process that waits for calls.
    pub(crate) fn start(&mut self) -> Result<Subject, Obstacle> {
        self.start_in(Surroundings::default())
    }

    /// Starts a process that waits for calls, in other surroundings than usual.
    pub(crate) fn start_in(&mut self, surroundings: Surroundings) -> Result<Subject, Obstacle> {
        let surroundings = self.surroundings(surroundings);
        let mut subject = Subject::start(&self.subject, &surroundings)?;
        // The answer also says that the loader is done.
        self.glibc = Some(subject.ask(&Call::glibc())?);
        Ok(subject)
    }

    /// The surroundings of a process that is to run on the allocator of this experiment.
    pub(crate) fn surroundings(&self, surroundings: Surroundings) -> Surroundings {
        if self.is_on_mallow() { surroundings.preloading_first(&self.library) } else { surroundings }
    }

    /// Says which numbers are shown.
    pub(crate) fn columns(&mut self, columns: &[Column]) {
        self.story.columns = columns.to_vec();
    }

    /// Begins a part of its own, with a process of its own.
    pub(crate) fn part(&mut self, heading: &str) {
        self.story.steps.push(Step::Heading(heading.to_owned()));
        self.last = None;
    }

    /// Looks at a process, after what it did since the last look.
    pub(crate) fn look(&mut self, subject: &mut Subject) -> Result<Look, Obstacle> {
        let pid = subject.pid();
        self.look_at(subject, pid, "")
    }

    /// Looks at a child of a process, or at the process itself; `who` is shown in front of the calls.
    pub(crate) fn look_at(&mut self, subject: &mut Subject, pid: u32, who: &str) -> Result<Look, Obstacle> {
        self.look_after(core::mem::take(&mut subject.done), pid, who)
    }

    /// Looks at any process.
    pub(crate) fn look_after(&mut self, done: Vec<Done>, pid: u32, who: &str) -> Result<Look, Obstacle> {
        let look = Look::at(pid)?;
        let before = self.last.take().filter(|(other, _)| *other == pid).map(|(_, look)| look);
        let changes = before.as_ref().map(|before| look.changes_since(before)).unwrap_or_default();
        let looked = Looked { who: who.to_owned(), done, now: look.clone(), before, changes };
        self.story.steps.push(Step::Look(Box::new(looked)));
        self.last = Some((pid, look.clone()));
        Ok(look)
    }

    /// Shows what a process did before it ended.
    pub(crate) fn show(&mut self, subject: &mut Subject) {
        self.story.steps.push(Step::Calls(core::mem::take(&mut subject.done)));
    }

    /// States what must be seen, and whether it was.
    pub(crate) fn expect(&mut self, is_seen: bool, what: impl Into<String>) {
        self.story.findings.push(Finding { is_seen, what: what.into() });
    }

    /// Sets what the articles say beside what is so here.
    pub(crate) fn remark(&mut self, articles: &str, here: impl Into<String>) {
        self.story.remarks.push(Remark { articles: articles.to_owned(), here: here.into() });
    }

    /// Shows numbers that are not a process's own.
    pub(crate) fn table(&mut self, titles: &[&str], rows: Vec<Vec<String>>) {
        let titles = titles.iter().map(|title| (*title).to_owned()).collect();
        self.story.tables.push(Grid { titles, rows });
    }

    /// Says what else is worth knowing about this run.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.story.notes.push(text.into());
    }
}

impl Allocator {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Mallow => "mallow",
        }
    }
}

impl Obstacle {
    /// An obstacle, as a sentence without its full stop.
    pub(crate) fn new(sentence: impl fmt::Display) -> Self {
        Self(sentence.to_string())
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What went wrong, without the number that `std` puts behind it.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// A size as it is written in a call.
pub(crate) fn amount(bytes: u64) -> String {
    match bytes {
        _ if bytes >= KIB && bytes.is_multiple_of(GIB) => format!("{} GiB", bytes / GIB),
        _ if bytes >= KIB && bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        _ if bytes >= KIB && bytes.is_multiple_of(KIB) => format!("{} KiB", bytes / KIB),
        _ => bytes.to_string(),
    }
}

/// A size in a sentence.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < KIB { format!("{bytes} bytes") } else { Bytes(bytes).to_string().replace(".0 ", " ") }
}

/// Bytes in a page.
pub(crate) fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}
