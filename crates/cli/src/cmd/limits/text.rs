//! The page for people.

use core::fmt::Write;

use mallow_analyze::escape;
use mallow_analyze::limits::{self, Bound, Unit};
use mallow_analyze::rank::NEVER;
use mallow_analyze::read::Limit;
use mallow_analyze::read::cgroup::group::Group;
use mallow_analyze::read::cgroup::place::Version;
use mallow_analyze::read::pressure::{Pressure, Stall};

use super::{NAMED, Queue, Report};
use crate::cgroup::Cgroups;
use crate::pace;
use crate::style::{Style, Tone};
use crate::table::{Align, Cell, Table};

/// What happened in a group, and what that means.
const EVENTS: [(&str, &str); 6] = [
    ("low", "reclaimed from below memory.low, because there was nothing elsewhere"),
    ("high", "slowed down at memory.high"),
    ("max", "at memory.max, and something had to be reclaimed"),
    ("oom", "at memory.max, and nothing could be reclaimed"),
    ("oom_kill", "processes killed for want of memory"),
    ("oom_group_kill", "killed as a whole"),
];

/// Everything there is to say.
pub(super) fn page(style: Style, pid: u32, report: &Report) -> String {
    let name = escape::name(&report.status.name);
    let resident = report.status.resident.map_or_else(|| "n/a".to_owned(), |bytes| style.bytes(bytes));
    let title = style.paint(Tone::Strong, &format!("{name} {pid}"));
    let mut text = format!("{title}  RSS {resident}\n\n");
    text += &nearest(style, report);
    text += &table(style, report);
    text += &others(style, report);
    text.push('\n');
    for queue in &report.queues {
        text += &line_of(style, queue, report);
    }
    text += &events(report);
    text += &pressures(report);
    text
}

/// The limit that comes first, in words.
fn nearest(style: Style, report: &Report) -> String {
    let Some(bound) = limits::nearest(&report.growth.bounds) else {
        return "Nearest: nothing limits it that can be seen from here.\n\n".to_owned();
    };
    let tone = if report.is_close(bound) { Tone::Bad } else { Tone::Good };
    let (left, limit) = (bound.headroom().unwrap_or(0), bound.limit.number().unwrap_or(0));
    let share = bound.headroom_share().unwrap_or(0);
    let left = style.paint(tone, &format!("{} left", style.bytes(left)));
    let mut text = format!(
        "Nearest: {}, with {left} of {} ({}.{} %).\n",
        bound.title(),
        style.bytes(limit),
        share / 10,
        share % 10
    );
    if let Some(cache) = bound.reclaimable.filter(|cache| *cache > 0) {
        let _ = writeln!(
            text,
            "  Of what is used, {} are file cache, which is taken back first.",
            style.bytes(cache)
        );
    }
    let _ = writeln!(text, "  There: {}.", bound.effect.text());
    let _ = writeln!(text, "  {}\n", when(style, bound, report));
    text
}

fn when(style: Style, bound: &Bound, report: &Report) -> String {
    let Some(slope) = bound.slope else {
        return "How fast it is approached is not known: it was looked at once.".to_owned();
    };
    let seen = pace::duration(report.growth.time);
    match bound.time_left() {
        Some(left) => {
            let slope = pace::slope(style, bound.kind.unit(), slope);
            format!(
                "At the present slope ({slope}, seen over {seen}) it is reached in {}.",
                pace::duration(left)
            )
        }
        None => format!("It does not come nearer: nothing has grown in the {seen} of looking."),
    }
}

/// The limits that are in force.
fn table(style: Style, report: &Report) -> String {
    let columns = [
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Left,
    ];
    let mut table = Table::new(columns).with_flexible(0);
    let dim = |text: &str| Cell::toned(Tone::Dim, text);
    table.row(["limit", "used", "allowed", "left", "", "slope", "reached in", "there"].map(dim));
    for bound in report.growth.bounds.iter().filter(|bound| bound.binds) {
        let unit = bound.kind.unit();
        let amount = |number: Option<u64>| {
            number.map_or_else(|| "n/a".to_owned(), |number| Report::amount(style, unit, number))
        };
        let tone = if report.is_close(bound) { Tone::Bad } else { Tone::Plain };
        let used = match (unit, &report.mappings) {
            (Unit::Mappings, Err(reason)) => format!("n/a ({reason})"),
            _ => amount(bound.used),
        };
        let share = bound.headroom_share().map(|share| format!("{}.{} %", share / 10, share % 10));
        table.row([
            bound.title().into(),
            used.into(),
            amount(bound.limit.number()).into(),
            Cell::toned(tone, amount(bound.headroom())),
            Cell::toned(tone, share.unwrap_or_default()),
            bound.slope.map_or_else(String::new, |slope| pace::slope(style, unit, slope)).into(),
            bound.time_left().map_or_else(|| "-".to_owned(), pace::duration).into(),
            bound.effect.word().into(),
        ]);
    }
    table.render(style, "  ")
}

/// The limits that are not in force, and what cannot be seen.
fn others(style: Style, report: &Report) -> String {
    let mut text = String::from("\n");
    let off = not_set(&report.growth.bounds);
    if !off.is_empty() {
        let _ = writeln!(text, "Not set: {}.", off.join(", "));
    }
    for bound in report.growth.bounds.iter().filter(|bound| !bound.binds && bound.limit != Limit::Unlimited) {
        let reason = match (bound.kind, &report.overcommit_mode) {
            (limits::Kind::Commit, Ok(mode)) => {
                format!("vm.overcommit_memory is {mode}; it counts in mode 2 only")
            }
            (limits::Kind::Commit, Err(reason)) => format!("the mode is n/a ({reason})"),
            _ => "the process has CAP_IPC_LOCK".to_owned(),
        };
        let (used, limit) = (bound.used.unwrap_or(0), bound.limit.number().unwrap_or(0));
        let _ = writeln!(
            text,
            "Not in force: {}, {} of {}: {reason}.",
            bound.title(),
            style.bytes(used),
            style.bytes(limit)
        );
    }
    match &report.cgroups {
        Ok(cgroups) => text += &view(cgroups),
        Err(reason) => {
            let _ = writeln!(text, "cgroup: n/a ({reason}).");
        }
    }
    text
}

/// The limits that there could be, each once with the number of groups.
fn not_set(bounds: &[Bound]) -> Vec<String> {
    let mut counts: Vec<(&str, usize, bool)> = Vec::new();
    for bound in bounds.iter().filter(|bound| bound.limit == Limit::Unlimited) {
        let name = bound.kind.name();
        match counts.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, count, _)) => *count += 1,
            None => counts.push((name, 1, bound.scope.is_some())),
        }
    }
    let named = |(name, count, is_group): (&str, usize, bool)| match count {
        1 if is_group => format!("{name} (1 group)"),
        _ if is_group => format!("{name} ({count} groups)"),
        _ => name.to_owned(),
    };
    counts.into_iter().map(named).collect()
}

/// What of the tree of groups is seen.
fn view(cgroups: &Cgroups) -> String {
    let version = match cgroups.version {
        Version::V1 => "v1",
        Version::V2 => "v2",
    };
    let names: Vec<_> = cgroups.groups.iter().map(|(name, _)| escape::name(name)).collect();
    let mut text = format!("cgroup {version}: {}", names.join(" below "));
    text += match (cgroups.sees_root, cgroups.is_gone) {
        (_, true) => "; its own group is gone, or may not be entered.\n",
        (true, false) => ".\n",
        (false, false) => {
            "; this is the view of a container: groups above the last one may have limits that cannot be seen.\n"
        }
    };
    text
}

/// Who is killed before whom.
fn line_of(style: Style, queue: &Queue, report: &Report) -> String {
    let of = queue.order.len();
    let what = match &queue.group {
        None => "If the machine runs out of memory".to_owned(),
        Some(group) => format!("If {} reaches its limit", escape::name(group)),
    };
    let adjustment = report.candidate.as_ref().map_or(0, |found| found.adjustment);
    let mut text = match queue.place {
        Some(0) => format!("{what}, it is this process that is killed, out of {of}"),
        Some(place) => format!("{what}, {place} of {of} processes are killed before this one"),
        None if adjustment <= NEVER => {
            format!("{what}, this process is not killed: its oom_score_adj is {adjustment}")
        }
        None if report.candidate.as_ref().is_some_and(|found| found.is_init) => {
            format!("{what}, this process is not killed: it is the first of the machine")
        }
        None => format!("{what}, this process is not killed: it has just ended, or is not in sight"),
    };
    if queue.group.is_none() {
        let score = report.score.as_ref().map_or_else(|reason| format!("n/a ({reason})"), u64::to_string);
        let _ = write!(text, " (oom_score {score}, oom_score_adj {adjustment})");
    }
    text += ":\n";
    let mut table =
        Table::new([Align::Right, Align::Right, Align::Left, Align::Right, Align::Left]).with_flexible(2);
    for (place, found) in queue.order.iter().enumerate() {
        let is_this = Some(place) == queue.place;
        if place >= NAMED && !is_this {
            continue;
        }
        let bytes = style.bytes(found.bytes());
        let adjusted = if found.adjustment == 0 {
            String::new()
        } else {
            let points = found.points(queue.total).unwrap_or(0) - i128::from(found.bytes());
            format!("{} by oom_score_adj {}", style.signed_bytes(points), found.adjustment)
        };
        let tone = if is_this { Tone::Strong } else { Tone::Plain };
        table.row([
            Cell::toned(tone, (place + 1).to_string()),
            Cell::toned(tone, found.pid.to_string()),
            Cell::toned(tone, escape::name(&found.name)),
            bytes.into(),
            adjusted.into(),
        ]);
    }
    text + &table.render(style, "  ")
        + "  What counts is memory, swap and page tables, and what oom_score_adj adds.\n\n"
}

/// What has happened in the groups.
fn events(report: &Report) -> String {
    let groups = report.cgroups.as_ref().map_or(&[][..], |cgroups| &cgroups.groups);
    let mut text = String::new();
    for (name, group) in groups {
        let told = told(group);
        if !told.is_empty() {
            let _ = writeln!(text, "Events of {}: {}.", escape::name(name), told.join("; "));
        }
    }
    if text.is_empty() && groups.iter().any(|(_, group)| group.events.is_some()) {
        text += "Events: no group above it has ever been at a limit.\n";
    }
    text
}

fn told(group: &Group) -> Vec<String> {
    let hits = group.hits.filter(|hits| *hits > 0).map(|hits| format!("failcnt {hits} (at its limit)"));
    let events = group.events.iter().flat_map(|events| {
        let count = |name| events.get(name).filter(|count| *count > 0);
        EVENTS.iter().filter_map(move |(name, meaning)| Some(format!("{name} {} ({meaning})", count(name)?)))
    });
    hits.into_iter().chain(events).collect()
}

fn pressures(report: &Report) -> String {
    let mut text = String::new();
    let groups = report.cgroups.as_ref().map_or(&[][..], |cgroups| &cgroups.groups);
    for (name, group) in groups {
        if let Some(pressure) = &group.pressure {
            let _ = writeln!(text, "Pressure in {}: {}.", escape::name(name), shares(pressure));
        }
    }
    match &report.pressure {
        Ok(pressure) => {
            let _ = writeln!(text, "Pressure of the machine: {}.", shares(pressure));
        }
        Err(reason) => {
            let _ = writeln!(text, "Pressure of the machine: n/a ({reason}).");
        }
    }
    text
}

/// Shares of the last 10 seconds, minute and five minutes.
fn shares(pressure: &Pressure) -> String {
    let percent = |hundredths: u64| format!("{}.{:02} %", hundredths / 100, hundredths % 100);
    let three = |stall: Stall| {
        format!("{}, {}, {}", percent(stall.avg10), percent(stall.avg60), percent(stall.avg300))
    };
    let some = pressure.some.map(|stall| format!("some task waited for memory {}", three(stall)));
    let full = pressure.full.map(|stall| format!("all did {}", three(stall)));
    let told: Vec<_> = some.into_iter().chain(full).collect();
    format!("{} of the last 10 s, minute and 5 min", told.join("; "))
}
