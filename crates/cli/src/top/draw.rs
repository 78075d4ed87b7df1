//! Drawing: the state of the screen as characters.
//!
//! ```text
//!  mallow top  available 23.0G of 24.0G ...        the machine
//!  free ...
//!  committed ...
//!     PID USER  NAME          RSS ▼   PSS ...      titles, the order marked
//!    4121 www   nginx       1.5G  1.2G ...         the window
//!
//!  nginx 4121: nearest limit ...                   the selected process
//!  Enter why  m map ...                            keys, or what is being written
//! ```
//!
//! Columns that a narrow terminal has no room for are left out, the least needed first. Called by `top`.

use mallow_analyze::processes::column::Column;
use mallow_analyze::processes::{Known, Process};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::size::{short, short_slope};
use super::state::{LETTERS, Mode, Page, Row, State};

/// Lines above the list, and below.
const ABOVE: u16 = 4;
const BELOW: u16 = 2;
/// The smallest terminal that something can be shown on.
const LEAST: (u16, u16) = (40, 10);
/// Columns that a name gets at least.
const LEAST_NAME: usize = 12;

/// The columns with their widths, the most needed first; the name has what is left.
pub(super) const NEED: [(Column, usize); 12] = [
    (Column::Pid, 7),
    (Column::Rss, 6),
    (Column::Pss, 6),
    (Column::User, 8),
    (Column::Uss, 6),
    (Column::Headroom, 8),
    (Column::Slope, 8),
    (Column::Oom, 5),
    (Column::Anonymous, 6),
    (Column::Swap, 6),
    (Column::Thp, 6),
    (Column::Limit, 6),
];

/// How many rows the list has on a screen of this height.
pub(super) fn list_height(height: u16) -> usize {
    usize::from(height.saturating_sub(ABOVE + BELOW))
}

/// What is above the list.
#[derive(Clone, Debug)]
pub(super) struct Heading {
    /// The machine, in lines.
    pub(super) machine: [String; 3],
    /// How many processes have no memory.
    pub(super) left_out: usize,
}

/// Colours, or text attributes only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    /// Whether there are colours.
    pub(super) has_colour: bool,
}

impl Palette {
    fn colour(self, colour: Color) -> Style {
        if self.has_colour { Style::new().fg(colour) } else { Style::new() }
    }
}

/// Draws everything.
pub(super) fn draw(buffer: &mut Buffer, state: &State, heading: &Heading, palette: Palette) {
    let area = buffer.area;
    if area.width < LEAST.0 || area.height < LEAST.1 {
        put(buffer, 0, 0, &format!("needs {} x {} characters; q quits", LEAST.0, LEAST.1), Style::new());
        return;
    }
    match &state.mode {
        Mode::Help => help(buffer, palette),
        Mode::Page(page) => page_of(buffer, page),
        Mode::List | Mode::Filter(_) => {
            above(buffer, heading, palette);
            let columns = columns(area.width.into());
            titles(buffer, &columns, state);
            for (y, row) in (ABOVE..).zip(state.window()) {
                let is_selected = usize::from(y - ABOVE) == state.selected_row();
                list_row(buffer, y, &columns, row, is_selected, palette);
            }
            if state.rows.is_empty() {
                put(
                    buffer,
                    1,
                    ABOVE,
                    "no process has this in its name or user, or as its number",
                    Style::new(),
                );
            }
            below(buffer, state, heading, palette);
        }
    }
}

/// The columns of a screen of this width, from left to right, each with its width.
fn columns(width: usize) -> Vec<(Column, usize)> {
    let mut left = width.saturating_sub(LEAST_NAME + 2);
    let mut chosen = Vec::new();
    for (column, width) in NEED {
        if width < left {
            left -= width + 1;
            chosen.push((column, width));
        } else {
            // What is needed less is not shown instead of what is needed more.
            break;
        }
    }
    chosen.push((Column::Name, LEAST_NAME + left));
    chosen.sort_by_key(|(column, _)| Column::ALL.iter().position(|found| found == column));
    chosen
}

const fn is_text(column: Column) -> bool {
    matches!(column, Column::User | Column::Name)
}

fn above(buffer: &mut Buffer, heading: &Heading, palette: Palette) {
    let x = put(buffer, 1, 0, "mallow top", Style::new().add_modifier(Modifier::BOLD));
    for (y, line) in (0..).zip(&heading.machine) {
        put(buffer, if y == 0 { x + 2 } else { 1 }, y, line, palette.colour(Color::Cyan));
    }
}

fn titles(buffer: &mut Buffer, columns: &[(Column, usize)], state: &State) {
    let style = Style::new().add_modifier(Modifier::REVERSED);
    let y = ABOVE - 1;
    buffer.set_style(Rect::new(0, y, buffer.area.width, 1), style);
    let mut x = 1;
    for (column, width) in columns {
        let is_sorted = *column == state.sort;
        let mark = match (is_sorted, state.is_reversed) {
            (false, _) => "",
            (true, false) => "▼",
            (true, true) => "▲",
        };
        let title = format!("{}{mark}", column.title());
        let text = if is_text(*column) { format!("{title:<width$}") } else { format!("{title:>width$}") };
        let style = if is_sorted { style.add_modifier(Modifier::BOLD) } else { style };
        put(buffer, x, y, &text, style);
        x += columns_of(*width) + 1;
    }
}

fn list_row(
    buffer: &mut Buffer,
    y: u16,
    columns: &[(Column, usize)],
    row: &Row,
    is_selected: bool,
    palette: Palette,
) {
    let mut x = 1;
    for (column, width) in columns {
        let (text, style) = cell(*column, row, palette);
        let text = if is_text(*column) { text } else { format!("{text:>width$}") };
        buffer.set_stringn(x, y, text, *width, style);
        x += columns_of(*width) + 1;
    }
    if is_selected {
        // Where colours are not wanted, and on the selected row, reverse is all there is.
        let line = Rect::new(0, y, buffer.area.width, 1);
        buffer.set_style(line, Style::new().fg(Color::Reset).add_modifier(Modifier::REVERSED));
    }
}

fn cell(column: Column, row: &Row, palette: Palette) -> (String, Style) {
    let process = &row.process;
    let plain = Style::new();
    let dim = plain.add_modifier(Modifier::DIM);
    match column {
        Column::Pid => (process.pid.to_string(), dim),
        Column::User => (process.user.clone(), dim),
        Column::Name => (format!("{}{}", row.lead, process.label()), palette.colour(Color::Green)),
        Column::Rss => (short(process.rss), plain.add_modifier(Modifier::BOLD)),
        Column::Anonymous | Column::Pss | Column::Uss | Column::Swap | Column::Thp | Column::Limit => {
            match column.bytes(process) {
                Known::Yes(0) => ("0".to_owned(), dim),
                Known::Yes(bytes) => (short(bytes), plain),
                other => (unknown(&other), dim),
            }
        }
        Column::Headroom => headroom(process, palette),
        Column::Slope => match &process.slope {
            Known::Yes(slope) if *slope >= 1024.0 => (short_slope(*slope), palette.colour(Color::Yellow)),
            Known::Yes(slope) => (short_slope(*slope), dim),
            other => (unknown(other), dim),
        },
        Column::Oom => match &process.oom_rank {
            Known::Yes(rank) => (rank.to_string(), plain),
            other => (unknown(other), dim),
        },
    }
}

/// What is left below the nearest limit; a tenth of the limit and less is marked.
fn headroom(process: &Process, palette: Palette) -> (String, Style) {
    match &process.limit {
        Known::Yes(limit) if limit.headroom < limit.bytes / 10 => {
            (short(limit.headroom), palette.colour(Color::Red).add_modifier(Modifier::BOLD))
        }
        Known::Yes(limit) => (short(limit.headroom), Style::new()),
        other => (unknown(other), Style::new().add_modifier(Modifier::DIM)),
    }
}

/// How it shows that something is not known: never as 0.
fn unknown<T>(value: &Known<T>) -> String {
    match value {
        Known::Yes(_) | Known::NotYet => "",
        Known::None => "-",
        Known::No(_) => "n/a",
    }
    .to_owned()
}

fn below(buffer: &mut Buffer, state: &State, heading: &Heading, palette: Palette) {
    let y = buffer.area.height - BELOW;
    let selected = state.selected().map(details).unwrap_or_default();
    put(buffer, 1, y, &selected, Style::new().add_modifier(Modifier::DIM));
    match (&state.mode, &state.message) {
        (Mode::Filter(_), _) => {
            let x = put(buffer, 1, y + 1, &format!("filter: {}", state.filter), Style::new());
            put(buffer, x, y + 1, " ", Style::new().add_modifier(Modifier::REVERSED));
            let dim = Style::new().add_modifier(Modifier::DIM);
            put(buffer, x + 2, y + 1, "Enter keeps it, Escape does not", dim);
        }
        (_, Some(message)) => {
            put(buffer, 1, y + 1, message, palette.colour(Color::Yellow).add_modifier(Modifier::BOLD));
        }
        _ => {
            let keys = "Enter why  m map  l limits  / filter  s sort  t tree  e save  ? help  q quit";
            let dim = Style::new().add_modifier(Modifier::DIM);
            if state.filter.is_empty() {
                let x = put(buffer, 1, y + 1, keys, Style::new());
                let count = format!("{} processes, {} without memory", state.total, heading.left_out);
                put(buffer, x + 3, y + 1, &count, dim);
            } else {
                let bold = Style::new().add_modifier(Modifier::BOLD);
                let count = format!("{} of {} match {}", state.rows.len(), state.total, state.filter);
                let x = put(buffer, 1, y + 1, &count, bold);
                let x = put(buffer, x + 2, y + 1, "Escape shows all", Style::new());
                put(buffer, x + 2, y + 1, keys, dim);
            }
        }
    }
}

/// What the columns have no room for, about one process.
fn details(process: &Process) -> String {
    let mut parts = vec![format!("{} {}", process.label(), process.pid)];
    match &process.limit {
        Known::Yes(limit) => parts.push(format!(
            "nearest limit {}: {}, {} left",
            limit.name,
            short(limit.bytes),
            short(limit.headroom)
        )),
        Known::None => parts.push("no limit but the machine's memory".to_owned()),
        Known::No(reason) => parts.push(format!("limits n/a ({reason})")),
        Known::NotYet => {}
    }
    if let Known::No(reason) = process.pss {
        parts.push(format!("PSS, USS and THP n/a ({reason})"));
    }
    match process.oom_rank {
        Known::Yes(1) => parts.push("would be killed first if memory ran out".to_owned()),
        Known::None => parts.push("is never killed for memory".to_owned()),
        _ => {}
    }
    parts.join("  ·  ")
}

fn page_of(buffer: &mut Buffer, page: &Page) {
    let height = list_height(buffer.area.height);
    put(buffer, 1, 0, &page.title, Style::new().add_modifier(Modifier::BOLD));
    let lines = page.lines.iter().skip(page.offset).take(height);
    for (y, line) in (2..).zip(lines) {
        put(buffer, 1, y, line, Style::new());
    }
    let shown = (page.offset + height).min(page.lines.len());
    let place =
        format!("lines {} to {shown} of {}   ↑ ↓ Space b move   q back", page.offset + 1, page.lines.len());
    put(buffer, 1, buffer.area.height - 1, &place, Style::new().add_modifier(Modifier::DIM));
}

fn help(buffer: &mut Buffer, palette: Palette) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    put(buffer, 1, 0, "mallow top: keys", bold);
    let keys = [
        ("↑ ↓ PgUp PgDn g G", "choose a process"),
        ("Enter", "why it has so much memory"),
        ("m  l", "its address space, its limits"),
        ("e", "save a snapshot of it in this folder"),
        ("/", "show only some: part of a name or user, or a number"),
        ("Escape", "show all again"),
        ("t", "each below its parent"),
        ("s  ← →", "sort by the next column, or the one before"),
        ("r", "turn the order round"),
        ("Ctrl-Z  q", "stop for now, quit"),
    ];
    let mut y = 2;
    for (key, what) in keys {
        put(buffer, 1, y, key, palette.colour(Color::Cyan));
        put(buffer, 21, y, what, Style::new());
        y += 1;
    }
    put(buffer, 1, y + 1, "Sort by", bold);
    let letters: Vec<String> = LETTERS
        .iter()
        .map(|(letter, column)| format!("{letter} {}", column.title().to_lowercase()))
        .collect();
    put(buffer, 21, y + 1, &letters[..7].join("  "), Style::new());
    put(buffer, 21, y + 2, &letters[7..].join("  "), Style::new());
    put(
        buffer,
        1,
        y + 4,
        "RSS counts shared pages in full, PSS a share of them, USS only its own.",
        Style::new(),
    );
    put(
        buffer,
        1,
        y + 5,
        "HEADROOM is what the nearest limit leaves; OOM 1 would be killed first.",
        Style::new(),
    );
    put(buffer, 1, y + 6, "n/a: may not be read;  -: there is none;  empty: not read yet.", Style::new());
}

/// Writes text that may reach the right edge, and returns the column behind it.
fn put(buffer: &mut Buffer, x: u16, y: u16, text: &str, style: Style) -> u16 {
    let area = buffer.area;
    if x >= area.width || y >= area.height {
        return x;
    }
    buffer.set_stringn(x, y, text, usize::from(area.width - x), style).0
}

fn columns_of(width: usize) -> u16 {
    u16::try_from(width).unwrap_or(u16::MAX)
}
