//! `mallow why`: where the memory of a process is, and why it is so much.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use mallow_analyze::account::Account;
use mallow_analyze::json;
use mallow_analyze::recording::Recording;
use mallow_analyze::verdict::Kind;

use crate::account_text;
use crate::args::Why;
use crate::child::Ending;
use crate::failure;
use crate::look::Depth;
use crate::style::{self, Style};
use crate::subject::{self, Watch};

/// Looks at the process, and prints what there is to say.
pub(crate) fn why(options: &Why) -> anyhow::Result<Ending> {
    let depth = if options.exact { Depth::Exact } else { Depth::Quick };
    let watch = options.watch.map(|time| Watch { time, every: options.every });
    let recording = subject::recording(&options.target, depth, watch)?;
    if let Some(file) = &options.save {
        save(&recording, file)?;
    }
    let account = subject::account(&recording)?;
    if options.output.json {
        style::print_json(&json::Why::of(&account))?;
    } else {
        style::print(&account_text::render(&account, Style::of_stdout(options.output)))?;
    }
    Ok(ending(&account))
}

/// Writes a recording where only its owner can read it: paths and names say a lot.
fn save(recording: &Recording, file: &Path) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let json = recording.to_json()?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
        Ok(file.write_all(json.as_bytes())?)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}

/// The exit status of an account: whether something was found.
fn ending(account: &Account) -> Ending {
    let is_fine = account.findings.iter().all(|finding| finding.kind == Kind::NothingWrong);
    Ending::Exited(if is_fine { 0 } else { failure::FOUND })
}
