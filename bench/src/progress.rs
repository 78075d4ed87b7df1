//! Progress on standard error: a bar on a terminal, a line per run elsewhere.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str = "{bar:24} {pos}/{len}  {elapsed} gone, {eta} left  {msg}";

/// How far a session is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins to show `steps` steps.
    pub(crate) fn start(steps: usize) -> Self {
        if !io::stderr().is_terminal() {
            return Self { bar: None };
        }
        let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
        Self {
            bar: Some(
                ProgressStyle::with_template(TEMPLATE).map_or(bar.clone(), |style| bar.with_style(style)),
            ),
        }
    }

    /// Says what runs now.
    pub(crate) fn begin(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// Says what came of it.
    pub(crate) fn end(&self, what: &str, outcome: &str) {
        match &self.bar {
            Some(bar) => bar.inc(1),
            None => note(&format!("{what}: {outcome}")),
        }
    }

    /// Says something that is to stay.
    pub(crate) fn tell(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        }
    }

    /// Shows no more.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Says a line on standard error.
pub(crate) fn note(text: &str) {
    // There is nobody left to tell if standard error is closed.
    let _ = writeln!(io::stderr(), "{text}");
}
