//! All the tests, in order, counted: what `cargo xtask test` runs.
//!
//! Each step's output is passed on while it runs. The first step that fails ends the run, and the last lines say
//! which it was, how to repeat it, what was skipped and why, and how many tests there were.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

use crate::tally::Tally;
use crate::workspace::Workspace;

/// A command that must succeed.
struct Step {
    program: &'static str,
    arguments: &'static [&'static str],
}

const fn cargo(arguments: &'static [&'static str]) -> Step {
    Step { program: "cargo", arguments }
}

const fn script(path: &'static str) -> Step {
    Step { program: path, arguments: &[] }
}

/// The whole workspace is tested as developers build it; what ships inside other programs, as it ships, too.
#[rustfmt::skip]
const STEPS: &[Step] = &[
    cargo(&["build", "--release", "--workspace"]),
    cargo(&["test", "--workspace", "--no-fail-fast"]),
    cargo(&["test", "--release", "--package", "mallow-units", "--package", "mallow-ds", "--package", "mallow-sys",
            "--package", "mallow-heap", "--package", "mallow"]),
    script("ci/loom.sh"),
    script("ci/shuttle.sh"),
    script("ci/tiny.sh"),
    script("ci/sanitize.sh"),
    script("ci/instructions.sh"),
];

/// Runs every step; returns whether all succeeded.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let mut out = io::stdout().lock();
    let mut tally = Tally::default();
    let mut stopped = None;
    for step in STEPS {
        writeln!(out, "\n==> {step}")?;
        let status = step.run(&workspace.root, &mut out, &mut tally)?;
        if !status.success() {
            stopped = Some(format!("{step} failed with {status}"));
            break;
        }
    }
    for skip in &tally.skips {
        writeln!(out, "skipped: {skip}")?;
    }
    if let Some(stopped) = &stopped {
        // A step that breaks before it counts anything is a failure too.
        tally.failed = tally.failed.max(1);
        writeln!(out, "stopped: {stopped}")?;
    }
    writeln!(out, "{tally}")?;
    Ok(stopped.is_none())
}

impl core::fmt::Display for Step {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.program)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

impl Step {
    /// Runs the command in `root`, passes its standard output on to `out` and counts what it says.
    fn run(&self, root: &Path, out: &mut impl Write, tally: &mut Tally) -> Result<ExitStatus> {
        let program: &OsStr =
            if self.program == "cargo" { OsStr::new(env!("CARGO")) } else { OsStr::new(self.program) };
        let mut child = Command::new(program)
            .args(self.arguments)
            .current_dir(root)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {self}"))?;
        let output = child.stdout.take().context("the output of a step is a pipe")?;
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            writeln!(out, "{line}")?;
            tally.read(&line);
        }
        Ok(child.wait()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn shell(script: &'static [&'static str]) -> Step {
        Step { program: "sh", arguments: script }
    }

    #[test]
    fn a_step_is_counted_and_its_status_returned() {
        let step =
            shell(&["-c", "echo 'test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured'; exit 3"]);
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        let status = step.run(Path::new("."), &mut out, &mut tally).unwrap();
        assert_eq!(status.code(), Some(3));
        assert!(out.starts_with(b"test result: ok. 2 passed"));
        assert_eq!(tally.to_string(), "2 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn a_step_that_cannot_start_is_named() {
        let error = script("ci/there-is-no-such.sh")
            .run(Path::new("."), &mut Vec::new(), &mut Tally::default())
            .unwrap_err();
        assert!(error.to_string().contains("ci/there-is-no-such.sh"));
    }

    #[test]
    fn every_script_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for step in STEPS.iter().filter(|step| step.program != "cargo") {
            assert!(root.join(step.program).is_file(), "{step}");
        }
    }
}
