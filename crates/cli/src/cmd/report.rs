//! `mallow report`: a page about the memory of a process, for a browser.

use std::fs;
use std::io::{self, IsTerminal};

use anyhow::Context;
use mallow_analyze::html;

use crate::args::Report;
use crate::child::Ending;
use crate::failure::{self, Failure};
use crate::look::Depth;
use crate::style;
use crate::subject::{self, Watch};

/// Looks at the process, or reads what was saved, and writes the page.
pub(crate) fn report(options: &Report) -> anyhow::Result<Ending> {
    if options.output.is_none() && io::stdout().is_terminal() {
        let sentence = "a page of HTML is nothing for a terminal";
        return Err(Failure::new(
            failure::CANNOT_LOOK,
            sentence,
            "Name a file: mallow report -o report.html PID",
        )
        .into());
    }
    let depth = if options.exact { Depth::Exact } else { Depth::Quick };
    let watch = options.watch.map(|time| Watch { time, every: None });
    let recording = subject::recording(&options.target, depth, watch)?;
    let page = html::page(&subject::account(&recording)?);
    match &options.output {
        Some(file) => fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))?,
        None => style::print(&page)?,
    }
    Ok(Ending::Exited(0))
}
