//! Launches: one run of one program through the runner, and what came of it.
//!
//! A program gets a short environment of its own, the same for all allocators but for what makes the difference: what
//! the user of this machine happens to have set (`MALLOC_ARENA_MAX`, `LD_PRELOAD`, …) must not change a result.
//! Called by `session`.

use alloc::collections::BTreeMap;
use core::time::Duration;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::figures::Figures;
use crate::manifest::Expected;
use crate::record::Measurement;
use crate::workshop;

/// Variables that programs find as they are here: they say where things lie.
const KEPT: [&str; 6] = ["PATH", "HOME", "USER", "LOGNAME", "CARGO_HOME", "RUSTUP_HOME"];

/// Bytes of standard error that a failure shows.
const SHOWN_BYTES: usize = 600;

/// Bytes of wrong output that a failure shows.
const SHOWN_OUTPUT: usize = 120;

/// A program that is ready to be run.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
    /// Variables besides the usual ones.
    pub(crate) environment: BTreeMap<String, OsString>,
    /// Where it runs.
    pub(crate) folder: PathBuf,
    /// What it must print.
    pub(crate) expected: Expected,
    /// How long it may take.
    pub(crate) limit: Duration,
    /// Whether it must say itself how long it took and how much memory it had.
    pub(crate) is_script: bool,
}

/// What the runner reports.
#[derive(Debug, PartialEq)]
struct Report {
    wall: f64,
    user: f64,
    system: f64,
    peak_rss: f64,
    faults: f64,
    ending: Ending,
}

/// How a program ended.
#[derive(Debug, PartialEq)]
enum Ending {
    Exit(i32),
    Signal(i32),
    Timeout,
    Stopped,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It did what it should, at this price.
    Measured(Measurement),
    /// It did not, for this reason.
    Failed(String),
    /// Somebody told the suite to stop.
    Stopped,
}

impl Launch {
    /// Runs the program; `Err` if the suite itself fails.
    pub(crate) fn run(&self, runner: &Path, leavings: &Path) -> Result<Outcome> {
        let [output, errors, figures] = ["output", "errors", "figures"].map(|name| leavings.join(name));
        match fs::remove_file(&figures) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", figures.display()));
            }
            _ => {}
        }
        let mut command = Command::new(runner);
        command.arg(self.limit.as_millis().to_string()).args([&output, &errors]).args(&self.command);
        command.current_dir(&self.folder).stdin(Stdio::null()).stderr(Stdio::piped()).env_clear();
        command.envs(KEPT.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        command.env("LANG", "C.UTF-8").env("TMPDIR", &self.folder).env("BENCH_FIGURES", &figures);
        let reported = command.envs(&self.environment).output().context("cannot start the runner")?;
        ensure!(
            reported.status.success(),
            "the runner failed with {}: {}",
            reported.status,
            String::from_utf8_lossy(&reported.stderr).trim()
        );
        let report = Report::parse(&String::from_utf8_lossy(&reported.stdout))?;
        if report.ending == Ending::Stopped {
            return Ok(Outcome::Stopped);
        }
        Ok(self
            .judge(&report, &output, &errors, &figures)
            .unwrap_or_else(|error| Outcome::Failed(anonymous(&format!("{error:#}")))))
    }

    /// Looks at everything that the program left; an error is a reason why the run does not count.
    fn judge(&self, report: &Report, output: &Path, errors: &Path, figures: &Path) -> Result<Outcome> {
        let said = || tail(errors);
        match report.ending {
            Ending::Exit(0) => {}
            Ending::Exit(status) => bail!("exit status {status}{}", said()),
            Ending::Signal(signal) => bail!("killed by signal {signal}{}", said()),
            Ending::Timeout | Ending::Stopped => bail!("not finished after {} s", self.limit.as_secs()),
        }
        check(&self.expected, output).with_context(|| format!("wrong output{}", said()))?;
        let Figures { own, others } = Figures::read(figures)?;
        if self.is_script {
            ensure!(
                own.time.is_some() && own.peak_rss.is_some(),
                "the script wrote no figure `time` or no `peak_rss`"
            );
        }
        // What a script does not say is not known: the runner has seen the script, not its server.
        let seen = |value: f64| (!self.is_script).then_some(value);
        Ok(Outcome::Measured(Measurement {
            time: own.time.unwrap_or(report.wall),
            user: own.user.or(seen(report.user)),
            system: own.system.or(seen(report.system)),
            peak_rss: own.peak_rss.unwrap_or(report.peak_rss),
            faults: own.faults.or(seen(report.faults)),
            figures: others,
        }))
    }
}

impl Report {
    fn parse(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [wall, user, system, peak_rss, minor, major, word, number] = words[..] else {
            bail!("the runner reported `{}`", line.trim());
        };
        let amount =
            |word: &str| word.parse::<f64>().with_context(|| format!("the runner reported `{word}`"));
        let number: i32 = number.parse().with_context(|| format!("the runner reported `{number}`"))?;
        let ending = match word {
            "exit" => Ending::Exit(number),
            "signal" => Ending::Signal(number),
            "timeout" => Ending::Timeout,
            "stopped" => Ending::Stopped,
            _ => bail!("the runner reported `{word}`"),
        };
        Ok(Self {
            // To the microsecond: more says nothing.
            wall: (amount(wall)? / 1e3).round() / 1e6,
            user: amount(user)? / 1e6,
            system: amount(system)? / 1e6,
            peak_rss: amount(peak_rss)?,
            faults: amount(minor)? + amount(major)?,
            ending,
        })
    }
}

/// Touches memory, so that the next program does not have to wait until the host gives it to this machine.
pub(crate) fn warm(runner: &Path, gibibytes: f64) -> Result<()> {
    if gibibytes > 0.0 {
        let mebibytes = format!("{:.0}", gibibytes * 1024.0);
        workshop::finish(Command::new(runner).arg("--warm").arg(mebibytes))?;
    }
    Ok(())
}

fn check(expected: &Expected, output: &Path) -> Result<()> {
    match expected {
        Expected::Text(text) => {
            let got = fs::read(output)?;
            let got = String::from_utf8_lossy(&got);
            ensure!(got.trim() == text.trim(), "expected `{}`, got `{}`", text.trim(), beginning(got.trim()));
        }
        Expected::Digest(digest) => {
            let got = digest_of(output)?;
            ensure!(got == *digest, "expected the digest {digest}, got {got}");
        }
    }
    Ok(())
}

/// The SHA-256 digest of a file of any size.
fn digest_of(file: &Path) -> io::Result<String> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(file)?);
    let mut hasher = Sha256::new();
    loop {
        let part = reader.fill_buf()?;
        if part.is_empty() {
            return Ok(workshop::hexadecimal(&hasher.finalize()));
        }
        hasher.update(part);
        let length = part.len();
        reader.consume(length);
    }
}

fn beginning(text: &str) -> String {
    let short: String = text.chars().take(SHOWN_OUTPUT).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

/// The last words of a program, as the end of a sentence.
fn tail(errors: &Path) -> String {
    let bytes = fs::read(errors).unwrap_or_default();
    let last = &bytes[bytes.len().saturating_sub(SHOWN_BYTES)..];
    let text = String::from_utf8_lossy(last);
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!("; standard error: {}", text.replace('\n', " | ")) }
}

/// A message without the places of this machine: records are read elsewhere.
fn anonymous(message: &str) -> String {
    let message = message.replace(&*workshop::root().to_string_lossy(), "<repository>");
    match env::var("HOME") {
        Ok(home) if home.len() > 1 => message.replace(&home, "~"),
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_in_its_units() {
        let report = Report::parse("1500000000 250000 1000 2048 7 1 exit 0\n").unwrap();
        assert_eq!((report.wall, report.user, report.system), (1.5, 0.25, 0.001));
        assert_eq!((report.peak_rss, report.faults, report.ending), (2048.0, 8.0, Ending::Exit(0)));
        assert_eq!(Report::parse("1 1 1 1 1 1 signal 11").unwrap().ending, Ending::Signal(11));
        for wrong in ["", "1 2 3", "1 1 1 1 1 1 vanished 0", "x 1 1 1 1 1 exit 0"] {
            assert!(Report::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn output_is_compared_whole_but_for_white_space_at_its_ends() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        fs::write(&output, "42\n").unwrap();
        assert!(check(&Expected::Text("42".into()), &output).is_ok());
        let error = check(&Expected::Text("4".into()), &output).unwrap_err().to_string();
        assert_eq!(error, "expected `4`, got `42`");
        let digest = "084c799cd551dd1d8d5c5f9a5d593b2e931f5e36122ee5c793c1d08a19839cc0";
        assert!(check(&Expected::Digest(digest.into()), &output).is_ok());
        let error = check(&Expected::Digest("00".into()), &output).unwrap_err().to_string();
        assert!(error.ends_with(digest), "{error}");
    }

    #[test]
    fn a_failure_names_no_place_of_this_machine() {
        let message = format!("cannot open {}/bench/x", workshop::root().display());
        assert_eq!(anonymous(&message), "cannot open <repository>/bench/x");
    }
}
