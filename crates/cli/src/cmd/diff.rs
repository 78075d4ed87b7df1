//! `mallow diff`: what came and what went between two looks at a process.

use core::fmt::Write;

use mallow_analyze::account::Account;
use mallow_analyze::diff::{self, Line};
use mallow_analyze::escape;
use mallow_units::Bytes;

use crate::args::Diff;
use crate::bar::bar;
use crate::child::Ending;
use crate::failure;
use crate::look::Depth;
use crate::style::{self, Style, Tone};
use crate::subject;
use crate::table::{Align, Cell, Table};

/// How many mappings are shown unless all are asked for.
const SHOWN: usize = 12;
/// Columns of the longest bar.
const BAR_COLUMNS: usize = 16;

/// Compares the two, and prints what has changed.
pub(crate) fn diff(options: &Diff) -> anyhow::Result<Ending> {
    let before = subject::account(&subject::recording(&options.before, Depth::Quick, None)?)?;
    let after = subject::account(&subject::recording(&options.after, Depth::Quick, None)?)?;
    if options.output.json {
        style::print_json(&diff::Diff::of(&before, &after))?;
    } else {
        let shown = if options.all { usize::MAX } else { SHOWN };
        style::print(&render(&before, &after, shown, Style::of_stdout(options.output)))?;
    }
    let is_same = diff::lines(&before, &after).iter().all(|line| line.change() == 0);
    Ok(Ending::Exited(if is_same { 0 } else { failure::FOUND }))
}

fn render(before: &Account, after: &Account, shown: usize, style: Style) -> String {
    let mut text = title(before, after, style);
    text += "\n";
    text += &lines(&diff::lines(before, after), style);
    if before.pid != after.pid {
        text += "\nThese are two processes, so their mappings are not compared.\n";
        return text;
    }
    text += &mappings(before, after, shown, style);
    text
}

fn title(before: &Account, after: &Account, style: Style) -> String {
    let name = |account: &Account| format!("{} {}", escape::name(&account.status.name), account.pid);
    let names = if before.pid == after.pid {
        name(after)
    } else {
        format!("{} against {}", name(before), name(after))
    };
    let seconds = i128::from(after.unix_ms) / 1000 - i128::from(before.unix_ms) / 1000;
    let when = if seconds < 0 { "earlier" } else { "later" };
    let change = i128::from(after.ledger.resident) - i128::from(before.ledger.resident);
    format!(
        "{}    {} s {when}    RSS {} → {}  ({})\n",
        style.paint(Tone::Strong, &names),
        seconds.unsigned_abs(),
        style.bytes(before.ledger.resident),
        style.bytes(after.ledger.resident),
        style.signed_bytes(change)
    )
}

fn lines(lines: &[Line], style: Style) -> String {
    let longest = lines.iter().map(|line| line.change().unsigned_abs()).max().unwrap_or(0);
    let mut table =
        Table::new([Align::Left, Align::Right, Align::Right, Align::Right, Align::Left]).with_flexible(0);
    for line in lines {
        let (change, tone) = (line.change(), tone(line.change()));
        let length = |bytes: u128| u64::try_from(bytes).unwrap_or(u64::MAX);
        table.row([
            line.kind.name().into(),
            style.bytes(line.resident[0]).into(),
            style.bytes(line.resident[1]).into(),
            Cell::toned(tone, style.signed_bytes(change)),
            Cell::toned(tone, bar(length(change.unsigned_abs()), length(longest), BAR_COLUMNS)),
        ]);
    }
    table.render(style, "  ")
}

fn mappings(before: &Account, after: &Account, shown: usize, style: Style) -> String {
    let maps = diff::maps(before, after);
    let changes = diff::changes(&maps);
    if changes.is_empty() {
        return "\nNo mapping has changed.\n".to_owned();
    }
    let mut table =
        Table::new([Align::Right, Align::Right, Align::Left, Align::Left, Align::Left]).with_flexible(4);
    table.row(["RSS", "size", "", "address", "what"].map(|title| Cell::toned(Tone::Dim, title)));
    for change in changes.iter().take(shown) {
        let resident = diff::resident(change);
        table.row([
            Cell::toned(tone(resident), style.signed_bytes(resident)),
            style.signed_bytes(change.bytes()).into(),
            change.name().into(),
            format!("{:x}", change.region().mapping.start).into(),
            change.region().label().into(),
        ]);
    }
    let mut text = "\nmappings that have changed:\n".to_owned();
    text += &table.render(style, "  ");
    if changes.len() > shown {
        let rest: i128 = changes[shown..].iter().map(diff::resident).sum();
        let size = Bytes(u64::try_from(rest.unsigned_abs()).unwrap_or(u64::MAX));
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "  and {} more, of {size} together; all of them: --all", changes.len() - shown);
    }
    text
}

const fn tone(change: i128) -> Tone {
    match change {
        ..0 => Tone::Good,
        0 => Tone::Dim,
        1.. => Tone::Warning,
    }
}
