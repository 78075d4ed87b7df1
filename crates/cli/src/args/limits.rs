//! `mallow limits`: its options.

use std::ffi::OsString;

use super::Output;

const NOTES: &str = "\
Every cgroup above the process counts, so all that can be seen are looked at; in a container those of the host cannot.
Slopes are what was seen in the time of --watch: a second says little of what grows slowly.

Examples:
  mallow limits 4121                    what limits process 4121, and what happens there
  mallow limits --watch 60 postgres     the same, with a minute to judge how fast it grows
  mallow limits --json 4121 | jq .nearest.headroom

Exit status:
  0  there is room      1  less than a tenth is left of some limit      2  could not look";

/// `mallow limits`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Limits {
    /// The process, by its number or its name
    #[arg(value_name = "PID|NAME")]
    pub(crate) target: OsString,

    /// Judge by how much changes in this time; 0 for not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub(crate) watch: u32,

    #[command(flatten)]
    pub(crate) output: Output,
}
