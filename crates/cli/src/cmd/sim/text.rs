//! What came of a script, for people.

use core::fmt::Write;

use mallow_analyze::memory::PAGE_BYTES;
use mallow_kmm::machine::Machine;

use super::Played;
use super::moment::{Moment, clock};
use crate::style::{Style, Tone};
use crate::table::{Align, Cell, Table};

/// Statements that are shown; of more, those in between are left out.
const ROWS: usize = 60;

/// The whole page.
pub(super) fn page(style: Style, played: Played<'_>, has_trace: bool) -> String {
    let Played { machine, moments, explained } = played;
    let mut text = timeline(style, moments);
    for kill in machine.kills() {
        text += &heading(style, &format!("out of memory after {}", clock(kill.at_ns)));
        text += &indented(&kill.log);
        text += &heading(style, "why");
        text += &indented(&kill.explanation);
    }
    if let Some(explained) = explained {
        text += &heading(style, "the address");
        text += &indented(explained);
    }
    text += &heading(style, "reclaim");
    text += &reclaim(style, machine);
    if has_trace {
        text += &heading(style, "slow path");
        text += &trace(machine);
    }
    for (pid, process) in machine.processes() {
        let score = machine.oom_score(pid).unwrap_or_default();
        text += &heading(style, &format!("process {} ({}), oom_score {score}", pid.0, process.name));
        if let Some(smaps) = machine.maps(pid) {
            text += &indented(&smaps.to_string());
        }
    }
    text += &heading(style, "meminfo");
    text += &indented(&machine.meminfo().to_string());
    text += &heading(style, "buddyinfo");
    text + &indented(&machine.world.physical.node().buddyinfo(0).to_string())
}

fn heading(style: Style, title: &str) -> String {
    format!("\n{}\n", style.paint(Tone::Strong, title))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {}\n", line.trim_end())).collect()
}

fn timeline(style: Style, moments: &[Moment]) -> String {
    use Align::{Left, Right};
    let mut table =
        Table::new([Right, Right, Left, Left, Right, Right, Right, Right, Right]).with_flexible(2);
    let title = ["line", "time", "statement", "", "free", "processes", "cache", "swapped", "major"];
    table.row(title.map(|title| Cell::toned(Tone::Dim, title)));
    let hidden = if moments.len() > ROWS { ROWS / 2..moments.len() - ROWS / 2 } else { 0..0 };
    for (nth, moment) in moments.iter().enumerate() {
        if nth == hidden.start && !hidden.is_empty() {
            let count = hidden.len();
            table.row(["".into(), "".into(), Cell::toned(Tone::Dim, format!("({count} more)"))]);
        }
        if hidden.contains(&nth) {
            continue;
        }
        let tone = if moment.is_done { Tone::Plain } else { Tone::Warning };
        table.row([
            if moment.line == 0 { "".into() } else { moment.line.to_string().into() },
            clock(moment.at_ns).into(),
            moment.statement.as_str().into(),
            Cell::toned(tone, if moment.is_done { "" } else { &moment.outcome }),
            style.bytes(moment.free_bytes).into(),
            style.bytes(moment.anon_bytes).into(),
            style.bytes(moment.cached_bytes).into(),
            style.bytes(moment.swapped_bytes).into(),
            moment.major_faults.to_string().into(),
        ]);
    }
    table.render(style, "")
}

fn reclaim(style: Style, machine: &Machine) -> String {
    let (events, pressure) = (&machine.world.events, &machine.world.pressure);
    let (counts, swap) = (pressure.counts, pressure.swap.counts());
    let compressed = pressure.swap.compressed();
    let mut table = Table::new([Align::Left, Align::Right, Align::Left]).with_flexible(2);
    for (name, count, note) in [
        ("faults", events.faults, ""),
        ("major faults", events.major_faults, "waited for swap or a file"),
        ("slow allocations", events.slow_allocations, "no zone was above its low watermark"),
        ("woken", counts.wakeups, "times the background began to reclaim"),
        ("freed behind", counts.freed_behind, "pages, in the background"),
        ("stalls", counts.stalls, "times somebody had to reclaim for himself"),
        ("freed directly", counts.freed_directly, "pages, by those who waited"),
        ("scanned", counts.scanned_behind + counts.scanned_directly, "pages that were looked at for that"),
        ("rounds", pressure.lru.counts().rounds, "looks at all tables for what was used"),
        ("swapped out", swap.out, "pages"),
        ("swapped in", swap.back, "pages"),
        ("to the disk", swap.written, "pages"),
        ("from the disk", swap.read, "pages"),
        ("written back", counts.written_files, "pages of files"),
        ("lazily freed", counts.lazily_freed, "pages after MADV_FREE"),
        ("huge pages", events.huge_faults, "made on a fault"),
        ("compacted", counts.compactions, "times pages were moved together, for want of a run"),
        ("moved", counts.moved, "pages"),
        ("killed", counts.kills, "processes"),
    ] {
        table.row([name.into(), count.to_string().into(), note.into()]);
    }
    let packed = u64::from(compressed.packed) * PAGE_BYTES;
    if packed > 0 {
        let room = style.bytes(u64::from(compressed.frames) * PAGE_BYTES);
        let note = format!("of pages in {room} of memory");
        table.row(["compressed".into(), style.bytes(packed).into(), note.into()]);
    }
    table.render(style, "  ")
}

fn trace(machine: &Machine) -> String {
    let mut text = String::new();
    for entry in &machine.world.pressure.trace {
        let _ = writeln!(
            text,
            "  {:>10}  allocation {:>6}  {:<44} {:>5} frames, {} free",
            clock(entry.at_ns),
            entry.allocation,
            entry.step.to_string(),
            entry.brought.frames,
            entry.free
        );
    }
    text
}
