//! The program: which file a name means, and whether a preloaded library would reach it.
//!
//! The loader says nothing when it ignores `LD_PRELOAD`, so the reasons for which it does are looked for
//! beforehand: a program without a loader, for another processor or C library, or with more privileges than
//! its caller. Scripts are followed to what runs them.
//!
//! Called by `cmd::run`. Reads the headers of files and nothing more. A file that cannot be read gets the
//! benefit of the doubt: the kernel is the judge of what runs.

mod elf;
mod format;
mod obstacle;
mod privilege;
mod script;
mod search;

use core::iter;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use format::Format;
use obstacle::{Blocked, Obstacle};

/// How many scripts may run each other; the kernel stops there too.
const MAX_SCRIPTS: usize = 4;

/// What runs text that does not say what runs it, as for `execvp`.
const SHELL: &str = "/bin/sh";

/// A program that can be started with a library preloaded.
#[derive(Debug)]
pub(crate) struct Program {
    name: OsString,
    file: PathBuf,
    is_plain_text: bool,
}

impl Program {
    /// Looks `name` up as a shell does and inspects what it finds.
    pub(crate) fn find(name: &OsStr) -> Result<Self, Failure> {
        let file = search::executable(name)?;
        inspect(&file).map_err(|blocked| blocked.explain(&file))?;
        let is_plain_text = Format::of(&file) == Format::Text;
        Ok(Self { name: name.to_owned(), file, is_plain_text })
    }

    /// Returns the file that the kernel is to execute.
    pub(crate) fn executable(&self) -> &Path {
        if self.is_plain_text { Path::new(SHELL) } else { &self.file }
    }

    /// Returns the arguments that come before the user's, beginning with the program's own name.
    pub(crate) fn leading_arguments(&self) -> impl Iterator<Item = &OsStr> {
        let (name, script) = match self.is_plain_text {
            true => (OsStr::new(SHELL), Some(self.file.as_os_str())),
            false => (self.name.as_os_str(), None),
        };
        iter::once(name).chain(script)
    }
}

/// Looks for a reason why a library preloaded into `file` would have no effect.
fn inspect(file: &Path) -> Result<(), Blocked> {
    let runner = last_runner(file)?;
    let verdict = match Format::of(&runner) {
        Format::Elf => elf::inspect(&runner).and_then(|()| privilege::inspect(&runner)),
        _ => Ok(()),
    };
    verdict.map_err(|obstacle| Blocked { file: runner, obstacle })
}

/// Follows scripts from `file` to the program that runs the last of them; `file` itself if it is no script.
fn last_runner(file: &Path) -> Result<PathBuf, Blocked> {
    let mut runner = file.to_owned();
    for _ in 0..=MAX_SCRIPTS {
        let next = match Format::of(&runner) {
            Format::Script(script) => script.runner(),
            Format::Text => PathBuf::from(SHELL),
            Format::Elf | Format::Other => return Ok(runner),
        };
        if !next.exists() {
            return Err(Blocked { file: runner, obstacle: Obstacle::NoInterpreter(next) });
        }
        runner = next;
    }
    Err(Blocked { file: runner, obstacle: Obstacle::TooManyScripts })
}
