//! `mallow completions` and `mallow man`: what goes with an installed command.

use clap_complete::Shell;

/// `mallow completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mallow completions bash > /etc/bash_completion.d/mallow
  mallow completions zsh > ~/.zfunc/_mallow
  mallow completions fish > ~/.config/fish/completions/mallow.fish")]
pub(crate) struct Completions {
    /// The shell that is to complete
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: Shell,
}

/// `mallow man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mallow man | man -l -
  mallow man > /usr/local/share/man/man1/mallow.1")]
pub(crate) struct Man {}
