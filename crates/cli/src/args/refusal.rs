//! Refusals: the sentences for a wrong command line, each with what is allowed.
//!
//! Called by `main` with what the parser could not take.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};

use super::{Cli, verb_of};
use crate::child::Ending;
use crate::failure::{self, Failure};
use crate::style;

/// Answers a command line that asks for help or a version, and refuses one that is wrong.
pub(crate) fn refuse(error: &clap::Error, words: &[OsString]) -> anyhow::Result<Ending> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            style::print(&error.render().to_string())?;
            Ok(Ending::Exited(0))
        }
        _ => Err(explain(error, verb_of(words).as_deref()).into()),
    }
}

/// Turns a parser error into a sentence that names the word and what is allowed in its place.
fn explain(error: &clap::Error, verb: Option<&str>) -> Failure {
    let word = |kind| error.get(kind).map(plain).unwrap_or_default();
    let whole = Cli::command();
    let command = verb.and_then(|verb| whole.find_subcommand(verb)).unwrap_or(&whole);
    let name = verb.map_or_else(|| "mallow".to_owned(), |verb| format!("mallow {verb}"));
    let sentence = match error.kind() {
        ErrorKind::InvalidSubcommand => return no_such_verb(&whole, &word(ContextKind::InvalidSubcommand)),
        ErrorKind::UnknownArgument => unknown(&name, command, &word(ContextKind::InvalidArg)),
        ErrorKind::ArgumentConflict if error.get(ContextKind::PriorArg).is_some() => {
            let (one, other) = (word(ContextKind::InvalidArg), word(ContextKind::PriorArg));
            if one == other {
                format!("{one} may be given once")
            } else {
                format!("{one} and {other} exclude each other")
            }
        }
        ErrorKind::MissingRequiredArgument => {
            format!(
                "`{name}` needs a {}",
                word(ContextKind::InvalidArg).replace(['<', '>'], "").replace("...", "")
            )
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => invalid_value(error),
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    };
    let (status, help) = match verb {
        Some("run") | None => {
            (failure::OURS, "mallow help".to_owned() + &verb.map_or_else(String::new, |v| format!(" {v}")))
        }
        Some(verb) => (failure::CANNOT_LOOK, format!("mallow help {verb}")),
    };
    Failure::new(status, sentence, format!("See: {help}"))
}

fn no_such_verb(whole: &Command, name: &str) -> Failure {
    let visible = whole.get_subcommands().filter(|verb| !verb.is_hide_set());
    let allowed: Vec<_> = visible.map(Command::get_name).collect();
    Failure::new(
        failure::OURS,
        format!("no subcommand '{name}'; allowed are {} and help", allowed.join(", ")),
        format!(
            "To look at a process of that name: mallow why {name}\nTo run a program of that name: mallow run -- {name}"
        ),
    )
}

/// A word that the subcommand does not know: an option, or one operand too many.
fn unknown(name: &str, command: &Command, word: &str) -> String {
    if word.starts_with('-') {
        let options: Vec<_> = command
            .get_arguments()
            .filter(|option| !option.is_hide_set())
            .filter_map(|option| option.get_long())
            .map(|option| format!("--{option}"))
            .collect();
        let allowed = if options.is_empty() { "--help".to_owned() } else { options.join(", ") };
        return format!("unknown option '{word}'; allowed are {allowed}");
    }
    let operands: Vec<_> =
        command.get_positionals().filter_map(|operand| operand.get_value_names()?.first()).collect();
    match &operands[..] {
        [] => format!("'{word}' is too much: `{name}` takes options only"),
        [one] => format!("'{word}' is too much: `{name}` takes one {one}"),
        _ => {
            let operands: Vec<_> = operands.iter().map(|operand| operand.as_str()).collect();
            format!("'{word}' is too much: `{name}` takes {}", operands.join(" and "))
        }
    }
}

/// A value that an option or operand cannot have. The parsers of values say themselves what is allowed.
fn invalid_value(error: &clap::Error) -> String {
    let word = |kind| error.get(kind).map(plain).unwrap_or_default();
    let (value, argument) = (word(ContextKind::InvalidValue), word(ContextKind::InvalidArg));
    if value.is_empty() {
        return format!("{argument} needs a value");
    }
    let reason = core::error::Error::source(error).map(ToString::to_string);
    let allowed = error.get(ContextKind::ValidValue).map(|values| format!("allowed are {}", plain(values)));
    match reason.or(allowed) {
        Some(reason) => format!("'{value}' is wrong for {argument}: {reason}"),
        None => format!("'{value}' is wrong for {argument}"),
    }
}

/// What the parser says about an error, without its decoration.
fn plain(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(words) => words.join(", "),
        other => other.to_string(),
    }
}
