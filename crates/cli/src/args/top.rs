//! `mallow top`: its options.

use core::time::Duration;

use mallow_analyze::processes::column::Column;

use super::Output;
use super::map::seconds;

const NOTES: &str = "\
On a terminal it goes on until q; keys are explained by ?. PSS, USS and THP make the kernel go through the mappings of a
process, so they are read of the processes on the screen only, and not at every refresh. The kernel's own threads have no
memory and are left out.

Examples:
  mallow top                           every process, the largest first
  mallow top --sort headroom           whoever is nearest to a limit first
  mallow top --filter postgres --tree  a server and its children
  mallow top --once | head -20         as text, once
  mallow top --json | jq '.processes[] | select(.swap_bytes > 0) | .name'

Exit status:
  0  it was looked at      2  could not look";

/// `mallow top`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Top {
    /// Print the processes once, and end
    #[arg(long)]
    pub(crate) once: bool,

    /// What stands above: pid, user, name, rss, pss, uss, anon, swap, thp, limit, headroom, slope or oom
    #[arg(long, value_name = "COLUMN", default_value = "rss", value_parser = column)]
    pub(crate) sort: Column,

    /// Turn the order round
    #[arg(long)]
    pub(crate) reverse: bool,

    /// Show only processes with this text in their name or user, or with this number
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) filter: String,

    /// Show each process below its parent
    #[arg(long)]
    pub(crate) tree: bool,

    /// Look again every so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub(crate) interval: Duration,

    #[command(flatten)]
    pub(crate) output: Output,
}

fn column(title: &str) -> Result<Column, String> {
    Column::of_title(title).ok_or_else(|| {
        let titles: Vec<_> = Column::ALL.iter().map(|column| column.title().to_lowercase()).collect();
        format!("allowed are {}", titles.join(", "))
    })
}
