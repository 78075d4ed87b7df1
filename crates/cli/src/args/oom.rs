//! `mallow oom`: its options.

use std::path::PathBuf;

use super::Output;

const NOTES: &str = "\
Without a FILE the kernel's own log is read, which begins anew at each start and is overwritten when it is full. A FILE
may be what dmesg, journalctl or syslog has written, of any kernel since 2.6.32; - is standard input.

Examples:
  mallow oom                                who was killed since the machine was started, and why
  mallow oom --lines                        the same, with the meaning of every line
  journalctl -k -b -1 | mallow oom -        before the last start
  mallow oom --json /var/log/kern.log | jq '.kills[].victims[].name'

Exit status:
  0  nobody was killed      1  somebody was      2  could not look";

/// `mallow oom`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Oom {
    /// A saved log; the kernel's own if there is none
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Print every line of the log that is about it, and what it means
    #[arg(long)]
    pub(crate) lines: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}
