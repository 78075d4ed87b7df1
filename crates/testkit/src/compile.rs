//! C and C++ sources of a suite, compiled once and kept in the target folder.
//!
//! A product is named after a digest of everything that went into it (command line, source, the headers beside it and
//! above it, the archive), so an unchanged source is never compiled twice and a changed one never mistaken.
//! Test programs that ask for the same product at once compile to names of their own and rename; the tests of one program
//! take turns.

use core::fmt;
use core::hash::{Hash, Hasher};
use std::ffi::OsStr;
use std::fs;
use std::hash::DefaultHasher;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::{Mutex, PoisonError};

use crate::preload;

static TURN: Mutex<()> = Mutex::new(());

/// What a source becomes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Link {
    /// A position-independent executable that finds its libraries at start.
    Dynamic,
    /// An executable without a loader, with `libmallow.a` in it if mallow is under test.
    Static,
    /// The same, position-independent.
    StaticPie,
    /// A library for `dlopen` or `LD_PRELOAD`.
    Plugin,
}

impl Link {
    const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Dynamic => &["-fPIE", "-pie", "-rdynamic"],
            Self::Static => &["-fno-PIE", "-static"],
            Self::StaticPie => &["-fPIE", "-static-pie"],
            Self::Plugin => &["-fPIC", "-shared"],
        }
    }

    const fn is_static(self) -> bool {
        matches!(self, Self::Static | Self::StaticPie)
    }
}

/// Flags of every source. `-fno-builtin` keeps the compiler from removing the calls that the suites are about.
const FLAGS: &[&str] =
    &["-O2", "-g", "-pthread", "-Wall", "-Wextra", "-Werror", "-fno-builtin", "-D_GNU_SOURCE"];

/// The compiler's answer to a source that it does not take.
#[derive(Debug)]
pub struct CompileError {
    source: PathBuf,
    message: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot compile {}: {}", self.source.display(), self.message)
    }
}

impl core::error::Error for CompileError {}

/// Compiles `source` as C, or as C++ if its name ends in `.cpp`, and returns the product.
///
/// # Panics
///
/// If the library is needed and does not build.
pub fn compile(source: &Path, link: Link, flags: &[&str]) -> Result<PathBuf, CompileError> {
    let failed = |message: String| CompileError { source: source.into(), message };
    let compiler = if source.extension() == Some(OsStr::new("cpp")) { "c++" } else { "cc" };
    let mut command = Command::new(compiler);
    command.args(FLAGS).args(link.flags()).args(flags).arg(source);
    let archive = if link.is_static() { preload::archive() } else { None };
    command.args(archive);

    let digest = digest(&command, source, archive).map_err(|error| failed(error.to_string()))?;
    let folder = preload::target_dir().join("acceptance");
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    let product = folder.join(format!("{stem}-{digest:016x}"));
    // A turn that ended in a panic leaves nothing half done: the product appears by a rename.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if product.exists() {
        return Ok(product);
    }
    fs::create_dir_all(&folder).map_err(|error| failed(error.to_string()))?;
    let fresh = folder.join(format!("{stem}-{digest:016x}.{}", process::id()));
    let compiled = command.arg("-o").arg(&fresh).output();
    let compiled = compiled.map_err(|error| failed(format!("{compiler}: {error}")))?;
    if !compiled.status.success() {
        return Err(failed(String::from_utf8_lossy(&compiled.stderr).into_owned()));
    }
    fs::rename(&fresh, &product).map_err(|error| failed(error.to_string()))?;
    Ok(product)
}

fn digest(command: &Command, source: &Path, archive: Option<&Path>) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    format!("{command:?}").hash(&mut hasher);
    fs::read(source)?.hash(&mut hasher);
    for folder in source.ancestors().skip(1).take(2) {
        for header in headers(folder)? {
            fs::read(header)?.hash(&mut hasher);
        }
    }
    if let Some(archive) = archive {
        let meta = fs::metadata(archive)?;
        (meta.len(), meta.modified()?).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

fn headers(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut headers: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    headers.retain(|path| path.extension() == Some(OsStr::new("h")));
    headers.sort();
    Ok(headers)
}
