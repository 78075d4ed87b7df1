//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::huge_pages::Mode;
use crate::manifest::Group;

const NOTES: &str = "\
Tables go to standard output, progress to standard error. The status is 1 if a run failed: wrong output, wrong
exit status, a signal, or too long. bench/README.md says what the columns mean.

Examples:
  cargo bench-suite                                         everything, five rounds
  cargo bench-suite --only server --rounds 2                the workloads with `server` in their name
  cargo bench-suite --only threads --allocators mallow,mimalloc3
  cargo bench-suite --allocators mallow,before=old/libmallow.so,mimalloc3 --by-workload
  cargo bench-suite --record after-e3                       and store the outcome in bench/record
  cargo bench-suite --record after-e3 --resume target/bench/unfinished.json
                                                            and go on after an interruption
  cargo bench-suite --from bench/record/X.json --details    show a stored outcome again";

/// Programs and workloads on mallow and its peers, measured side by side.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo bench-suite", disable_help_subcommand = true, after_help = NOTES)]
pub(crate) struct Arguments {
    /// Only workloads whose name contains PATTERN or whose group is PATTERN; may be repeated
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', num_args = 1..)]
    pub(crate) only: Vec<String>,

    /// Which allocators, in the order of the columns; NAME=FILE adds any library
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) allocators: Vec<String>,

    /// How often each workload runs on each allocator
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// Keep the rounds of a workload together: sooner an answer, but less is averaged out
    #[arg(long)]
    pub(crate) by_workload: bool,

    /// Show the workloads and stop
    #[arg(long)]
    pub(crate) list: bool,

    /// Also print every figure of every workload on every allocator
    #[arg(long)]
    pub(crate) details: bool,

    /// Store everything, every single run included, in FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Draw time against memory into FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,

    /// Store tables, chart and every single run in bench/record
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "suite")]
    pub(crate) record: Option<String>,

    /// Go on with a session that was interrupted; FILE is what it left
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "list"])]
    pub(crate) resume: Option<PathBuf>,

    /// Measure nothing; show what --json or --record has stored
    #[arg(long, value_name = "FILE", conflicts_with_all = ["list", "thp", "manifests", "rounds", "by_workload"])]
    pub(crate) from: Option<PathBuf>,

    /// Set the kernel's transparent huge pages for the time of the run (needs root)
    #[arg(long, value_name = "MODE", value_enum)]
    pub(crate) thp: Option<Mode>,

    /// How much memory is touched before every run, in GiB; 0 for none
    #[arg(long, value_name = "GIB", default_value_t = 2.0, value_parser = gibibytes)]
    pub(crate) warm_gib: f64,

    /// How long one run may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: u32,

    /// Read the workloads from another folder than bench/macro
    #[arg(long, value_name = "FOLDER")]
    pub(crate) manifests: Option<PathBuf>,
}

impl Arguments {
    /// Tells whether a workload was asked for.
    pub(crate) fn wants(&self, name: &str, group: Group) -> bool {
        let is_match = |pattern: &String| name.contains(pattern) || group.name() == pattern;
        self.only.is_empty() || self.only.iter().any(is_match)
    }

    /// The same wishes, but nothing is to be written to a file.
    pub(crate) fn without_stores(&self) -> Self {
        Self { json: None, svg: None, record: None, ..self.clone() }
    }
}

fn gibibytes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=1024.0).contains(&number) => Ok(number),
        _ => Err("a number of GiB is wanted, such as 2 or 0.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::try_parse_from([&["bench-suite"], words].concat()).unwrap()
    }

    #[test]
    fn the_declarations_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn patterns_are_parts_of_names_or_whole_groups() {
        let some = arguments(&["--only", "server", "threads"]);
        assert!(some.wants("server-8", Group::Large) && some.wants("churn", Group::Threads));
        assert!(!some.wants("churn", Group::Large));
        assert!(arguments(&[]).wants("churn", Group::Large));
        assert_eq!(arguments(&["--only", "a,b", "--only", "c"]).only, ["a", "b", "c"]);
    }

    #[test]
    fn a_record_need_not_be_named() {
        assert_eq!(arguments(&["--record"]).record.as_deref(), Some("suite"));
        assert_eq!(arguments(&["--record", "x"]).record.as_deref(), Some("x"));
        assert_eq!(arguments(&[]).record, None);
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [["--rounds", "0"], ["--warm-gib", "-1"], ["--warm-gib", "lots"], ["--thp", "maybe"]] {
            assert!(Arguments::try_parse_from(["bench-suite", words[0], words[1]]).is_err(), "{words:?}");
        }
    }
}
