//! All processes, once: as text and as JSON.
//!
//! Called by `top`.

use alloc::collections::BTreeMap;

use mallow_analyze::processes::column::Column;
use mallow_analyze::processes::{Known, Process};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::draw::NEED;
use super::size::short_slope;
use super::state::{Row, State};
use super::system::{Numbers, System};
use crate::style::{Style, Tone};
use crate::table::{Align, Cell, Table};

/// Returns the machine and a line for each process. Where lines would be too long, columns are left out, the least needed first.
pub(super) fn text(state: &State, system: &System, style: Style) -> String {
    let machine = system.lines().join("\n");
    let mut columns = Column::ALL.to_vec();
    let mut least_needed = NEED.iter().rev();
    loop {
        // Colours would count as columns.
        let plain = table(&columns, state, Style { has_colour: false, ..style });
        let fits = style.width.is_none_or(|width| plain.lines().all(|line| line.width() <= width));
        match least_needed.next() {
            Some((column, _)) if !fits => columns.retain(|kept| kept != column),
            _ => return format!("{machine}\n\n{}", table(&columns, state, style)),
        }
    }
}

fn table(columns: &[Column], state: &State, style: Style) -> String {
    let align = columns.iter().map(|column| match column {
        Column::User | Column::Name => Align::Left,
        _ => Align::Right,
    });
    let name = columns.iter().position(|column| *column == Column::Name).unwrap_or(0);
    let mut table = Table::new(align).with_flexible(name);
    table.row(columns.iter().map(|column| Cell::toned(Tone::Dim, column.title())));
    for row in &state.rows {
        table.row(columns.iter().map(|column| cell(*column, row, style)));
    }
    table.render(style, "")
}

fn cell(column: Column, row: &Row, style: Style) -> Cell {
    let process = &row.process;
    match column {
        Column::Pid => process.pid.to_string().into(),
        Column::User => process.user.as_str().into(),
        Column::Name => format!("{}{}", row.lead, process.label()).into(),
        Column::Slope => shown(&process.slope, |slope| short_slope(*slope)),
        Column::Oom => shown(&process.oom_rank, u64::to_string),
        Column::Rss
        | Column::Anonymous
        | Column::Pss
        | Column::Uss
        | Column::Swap
        | Column::Thp
        | Column::Limit
        | Column::Headroom => match column.bytes(process) {
            Known::Yes(0) => Cell::toned(Tone::Dim, "0"),
            value => shown(&value, |bytes| style.bytes(*bytes)),
        },
    }
}

fn shown<T>(value: &Known<T>, text: impl FnOnce(&T) -> String) -> Cell {
    match value {
        Known::Yes(value) => text(value).into(),
        Known::None => Cell::toned(Tone::Dim, "-"),
        // One look has no slope.
        Known::NotYet | Known::No(_) => Cell::toned(Tone::Dim, "n/a"),
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    system: Numbers,
    processes: Vec<OneProcess>,
}

#[derive(Debug, Serialize)]
struct OneProcess {
    pid: u32,
    parent_pid: u32,
    user: String,
    name: String,
    state: String,
    rss_bytes: u64,
    anonymous_bytes: u64,
    pss_bytes: Option<u64>,
    uss_bytes: Option<u64>,
    swap_bytes: Option<u64>,
    thp_bytes: Option<u64>,
    limit: Option<OneLimit>,
    oom_rank: Option<u64>,
    /// Why something is `null`: by its key. What is `null` without a reason does not exist.
    unavailable: BTreeMap<&'static str, &'static str>,
}

#[derive(Debug, Serialize)]
struct OneLimit {
    name: String,
    bytes: u64,
    headroom_bytes: u64,
}

impl Report {
    /// The machine and the processes, in the order of the rows.
    pub(super) fn of(state: &State, system: &System) -> Self {
        let processes = state.rows.iter().map(|row| OneProcess::of(&row.process)).collect();
        Self { system: system.numbers(), processes }
    }
}

impl OneProcess {
    fn of(process: &Process) -> Self {
        let mut unavailable = BTreeMap::new();
        let mut known = |key, value: &Known<u64>| {
            match value {
                Known::No(reason) => unavailable.insert(key, *reason),
                Known::NotYet => unavailable.insert(key, "it has ended"),
                Known::Yes(_) | Known::None => None,
            };
            value.get().copied()
        };
        let limit = known("limit", &process.limit.map(|limit| limit.bytes)).and(process.limit.get());
        Self {
            pid: process.pid,
            parent_pid: process.parent_pid,
            user: process.user.clone(),
            name: process.label(),
            state: char::from(process.state).to_string(),
            rss_bytes: process.rss,
            anonymous_bytes: process.anonymous,
            pss_bytes: known("pss_bytes", &process.pss),
            uss_bytes: known("uss_bytes", &process.uss),
            swap_bytes: known("swap_bytes", &process.swap),
            thp_bytes: known("thp_bytes", &process.thp),
            limit: limit.map(|limit| OneLimit {
                name: limit.name.clone(),
                bytes: limit.bytes,
                headroom_bytes: limit.headroom,
            }),
            oom_rank: known("oom_rank", &process.oom_rank),
            unavailable,
        }
    }
}
