//! `mallow doctor`: what this kernel, these permissions and this command allow.

mod features;
mod permissions;
mod probe;
mod settings;

use crate::args::Doctor;
use crate::child::Ending;
use crate::failure;
use crate::style::{self, Style, Tone};
use crate::table::{Align, Cell, Table};

use probe::{Probe, State};
use serde_json::json;

/// Tries everything, and prints what came of it.
pub(crate) fn doctor(options: &Doctor) -> anyhow::Result<Ending> {
    let groups =
        [("permissions", permissions::all()), ("kernel", features::all()), ("settings", settings::all())];
    if options.output.json {
        let probes: Vec<_> = groups
            .iter()
            .flat_map(|(group, probes)| probes.iter().map(move |probe| probe.object(group)))
            .collect();
        style::print_json(&json!({ "version": env!("CARGO_PKG_VERSION"), "probes": probes }))?;
    } else {
        style::print(&page(Style::of_stdout(options.output), &groups))?;
    }
    let is_limited = |probe: &Probe| probe.state == State::Limited;
    let has_limits = groups.iter().any(|(_, probes)| probes.iter().any(is_limited));
    Ok(Ending::Exited(if has_limits { failure::FOUND } else { 0 }))
}

fn page(style: Style, groups: &[(&str, Vec<Probe>)]) -> String {
    let mut text = format!("mallow {}\n", env!("CARGO_PKG_VERSION"));
    for (group, probes) in groups {
        text += &format!("\n{}\n", style.paint(Tone::Strong, group));
        let mut table = Table::new([Align::Left, Align::Left, Align::Left]);
        for probe in probes {
            let tone = match probe.state {
                State::Yes => Tone::Good,
                State::No | State::Unknown => Tone::Dim,
                State::Limited => Tone::Warning,
            };
            table.row([
                Cell::toned(tone, probe.state.word()),
                probe.name.into(),
                probe.found.as_str().into(),
            ]);
            table.row(["".into(), "".into(), Cell::toned(Tone::Dim, probe.meaning.as_str())]);
        }
        text += &table.render(style, "  ");
    }
    text
}
