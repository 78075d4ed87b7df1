//! A folder of scenarios, run as the tests of one test program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use mallow_testkit::preload::{self, Run};

use crate::scenario::Scenario;

/// Runs the scenarios of `c/<name>/`, and the tests in `more`, as the command line asks.
///
/// # Panics
///
/// If the folder cannot be read or a scenario gives an order that does not exist.
#[must_use]
pub fn run(name: &str, more: impl IntoIterator<Item = Trial>) -> ExitCode {
    let proof = Trial::test("the library is in effect", is_in_effect);
    let trials = sources(&folder(name)).into_iter().flat_map(|source| Scenario::read(source).trials());
    libtest_mimic::run(&Arguments::from_args(), [proof].into_iter().chain(trials).chain(more).collect())
        .exit_code()
}

/// Makes sure that the tests of a suite prove something: a loader that cannot preload a library goes on without it.
fn is_in_effect() -> Result<(), Failed> {
    let mappings = Run::new("cat").arg("/proc/self/maps").finish()?.success()?;
    mappings.require("have the library in its memory", |mappings| {
        let path = preload::library().map(|library| library.canonicalize().unwrap_or(library.into()));
        path.is_none_or(|path| mappings.stdout().contains(&*path.to_string_lossy()))
    })?;
    Ok(())
}

/// Returns the folder of a suite's sources.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("c").join(name)
}

/// Lists the scenarios of a folder by name. Plug-ins lie in folders below it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut sources: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "c" || extension == "cpp"));
    sources.sort();
    sources
}
