//! `mallow why`: its options.

use std::ffi::OsString;

use super::Output;

const NOTES: &str = "\
The lines add up to what the kernel says is resident; what they miss is printed as the residual.

Examples:
  mallow why 4121                  by number; `mallow 4121` is the same
  mallow why redis-server          by name
  mallow why --json 4121 | jq '.lines[] | select(.bytes > 1000000)'

Exit status:
  0  nothing is wrong      1  something was found      2  could not look";

/// `mallow why`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Why {
    /// The process, by its number or its name
    #[arg(value_name = "PID|NAME")]
    pub(crate) target: OsString,

    /// Look at every block of large heaps, however long it takes
    #[arg(long)]
    pub(crate) exact: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}
