//! `mallow map`: the address space of a process.
//!
//! [`look`](Look) reads, `mallow-analyze` makes a map of it, and one of the other files here shows that: [`text`], [`json`],
//! [`difference`], or the picture of `mallow-analyze` itself.

mod difference;
mod json;
mod look;
mod pages;
mod text;

use std::path::Path;

use mallow_analyze::map::svg;
use mallow_analyze::read::smaps::Amount;

use crate::args::{Map, Scale};
use crate::child::Ending;
use crate::progress;
use crate::style::{self, Style};
use crate::target;
use look::Look;

/// More than so many mappings of an owner in a row are one line.
const MOST_IN_A_ROW: usize = 8;

/// Looks at the process, and shows what is where.
pub(crate) fn map(options: &Map) -> anyhow::Result<Ending> {
    let process = target::find(&options.target)?;
    let look = Look::at(&process)?;
    let style = Style::of_stdout(options.output);
    let most = if options.all { usize::MAX } else { MOST_IN_A_ROW };
    if let Some(wait) = options.diff {
        progress::wait(wait, "looking again");
        let again = Look::at(&process)?;
        if options.output.json {
            style::print_json(&json::Changes::of(&look, &again, wait))?;
        } else {
            style::print(&difference::render(&look, &again, wait, style))?;
        }
    } else if let Some(file) = &options.svg {
        draw(&look, file, options.scale)?;
    } else {
        let pages = options.pages.then(|| pages::Pages::of(&process, &look, cells(style)));
        if options.output.json {
            style::print_json(&json::Report::of(&look, pages.as_ref()))?;
        } else {
            style::print(&text::render(&look, pages.as_ref(), most, style))?;
        }
    }
    Ok(Ending::Exited(0))
}

/// How many characters the pages of a mapping get.
fn cells(style: Style) -> usize {
    style.columns().saturating_sub(pages::BESIDE).clamp(16, 96)
}

fn draw(look: &Look, file: &Path, scale: Scale) -> anyhow::Result<()> {
    let resident = look.map.total().2.get(Amount::Rss);
    let resident = resident.map_or_else(
        || format!("RSS n/a ({})", look.missing.as_deref().unwrap_or("not told")),
        |resident| format!("RSS {}", mallow_units::Bytes(resident)),
    );
    let title = format!("{} {}, {resident}", look.name, look.pid);
    let scale = match scale {
        Scale::Log => svg::Scale::Log,
        Scale::Resident => svg::Scale::Resident,
    };
    let picture = svg::draw(&look.map, &title, scale);
    style::print_picture(&picture, file)
}
