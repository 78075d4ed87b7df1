//! The page for people.

use core::fmt::Write;

use mallow_analyze::escape;
use mallow_analyze::read::meminfo::Item;

use super::{LISTED, Report};
use crate::bar::{bar, percent};
use crate::style::{Style, Tone};
use crate::table::{Align, Cell, Table};

/// Columns of the longest bar.
const BAR_COLUMNS: usize = 16;
/// The order of a huge page of 2 MiB in pages of 4 KiB.
const HUGE: u32 = 9;

/// Everything there is to say.
pub(super) fn page(style: Style, report: &Report) -> String {
    let mut text = head(style, report);
    text += &account(style, report);
    text += &promises(style, report);
    text += &fragmentation(style, report);
    text += &slab(style, report);
    text += &vmalloc(style, report);
    text += &huge(style, report);
    text += &nodes(style, report);
    text
}

fn shown(style: Style, bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "n/a (this kernel does not tell)".to_owned(), |bytes| style.bytes(bytes))
}

/// The same in a table, where there is no room for a reason.
fn amount(style: Style, bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "n/a".to_owned(), |bytes| style.bytes(bytes))
}

fn heading(style: Style, text: &str) -> String {
    format!("\n{}\n", style.paint(Tone::Strong, text))
}

/// The numbers of `free`, in a sentence each.
fn head(style: Style, report: &Report) -> String {
    let summary = &report.summary;
    let tone = if report.is_short() { Tone::Bad } else { Tone::Good };
    let available = style.paint(tone, &shown(style, summary.available));
    let mut text = format!(
        "{} of {} are available to programs; {} are in no use at all, and {} are cache that is given back when there is need.\n",
        available,
        shown(style, summary.total),
        shown(style, summary.free),
        shown(style, summary.cache)
    );
    match (summary.swap_total, summary.swap_used) {
        (Some(0), _) => text.push_str(
            "There is no swap: what has no file behind it stays in memory until it is given back.\n",
        ),
        (total, used) => {
            let _ = writeln!(text, "{} of {} swap are used.", shown(style, used), shown(style, total));
        }
    }
    match &report.pressure {
        Ok(pressure) => {
            let share = |hundredths: u64| format!("{}.{:02} %", hundredths / 100, hundredths % 100);
            if let (Some(some), Some(full)) = (pressure.some, pressure.full) {
                let full = share(full.avg10);
                let full = if report.waits() { style.paint(Tone::Bad, &full) } else { full };
                let _ = writeln!(
                    text,
                    "In the last 10 s some task waited for memory {} of the time, and all did {full}.",
                    share(some.avg10)
                );
            }
        }
        Err(reason) => {
            let _ = writeln!(text, "Pressure: n/a ({reason}).");
        }
    }
    if let Some((name, group)) = &report.own_group {
        let limit = group.max.and_then(mallow_analyze::read::Limit::number);
        let _ = writeln!(
            text,
            "This is the whole machine. Programs in {} may use {} of it, and use {}: see mallow limits.",
            escape::name(name),
            shown(style, limit),
            shown(style, group.current)
        );
    }
    text
}

/// Lines that add up.
fn account(style: Style, report: &Report) -> String {
    let total = report.summary.total.unwrap_or(0);
    let mut table =
        Table::new([Align::Left, Align::Right, Align::Right, Align::Left, Align::Left]).with_flexible(4);
    for line in &report.lines {
        table.row([
            line.name.into(),
            style.bytes(line.bytes).into(),
            percent(line.bytes, total).into(),
            Cell::toned(Tone::Accent, bar(line.bytes, total, BAR_COLUMNS)),
            Cell::toned(Tone::Dim, line.meaning),
        ]);
    }
    if let Some(residual) = report.residual {
        table.row([
            "residual".into(),
            style.signed_bytes(residual).trim_start_matches('+').into(),
            percent(u64::try_from(residual.max(0)).unwrap_or(0), total).into(),
            "".into(),
            Cell::toned(Tone::Dim, "taken by the kernel and drivers without counting it by kind"),
        ]);
    }
    heading(style, "Where it is") + &table.render(style, "  ")
}

/// What has been promised.
fn promises(style: Style, report: &Report) -> String {
    let (used, limit) = (report.get(Item::CommittedAs), report.get(Item::CommitLimit));
    let meaning = match &report.overcommit_mode {
        Ok(0) => "mode 0: only what could never be there is refused, so the limit does not bind",
        Ok(1) => "mode 1: nothing is refused, so the limit does not bind",
        Ok(2) => "mode 2: nothing is promised beyond the limit; malloc returns NULL there",
        Ok(_) => "an unknown mode",
        Err(reason) => {
            return format!(
                "\nPromised: {} of {}; the mode is n/a ({reason}).\n",
                shown(style, used),
                shown(style, limit)
            );
        }
    };
    format!("\nPromised: {} of {} ({meaning}).\n", shown(style, used), shown(style, limit))
}

fn fragmentation(style: Style, report: &Report) -> String {
    let mut text = heading(style, "Free memory by the length of its pieces");
    let orders = match &report.orders {
        Ok(orders) => orders,
        Err(reason) => return text + &format!("  n/a ({reason})\n"),
    };
    let total = orders.first().map_or(0, |order| order.bytes_from);
    let mut table = Table::new([Align::Right, Align::Right, Align::Right, Align::Right, Align::Left]);
    let dim = |text: &str| Cell::toned(Tone::Dim, text);
    table.row(["order", "piece", "pieces", "in pieces at least as long", ""].map(dim));
    for order in orders {
        table.row([
            order.order.to_string().into(),
            style.bytes(order.block_bytes).into(),
            order.blocks.to_string().into(),
            format!("{} {:>6}", style.bytes(order.bytes_from), percent(order.bytes_from, total)).into(),
            Cell::toned(Tone::Accent, bar(order.bytes_from, total, BAR_COLUMNS)),
        ]);
    }
    text += &table.render(style, "  ");
    if let Some(huge) = orders.iter().find(|order| order.order == HUGE) {
        let count = huge.bytes_from.checked_div(huge.block_bytes).unwrap_or(0);
        let _ = writeln!(
            text,
            "  {count} huge pages of {} could be had at once; for more the kernel has to move pages together first.",
            style.bytes(huge.block_bytes)
        );
    }
    text + &zones(style, report)
}

/// The zones, and the marks at which the kernel begins to reclaim.
fn zones(style: Style, report: &Report) -> String {
    let zones = match &report.zones {
        Ok(zones) => zones,
        Err(reason) => return format!("  zones: n/a ({reason})\n"),
    };
    let mut table =
        Table::new([Align::Left, Align::Right, Align::Right, Align::Right, Align::Right, Align::Left]);
    let dim = |text: &str| Cell::toned(Tone::Dim, text);
    table.row(["zone", "free", "low", "min", "of", ""].map(dim));
    for zone in zones.iter().filter(|zone| zone.managed.is_some_and(|pages| pages > 0)) {
        let bytes =
            |pages: Option<u64>| amount(style, pages.map(|pages| pages.saturating_mul(report.page_bytes)));
        let (tone, state) = match (zone.free, zone.low, zone.min) {
            (Some(free), _, Some(min)) if free < min => {
                (Tone::Bad, "tasks have to reclaim before they get memory")
            }
            (Some(free), Some(low), _) if free < low => (Tone::Warning, "kswapd reclaims in the background"),
            _ => (Tone::Plain, ""),
        };
        table.row([
            format!("{} of node {}", escape::name(&zone.name), zone.node).into(),
            Cell::toned(tone, bytes(zone.free)),
            bytes(zone.low).into(),
            bytes(zone.min).into(),
            bytes(zone.managed).into(),
            Cell::toned(tone, state),
        ]);
    }
    format!("\n{}", table.render(style, "  "))
}

fn slab(style: Style, report: &Report) -> String {
    let mut text = heading(style, "Largest caches of the kernel's objects (slab)");
    let caches = match &report.caches {
        Ok(caches) => caches,
        Err(reason) => return text + &format!("  n/a ({reason})\n"),
    };
    let mut table = Table::new([Align::Left, Align::Right, Align::Right, Align::Right]).with_flexible(0);
    let dim = |text: &str| Cell::toned(Tone::Dim, text);
    table.row(["cache", "memory", "in use", "objects"].map(dim));
    for cache in caches.iter().take(LISTED).filter(|cache| cache.pages() > 0) {
        let bytes = cache.pages().saturating_mul(report.page_bytes);
        table.row([
            escape::name(&cache.name).into(),
            style.bytes(bytes).into(),
            percent(cache.live_bytes(), bytes).into(),
            cache.live_objects.to_string().into(),
        ]);
    }
    text += &table.render(style, "  ");
    text
}

fn vmalloc(style: Style, report: &Report) -> String {
    let mut text = heading(style, "Largest users of vmalloc");
    match &report.vmalloc {
        Ok(callers) => {
            let mut table = Table::new([Align::Left, Align::Right]).with_flexible(0);
            for (caller, pages) in callers.iter().take(LISTED) {
                table.row([
                    escape::name(caller).into(),
                    style.bytes(pages.saturating_mul(report.page_bytes)).into(),
                ]);
            }
            text += &table.render(style, "  ");
        }
        Err(reason) => {
            let _ = writeln!(text, "  n/a ({reason})");
        }
    }
    text
}

fn huge(style: Style, report: &Report) -> String {
    let mut text = heading(style, "Huge pages");
    for size in &report.huge_pages {
        let free = size.free.map_or_else(|| "n/a".to_owned(), |free| free.to_string());
        let _ = writeln!(
            text,
            "  {} of {} set aside for hugetlbfs, {free} of them free",
            size.count,
            style.bytes(size.bytes)
        );
    }
    if report.huge_pages.is_empty() {
        text += "  set aside for hugetlbfs: n/a (this kernel has no such folder)\n";
    }
    let kinds = [
        ("programs", Item::AnonHugePages),
        ("shared memory", Item::ShmemHugePages),
        ("files", Item::FileHugePages),
    ];
    let told = kinds.map(|(name, item)| Some(format!("{} of {name}", style.bytes(report.get(item)?))));
    let told: Vec<_> = told.into_iter().flatten().collect();
    let told = if told.is_empty() { shown(style, None) } else { told.join(", ") };
    let _ = writeln!(text, "  in transparent huge pages: {told}");
    let mode = match report.thp.as_deref() {
        Ok("always") => "always, wherever they fit".to_owned(),
        Ok("madvise") => "where a program asks for them (madvise)".to_owned(),
        Ok("never") => "never".to_owned(),
        Ok(other) => escape::name(other.as_bytes()),
        Err(reason) => format!("n/a ({reason})"),
    };
    let _ = writeln!(text, "  they are used: {mode}");
    text
}

fn nodes(style: Style, report: &Report) -> String {
    let mut text = heading(style, "Nodes");
    if report.nodes.is_empty() {
        return text + "  n/a (this kernel has no such folder)\n";
    }
    let mut table = Table::new([Align::Left, Align::Right, Align::Right, Align::Right, Align::Right]);
    let dim = |text: &str| Cell::toned(Tone::Dim, text);
    table.row(["node", "memory", "free", "programs", "files"].map(dim));
    for (number, node) in &report.nodes {
        // The file of a node calls the cache of files by another name, which is not read.
        let files =
            node.get(Item::ActiveFile).zip(node.get(Item::InactiveFile)).map(|(one, other)| one + other);
        table.row([
            number.to_string().into(),
            amount(style, node.get(Item::Total)).into(),
            amount(style, node.get(Item::Free)).into(),
            amount(style, node.get(Item::AnonPages)).into(),
            amount(style, files).into(),
        ]);
    }
    text += &table.render(style, "  ");
    text
}
