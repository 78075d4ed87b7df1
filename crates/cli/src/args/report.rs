//! `mallow report`: its options.

use core::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;

use super::duration::duration;

const NOTES: &str = "\
The page needs no network and nothing beside it: it can be mailed.

Examples:
  mallow report -o report.html 4121                   one page about process 4121
  mallow report --watch 5m -o report.html 4121        with its last five minutes
  mallow report now.json > report.html                from a file of `mallow why --save`

Exit status:
  0  it was written      2  could not look, or not write";

/// `mallow report`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Report {
    /// The process, by its number or its name; or a file of `mallow why --save`
    #[arg(value_name = "PID|NAME|FILE")]
    pub(crate) target: OsString,

    /// Where to write the page; standard output without it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Watch for so long first
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) watch: Option<Duration>,

    /// Look at every block of large heaps, however long it takes
    #[arg(long)]
    pub(crate) exact: bool,
}
