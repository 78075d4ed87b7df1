//! `mallow limits`: what limits a process, what happens there, when, and to whom.

mod json;
mod text;

use core::time::Duration;
use std::time::Instant;

use anyhow::Context;
use mallow_analyze::limits::{self, Bound, Growth, Look, Unit};
use mallow_analyze::rank::{self, Candidate};
use mallow_analyze::read::Limit;
use mallow_analyze::read::cgroup::group::Group;
use mallow_analyze::read::meminfo::{Item, Meminfo};
use mallow_analyze::read::pressure::{self, Pressure};
use mallow_analyze::read::rlimits;
use mallow_analyze::read::status::Status;

use crate::args::Limits;
use crate::candidates;
use crate::cgroup::{self, Cgroups};
use crate::child::Ending;
use crate::failure;
use crate::machine;
use crate::process::{Process, Unreadable};
use crate::progress;
use crate::style::{self, Style};
use crate::target;

/// The least time in which a slope says something about the next hour.
const TELLING: Duration = Duration::from_secs(5);
/// Who goes before: how many of them are named.
const NAMED: usize = 5;

/// Everything that is known of a process and its limits.
#[derive(Debug)]
struct Report {
    status: Status,
    cgroups: Result<Cgroups, String>,
    /// Why the mappings could not be counted.
    mappings: Result<u64, String>,
    overcommit_mode: Result<u64, String>,
    growth: Growth,
    score: Result<u64, String>,
    /// The process itself; `None` if it has just ended.
    candidate: Option<Candidate>,
    /// If the machine runs out, and if the nearest group does.
    queues: Vec<Queue>,
    pressure: Result<Pressure, String>,
}

/// Who is killed before whom if something runs out.
#[derive(Debug)]
struct Queue {
    /// The group; `None` for the machine.
    group: Option<Vec<u8>>,
    /// Bytes of what is short.
    total: u64,
    /// All that can be killed, the first first.
    order: Vec<Candidate>,
    /// How many go before the process; `None` if it is protected.
    place: Option<usize>,
}

/// Looks at the process, twice if a slope is wanted, and prints what there is to say.
pub(crate) fn limits(options: &Limits) -> anyhow::Result<Ending> {
    let process = target::find(&options.target)?;
    let first = look(&process)?;
    let began = Instant::now();
    let report = if options.watch == 0 {
        report(&process, first, None)?
    } else {
        progress::wait(Duration::from_secs(options.watch.into()), "the second look");
        let second = look(&process)?;
        report(&process, second, Some((&first.bounds, began.elapsed())))?
    };
    if options.output.json {
        style::print_json(&json::object(process.pid, &report))?;
    } else {
        style::print(&text::page(Style::of_stdout(options.output), process.pid, &report))?;
    }
    Ok(Ending::Exited(if report.growth.bounds.iter().any(|bound| report.is_close(bound)) {
        failure::FOUND
    } else {
        0
    }))
}

/// One look at everything that can change.
#[derive(Debug)]
struct Found {
    status: Status,
    cgroups: Result<Cgroups, String>,
    mappings: Result<u64, String>,
    overcommit_mode: Result<u64, String>,
    meminfo: Meminfo,
    bounds: Vec<Bound>,
}

fn look(process: &Process) -> anyhow::Result<Found> {
    let mappings = match process.read_memory("maps") {
        Ok(maps) => Ok(maps.split_inclusive(|byte| *byte == b'\n').count() as u64),
        Err(unreadable @ (Unreadable::NotPermitted | Unreadable::Failed(_))) => Err(unreadable.to_string()),
        Err(unreadable) => return Err(process.failure("maps", unreadable).into()),
    };
    let status = process.status()?;
    let limits = process.read("limits").map_err(|unreadable| process.failure("limits", unreadable))?;
    let rlimits = rlimits::parse(&limits).context("cannot understand the limits of the process")?;
    let meminfo = machine::meminfo()?;
    let cgroups = Cgroups::of(process);
    let overcommit_mode = machine::setting("vm/overcommit_memory");
    let bounds = limits::bounds(&Look {
        groups: cgroups.as_ref().map_or(&[], |found| &found.groups),
        rlimits: Some(&rlimits),
        status: &status,
        meminfo: &meminfo,
        mappings: mappings.as_ref().ok().copied(),
        most_mappings: machine::setting("vm/max_map_count").ok(),
        overcommit_mode: overcommit_mode.as_ref().ok().copied(),
    });
    Ok(Found { status, cgroups, mappings, overcommit_mode, meminfo, bounds })
}

fn report(process: &Process, found: Found, before: Option<(&[Bound], Duration)>) -> anyhow::Result<Report> {
    let (before, time) = before.unwrap_or((&[], Duration::ZERO));
    let growth = limits::growth(before, found.bounds, time);
    let candidate = candidates::of(process);
    let everybody = candidates::all(None)?;
    let get = |item| found.meminfo.get(item).unwrap_or(0);
    let mut queues = vec![queue(None, get(Item::Total) + get(Item::SwapTotal), everybody, process.pid)];
    let groups = found.cgroups.as_ref().map_or(&[][..], |found| &found.groups);
    if let Some((name, group)) = tightest(groups) {
        let total = rank::total_of_group(group, get(Item::SwapTotal)).unwrap_or(0);
        let within = candidates::all(Some((&cgroup::mounts().unwrap_or_default(), name)))?;
        queues.push(queue(Some(name.clone()), total, within, process.pid));
    }
    let score = process.read("oom_score").map_err(|unreadable| unreadable.to_string());
    Ok(Report {
        status: found.status,
        cgroups: found.cgroups,
        mappings: found.mappings,
        overcommit_mode: found.overcommit_mode,
        growth,
        score: score.and_then(|file| machine::number(&file)),
        candidate,
        queues,
        pressure: machine::proc_parsed("pressure/memory", pressure::parse),
    })
}

/// The group that has a limit, and least left of it.
fn tightest(groups: &[(Vec<u8>, Group)]) -> Option<&(Vec<u8>, Group)> {
    let left = |group: &Group| Some(group.max.and_then(Limit::number)?.saturating_sub(group.current?));
    groups.iter().filter(|(_, group)| left(group).is_some()).min_by_key(|(_, group)| left(group))
}

fn queue(group: Option<Vec<u8>>, total: u64, candidates: Vec<Candidate>, pid: u32) -> Queue {
    let order: Vec<_> = rank::order(&candidates, total).into_iter().cloned().collect();
    let place = order.iter().position(|found| found.pid == u64::from(pid));
    Queue { group, total, order, place }
}

impl Report {
    /// Whether a limit is near, or will soon be.
    fn is_close(&self, bound: &Bound) -> bool {
        let is_soon = self.growth.time >= TELLING
            && bound.time_left().is_some_and(|left| left < Duration::from_secs(3600));
        bound.is_close() || bound.binds && bound.used.is_some_and(|used| used > 0) && is_soon
    }

    /// What counts a bound, in the words of a sentence.
    fn amount(style: Style, unit: Unit, number: u64) -> String {
        match unit {
            Unit::Bytes => style.bytes(number),
            Unit::Mappings => number.to_string(),
        }
    }
}
