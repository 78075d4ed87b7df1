//! The command line: one declaration per subcommand and option.
//!
//! Called by `main`. The help, the list of what is allowed and the parser all come from these declarations: a subcommand is
//! a file here with its options, a line in [`Verb`], and a file in `cmd`. What is said of a wrong command line is in
//! [`refusal`].

mod diff;
mod doctor;
mod duration;
mod explain_address;
mod free;
mod lab;
mod limits;
mod map;
mod oom;
mod paper;
mod refusal;
mod report;
mod run;
mod sim;
mod size;
mod top;
mod trim;
mod why;

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::{CommandFactory, Parser, Subcommand};

pub(crate) use diff::Diff;
pub(crate) use doctor::Doctor;
pub(crate) use explain_address::ExplainAddress;
pub(crate) use free::Free;
pub(crate) use lab::Lab;
pub(crate) use limits::Limits;
pub(crate) use map::{Map, Scale};
pub(crate) use oom::Oom;
pub(crate) use paper::{Completions, Man};
pub(crate) use refusal::refuse;
pub(crate) use report::Report;
pub(crate) use run::Run;
pub(crate) use sim::{HugePages, Sim};
pub(crate) use top::Top;
pub(crate) use trim::Trim;
pub(crate) use why::Why;

use crate::child::Ending;
use crate::style;

const ABOUT: &str = "\
mallow says where the memory of a process is and why, for every process on the machine; and it is a memory allocator
for Linux programs that takes the place of malloc: nothing is installed, rebuilt or configured.";

const EXAMPLES: &str = "\
Examples:
  mallow why 4121                      where the memory of process 4121 is, and why (also: mallow 4121)
  mallow why redis-server              the same, by name
  mallow lab lazy                      see on this machine when memory becomes resident
  mallow map 4121                      its address space: what is mapped where
  mallow explain-address 4121 0x7f2ccd801230   what is behind a pointer of it
  mallow top                           all processes by their memory, on a screen that goes on
  mallow limits 4121                   how much more it may take, and what happens then
  mallow free                          where the memory of the machine is
  mallow oom                           who was killed for want of memory, and why
  mallow doctor                        what can be seen from here
  mallow trim 4121                     have a process on mallow give back what it does not use
  mallow run python3 script.py         run a program on mallow, and see what it used
  mallow run --stats -- redis-server   the same, with every counter of the allocator

Exit status:
  0    there is nothing to worry about
  1    something was found
  2    mallow could not look, or the command line is wrong
  run ends as its program does: see mallow help run

For an installed command: mallow completions bash|zsh|fish, mallow man";

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
    /// Say where the memory of a process is, and why it is so much
    Why(Why),
    /// Say what came and what went between two looks at a process
    Diff(Diff),
    /// Write a page about the memory of a process, for a browser
    Report(Report),
    /// Show an experiment about memory happen on this machine
    Lab(Lab),
    /// Show the address space of a process: what is mapped where, and how much of it is in memory
    Map(Map),
    /// Say what is behind one address of a process, from the block of the heap down to the frame and its zone
    ExplainAddress(ExplainAddress),
    /// Say what limits a process, what happens there and when, and who would be killed first
    Limits(Limits),
    /// Say where the memory of the machine is
    Free(Free),
    /// Say who was killed for want of memory, and why
    Oom(Oom),
    /// Play a script or a log of malloc on a simulated machine, and show what becomes of its memory
    Sim(Sim),
    /// Say what this kernel, these permissions and this command allow
    Doctor(Doctor),
    /// Ask a process on mallow to give back what it does not use
    Trim(Trim),
    /// Show all processes by their memory, on a screen that goes on
    Top(Top),
    /// Run a program on mallow and sum up what it used
    Run(Run),
    /// Print what a shell needs to complete the words of this command
    #[command(hide = true)]
    Completions(Completions),
    /// Print the manual page
    #[command(hide = true)]
    Man(Man),
}

/// The options of every verb that looks at something.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Output {
    /// Print JSON, one object on one line
    #[arg(long)]
    pub(crate) json: bool,

    /// Print sizes in bytes, not in KiB, MiB and GiB
    #[arg(long)]
    pub(crate) bytes: bool,
}

/// Returns the command line; a process's number in place of a subcommand asks why.
pub(crate) fn words() -> Vec<OsString> {
    let mut words: Vec<_> = env::args_os().collect();
    let is_number = |word: &OsString| !word.is_empty() && word.as_bytes().iter().all(u8::is_ascii_digit);
    if words.get(1).is_some_and(is_number) {
        words.insert(1, "why".into());
    }
    words
}

/// Returns the name of the subcommand in a command line that could not be parsed.
fn verb_of(words: &[OsString]) -> Option<String> {
    let first = words.iter().skip(1).find(|word| !word.as_bytes().starts_with(b"-"))?;
    let is_verb = |command: &clap::Command| OsStr::new(command.get_name()) == first;
    Cli::command().get_subcommands().find(|command| is_verb(command)).map(|verb| verb.get_name().to_owned())
}

/// Prints the help of the whole command.
pub(crate) fn print_help() -> anyhow::Result<Ending> {
    style::print(&Cli::command().render_help().to_string())?;
    Ok(Ending::Exited(0))
}
