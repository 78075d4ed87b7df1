//! `mallow map`: its options.

use core::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;

use super::Output;

const NOTES: &str = "\
High addresses are at the top, as in drawings of an address space; JSON has them from the lowest up. Many mappings of
the same owner in a row are one line, unless --all is given. Gaps are what is not mapped.

Examples:
  mallow map 4121                      the address space of process 4121
  mallow map --pages redis-server      and which pages of each mapping are there
  mallow map --diff 10 4121            what changes within ten seconds
  mallow map --svg map.svg 4121        a picture, for a browser
  mallow map --svg - --scale resident 4121 > map.svg
  mallow map --json 4121 | jq '.pieces[] | select(.rss_bytes > 1000000)'

Exit status:
  0  it was looked at      2  could not look";

/// `mallow map`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Map {
    /// The process, by its number or its name
    #[arg(value_name = "PID|NAME")]
    pub(crate) target: OsString,

    /// Give every mapping a line of its own
    #[arg(long)]
    pub(crate) all: bool,

    /// Show which pages of each mapping are in memory
    #[arg(long)]
    pub(crate) pages: bool,

    /// Look again after so many seconds, and show what has changed
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "pages")]
    pub(crate) diff: Option<Duration>,

    /// Draw a picture into a file, or to standard output (-)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pages", "diff", "json"])]
    pub(crate) svg: Option<PathBuf>,

    /// What the height of a box in the picture says
    #[arg(long, value_enum, default_value = "log", requires = "svg")]
    pub(crate) scale: Scale,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// What the height of a box says.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Scale {
    /// How large it is, by the logarithm
    Log,
    /// How much of it is in memory
    Resident,
}

/// The longest wait that makes sense, in seconds.
const LONGEST: f64 = 86_400.0;

/// Reads a number of seconds.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let allowed = || format!("seconds from 0.1 to {LONGEST:.0} are allowed");
    let number: f64 = text.parse().map_err(|_| allowed())?;
    if (0.1..=LONGEST).contains(&number) { Ok(Duration::from_secs_f64(number)) } else { Err(allowed()) }
}
