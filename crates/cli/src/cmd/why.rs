//! `mallow why`: where the memory of a process is.

use std::os::unix::ffi::OsStrExt;

use anyhow::Context;
use mallow_analyze::escape;
use mallow_analyze::ledger::Ledger;
use mallow_analyze::read::smaps;
use serde::Serialize;

use crate::args::Why;
use crate::bar::{bar, percent};
use crate::child::Ending;
use crate::style::{self, Style, Tone};
use crate::table::{Align, Cell, Table};
use crate::target;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    pid: u32,
    name: String,
    rss_bytes: u64,
    lines: Vec<Line>,
    residual_bytes: i64,
}

#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    bytes: u64,
}

/// Columns of the longest bar.
const BAR_COLUMNS: usize = 24;

/// Looks at the process, and prints what there is to say.
pub(crate) fn why(options: &Why) -> anyhow::Result<Ending> {
    let process = target::find(&options.target)?;
    let file = process.read_memory("smaps").map_err(|unreadable| process.failure("smaps", unreadable))?;
    let mappings =
        smaps::parse(&file).with_context(|| format!("cannot understand smaps of process {}", process.pid))?;
    let status = process.status()?;
    let program = process.read_link("exe").unwrap_or_default();
    let resident = mappings.iter().map(smaps::Mapping::resident_bytes).sum();
    let ledger = Ledger::of(&mappings, program.as_bytes(), &status, resident);
    let name = escape::name(&status.name);
    let residual = ledger.residual();
    if options.output.json {
        let lines = ledger.lines.iter().map(|line| Line { name: line.kind.name(), bytes: line.resident });
        style::print_json(&Report {
            pid: process.pid,
            name,
            rss_bytes: resident,
            lines: lines.collect(),
            residual_bytes: i64::try_from(residual).unwrap_or(i64::MAX),
        })?;
        return Ok(Ending::Exited(0));
    }
    let style = Style::of_stdout(options.output);
    let mut table = Table::new([Align::Left, Align::Right, Align::Right, Align::Left]).with_flexible(0);
    for line in &ledger.lines {
        table.row([
            line.kind.name().into(),
            style.bytes(line.resident).into(),
            percent(line.resident, resident).into(),
            Cell::toned(Tone::Accent, bar(line.resident, resident, BAR_COLUMNS)),
        ]);
    }
    table.row([Cell::toned(Tone::Dim, "residual"), Cell::toned(Tone::Dim, style.signed_bytes(residual))]);
    let title = style.paint(Tone::Strong, &format!("{name} {}", process.pid));
    style::print(&format!("{title}  RSS {}\n\n{}", style.bytes(resident), table.render(style, "  ")))?;
    Ok(Ending::Exited(0))
}
