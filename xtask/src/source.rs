//! The Rust files that the crates ship, read once.

use anyhow::{Context, Result};

use crate::token::{self, Token};
use crate::workspace::{Crate, Workspace};

/// A Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root of the workspace.
    pub(crate) file: String,
    /// Its code, without tests.
    pub(crate) tokens: Vec<Token>,
}

impl Source {
    /// Whether it is the root module of its crate.
    pub(crate) fn is_root(&self) -> bool {
        self.file.ends_with("/src/lib.rs") || self.file.ends_with("/src/main.rs")
    }
}

/// Reads the files that `one` ships.
pub(crate) fn of_crate(workspace: &Workspace, one: &Crate) -> Result<Vec<Source>> {
    let files = workspace.files(&["rs"])?;
    files
        .into_iter()
        .filter(|file| one.ships(file))
        .map(|file| {
            let tokens = token::read(&workspace.read(&file)?).with_context(|| file.clone())?;
            Ok(Source { file, tokens })
        })
        .collect()
}
