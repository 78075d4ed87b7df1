//! Transparent huge pages: the kernel's mode, set for the time of a run and put back at its end.
//!
//! Called by `main`, which drops the setting on every way out; an interruption only raises a flag (`session`), so it is one
//! of them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::progress;

const SWITCH: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// When the kernel backs memory with huge pages unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Wherever they fit.
    Always,
    /// Where a program asks for them.
    Madvise,
    /// Nowhere.
    Never,
}

/// A changed mode; dropping it restores the one of before.
#[derive(Debug)]
pub(crate) struct Setting {
    before: String,
}

impl Setting {
    /// Changes the mode.
    pub(crate) fn change(mode: Mode) -> Result<Self> {
        let before = current();
        let word = match mode {
            Mode::Always => "always",
            Mode::Madvise => "madvise",
            Mode::Never => "never",
        };
        fs::write(SWITCH, word).with_context(|| {
            format!("cannot set transparent huge pages to {word}, which takes root and {SWITCH}")
        })?;
        Ok(Self { before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if let Err(error) = fs::write(SWITCH, &self.before) {
            progress::note(&format!("cannot put {SWITCH} back to {}: {error}", self.before));
        }
    }
}

/// Returns the kernel's mode, or `absent` if it has no huge pages.
pub(crate) fn current() -> String {
    fs::read_to_string(Path::new(SWITCH)).ok().as_deref().and_then(chosen).unwrap_or("absent").to_owned()
}

/// The word in brackets.
fn chosen(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(word, _)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_mode_is_in_brackets() {
        assert_eq!(chosen("always [madvise] never\n"), Some("madvise"));
        assert_eq!(chosen("[always] madvise never\n"), Some("always"));
        assert_eq!(chosen("always madvise never\n"), None);
    }
}
