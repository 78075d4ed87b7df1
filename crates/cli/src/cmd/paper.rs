//! `mallow completions` and `mallow man`: made of the same declarations as the parser.

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::args::{Cli, Completions};
use crate::child::Ending;
use crate::style;

/// Prints the completions for a shell.
pub(crate) fn completions(options: &Completions) -> anyhow::Result<Ending> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "mallow", &mut script);
    style::print(&String::from_utf8_lossy(&script))?;
    Ok(Ending::Exited(0))
}

/// Prints the manual: a page for the command, with a section for each subcommand.
pub(crate) fn man() -> anyhow::Result<Ending> {
    let mut whole = Cli::command();
    whole.build();
    let mut page = Vec::new();
    Man::new(whole.clone()).render(&mut page)?;
    for verb in whole.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        page.extend_from_slice(&section(verb)?);
    }
    style::print(&String::from_utf8_lossy(&page))?;
    Ok(Ending::Exited(0))
}

/// What the manual says of a subcommand.
fn section(verb: &Command) -> anyhow::Result<Vec<u8>> {
    let man = Man::new(verb.clone());
    let mut section = format!(".SH \"MALLOW {}\"\n", verb.get_name().to_uppercase()).into_bytes();
    man.render_description_section(&mut section)?;
    man.render_options_section(&mut section)?;
    man.render_extra_section(&mut section)?;
    // The subcommand's own headings stand one level lower.
    let text = String::from_utf8_lossy(&section).into_owned();
    let (title, rest) = text.split_once('\n').unwrap_or((&text, ""));
    Ok(format!("{title}\n{}", rest.replace("\n.SH ", "\n.SS ").replacen(".SH ", ".SS ", 1)).into_bytes())
}
