//! Whose malloc each process got, as `programs/witness.c` writes it down.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;
use mallow_testkit::compile::{CompileError, Link, compile};
use mallow_testkit::preload::{Run, library};

use crate::program::scripts;

/// The testimony about one run.
#[derive(Debug)]
pub(crate) struct Witness {
    library: PathBuf,
    testimony: PathBuf,
}

impl Witness {
    /// Opens the file `testimony` for the processes of all users.
    pub(crate) fn new(testimony: &Path) -> Result<Self, Failed> {
        fs::write(testimony, "")?;
        fs::set_permissions(testimony, Permissions::from_mode(0o666))?;
        let library = compiled()?;
        Ok(Self { library, testimony: testimony.into() })
    }

    /// Loads the witness into every process of `run`.
    pub(crate) fn attend(&self, run: Run) -> Run {
        run.loaded_after(&self.library).env("WITNESS", &self.testimony)
    }

    /// Succeeds if no process had its memory from the library.
    pub(crate) fn nobody_on_library(&self) -> Result<(), Failed> {
        match self.on_library()?.first() {
            Some(program) => Err(format!("{program} ran on the library when it should not").into()),
            None => Ok(()),
        }
    }

    /// Succeeds if each of `programs` had its memory from the library, provided that there is one.
    pub(crate) fn all_on_library(&self, programs: &[&str]) -> Result<(), Failed> {
        let on_library = self.on_library()?;
        let missing = programs.iter().find(|&&program| !on_library.iter().any(|name| name == program));
        match missing {
            Some(program) if library().is_some() => Err(format!(
                "{program} did not run on the library; the witness says: {}",
                fs::read_to_string(&self.testimony)?
            )
            .into()),
            _ => Ok(()),
        }
    }

    fn on_library(&self) -> Result<Vec<String>, Failed> {
        let Some(library) = library() else { return Ok(Vec::new()) };
        let testimony = fs::read_to_string(&self.testimony)?;
        let lines = testimony.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines.filter(|(_, owner)| Path::new(owner) == library).map(|(name, _)| name.into()).collect())
    }
}

fn compiled() -> Result<PathBuf, CompileError> {
    compile(&scripts().join("witness.c"), Link::Plugin, &[])
}
