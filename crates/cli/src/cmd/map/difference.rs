//! What changed in a map, as text.
//!
//! Called by `map`.

use core::time::Duration;

use mallow_analyze::map::change::{self, Change};
use mallow_analyze::read::smaps::Amount;

use super::look::Look;
use super::text;
use crate::style::{Style, Tone};
use crate::table::{Align, Cell, Table};

/// Returns a line for each mapping that is not as it was.
pub(super) fn render(before: &Look, after: &Look, wait: Duration, style: Style) -> String {
    let changes = change::changes(&before.map, &after.map);
    let title = style.paint(Tone::Strong, &format!("{} {}", after.name, after.pid));
    let (_, bytes_before, amounts_before) = before.map.total();
    let (_, bytes, amounts) = after.map.total();
    let resident = match (amounts_before.get(Amount::Rss), amounts.get(Amount::Rss)) {
        (Some(before), Some(after)) => signed(i128::from(after) - i128::from(before), style),
        _ => format!("n/a ({})", after.missing.as_deref().unwrap_or("not told")),
    };
    let mut whole = format!(
        "{title}  within {} s: address space {}, RSS {resident}\n",
        wait.as_secs_f64(),
        signed(i128::from(bytes) - i128::from(bytes_before), style),
    );
    if changes.is_empty() {
        return whole + "\nNothing has changed.\n";
    }
    let mut table = Table::new([
        Align::Left,
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Left,
    ])
    .with_flexible(6);
    let titles = ["address", "", "size", "RSS", "dirty", "swap", "what"];
    table.row(titles.map(|title| Cell::toned(Tone::Dim, title)));
    for change in changes.iter().rev() {
        let amount =
            |amount| change.amount(amount).map_or_else(|| "n/a".to_owned(), |bytes| signed(bytes, style));
        table.row([
            text::address(change.region().mapping.start).into(),
            Cell::toned(tone(change), change.name()),
            signed(change.bytes(), style).into(),
            amount(Amount::Rss).into(),
            amount(Amount::PrivateDirty).into(),
            amount(Amount::Swap).into(),
            change.region().label().into(),
        ]);
    }
    whole += "\n";
    whole + &table.render(style, "")
}

fn signed(bytes: i128, style: Style) -> String {
    if bytes == 0 { "0".to_owned() } else { style.signed_bytes(bytes) }
}

const fn tone(change: &Change<'_>) -> Tone {
    match change {
        Change::New(_) | Change::SplitOff(_) => Tone::Warning,
        Change::Gone(_) | Change::Joined(_) => Tone::Good,
        Change::Changed { .. } => Tone::Plain,
    }
}
