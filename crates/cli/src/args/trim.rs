//! `mallow trim`: its options.

use std::ffi::OsString;

use super::Output;

const NOTES: &str = "\
The process must be on mallow. A thread of it that allocates answers within some milliseconds; the others give back what they
keep when they next allocate. A process that sleeps answers when it wakes up: nothing is forced upon it.

Examples:
  mallow trim 4121                 ask process 4121 to give back what it does not use
  mallow trim --json redis-server | jq .returned_bytes

Exit status:
  0  done      1  asked, and not answered within a second      2  could not ask, or not on mallow";

/// `mallow trim`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Trim {
    /// The process, by its number or its name
    #[arg(value_name = "PID|NAME")]
    pub(crate) target: OsString,

    #[command(flatten)]
    pub(crate) output: Output,
}
