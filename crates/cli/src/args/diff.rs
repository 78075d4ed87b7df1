//! `mallow diff`: its options.

use std::ffi::OsString;

use super::Output;

const NOTES: &str = "\
Examples:
  mallow why --save before.json 4121     now
  mallow why --save after.json 4121      an hour later
  mallow diff before.json after.json     what came and what went
  mallow diff before.json 4121           the same, against now

Exit status:
  0  nothing has changed      1  something has      2  could not look";

/// `mallow diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Diff {
    /// What was before: a file of `mallow why --save`, or a process
    #[arg(value_name = "BEFORE")]
    pub(crate) before: OsString,

    /// What is after: another file, or a process
    #[arg(value_name = "AFTER")]
    pub(crate) after: OsString,

    /// Show every mapping that has changed, not only those with the most bytes
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}
