//! `mallow doctor`: its options.

use super::Output;

const NOTES: &str = "\
Each line says what was tried, what came of it, and what that means for the verbs of mallow. What cannot be tried without
harm, or without code that this command must not have, is judged by the version of the kernel, and says so.

Examples:
  mallow doctor                 what can be seen from here
  sudo mallow doctor            what root would see
  mallow doctor --json | jq '.probes[] | select(.state == \"limited\")'

Exit status:
  0  nothing is in the way      1  something is, and could be changed      2  could not look";

/// `mallow doctor`.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) output: Output,
}
