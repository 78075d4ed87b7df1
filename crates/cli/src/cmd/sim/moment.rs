//! A moment of a machine: where its memory is after a statement.

use mallow_analyze::memory::PAGE_BYTES;
use mallow_kmm::machine::Machine;
use mallow_kmm::script::{Outcome as ScriptOutcome, Statement};
use mallow_replay::log::{Call, Event};
use mallow_replay::player::Outcome;
use serde::Serialize;

/// What the memory of a machine is used for. All sizes are bytes.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Moment {
    /// Line of the script or log; 0 before its first statement.
    pub(super) line: usize,
    /// Nanoseconds since the machine was started.
    pub(super) at_ns: u64,
    pub(super) statement: String,
    pub(super) outcome: String,
    /// Whether the statement did what it was to do.
    pub(super) is_done: bool,
    pub(super) free_bytes: u64,
    /// Memory of processes.
    pub(super) anon_bytes: u64,
    /// Pages of files and shared memory.
    pub(super) cached_bytes: u64,
    pub(super) page_tables_bytes: u64,
    /// Memory that compressed pages take.
    pub(super) compressed_bytes: u64,
    /// Slots of swap in use, on the disk or compressed.
    pub(super) swapped_bytes: u64,
    /// What has been promised.
    pub(super) committed_bytes: u64,
    /// Faults so far.
    pub(super) faults: u64,
    /// Those of them that waited for swap or a file.
    pub(super) major_faults: u64,
    /// Huge pages made so far.
    pub(super) huge_faults: u64,
    /// Pages that were moved so far, so that free ones lie together.
    pub(super) moved_pages: u64,
    /// Processes that were killed so far.
    pub(super) kills: usize,
}

impl Moment {
    /// Before the first statement.
    pub(super) fn at_boot(machine: &Machine) -> Self {
        Self::of(machine, 0, "start".to_owned(), String::new(), true)
    }

    /// After a statement.
    pub(super) fn after(machine: &Machine, statement: &Statement, outcome: &ScriptOutcome) -> Self {
        let is_done = matches!(outcome, ScriptOutcome::Value(_));
        Self::of(machine, statement.line, statement.to_string(), outcome.to_string(), is_done)
    }

    /// After a call of a log.
    pub(super) fn after_call(machine: &Machine, event: &Event, outcome: Outcome) -> Self {
        let call = match event.call {
            Call::Allocate { bytes, .. } => format!("malloc {bytes}"),
            Call::Reallocate { bytes, .. } => format!("realloc {bytes}"),
            Call::Free { .. } => "free".to_owned(),
        };
        let told = match outcome {
            Outcome::Done => "",
            Outcome::Refused => "ENOMEM",
            Outcome::Unknown => "not in the log",
            Outcome::Skipped => "refused in the log",
        };
        Self::of(machine, event.line, call, told.to_owned(), outcome == Outcome::Done)
    }

    /// The end of the program, in the midst of a call.
    pub(super) fn at_death(machine: &Machine, line: usize) -> Self {
        Self::of(machine, line, "in the midst of this call".to_owned(), "killed".to_owned(), false)
    }

    fn of(machine: &Machine, line: usize, statement: String, outcome: String, is_done: bool) -> Self {
        let info = machine.meminfo();
        Self {
            line,
            at_ns: machine.now_ns(),
            statement,
            outcome,
            is_done,
            free_bytes: info.free * PAGE_BYTES,
            anon_bytes: info.anon * PAGE_BYTES,
            cached_bytes: info.cached * PAGE_BYTES,
            page_tables_bytes: info.tables * PAGE_BYTES,
            compressed_bytes: info.compressed * PAGE_BYTES,
            swapped_bytes: (info.swap_total - info.swap_free) * PAGE_BYTES,
            committed_bytes: info.committed * PAGE_BYTES,
            faults: machine.world.events.faults,
            major_faults: machine.world.events.major_faults,
            huge_faults: machine.world.events.huge_faults,
            moved_pages: machine.world.pressure.counts.moved,
            kills: machine.kills().iter().filter(|kill| kill.victim.is_some()).count(),
        }
    }
}

/// A time since the start, for people.
pub(super) fn clock(ns: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "µs")];
    let unit = UNITS.iter().find(|(length, _)| ns >= 10 * length);
    unit.map_or_else(|| format!("{ns} ns"), |(length, name)| format!("{} {name}", ns / length))
}
