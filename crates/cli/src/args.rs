//! The command line: one declaration per subcommand and option, and the sentences for wrong ones.
//!
//! Called by `main`. The help, the list of what is allowed and the parser all come from these declarations.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};

use anyhow::Context;
use clap::error::{ContextKind, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use crate::child::Ending;
use crate::failure::{self, Failure};

const ABOUT: &str = "\
mallow is a memory allocator for Linux programs. It takes the place of malloc in programs you already have:
nothing is installed, rebuilt or configured.";

const EXAMPLES: &str = "\
Examples:
  mallow run python3 script.py         run a program on mallow, and see what it used
  mallow run --stats -- redis-server   the same, with every counter of the allocator
  mallow run --quiet -- make -j4       the same for a whole build, without the summary

Exit status:
  that of the program; if a signal ends the program, the same signal ends mallow
  125  mallow itself failed, or the command line is wrong
  126  the program was found and cannot be executed
  127  the program was not found";

const RUN_NOTES: &str = "\
Everything the program does with its input, output, terminal and signals stays as it is. Programs that it
starts run on mallow too; the allocator's counters are those of the first process.

Options for the allocator itself go into the environment: MALLOW=\"key=value,key=value\".";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "mallow", version, about = ABOUT, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to do; help if nothing is asked for.
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

/// The subcommands, one file in `cmd` each.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a program on mallow and sum up what it used
    Run(Run),
}

/// `mallow run`.
#[derive(Debug, clap::Args)]
#[command(after_help = RUN_NOTES, override_usage = "mallow run [OPTIONS] [--] PROGRAM [ARGS]...")]
pub(crate) struct Run {
    /// Print every counter of the allocator after the summary
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

/// Prints the help of the whole command.
pub(crate) fn print_help() -> anyhow::Result<Ending> {
    show(&Cli::command().render_help().to_string())
}

/// Answers a command line that asks for help or a version, and refuses one that is wrong.
pub(crate) fn refuse(error: &clap::Error) -> anyhow::Result<Ending> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => show(&error.render().to_string()),
        _ => Err(explain(error).into()),
    }
}

fn show(text: &str) -> anyhow::Result<Ending> {
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
    Ok(Ending::Exited(0))
}

/// Turns a parser error into a sentence that names the word and what is allowed in its place.
fn explain(error: &clap::Error) -> Failure {
    let word = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let sentence = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let name = word(ContextKind::InvalidSubcommand);
            let allowed: Vec<_> =
                Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
            return Failure::new(
                failure::OURS,
                format!("no subcommand '{name}'; allowed are {} and help", allowed.join(", ")),
                format!("To run a program of that name: mallow run -- {name}"),
            );
        }
        ErrorKind::UnknownArgument => {
            format!(
                "unknown option '{}'; allowed are {}",
                word(ContextKind::InvalidArg),
                options().join(", ")
            )
        }
        ErrorKind::ArgumentConflict => {
            format!(
                "{} and {} exclude each other",
                word(ContextKind::InvalidArg),
                word(ContextKind::PriorArg)
            )
        }
        ErrorKind::MissingRequiredArgument => "`mallow run` needs a PROGRAM to run".to_owned(),
        _ => error.to_string().trim().trim_start_matches("error: ").to_owned(),
    };
    Failure::new(failure::OURS, sentence, "See: mallow help run")
}

/// Returns every option of every subcommand as it is typed.
fn options() -> Vec<String> {
    Cli::command()
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|option| option.get_long())
        .map(|name| format!("--{name}"))
        .collect()
}
