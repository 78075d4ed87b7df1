//! Input: a file that is named on the command line, of which `-` is standard input.
//!
//! Called by the verbs that read one.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context;

use crate::failure::{self, Failure};

/// Reads all of it. `advice` says what a file should be, for one that cannot be read.
pub(crate) fn read(path: &Path, advice: &str) -> anyhow::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
        return Ok(bytes);
    }
    fs::read(path).map_err(|error| {
        let sentence = format!("cannot read {}: {error}", path.display());
        Failure::new(failure::CANNOT_LOOK, sentence, advice).into()
    })
}
