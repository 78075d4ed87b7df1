//! An account as text: the ledger with bars, what is beside it, and the verdict.
//!
//! A pure function, so that it can be tested on what was recorded. Called by `cmd::why`.

use core::fmt::Write;
use core::time::Duration;

use mallow_analyze::account::Account;
use mallow_analyze::escape;
use mallow_analyze::json;
use mallow_analyze::limits;
use mallow_analyze::read::smaps::Amount;
use mallow_analyze::verdict::{Finding, Kind};

use crate::bar::{bar, percent};
use crate::style::{Style, Tone};
use crate::table::{Align, Cell, Table};

/// Columns of the longest bar, if there is room.
const BAR_COLUMNS: usize = 24;
/// Columns that the ledger has without its bars.
const LEDGER_COLUMNS: usize = 52;

/// Returns the account as lines of text.
pub(crate) fn render(account: &Account, style: Style) -> String {
    let mut text = title(account, style);
    text.push('\n');
    text += &ledger(account, style);
    text.extend(unseen_heap(account, style));
    text += &beside(account, style);
    for finding in &account.findings {
        text += &told(finding, style);
    }
    text
}

fn title(account: &Account, style: Style) -> String {
    let name = escape::name(&account.status.name);
    let mut text = style.paint(Tone::Strong, &format!("{name} {}", account.pid));
    let mut add = |label: &str, bytes: Option<u64>| {
        let shown = bytes.map_or_else(|| "n/a".to_owned(), |bytes| style.bytes(bytes));
        // Writing to a string cannot fail.
        let _ = write!(text, "    {label} {shown}");
    };
    add("RSS", Some(account.ledger.resident));
    add("PSS", account.ledger.total(Amount::Pss));
    add("USS", json::unique(&account.ledger));
    if let Some((bound, limit)) =
        limits::nearest(&account.bounds).and_then(|bound| Some((bound, bound.limit.number()?)))
    {
        let _ = write!(text, "    limit {} ({})", style.bytes(limit), bound.title());
    }
    text.push('\n');
    if let Some(slope) = account.slope {
        let grown = slope.grown();
        let seconds = Duration::from_millis(slope.over_ms).as_secs_f64();
        let _ = writeln!(text, "watched for {seconds:.1} s: {}", changed(grown));
    }
    if let Some(moved) = account.moved().filter(|moved| is_worth_a_word(*moved, account.ledger.resident)) {
        let moved = style.signed_bytes(moved);
        let _ = writeln!(
            text,
            "{}",
            style.paint(Tone::Warning, &format!("it changed by {moved} while it was read"))
        );
    }
    text
}

/// Bytes that came or went, from a number with a fraction.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as it should")]
fn changed(bytes: f64) -> String {
    Style { has_colour: false, width: None, is_exact: false }.signed_bytes(i128::from(bytes as i64))
}

fn is_worth_a_word(moved: i128, resident: u64) -> bool {
    moved.unsigned_abs() * 100 > u128::from(resident)
}

fn ledger(account: &Account, style: Style) -> String {
    let whole = account.ledger.resident;
    let room = style.columns().saturating_sub(LEDGER_COLUMNS).min(BAR_COLUMNS);
    let mut table = Table::new([Align::Left, Align::Right, Align::Right, Align::Left]).with_flexible(0);
    for line in &account.ledger.lines {
        table.row([
            line.kind.name().into(),
            style.bytes(line.resident).into(),
            percent(line.resident, whole).into(),
            Cell::toned(Tone::Accent, bar(line.resident, whole, room)),
        ]);
    }
    let dim = |text: String| Cell::toned(Tone::Dim, text);
    table.row([dim("residual".to_owned()), dim(style.signed_bytes(account.ledger.residual()))]);
    table.render(style, "  ")
}

/// A line for a heap of which the ledger can say no more than that it is there.
fn unseen_heap(account: &Account, style: Style) -> Option<String> {
    let reason = match &account.mallow {
        Some(Ok(_)) => None,
        Some(Err(reason)) => Some(reason),
        None => account.heaps.as_ref().err(),
    };
    let line = format!("how full the heap is: n/a ({})", reason?);
    Some(format!("\n{}\n", style.paint(Tone::Warning, &line)))
}

fn beside(account: &Account, style: Style) -> String {
    let mut text = "\nbeside RSS:\n".to_owned();
    let mut table = Table::new([Align::Left, Align::Right, Align::Left]).with_flexible(2);
    for line in json::beside(account) {
        let bytes = line.bytes.map_or_else(|| "n/a".to_owned(), |bytes| style.bytes(bytes));
        let note = line
            .note
            .map_or_else(String::new, |note| if line.bytes.is_none() { format!("({note})") } else { note });
        table.row([line.name.into(), bytes.into(), Cell::toned(Tone::Dim, note)]);
    }
    text += &table.render(style, "  ");
    text
}

fn told(finding: &Finding, style: Style) -> String {
    let tone = match finding.kind {
        Kind::NothingWrong => Tone::Good,
        Kind::NearLimit | Kind::Growing => Tone::Bad,
        _ => Tone::Warning,
    };
    let head = format!("{}: ", finding.kind.name());
    let mut text = format!("\n{}{}\n", style.paint(tone, &head), finding.sentence);
    for evidence in &finding.evidence {
        let _ = writeln!(text, "  - {evidence}");
    }
    let _ = writeln!(text, "  {} {}", style.paint(Tone::Accent, "→"), finding.advice);
    text
}
