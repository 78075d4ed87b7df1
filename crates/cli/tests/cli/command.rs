//! The command under test, and short ways to start it.

use core::fmt::Debug;
use std::ffi::OsStr;
use std::process::{Command, Output};

/// The command, as cargo has just built it.
pub(crate) const MALLOW: &str = env!("CARGO_BIN_EXE_mallow");

/// Returns `mallow` with `arguments`, not yet started.
/// No signal is ignored at its start, whatever the tests' own parent (`nohup`) has them ignore.
pub(crate) fn mallow<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal", MALLOW]).args(arguments);
    command
}

/// Returns `mallow run --quiet -- sh -c <script>`, not yet started.
pub(crate) fn quiet_shell(script: &str) -> Command {
    mallow(["run", "--quiet", "--", "sh", "-c", script])
}

/// Runs `command` to its end.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs `command`, which must succeed, and returns what it prints.
pub(crate) fn stdout(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command:?}: {output:?}");
    text(&output.stdout)
}

/// Runs `command`, which must end with `status`, and returns what it prints on standard error.
pub(crate) fn stderr(command: &mut Command, status: i32) -> String {
    let output = output(command);
    assert_eq!(output.status.code(), Some(status), "{command:?}: {output:?}");
    text(&output.stderr)
}

/// Fails unless `whole` contains `part`.
pub(crate) fn assert_contains(whole: &str, part: &str) {
    assert!(whole.contains(part), "expected {part:?} in:\n{whole}");
}

/// Returns the value of a result that must not be an error.
pub(crate) fn done<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
