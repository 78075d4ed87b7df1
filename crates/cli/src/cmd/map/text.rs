//! The map as text: a line for each mapping and each gap.
//!
//! ```text
//!  7ffef55ad000  132.0 KiB  rw-p   12.0 KiB  ...  main stack          anonymous
//!  7f979d22a000  413.4 GiB                        room for the stack
//! ```
//!
//! Called by `map`.

use core::fmt::Write;

use mallow_analyze::escape;
use mallow_analyze::mallow::{Part, View};
use mallow_analyze::map::density::{self, Density};
use mallow_analyze::map::rows::Row;
use mallow_analyze::map::{Backing, GapKind, Region};
use mallow_analyze::read::smaps::{Amount, Amounts};

use super::look::Look;
use super::pages::Pages;
use crate::style::{Style, Tone};
use crate::table::{Align, Cell, Table};

/// A column of what is in memory: its title, what is added up for it, and whether it is shown where it is always 0.
struct Column {
    title: &'static str,
    amounts: &'static [Amount],
    is_always_shown: bool,
}

const COLUMNS: [Column; 6] = [
    Column { title: "RSS", amounts: &[Amount::Rss], is_always_shown: true },
    Column { title: "PSS", amounts: &[Amount::Pss], is_always_shown: true },
    Column { title: "dirty", amounts: &[Amount::PrivateDirty, Amount::SharedDirty], is_always_shown: true },
    Column { title: "swap", amounts: &[Amount::Swap], is_always_shown: false },
    Column {
        title: "THP",
        amounts: &[Amount::AnonHugePages, Amount::ShmemPmdMapped, Amount::FilePmdMapped],
        is_always_shown: false,
    },
    Column { title: "locked", amounts: &[Amount::Locked], is_always_shown: false },
];

/// Columns of text: a size and what is beside it, and all that stands before the first one.
const SIZE_COLUMNS: usize = 11;
const BEFORE_SIZES: usize = 31;
/// Columns of text that must be left for what a mapping is.
const LEAST_LABEL: usize = 16;
/// Columns of text below which the files of mappings are left out.
const WIDE_ENOUGH: usize = 100;

impl Column {
    /// Whether there is any.
    fn is_used(&self, amounts: &Amounts) -> bool {
        self.of(amounts).is_some_and(|sum| sum > 0)
    }

    /// The sum of what is known of its amounts; `None` if nothing is.
    fn of(&self, amounts: &Amounts) -> Option<u64> {
        self.amounts.iter().filter_map(|amount| amounts.get(*amount)).reduce(|one, other| one + other)
    }
}

/// Returns the map, high addresses first.
pub(super) fn render(look: &Look, pages: Option<&Pages>, most: usize, style: Style) -> String {
    let (_, _, total) = look.map.total();
    let columns = columns(look, &total, style);
    let mut text = head(look, style);
    let rows = look.map.rows(most);
    let lines: Vec<String> = table(&rows, &columns, style).lines().map(str::to_owned).collect();
    let mut lines = lines.into_iter();
    text.extend(lines.next().map(|title| title + "\n"));
    for (row, line) in rows.iter().rev().zip(lines) {
        text += &(line + "\n");
        if let Some(pages) = pages {
            text.extend(strip(row, pages, style));
        }
    }
    text + &foot(look, pages, &columns, style)
}

/// The columns that are shown: those that say something, as many as there is room for.
fn columns(look: &Look, total: &Amounts, style: Style) -> Vec<&'static Column> {
    if look.missing.is_some() {
        return Vec::new();
    }
    let room = style.width.map(|width| width.saturating_sub(BEFORE_SIZES + LEAST_LABEL) / SIZE_COLUMNS);
    let says_something = |column: &&Column| column.is_always_shown || column.is_used(total);
    COLUMNS.iter().filter(says_something).take(room.unwrap_or(usize::MAX)).collect()
}

fn head(look: &Look, style: Style) -> String {
    let (count, bytes, amounts) = look.map.total();
    let amount = |amount| amounts.get(amount).map_or_else(|| "n/a".to_owned(), |bytes| style.bytes(bytes));
    let title = style.paint(Tone::Strong, &format!("{} {}", look.name, look.pid));
    format!(
        "{title}  {count} mappings, {} of address space, RSS {}, PSS {}\n{}\n\n",
        style.bytes(bytes),
        amount(Amount::Rss),
        amount(Amount::Pss),
        style.paint(Tone::Dim, "High addresses at the top. Gaps are not drawn to scale."),
    )
}

/// A line of titles, and one for each row, the last row first.
fn table(rows: &[Row<'_>], columns: &[&Column], style: Style) -> String {
    let is_wide = style.width.is_none_or(|width| width >= WIDE_ENOUGH + 11 * columns.len().saturating_sub(3));
    let align = [Align::Left, Align::Right, Align::Left].into_iter();
    let align = align.chain(columns.iter().map(|_| Align::Right)).chain([Align::Left, Align::Left]);
    // Of the two columns of text, the last one gives way.
    let flexible = 3 + columns.len() + usize::from(is_wide);
    let mut table = Table::new(align).with_flexible(flexible);
    let dim = |text: &str| Cell::toned(Tone::Dim, text);
    let titles = ["address", "size", "may"].into_iter().chain(columns.iter().map(|column| column.title));
    let behind = ["what", "backing"].into_iter().take(1 + usize::from(is_wide));
    table.row(titles.chain(behind).map(dim));
    for row in rows.iter().rev() {
        let (start, _) = row.range();
        let Some(amounts) = row.amounts() else {
            let blank = columns.iter().map(|_| Cell::from(""));
            let cells = [dim(&address(start)), dim(&size(row, style)), "".into()].into_iter();
            table.row(cells.chain(blank).chain([dim(&row.label())]));
            continue;
        };
        let known = columns.iter().map(|column| match column.of(amounts) {
            None => "n/a".into(),
            Some(0) => dim("0"),
            Some(bytes) => style.bytes(bytes).into(),
        });
        let cells = [address(start).into(), size(row, style).into(), permissions(row).into()];
        let behind = [row.label().into(), dim(&backing(row))].into_iter().take(1 + usize::from(is_wide));
        table.row(cells.into_iter().chain(known).chain(behind));
    }
    table.render(style, "")
}

/// An address in twelve digits, which are all but for the half of the kernel.
pub(super) fn address(address: u64) -> String {
    let digits = format!("{address:012x}");
    if digits.len() > 12 { format!("fffff…{}", &digits[digits.len() - 6..]) } else { digits }
}

/// Bytes of address space, but for the half of the kernel, of which a program has one page at most.
fn size(row: &Row<'_>, style: Style) -> String {
    match row {
        Row::Gap(gap) if gap.kind == GapKind::KernelHalf => String::new(),
        _ => style.bytes(row.bytes()),
    }
}

fn permissions(row: &Row<'_>) -> String {
    match row {
        Row::Region(region) => region.mapping.permissions.to_string(),
        Row::Run(_) | Row::Gap(_) => String::new(),
    }
}

/// What stands behind the pages: a file and where in it, or a word.
fn backing(row: &Row<'_>) -> String {
    let of = |region: &Region| match region.backing() {
        Backing::File => {
            format!("{} +{:#x}", escape::name(&region.mapping.name), region.mapping.offset)
        }
        other => other.name().to_owned(),
    };
    match row {
        Row::Region(region) => of(region),
        Row::Run(run) => run.first.backing().name().to_owned(),
        Row::Gap(_) => String::new(),
    }
}

/// What the heap of mallow is in memory for, over all its mappings.
fn parts(view: &View, style: Style) -> String {
    let parts = Part::ALL.into_iter().map(|part| (part.name(), view.resident(part)));
    let used = parts.filter(|(_, bytes)| *bytes > 0).map(|(name, bytes)| {
        let name = name.strip_prefix("heap: ").unwrap_or(name);
        format!("{name} {}", style.bytes(bytes))
    });
    used.collect::<Vec<_>>().join(", ")
}

/// The line below a mapping that shows its pages.
fn strip(row: &Row<'_>, pages: &Pages, style: Style) -> Option<String> {
    let Row::Region(region) = row else { return None };
    let density: &Density = pages.get(&region.mapping)?;
    let total = density.total();
    let mut count = format!("{} of {} pages", total.present, total.pages);
    if total.swapped > 0 {
        let _ = write!(count, ", {} swapped", total.swapped);
    }
    Some(format!("  {}  {}\n", style.paint(Tone::Accent, &density.strip()), style.paint(Tone::Dim, &count)))
}

fn foot(look: &Look, pages: Option<&Pages>, columns: &[&Column], style: Style) -> String {
    let bases = look.map.bases;
    let base = |name: &str, base: Option<u64>| {
        format!("{name} {}", base.map_or_else(|| "none".to_owned(), |base| format!("{base:x}")))
    };
    let bases = [
        base("program", bases.program),
        base("heap", bases.heap),
        base("mmap", bases.mmap),
        base("stack", bases.stack),
    ];
    let mut lines = vec![("bases", bases.join("  ")), ("ASLR", look.randomised.sentence().to_owned())];
    match &look.missing {
        Some(reason) => lines.push(("in memory", format!("n/a ({reason})"))),
        None => {
            let total = look.map.total().2;
            let absent =
                || COLUMNS.iter().filter(|column| !columns.iter().any(|shown| shown.title == column.title));
            let titles = |is_used: bool| -> Vec<_> {
                absent()
                    .filter(|column| column.is_used(&total) == is_used)
                    .map(|column| column.title)
                    .collect()
            };
            let (without, unused) = (titles(true), titles(false));
            if !unused.is_empty() {
                lines.push(("nothing in", unused.join(", ")));
            }
            if !without.is_empty() {
                lines.push(("no room for", format!("{}: wider terminals show it", without.join(", "))));
            }
        }
    }
    match &look.heap {
        Some(Ok(view)) => lines.push(("mallow heap", parts(view, style))),
        Some(Err(reason)) => lines.push(("mallow heap", format!("n/a ({reason})"))),
        None => {}
    }
    match pages {
        Some(Pages::Known(_)) => {
            lines.push(("pages", format!("by pagemap, from the lowest address: {}", density::LEGEND)));
        }
        Some(Pages::Unknown(reason)) => lines.push(("pages", format!("n/a ({reason})"))),
        None => {}
    }
    let lines = lines
        .iter()
        .map(|(name, line)| format!("{}{line}\n", style.paint(Tone::Dim, &format!("{name:<12}"))));
    "\n".to_owned() + &lines.collect::<String>()
}
