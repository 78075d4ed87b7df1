//! The part of the page with every mapping, to sort and to search.
//!
//! Called by `html`.

use core::fmt::Write;

use mallow_units::Bytes;

use super::parts::class_of;
use crate::account::Account;
use crate::escape::{self, Markup};
use crate::ledger::Kind;
use crate::map;
use crate::read::smaps::Amount;

/// The most mappings that the page shows: those with the most in memory.
const MOST: usize = 3000;

/// The section with the table.
pub(super) fn section(account: &Account) -> String {
    let mut places: Vec<usize> = (0..account.mappings.len()).collect();
    places.sort_by_key(|place| core::cmp::Reverse(account.mappings[*place].resident_bytes()));
    let left_out = places.len().saturating_sub(MOST);
    let mut rows = String::new();
    for place in places.into_iter().take(MOST) {
        rows += &row(account, place);
    }
    let note = if left_out == 0 {
        String::new()
    } else {
        format!("<p class=\"m-dim\">{left_out} more mappings have less in memory and are left out.</p>")
    };
    format!(
        "<section><h2>Mappings</h2><p><input id=\"search\" type=\"search\" placeholder=\"search\" aria-label=\"search\"> \
         <button id=\"all\" type=\"button\">all lines</button> <span id=\"count\" class=\"m-dim\"></span></p>{note}\
         <table id=\"mappings\"><thead><tr><th data-by=\"text\">address</th><th data-by=\"text\">rights</th>\
         <th data-by=\"number\" class=\"m-n\">size</th><th data-by=\"number\" class=\"m-n\">in memory</th>\
         <th data-by=\"number\" class=\"m-n\">PSS</th><th data-by=\"number\" class=\"m-n\">dirty</th>\
         <th data-by=\"number\" class=\"m-n\">swap</th><th data-by=\"text\">what</th></tr></thead><tbody>{rows}</tbody></table>\
         </section>\n"
    )
}

fn row(account: &Account, place: usize) -> String {
    let (mapping, owner) = (&account.mappings[place], &account.owners[place]);
    let label = map::label(mapping, owner);
    let name = escape::name(&mapping.name);
    let kind = Kind::of(owner);
    let mut html = format!(
        "<tr data-kind=\"{}\"><td class=\"m-mono\">{:x}</td><td class=\"m-mono\">{}</td>",
        kind.map_or("", Kind::name),
        mapping.start,
        mapping.permissions
    );
    let mut number = |bytes: Option<u64>| {
        // Writing to a string cannot fail.
        let _ = match bytes {
            Some(bytes) => write!(html, "<td class=\"m-n\" data-n=\"{bytes}\">{}</td>", Bytes(bytes)),
            None => write!(html, "<td class=\"m-n\" data-n=\"-1\">n/a</td>"),
        };
    };
    number(Some(mapping.bytes()));
    for amount in [Amount::Rss, Amount::Pss, Amount::PrivateDirty, Amount::Swap] {
        number(mapping.amounts.get(amount));
    }
    let class = kind.map_or_else(String::new, class_of);
    let _ = write!(
        html,
        "<td title=\"{}\"><i class=\"{class}\"></i>{} <span class=\"m-dim\">{}</span></td></tr>",
        Markup(&name),
        Markup(&label),
        Markup(if name.starts_with('/') { &name } else { "" })
    );
    html
}
