//! One row of the table: a script, run on libc and on the library, in a folder of its own.

use core::time::Duration;
use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use libtest_mimic::{Completion, Failed};
use mallow_testkit::preload::{Outcome, Run};

use crate::comparison;
use crate::witness::Witness;

/// Exit status of a script that cannot run here and has said why.
const SKIPPED: i32 = 77;

/// A script, its surroundings, and the programs in it that the test is about.
#[derive(Debug)]
pub(crate) struct Program {
    /// Name of the test.
    pub(crate) name: &'static str,
    script: &'static str,
    args: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
    on_library: &'static [&'static str],
    limit: Duration,
    is_soak: bool,
}

impl Program {
    /// Describes a test that runs `script` within one minute and sees the programs `on_library` run on the library.
    pub(crate) const fn new(
        name: &'static str,
        script: &'static str,
        on_library: &'static [&'static str],
    ) -> Self {
        let limit = Duration::from_secs(60);
        Self { name, script, args: &[], env: &[], on_library, limit, is_soak: false }
    }

    /// Passes arguments to the script.
    pub(crate) const fn with(self, args: &'static [&'static str]) -> Self {
        Self { args, ..self }
    }

    /// Sets environment variables.
    pub(crate) const fn under(self, env: &'static [(&'static str, &'static str)]) -> Self {
        Self { env, ..self }
    }

    /// Allows each of the two runs this many seconds.
    pub(crate) const fn at_most(self, seconds: u64) -> Self {
        Self { limit: Duration::from_secs(seconds), ..self }
    }

    /// Leaves the test out unless `MALLOW_SOAK` is set.
    pub(crate) const fn soaking(self) -> Self {
        Self { is_soak: true, ..self }
    }

    /// Runs the script twice and compares.
    pub(crate) fn carry_out(&self) -> Result<Completion, Failed> {
        if self.is_soak && env::var_os("MALLOW_SOAK").is_none() {
            return Ok(Completion::ignored_with("takes long: set MALLOW_SOAK=1"));
        }
        // Servers that give up the rights of root must reach their files.
        let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir()?;
        let run = self.describe(folder.path());

        let witness = Witness::new(&folder.path().join("without"))?;
        let without = in_fresh_folder(&witness.attend(run.clone().without_library()), folder.path())?;
        if without.status.code() == Some(SKIPPED) {
            return Ok(Completion::ignored_with(without.stderr().trim_end()));
        }
        let without = without.success()?;
        witness.nobody_on_library()?;

        let witness = Witness::new(&folder.path().join("with"))?;
        let with = in_fresh_folder(&witness.attend(run), folder.path())?;
        comparison::same(&without, &with)?;
        witness.all_on_library(self.on_library)?;
        Ok(Completion::Completed)
    }

    fn describe(&self, folder: &Path) -> Run {
        let script = scripts().join(self.script);
        let mut run = Run::new("bash").arg(script).args(self.args).folder(work(folder)).limit(self.limit);
        for (name, value) in self.env {
            run = run.env(name, value);
        }
        run
    }
}

/// Returns the folder of the scripts.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// Both runs see the same path, because some programs write it into their files.
fn work(folder: &Path) -> PathBuf {
    folder.join("work")
}

fn in_fresh_folder(run: &Run, folder: &Path) -> Result<Outcome, Failed> {
    fs::create_dir(work(folder))?;
    let outcome = run.finish();
    fs::remove_dir_all(work(folder))?;
    Ok(outcome?)
}
