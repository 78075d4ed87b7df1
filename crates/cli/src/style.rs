//! Style: how text looks where it is read, decided in one place.
//!
//! Colours only on a terminal that has them, and never with `NO_COLOR`; as wide as the terminal; sizes for people, or exact.
//! Called by every verb that prints.

use core::num::NonZero;
use std::env;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::Context;
use mallow_units::Bytes;
use serde::Serialize;

use crate::args::Output;

/// Columns where no terminal says how wide it is.
const DEFAULT_WIDTH: usize = 100;

/// How text looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Whether escape sequences may be written.
    pub(crate) has_colour: bool,
    /// Columns of the terminal; `None` where lines may be as long as they like.
    pub(crate) width: Option<usize>,
    /// Whether sizes are printed to the byte.
    pub(crate) is_exact: bool,
}

/// What a piece of text is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tone {
    /// As it is.
    Plain,
    /// A title.
    Strong,
    /// What is there for completeness.
    Dim,
    /// The part of a picture that is meant.
    Accent,
    /// Nothing to worry about.
    Good,
    /// Worth a look.
    Warning,
    /// Worth acting on.
    Bad,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Accent => "36",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "31",
        }
    }
}

impl Style {
    /// The style of standard output.
    pub(crate) fn of_stdout(options: Output) -> Self {
        let out = io::stdout();
        Self { has_colour: is_coloured(&out), width: width(&out), is_exact: options.bytes }
    }

    /// Text only, in lines of any length.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { has_colour: false, width: None, is_exact: false };

    /// Returns `text` in the colour for `tone`.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if self.has_colour && tone != Tone::Plain {
            format!("\x1b[{}m{text}\x1b[0m", tone.code())
        } else {
            text.to_owned()
        }
    }

    /// Returns a number of bytes, for people or to the byte.
    pub(crate) fn bytes(self, bytes: u64) -> String {
        if self.is_exact { bytes.to_string() } else { Bytes(bytes).to_string() }
    }

    /// Returns a number of bytes with its sign.
    pub(crate) fn signed_bytes(self, bytes: i128) -> String {
        let size = self.bytes(u64::try_from(bytes.unsigned_abs()).unwrap_or(u64::MAX));
        let sign = match bytes {
            ..0 => "-",
            0 => "",
            1.. => "+",
        };
        format!("{sign}{size}")
    }

    /// Returns the columns to fill.
    pub(crate) fn columns(self) -> usize {
        self.width.unwrap_or(DEFAULT_WIDTH)
    }
}

/// Says whether `stream` is a terminal with colours, and `NO_COLOR` does not forbid them.
pub(crate) fn is_coloured(stream: &impl IsTerminal) -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    stream.is_terminal() && !is_set("NO_COLOR") && !is_dumb
}

/// Returns the columns of the terminal that `stream` is, or those of `COLUMNS`.
fn width(stream: &(impl IsTerminal + AsFd)) -> Option<usize> {
    let told = || env::var("COLUMNS").ok()?.parse::<NonZero<usize>>().ok().map(NonZero::get);
    if !stream.is_terminal() {
        return told();
    }
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    NonZero::new(usize::from(size.ws_col)).map(NonZero::get).or_else(told)
}

/// Writes `text` to standard output. That nobody reads on is no failure: `head` and pagers end early.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.context("cannot write to standard output"),
    }
}

/// Writes a picture to a file, or to standard output if that is `-`.
pub(crate) fn print_picture(picture: &str, file: &Path) -> anyhow::Result<()> {
    if file == Path::new("-") {
        return print(picture);
    }
    fs::write(file, picture).with_context(|| format!("cannot write the picture to {}", file.display()))
}

/// Writes `value` to standard output as one line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string(value).context("cannot write JSON")?;
    text.push('\n');
    print(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert_eq!(Style::PLAIN.paint(Tone::Bad, "x"), "x");
        let coloured = Style { has_colour: true, ..Style::PLAIN };
        assert_eq!(coloured.paint(Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(coloured.paint(Tone::Plain, "x"), "x");
    }

    #[test]
    fn sizes_are_for_people_or_exact() {
        let exact = Style { is_exact: true, ..Style::PLAIN };
        assert_eq!((Style::PLAIN.bytes(1536), exact.bytes(1536)), ("1.5 KiB".to_owned(), "1536".to_owned()));
        assert_eq!(Style::PLAIN.signed_bytes(-4096), "-4.0 KiB");
        assert_eq!(exact.signed_bytes(4096), "+4096");
        assert_eq!(Style::PLAIN.signed_bytes(0), "0 B");
    }
}
