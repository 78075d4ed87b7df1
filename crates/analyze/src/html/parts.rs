//! The parts of the page that are text and tables: head, verdict, ledger, what is beside it, heaps.
//!
//! Called by `html`.

use core::fmt::Write;

use mallow_units::Bytes;

use crate::account::Account;
use crate::escape::{self, Markup};
use crate::json;
use crate::ledger::Kind;
use crate::read::smaps::Amount;
use crate::verdict;

/// The name of the page and a card for each sum.
pub(super) fn head(account: &Account, title: &str) -> String {
    let facts = verdict::Facts::of(account);
    let pss = account.ledger.total(Amount::Pss);
    let or_unknown =
        |bytes: Option<u64>| bytes.map_or_else(|| "n/a".to_owned(), |bytes| Bytes(bytes).to_string());
    let mut cards = vec![
        ("RSS", Bytes(account.ledger.resident).to_string(), "in memory".to_owned()),
        ("PSS", or_unknown(pss), "shared pages divided by their users".to_owned()),
        ("USS", or_unknown(json::unique(&account.ledger)), "of this process alone".to_owned()),
        ("threads", account.status.threads.to_string(), format!("{} mappings", account.mappings.len())),
    ];
    if let Some((bound, left, limit)) =
        facts.nearest().and_then(|bound| Some((bound, bound.room()?, bound.limit.number()?)))
    {
        cards.push(("left", Bytes(left).to_string(), format!("of {}, {}", Bytes(limit), bound.title())));
    }
    let program = escape::name(&account.program);
    let mut html = format!(
        "<header><h1>{title}</h1><p class=\"m-dim\">{} · <time data-ms=\"{ms}\">{ms} ms since 1970</time></p></header>\n\
         <div class=\"m-cards\">",
        Markup(&program),
        ms = account.unix_ms
    );
    for (name, value, note) in cards {
        // Writing to a string cannot fail.
        let _ = write!(
            html,
            "<div class=\"m-card\"><b>{name}</b><span>{value}</span><small>{}</small></div>",
            Markup(&note)
        );
    }
    html + "</div>\n"
}

/// What was found.
pub(super) fn verdict(account: &Account) -> String {
    let mut html = "<section><h2>Verdict</h2>".to_owned();
    for finding in &account.findings {
        let class = match finding.kind {
            verdict::Kind::NothingWrong => "m-good",
            verdict::Kind::NearLimit | verdict::Kind::Growing => "m-bad",
            _ => "m-warning",
        };
        let _ = write!(
            html,
            "<div class=\"m-finding {class}\"><h3>{}</h3><p>{}</p><ul>",
            finding.kind.name(),
            Markup(&finding.sentence)
        );
        for evidence in &finding.evidence {
            let _ = write!(html, "<li>{}</li>", Markup(evidence));
        }
        let _ = write!(html, "</ul><p class=\"m-advice\">{}</p></div>", Markup(&finding.advice));
    }
    html + "</section>\n"
}

/// The class with the colour of a line.
pub(super) fn class_of(kind: Kind) -> String {
    let nth = match kind {
        Kind::Mallow(part) => return format!("m-h{}", part as usize),
        Kind::Heap => 0,
        Kind::Arenas => 1,
        Kind::Anonymous => 2,
        Kind::Named => 3,
        Kind::MainStack => 4,
        Kind::ThreadStacks => 5,
        Kind::ProgramData => 6,
        Kind::ProgramText => 7,
        Kind::LibraryData => 8,
        Kind::LibraryText => 9,
        Kind::Files => 10,
        Kind::SharedMemory => 11,
        Kind::Memfds => 12,
        Kind::Kernel => 13,
    };
    format!("m-k{nth}")
}

/// The ledger: all lines as one bar, and a table of them.
pub(super) fn ledger(account: &Account) -> String {
    let whole = account.ledger.resident.max(1);
    let mut bar = String::new();
    let mut rows = String::new();
    for line in &account.ledger.lines {
        let (class, name) = (class_of(line.kind), line.kind.name());
        let share = percent(line.resident, whole);
        if line.resident > 0 {
            let _ = write!(
                bar,
                "<span class=\"{class}\" style=\"flex-grow:{share:.3}\" title=\"{name}: {}, {share:.1} %\"></span>",
                Bytes(line.resident)
            );
        }
        let amount = |amount| {
            line.amounts.get(amount).map_or_else(|| "n/a".to_owned(), |bytes| Bytes(bytes).to_string())
        };
        let _ = write!(
            rows,
            "<tr tabindex=\"0\" data-kind=\"{name}\"><td><i class=\"{class}\"></i>{name}</td>\
             <td class=\"m-n\">{}</td><td class=\"m-n\">{share:.1} %</td>\
             <td class=\"m-bar\"><span class=\"{class}\" style=\"width:{share:.2}%\"></span></td>\
             <td class=\"m-n\">{}</td><td class=\"m-n\">{}</td><td class=\"m-n\">{}</td><td class=\"m-n\">{}</td></tr>",
            Bytes(line.resident),
            amount(Amount::Pss),
            amount(Amount::PrivateDirty),
            amount(Amount::AnonHugePages),
            Bytes(line.address_space),
        );
    }
    let residual = account.ledger.residual();
    let sign = if residual < 0 { "-" } else { "" };
    let residual = Bytes(u64::try_from(residual.unsigned_abs()).unwrap_or(u64::MAX));
    format!(
        "<section><h2>Ledger</h2><p class=\"m-dim\">The lines add up to RSS; the residual is what they miss. Choose a line \
         to see its mappings below.</p><div class=\"m-stack\">{bar}</div>\n<table id=\"ledger\"><thead><tr><th>line</th>\
         <th class=\"m-n\">in memory</th><th class=\"m-n\">share</th><th></th><th class=\"m-n\">PSS</th>\
         <th class=\"m-n\">private dirty</th><th class=\"m-n\">huge pages</th><th class=\"m-n\">address space</th></tr></thead>\
         <tbody>{rows}</tbody><tfoot><tr><td>residual</td><td class=\"m-n\">{sign}{residual}</td><td colspan=\"6\"></td></tr>\
         </tfoot></table></section>\n"
    )
}

/// What is charged and not in RSS.
pub(super) fn beside(account: &Account) -> String {
    let mut html = "<section><h2>Beside RSS</h2><p class=\"m-dim\">Charged to the process or its control group, and in no \
                    line above.</p><table><tbody>"
        .to_owned();
    for line in json::beside(account) {
        let bytes = line.bytes.map_or_else(|| "n/a".to_owned(), |bytes| Bytes(bytes).to_string());
        let note = line.note.unwrap_or_default();
        let _ = write!(
            html,
            "<tr><td>{}</td><td class=\"m-n\">{bytes}</td><td class=\"m-dim\">{}</td></tr>",
            line.name,
            Markup(&note)
        );
    }
    html + "</tbody></table></section>\n"
}

/// The heaps of glibc, the largest first; nothing if there are none.
pub(super) fn heaps(account: &Account) -> String {
    let heaps = match &account.heaps {
        Ok(heaps) if heaps.is_empty() => return String::new(),
        Ok(heaps) => heaps,
        Err(reason) => {
            return format!(
                "<section><h2>Heaps of glibc</h2><p class=\"m-dim\">n/a ({})</p></section>\n",
                Markup(reason)
            );
        }
    };
    let mut sorted: Vec<_> = heaps.iter().collect();
    sorted.sort_by_key(|heap| core::cmp::Reverse(heap.resident));
    let mut html = "<section><h2>Heaps of glibc</h2><table><thead><tr><th>heap</th><th class=\"m-n\">in memory</th>\
                    <th class=\"m-n\">used</th><th class=\"m-n\">free</th><th></th><th>seen</th></tr></thead><tbody>"
        .to_owned();
    for heap in sorted {
        let what = if heap.arena.is_none() { "brk" } else { "arena" };
        let _ = write!(
            html,
            "<tr><td>{what} {:x}</td><td class=\"m-n\">{}</td>",
            heap.start,
            Bytes(heap.resident)
        );
        let _ = match &heap.seen {
            Ok(seen) => write!(
                html,
                "<td class=\"m-n\">{}</td><td class=\"m-n\">{}</td><td class=\"m-bar\"><div class=\"m-track\"><span \
                 class=\"m-used\" style=\"width:{:.1}%\"></span></div></td><td class=\"m-dim\">{} used, {} free pieces{}</td></tr>",
                Bytes(seen.used),
                Bytes(seen.free),
                percent(seen.used, seen.used + seen.free),
                seen.used_blocks,
                seen.free_blocks,
                if seen.is_whole { "" } else { ", a part of it" },
            ),
            Err(reason) => {
                write!(html, "<td colspan=\"4\" class=\"m-dim\">n/a ({})</td></tr>", Markup(reason))
            }
        };
    }
    html + "</tbody></table></section>\n"
}

/// A share as a number for a picture.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    let basis_points = u128::from(part) * 100_000 / u128::from(whole.max(1));
    f64::from(u32::try_from(basis_points).unwrap_or(u32::MAX)) / 1000.0
}
