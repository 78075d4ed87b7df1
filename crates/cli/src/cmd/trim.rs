//! `mallow trim`: asks a process on mallow to give back what it does not use.
//!
//! The question is a word in the process's segment; a thread of it answers at its next tick. So what a process does not
//! answer is not an error: it sleeps.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use anyhow::Context;
use mallow_analyze::mallow::{self, Part, View};
use mallow_analyze::read::smaps::{self, Mapping};
use mallow_trace::{Snapshot, Trims, segment};
use serde::Serialize;

use crate::args::Trim;
use crate::child::Ending;
use crate::failure::{self, Failure};
use crate::memory::ProcessMemory;
use crate::process::Process;
use crate::style::{self, Style, Tone};
use crate::table::{Align, Table};
use crate::target;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two looks for it.
const STEP: Duration = Duration::from_millis(2);

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    pid: u32,
    name: String,
    /// Whether a thread has done it.
    is_done: bool,
    /// Milliseconds until then.
    took_ms: Option<u64>,
    /// Bytes that this thread has returned.
    returned_bytes: Option<u64>,
    rss_before_bytes: u64,
    /// A second later.
    rss_after_bytes: u64,
    /// Bytes that are free and in memory all the same: those of threads that have not come by.
    still_free_bytes: u64,
}

/// A question that was put to a process.
struct Question {
    address: u64,
    number: u64,
}

/// Asks, waits, and says what came of it.
pub(crate) fn trim(options: &Trim) -> anyhow::Result<Ending> {
    let process = target::find(&options.target)?;
    let (before, _) = look(&process)?;
    let memory =
        ProcessMemory::open_to_ask(&process).map_err(|unreadable| process.failure("mem", unreadable))?;
    let questions = ask(&process, &memory, &before)?;
    let asked = Instant::now();
    let mut answer = None;
    while answer.is_none() && asked.elapsed() < PATIENCE {
        thread::sleep(STEP);
        answer = answered(&memory, &questions).map(|bytes| (asked.elapsed(), bytes));
    }
    // Other threads follow when they come by.
    thread::sleep(PATIENCE.saturating_sub(asked.elapsed()));
    let (after, view) = look(&process)?;
    let report = Report {
        pid: process.pid,
        name: process.name(),
        is_done: answer.is_some(),
        took_ms: answer.map(|(took, _)| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        returned_bytes: answer.map(|(_, bytes)| bytes),
        rss_before_bytes: resident(&before),
        rss_after_bytes: resident(&after),
        still_free_bytes: view.map_or(0, |view| free_bytes(&view)),
    };
    if options.output.json {
        style::print_json(&report)?;
    } else {
        style::print(&report.render(Style::of_stdout(options.output)))?;
    }
    Ok(Ending::Exited(if report.is_done { 0 } else { failure::FOUND }))
}

/// The mappings of the process, and its heap if that can be seen.
fn look(process: &Process) -> anyhow::Result<(Vec<Mapping>, Option<View>)> {
    let file = process.read_memory("smaps").map_err(|unreadable| process.failure("smaps", unreadable))?;
    let mappings =
        smaps::parse(&file).with_context(|| format!("cannot understand smaps of process {}", process.pid))?;
    let view = ProcessMemory::open(process).ok().and_then(|memory| mallow::view(&memory, &mappings));
    Ok((mappings, view.and_then(Result::ok)))
}

fn resident(mappings: &[Mapping]) -> u64 {
    mappings.iter().map(Mapping::resident_bytes).sum()
}

/// What is free in whole pages, or on threads' lists.
fn free_bytes(view: &View) -> u64 {
    [Part::Caches, Part::Waiting, Part::Kept, Part::Padding].map(|part| view.resident(part)).iter().sum()
}

/// Puts the question, one for each copy of the library in the process.
fn ask(process: &Process, memory: &ProcessMemory, mappings: &[Mapping]) -> anyhow::Result<Vec<Question>> {
    let found = mallow::find(memory, mappings).map_err(|(address, error)| {
        let sentence =
            format!("cannot understand the segment of process {} at {address:#x}: {error}", process.pid);
        Failure::new(failure::CANNOT_LOOK, sentence, "Use the command that came with the library.")
    })?;
    if found.is_empty() {
        let sentence = if mallow::is_loaded(mappings) {
            format!(
                "process {} ({}) has mallow loaded, and has not allocated anything yet",
                process.pid,
                process.name()
            )
        } else {
            format!("process {} ({}) is not on mallow", process.pid, process.name())
        };
        let advice = "To start a program on mallow: mallow run PROGRAM";
        return Err(Failure::new(failure::CANNOT_LOOK, sentence, advice).into());
    }
    let mut questions = Vec::new();
    for one in found {
        let number = one.snapshot.trims().asked.wrapping_add(1);
        let place = segment::offset(segment::TRIM_ASKED_AT) as u64;
        memory
            .write_word(one.address + place, number)
            .with_context(|| format!("cannot write to the segment of process {}", process.pid))?;
        questions.push(Question { address: one.address, number });
    }
    Ok(questions)
}

/// The bytes that were returned, once every question is answered.
fn answered(memory: &ProcessMemory, questions: &[Question]) -> Option<u64> {
    let mut bytes = 0_u64;
    for question in questions {
        let Trims { done, bytes: returned, .. } = trims(memory, question.address)?;
        // Somebody else may have asked since, and been answered.
        let is_done = done.wrapping_sub(question.number) < u64::MAX / 2;
        bytes = bytes.saturating_add(is_done.then_some(returned)?);
    }
    Some(bytes)
}

fn trims(memory: &ProcessMemory, address: u64) -> Option<Trims> {
    let mut bytes = [0; segment::SEGMENT_BYTES];
    let is_read = mallow::Reader::read(memory, address, &mut bytes);
    is_read.then(|| Snapshot::decode(&bytes).ok())?.map(|snapshot| snapshot.trims())
}

impl Report {
    fn render(&self, style: Style) -> String {
        let title = style.paint(Tone::Strong, &format!("{} {}", self.name, self.pid));
        let came_of_it = match self.took_ms {
            Some(ms) => style.paint(Tone::Good, &format!("asked to trim, and done within {} ms", ms + 1)),
            None => {
                let sentence =
                    "asked to trim, and not answered within a second: it sleeps, or does not allocate";
                style.paint(Tone::Warning, sentence)
            }
        };
        let mut table = Table::new([Align::Left, Align::Right, Align::Left]).with_flexible(2);
        if let Some(returned) = self.returned_bytes {
            table.row(["returned at once".into(), style.bytes(returned).into(), "".into()]);
        }
        table.row(["RSS before".into(), style.bytes(self.rss_before_bytes).into(), "".into()]);
        table.row(["RSS a second later".into(), style.bytes(self.rss_after_bytes).into(), "".into()]);
        let note = "free, with threads that have not come by, or kept since";
        table.row(["still free".into(), style.bytes(self.still_free_bytes).into(), note.into()]);
        let mut text = format!("{title}  {came_of_it}\n{}", table.render(style, "  "));
        if !self.is_done {
            text += "It does so when one of its threads next allocates. Nothing else can make it: mallow help trim\n";
        }
        text
    }
}
