//! `mallow free`: its options.

use super::Output;

const NOTES: &str = "\
The lines add up to what the kernel has to give; what it does not count by kind is printed as the residual.
Lists of the kernel's own memory need root.

Examples:
  mallow free                      where the memory of the machine is
  mallow free --bytes              the same, to the byte
  mallow free --json | jq .available_bytes

Exit status:
  0  there is memory      1  less than a tenth is available, or tasks wait for memory      2  could not look";

/// `mallow free`.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Free {
    #[command(flatten)]
    pub(crate) output: Output,
}
