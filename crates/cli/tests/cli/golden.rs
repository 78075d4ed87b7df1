//! Golden tests: what a verb prints of a recorded process, compared with what it printed when somebody looked at it.
//!
//! Recorded processes are folders in `tests/recorded` that stand for `/proc`; what is expected of them lies in `tests/golden`. After a
//! change that is meant, `MALLOW_GOLDEN=write` has the tests write what they find, for `git diff` to show.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{done, mallow};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Returns the folder of a recorded `/proc`.
pub(crate) fn recorded(name: &str) -> PathBuf {
    tests().join("recorded").join(name)
}

/// Returns `mallow` with `arguments`, not yet started, for which `proc` is `/proc` and lines have no end.
pub(crate) fn mallow_of<A: AsRef<OsStr>>(proc: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = mallow(arguments);
    command.env("HOST_PROC", proc).env_remove("COLUMNS");
    command
}

/// Fails unless `text` is what lies in the golden file `name`.
pub(crate) fn assert_golden(name: &str, text: &str) {
    let file = tests().join("golden").join(name);
    if env::var_os("MALLOW_GOLDEN").is_some_and(|value| value == "write") {
        return done(fs::write(file, text));
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    let difference = expected.lines().zip(text.lines()).find(|(expected, found)| expected != found);
    let place = match difference {
        Some((expected, found)) => format!("expected line {expected:?}\n   found line {found:?}"),
        None => format!("{} lines expected, {} found", expected.lines().count(), text.lines().count()),
    };
    assert!(
        expected == text,
        "{name} is different: {place}\nIf it should be, run the tests with MALLOW_GOLDEN=write."
    );
}
