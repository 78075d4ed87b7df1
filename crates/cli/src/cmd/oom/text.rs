//! The page for people.

use core::fmt::Write;
use core::time::Duration;

use mallow_analyze::escape;
use mallow_analyze::kill::{self, Ranked, Reason};
use mallow_analyze::read::oom::{Kill, Scope, Victim};

use super::Report;
use crate::pace;
use crate::style::{Style, Tone};
use crate::table::{Align, Cell, Table};

/// How many rows of the table are shown.
const SHOWN: usize = 8;

/// Everything there is to say.
pub(super) fn page(style: Style, report: &Report, has_lines: bool) -> String {
    let mut text = match report.kills.len() {
        0 => "The log tells of nobody who was killed for want of memory.\n".to_owned(),
        1 => "The log tells of one kill for want of memory.\n".to_owned(),
        count => format!("The log tells of {count} kills for want of memory.\n"),
    };
    text += &counted(report);
    let uptime = report.here.as_ref().and_then(|here| here.uptime);
    for (place, kill) in report.kills.iter().enumerate() {
        text.push('\n');
        text += &style.paint(Tone::Strong, &heading(place + 1, kill, uptime));
        text.push('\n');
        text += &account(style, kill);
        text += &table(style, kill);
        if has_lines {
            text += &lines(style, kill);
        }
    }
    if !has_lines && !report.kills.is_empty() {
        text += "\nWhat each line of the log means: mallow oom --lines\n";
    }
    text
}

/// What the kernel has counted, if the log cannot tell of all.
fn counted(report: &Report) -> String {
    let victims: usize = report.kills.iter().map(|kill| kill.victims.len()).sum();
    match report.here.as_ref().and_then(|here| here.counted) {
        Some(counted) if usize::try_from(counted).unwrap_or(usize::MAX) > victims => {
            format!(
                "The kernel has counted {counted} since it was started: the log has lost some, or was cleared.\n"
            )
        }
        _ => String::new(),
    }
}

fn heading(number: usize, kill: &Kill, uptime: Option<Duration>) -> String {
    let since = kill.time.since_start_us.map(Duration::from_micros);
    let ago = since.and_then(|since| uptime?.checked_sub(since));
    let parts = [
        kill.time.of_day.as_ref().map(|time| escape::name(time)),
        since.map(|since| format!("{} after the start", pace::duration(since))),
        ago.map(|ago| format!("{} ago", pace::duration(ago))),
        kill.kernel.as_ref().map(|kernel| format!("kernel {}", escape::name(kernel))),
    ];
    let told: Vec<_> = parts.into_iter().flatten().collect();
    let told = if told.is_empty() { "when: n/a (the log does not say)".to_owned() } else { told.join(", ") };
    format!("{number}. {told}")
}

fn who(pid: u64, name: &[u8]) -> String {
    format!("{} ({pid})", escape::name(name))
}

/// The story, a line for each part of it.
fn account(style: Style, kill: &Kill) -> String {
    let mut text = String::new();
    for victim in &kill.victims {
        let _ = writeln!(text, "  killed   {}", killed(style, victim));
    }
    let _ = writeln!(text, "  short    {}", short(style, kill));
    if let Some(asker) = asker(style, kill) {
        let _ = writeln!(text, "  asked    {asker}");
    }
    let _ = writeln!(text, "  why      {}", why(style, kill));
    text
}

fn killed(style: Style, victim: &Victim) -> String {
    let amounts = [
        (victim.anonymous, "anonymous"),
        (victim.file, "of files"),
        (victim.shared, "shared"),
        (victim.page_tables, "of page tables"),
    ];
    let told: Vec<_> = amounts
        .into_iter()
        .filter_map(|(bytes, name)| Some(format!("{} {name}", style.bytes(bytes?))))
        .collect();
    let user = victim.user.map(|user| format!(" of user {user}")).unwrap_or_default();
    let reaped = match victim.reaped {
        Some(true) => "; its memory was taken before it ended",
        Some(false) => "; its memory could not be taken before it ended",
        None => "",
    };
    format!("{}{user}: {}{reaped}", who(victim.pid, &victim.name), told.join(", "))
}

/// What was short.
fn short(style: Style, kill: &Kill) -> String {
    match &kill.scope {
        Scope::Machine => match kill::total_bytes(kill) {
            Some(total) => format!("the machine: {} of memory and swap", style.bytes(total)),
            None => "the machine".to_owned(),
        },
        Scope::Cpuset => {
            "the nodes that the asker may use by its cpuset; others may have had memory".to_owned()
        }
        Scope::Policy => {
            "the nodes that the asker may use by its memory policy; others may have had memory".to_owned()
        }
        Scope::Unknown => "n/a (the log does not say)".to_owned(),
        Scope::Group { limited, of_task } => {
            let mut text = if limited.is_empty() {
                "a cgroup, n/a which (the log does not say)".to_owned()
            } else {
                format!("the cgroup {}", escape::name(limited))
            };
            if !of_task.is_empty() && of_task != limited {
                let _ = write!(text, ", above {} of the victim", escape::name(of_task));
            }
            if let Some(usage) = kill.usage.iter().find(|usage| usage.what == b"memory") {
                let (used, limit) = (style.bytes(usage.used), style.bytes(usage.limit));
                let _ = write!(text, ": {used} of {limit} used, {} times at the limit", usage.hits);
            }
            text
        }
    }
}

/// Who asked, and for what.
fn asker(style: Style, kill: &Kill) -> Option<String> {
    let asker = kill.asker.as_ref()?;
    let name = asker.pid.map_or_else(|| escape::name(&asker.name), |pid| who(pid, &asker.name));
    let bytes = asker.order.and_then(|order| kill::page_bytes(kill).checked_shl(u32::try_from(order).ok()?));
    let what = match (asker.order, bytes) {
        (Some(-1), _) => "by the keyboard (SysRq f)".to_owned(),
        (Some(0), Some(bytes)) => format!("for a page of {}", style.bytes(bytes)),
        (Some(order), Some(bytes)) => format!("for {} in one piece (order {order})", style.bytes(bytes)),
        _ => "for n/a (the log does not say)".to_owned(),
    };
    Some(format!("{name}, {what}, {}", escape::name(&asker.kind)))
}

fn why(style: Style, kill: &Kill) -> String {
    let ranked = kill::ranked(kill);
    let first = ranked.first();
    let mut text = match kill::reason(kill) {
        Reason::Most => {
            let second = ranked.iter().skip(1).find(|found| found.points.is_some());
            let next = second.and_then(|second| {
                let name = who(second.candidate.pid, &second.candidate.name);
                Some(format!(
                    "; {name} was next with {}",
                    style.signed_bytes(second.points?).trim_start_matches('+')
                ))
            });
            format!("it had the most points{}", next.unwrap_or_default())
        }
        Reason::Asked => "it asked: vm.oom_kill_allocating_task is set".to_owned(),
        Reason::Child => {
            let parent = kill.chosen.as_ref().map(|(pid, name, _)| who(*pid, name)).unwrap_or_default();
            format!(
                "its parent {parent} had the most points, and this kernel takes a child with memory of its own first"
            )
        }
        Reason::NotMost => {
            let first =
                first.map(|first| who(first.candidate.pid, &first.candidate.name)).unwrap_or_default();
            format!(
                "n/a (by the table {first} had more points; it may have been ending already, or could not be killed)"
            )
        }
        Reason::NoTable => {
            "n/a (the log has no table: vm.oom_dump_tasks is 0, or there were many kills at once)".to_owned()
        }
        Reason::UnknownTotal => {
            "n/a (oom_score_adj counts, and the log does not say how much memory there was)".to_owned()
        }
        Reason::Nobody => "nobody could be killed: all are protected, or of the kernel".to_owned(),
        Reason::Unfinished => "n/a (the log ends before it says who was killed)".to_owned(),
    };
    if let Some(group) = &kill.whole_group {
        let _ = write!(text, "; memory.oom.group of {} has all of it killed", escape::name(group));
    }
    text
}

/// Who could have been killed.
fn table(style: Style, kill: &Kill) -> String {
    let ranked = kill::ranked(kill);
    if ranked.is_empty() {
        return String::new();
    }
    let columns = [
        Align::Right,
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Left,
    ];
    let mut table = Table::new(columns).with_flexible(1);
    let dim = |text: &str| Cell::toned(Tone::Dim, text);
    table.row(["pid", "name", "memory", "swap", "page tables", "oom_score_adj", "points", ""].map(dim));
    let is_victim = |found: &Ranked| kill.victims.iter().any(|victim| victim.pid == found.candidate.pid);
    let shown = |(place, found): &(usize, &Ranked)| *place < SHOWN || is_victim(found);
    for (_, found) in ranked.iter().enumerate().filter(shown) {
        let candidate = &found.candidate;
        let told =
            |is_told: bool, bytes| Cell::from(if is_told { style.bytes(bytes) } else { "n/a".to_owned() });
        let points = found.points.map_or_else(|| "never".to_owned(), |points| style.signed_bytes(points));
        let (tone, mark) = if is_victim(found) { (Tone::Bad, "killed") } else { (Tone::Plain, "") };
        table.row([
            candidate.pid.to_string().into(),
            Cell::toned(tone, escape::name(&candidate.name)),
            style.bytes(candidate.resident).into(),
            told(found.tells_swap, candidate.swapped),
            told(found.tells_page_tables, candidate.page_tables),
            candidate.adjustment.to_string().into(),
            points.trim_start_matches('+').into(),
            Cell::toned(tone, mark),
        ]);
    }
    let mut text = table.render(style, "    ");
    let more = ranked.iter().enumerate().filter(|row| !shown(row)).count();
    if more > 0 {
        let _ = writeln!(text, "    and {more} more");
    }
    text
}

/// Every line with its meaning; of lines of one kind that follow each other, the meaning once.
fn lines(style: Style, kill: &Kill) -> String {
    let mut text = String::from("\n");
    let mut last = None;
    for (meaning, line) in &kill.lines {
        if last.is_some_and(|last| last != *meaning) {
            let _ = writeln!(text, "{}", style.paint(Tone::Dim, &explained(last)));
        }
        let _ = writeln!(text, "    {}", escape::name(line));
        last = Some(*meaning);
    }
    let _ = writeln!(text, "{}", style.paint(Tone::Dim, &explained(last)));
    text
}

fn explained(meaning: Option<mallow_analyze::read::oom::Meaning>) -> String {
    format!("      {}", meaning.map_or("", kill::meaning))
}
