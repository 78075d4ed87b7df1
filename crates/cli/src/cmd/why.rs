//! `mallow why`: where the memory of a process is, and why it is so much.

use anyhow::Context;
use mallow_analyze::account::Account;
use mallow_analyze::json;
use mallow_analyze::verdict::Kind;

use crate::account_text;
use crate::args::Why;
use crate::child::Ending;
use crate::failure;
use crate::look::{self, Depth};
use crate::style::{self, Style};
use crate::target;

/// Looks at the process, and prints what there is to say.
pub(crate) fn why(options: &Why) -> anyhow::Result<Ending> {
    let process = target::find(&options.target)?;
    let depth = if options.exact { Depth::Exact } else { Depth::Quick };
    let recording = look::record(&process, depth)?;
    let account = Account::of(&recording).with_context(|| format!("process {}", process.pid))?;
    if options.output.json {
        style::print_json(&json::Why::of(&account))?;
    } else {
        style::print(&account_text::render(&account, Style::of_stdout(options.output)))?;
    }
    Ok(ending(&account))
}

/// The exit status of an account: whether something was found.
pub(crate) fn ending(account: &Account) -> Ending {
    let is_fine = account.findings.iter().all(|finding| finding.kind == Kind::NothingWrong);
    Ending::Exited(if is_fine { 0 } else { failure::FOUND })
}
