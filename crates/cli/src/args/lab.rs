//! `mallow lab`: its options.

use clap::builder::PossibleValuesParser;

use super::Output;
use crate::lab::{Allocator, experiments};

const NOTES: &str = "\
Each experiment runs a small program of its own, step by step, and reads /proc in between. It says what must be seen, and
fails if it was not. Where what is written about it elsewhere is out of date, it says so and shows it.

Examples:
  mallow lab list                          the experiments
  mallow lab brk                           one of them
  mallow lab pinned --allocator mallow     the same program on mallow
  mallow lab lazy --explain                with the explanation
  mallow lab all --json | jq .name,.outcome

JSON: one object a line, with name, title, allocator, outcome (seen, not seen, could not look), reason, steps (calls with
faults, numbers in bytes, lines of maps), tables, findings, remarks and notes; with --explain, explanation.

Exit status:
  0  the effect was seen      1  it was not      2  could not look; the reason is given";

/// `mallow lab`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Lab {
    /// An experiment, `all`, or `list`
    #[arg(value_name = "NAME", default_value = "list", hide_possible_values = true, value_parser = names())]
    pub(crate) name: String,

    /// Whose malloc the program runs on
    #[arg(long, value_name = "glibc|mallow", default_value = "glibc", hide_possible_values = true)]
    pub(crate) allocator: Allocator,

    /// Explain how it comes about
    #[arg(long)]
    pub(crate) explain: bool,

    /// Let experiments change settings of the whole machine for a moment; they put them back
    #[arg(long)]
    pub(crate) machine_settings: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

fn names() -> PossibleValuesParser {
    ["list", "all"]
        .into_iter()
        .chain(experiments::ALL.iter().map(|experiment| experiment.name))
        .collect::<Vec<_>>()
        .into()
}
