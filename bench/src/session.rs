//! The session: every run of every workload on every allocator, interleaved, and the record of it.
//!
//! Before each run a helper touches memory, and the calibration loop runs before and after it. A run that the loop shows
//! as disturbed is repeated, at most [`REPEATS`] times; all of them are recorded, and the least disturbed one counts.
//! A workload that has failed on an allocator is not tried on it again.
//!
//! Called by `main`. An interruption raises a flag that is looked at between runs; the runner, which gets the same signal
//! from the terminal, ends the program that is running.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::allocator::Allocator;
use crate::args::Arguments;
use crate::calibration::Calibration;
use crate::launch::{self, Launch, Outcome};
use crate::machine::Machine;
use crate::manifest::{Kind, Manifest};
use crate::plan::{self, Step};
use crate::progress::{self, Progress};
use crate::record::{Column, Record, Run, Settings, Skip};
use crate::workshop::{self, Built, Workshop};

/// How often a disturbed run is repeated.
const REPEATS: u32 = 2;

/// What is to be measured, made ready.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    workshop: &'a Workshop,
    arguments: &'a Arguments,
    manifests: &'a [Manifest],
    allocators: &'a [Allocator],
    /// One per workload and allocator; `None` where it cannot be run.
    launches: BTreeMap<(usize, usize), Launch>,
    skips: Vec<Skip>,
    interrupted: Arc<AtomicBool>,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything was run.
    Complete,
    /// Somebody told it to stop.
    Interrupted,
}

/// Returns a flag that the usual signals raise instead of ending the suite.
pub(crate) fn watch_for_interruption() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).context("cannot watch for interruptions")?;
    }
    Ok(flag)
}

impl<'a> Session<'a> {
    /// Compiles and prepares the workloads.
    pub(crate) fn new(
        workshop: &'a Workshop,
        arguments: &'a Arguments,
        manifests: &'a [Manifest],
        allocators: &'a [Allocator],
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self> {
        let mut session = Self {
            workshop,
            arguments,
            manifests,
            allocators,
            launches: BTreeMap::new(),
            skips: Vec::new(),
            interrupted,
        };
        for (place, manifest) in manifests.iter().enumerate() {
            if session.is_interrupted() {
                break;
            }
            session.prepare(place, manifest).with_context(|| format!("cannot prepare {}", manifest.name))?;
        }
        Ok(session)
    }

    fn prepare(&mut self, place: usize, manifest: &Manifest) -> Result<()> {
        if let Some(missing) = manifest.needs.iter().find(|program| !is_on_path(program)) {
            self.skip(manifest, None, format!("{missing} is not installed"));
            return Ok(());
        }
        progress::note(&format!("preparing {}", manifest.name));
        let scratch = self.workshop.scratch(&manifest.name)?;
        let product = manifest.source.as_ref().map(|source| {
            let libraries: Vec<String> = manifest.libraries.iter().map(|name| format!("-l{name}")).collect();
            let libraries: Vec<&str> = libraries.iter().map(String::as_str).collect();
            self.workshop.compile(&workshop::bench().join(source), &libraries)
        });
        let product = product.transpose()?;
        if let Some(script) = &manifest.prepare {
            let script = workshop::bench().join(script);
            let script = &mut Command::new(script);
            if let Some(reason) = workshop::prepare(script.arg(&scratch).current_dir(&scratch))? {
                self.skip(manifest, None, reason);
                return Ok(());
            }
        }
        for (column, allocator) in self.allocators.iter().enumerate() {
            let product = match manifest.kind {
                Kind::Direct | Kind::Script => product.clone(),
                Kind::Rust => match self.workshop.rust_program(&allocator.name)? {
                    Built::Product(product) => Some(product),
                    Built::Absent(reason) => {
                        self.skip(manifest, Some(allocator), reason);
                        continue;
                    }
                },
            };
            let launch = self.launch(manifest, allocator, product, scratch.clone());
            self.launches.insert((place, column), launch);
        }
        Ok(())
    }

    fn launch(
        &self,
        manifest: &Manifest,
        allocator: &Allocator,
        product: Option<PathBuf>,
        scratch: PathBuf,
    ) -> Launch {
        let places = [
            ("{bin}", product.unwrap_or_default()),
            ("{bench}", workshop::bench().to_owned()),
            ("{work}", scratch.clone()),
        ];
        let fill = |text: &String| {
            let filled = places
                .iter()
                .fold(text.clone(), |text, (word, place)| text.replace(word, &place.to_string_lossy()));
            OsString::from(filled)
        };
        let mut environment: BTreeMap<String, OsString> =
            manifest.environment.iter().map(|(name, value)| (name.clone(), fill(value))).collect();
        match manifest.kind {
            Kind::Direct => {
                environment.insert("LD_PRELOAD".to_owned(), allocator.library.clone().into());
                environment
                    .extend(allocator.environment.iter().map(|(name, value)| (name.clone(), value.into())));
            }
            Kind::Script => {
                let pairs = allocator.environment.iter().map(|(name, value)| format!("{name}={value}"));
                environment.insert("BENCH_PRELOAD".to_owned(), allocator.library.clone().into());
                environment.insert("BENCH_ENV".to_owned(), pairs.collect::<Vec<_>>().join(" ").into());
            }
            Kind::Rust => {}
        }
        Launch {
            command: manifest.arguments.iter().map(fill).collect(),
            environment,
            folder: scratch,
            expected: manifest.expected.clone(),
            limit: Duration::from_secs(self.arguments.timeout.into()),
            is_script: manifest.kind == Kind::Script,
        }
    }

    fn skip(&mut self, manifest: &Manifest, allocator: Option<&Allocator>, reason: String) {
        let allocator = allocator.map(|allocator| allocator.name.clone());
        let on = allocator.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
        progress::note(&format!("skipped: {}{on}: {reason}", manifest.name));
        self.skips.push(Skip { workload: manifest.name.clone(), allocator, reason });
    }

    /// Runs everything, but what `earlier` has of the same session. The record is stored in `unfinished` after each
    /// workload but the last, for which the caller does it.
    pub(crate) fn run(
        mut self,
        machine: Machine,
        earlier: Option<Record>,
        unfinished: &Path,
    ) -> Result<(Record, End)> {
        if machine.is_busy() {
            progress::note(&format!("the machine is busy (load {}): do not believe the times", machine.load));
        }
        let Arguments { rounds, by_workload, warm_gib, timeout, .. } = *self.arguments;
        let settings = Settings { rounds, by_workload, warm_gib, timeout, calibration: 0.0 };
        let columns = self.allocators.iter().map(column).collect();
        let mut record = Record::begin(machine, settings, columns, self.manifests);
        record.skips = core::mem::take(&mut self.skips);
        if let Some(earlier) = earlier {
            record.resume(earlier)?;
        }

        let mut steps = plan::order(self.manifests.len(), self.allocators.len(), rounds, by_workload);
        steps.retain(|step| {
            let (workload, allocator) =
                (&self.manifests[step.workload].name, &self.allocators[step.allocator].name);
            self.launches.contains_key(&(step.workload, step.allocator))
                && !record.has_run(workload, allocator, step.round + 1)
        });
        let progress = Progress::start(steps.len());
        let mut calibration = Calibration::start();
        let mut failed: BTreeSet<_> = record.failures().collect();
        let mut end = End::Complete;
        for (place, &step) in steps.iter().enumerate() {
            let pair =
                (self.manifests[step.workload].name.clone(), self.allocators[step.allocator].name.clone());
            if failed.contains(&pair) {
                progress.end(&self.describe(step), "not tried again");
                continue;
            }
            let runs = self.turn(step, &mut calibration, &progress)?;
            if runs.is_empty() {
                end = End::Interrupted;
                break;
            }
            if runs.iter().any(|run| run.failure.is_some()) {
                failed.insert(pair);
            }
            record.runs.extend(runs);
            if steps.get(place + 1).is_some_and(|next| next.workload != step.workload) {
                record.save(unfinished)?;
            }
        }
        progress.finish();
        record.settings.calibration = calibration.usual();
        Ok((record, end))
    }

    /// One workload on one allocator in one round: one run, or several if it is disturbed; none after an interruption.
    fn turn(&self, step: Step, calibration: &mut Calibration, progress: &Progress) -> Result<Vec<Run>> {
        let what = self.describe(step);
        progress.begin(&what);
        let launch = &self.launches[&(step.workload, step.allocator)];
        let mut runs: Vec<Run> = Vec::new();
        for _ in 0..=REPEATS {
            if self.is_interrupted() {
                return Ok(Vec::new());
            }
            launch::warm(&self.workshop.runner, self.arguments.warm_gib)?;
            let before = calibration.measure();
            let outcome = launch.run(&self.workshop.runner, self.workshop.folder())?;
            let beside = before.max(calibration.measure());
            let mut run = Run {
                workload: self.manifests[step.workload].name.clone(),
                allocator: self.allocators[step.allocator].name.clone(),
                round: step.round + 1,
                calibration: beside,
                is_disturbed: calibration.is_disturbed(beside),
                is_replaced: false,
                measured: None,
                failure: None,
            };
            match outcome {
                Outcome::Measured(measured) => run.measured = Some(measured),
                Outcome::Failed(reason) => run.failure = Some(reason),
                Outcome::Stopped => return Ok(Vec::new()),
            }
            let is_final = run.failure.is_some() || !run.is_disturbed;
            runs.push(run);
            if is_final {
                break;
            }
        }
        keep_least_disturbed(&mut runs);
        report(&runs, &what, progress);
        Ok(runs)
    }

    fn describe(&self, step: Step) -> String {
        let workload = &self.manifests[step.workload].name;
        let allocator = &self.allocators[step.allocator].name;
        format!("round {}/{}: {workload} on {allocator}", step.round + 1, self.arguments.rounds)
    }

    fn is_interrupted(&self) -> bool {
        // ORDERING: a flag of its own; nothing else is published with it.
        self.interrupted.load(Ordering::Relaxed)
    }
}

fn report(runs: &[Run], what: &str, progress: &Progress) {
    for run in runs {
        match (&run.measured, &run.failure) {
            (_, Some(reason)) => {
                progress.tell(&format!("failed: {} on {}: {reason}", run.workload, run.allocator));
                progress.end(what, "failed");
            }
            (Some(_), None) if run.is_replaced => {}
            (Some(measured), None) => {
                let note = if run.is_disturbed { ", disturbed" } else { "" };
                let mib = measured.peak_rss / 1024.0;
                progress.end(what, &format!("{:.3} s, {mib:.1} MiB{note}", measured.time));
            }
            (None, None) => {}
        }
    }
}

/// Marks all runs as replaced but the one beside the fastest calibration; a failure always counts.
fn keep_least_disturbed(runs: &mut [Run]) {
    let rank = |run: &Run| if run.failure.is_some() { 0.0 } else { run.calibration };
    let kept = (0..runs.len()).min_by(|a, b| rank(&runs[*a]).total_cmp(&rank(&runs[*b])));
    for (place, run) in runs.iter_mut().enumerate() {
        run.is_replaced = Some(place) != kept;
    }
}

fn column(allocator: &Allocator) -> Column {
    let Allocator { name, version, environment, .. } = allocator.clone();
    Column { name, version, environment }
}

/// Tells whether a program is there, by its name in PATH or by its path.
fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| fs::metadata(folder.join(program)).is_ok_and(|file| file.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::run;

    #[test]
    fn of_disturbed_runs_the_least_disturbed_counts() {
        let beside = |calibration: f64| Run { calibration, is_disturbed: true, ..run("a", "b", 1.0, 1.0) };
        let mut runs = [beside(0.05), beside(0.03), beside(0.04)];
        keep_least_disturbed(&mut runs);
        assert_eq!(runs.map(|run| run.is_replaced), [true, false, true]);
    }

    #[test]
    fn a_failure_is_never_replaced() {
        let failure = Run {
            failure: Some("crashed".into()),
            measured: None,
            calibration: 0.09,
            ..run("a", "b", 1.0, 1.0)
        };
        let mut runs = [run("a", "b", 1.0, 1.0), failure];
        keep_least_disturbed(&mut runs);
        assert_eq!(runs.map(|run| run.is_replaced), [true, false]);
    }

    #[test]
    fn programs_are_found_by_name_or_path() {
        assert!(is_on_path("sh") && is_on_path("/bin/sh"));
        assert!(!is_on_path("there-is-no-such-program"));
    }
}
