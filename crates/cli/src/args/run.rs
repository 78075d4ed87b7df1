//! `mallow run`: its options.

use std::ffi::{OsStr, OsString};

const NOTES: &str = "\
Everything the program does with its input, output, terminal and signals stays as it is. Programs that it
starts run on mallow too; the allocator's counters are those of the first process.

Options for the allocator itself go into the environment: MALLOW=\"key=value,key=value\".

Examples:
  mallow run python3 script.py         run a program on mallow, and see what it used
  mallow run --stats -- redis-server   the same, with every counter of the allocator
  mallow run --quiet -- make -j4       the same for a whole build, without the summary

Exit status:
  that of the program; if a signal ends the program, the same signal ends mallow
  125  mallow itself failed, or the command line is wrong
  126  the program was found and cannot be executed
  127  the program was not found";

/// `mallow run`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES, override_usage = "mallow run [OPTIONS] [--] PROGRAM [ARGS]...")]
pub(crate) struct Run {
    /// Print every counter of the allocator, and what each size class was used for, after the summary
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) stats: bool,

    /// Print nothing at exit
    #[arg(long)]
    pub(crate) quiet: bool,

    /// The program, a path or a name in PATH, and behind it the program's own arguments
    #[arg(value_name = "PROGRAM", required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl Run {
    /// Returns the program and its arguments.
    pub(crate) fn command(&self) -> (&OsStr, &[OsString]) {
        let (program, arguments) = self.command.split_first().expect("the parser requires a program");
        (program, arguments)
    }
}
