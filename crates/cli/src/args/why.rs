//! `mallow why`: its options.

use core::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;

use super::Output;
use super::duration::duration;

const NOTES: &str = "\
The lines add up to what the kernel says is resident; what they miss is printed as the residual. With --watch, only the
counters of `statm` are looked at meanwhile; the mappings are read once, at the end. Ctrl-C ends watching early.

Examples:
  mallow why 4121                    by number; `mallow 4121` is the same
  mallow why redis-server            by name
  mallow why --watch 5m 4121         does it grow?
  mallow why --save now.json 4121    keep what was seen, for later and for `mallow diff`
  mallow why now.json                the same again, from the file
  mallow why --json 4121 | jq '.lines[] | select(.bytes > 1000000)'

Exit status:
  0  nothing is wrong      1  something was found      2  could not look";

/// `mallow why`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Why {
    /// The process, by its number or its name; or a file of --save
    #[arg(value_name = "PID|NAME|FILE")]
    pub(crate) target: OsString,

    /// Watch for so long first, and judge whether it grows
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) watch: Option<Duration>,

    /// With --watch, the time between two looks
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "watch")]
    pub(crate) every: Option<Duration>,

    /// Keep everything that was read in a file
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,

    /// Look at every block of large heaps, however long it takes
    #[arg(long)]
    pub(crate) exact: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}
