//! Records: everything that a session found out, as it is stored.
//!
//! Tables, charts and verdicts are computed from a record and from nothing else. The file is JSON with one line per
//! run, so that two records can be compared line by line. Made by `session`, read by `comparison` and `page`.

use alloc::collections::BTreeMap;
use core::ops::Not;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::args::Arguments;
use crate::figures::Figure;
use crate::machine::Machine;
use crate::manifest::{Group, Manifest};

/// Raised when an old record could be misunderstood.
const FORMAT: u32 = 1;

/// A session.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    /// Which layout this is.
    pub(crate) format: u32,
    /// When the session began, in UTC.
    pub(crate) date: String,
    /// When it went on after interruptions, in UTC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) resumed: Vec<String>,
    /// Where it took place, and on which versions.
    pub(crate) machine: Machine,
    /// How it was asked to measure.
    pub(crate) settings: Settings,
    /// The columns, in order.
    pub(crate) allocators: Vec<Column>,
    /// The rows, in order.
    pub(crate) workloads: Vec<Workload>,
    /// What could not be run here.
    pub(crate) skips: Vec<Skip>,
    /// Every single run, in order.
    pub(crate) runs: Vec<Run>,
}

/// How a session was asked to measure.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Settings {
    /// Runs of each workload on each allocator.
    pub(crate) rounds: u32,
    /// Whether the rounds of a workload stayed together.
    pub(crate) by_workload: bool,
    /// GiB touched before every run.
    pub(crate) warm_gib: f64,
    /// Seconds that a run could take.
    pub(crate) timeout: u32,
    /// Median time of the calibration loop, in seconds.
    pub(crate) calibration: f64,
}

/// An allocator.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Column {
    /// As in the tables.
    pub(crate) name: String,
    /// Which version, and where from.
    pub(crate) version: String,
    /// Variables that it was given.
    pub(crate) environment: BTreeMap<String, String>,
}

/// What a record keeps of a manifest.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Workload {
    /// As in the tables.
    pub(crate) name: String,
    /// What it stands for.
    pub(crate) role: String,
    /// With which others it is summed up.
    pub(crate) group: Group,
    /// Whether it is part of the means and ratios.
    pub(crate) is_counted: bool,
    /// How many threads it has.
    pub(crate) threads: Option<u32>,
    /// Its family across numbers of threads.
    pub(crate) scaling: Option<String>,
}

/// A workload that could not be run, on one allocator or on all.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Skip {
    /// Which workload.
    pub(crate) workload: String,
    /// On which allocator; `None` for all.
    pub(crate) allocator: Option<String>,
    /// Why.
    pub(crate) reason: String,
}

/// One run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Run {
    /// Which workload.
    pub(crate) workload: String,
    /// On which allocator.
    pub(crate) allocator: String,
    /// In which round, counted from one.
    pub(crate) round: u32,
    /// The calibration loop beside it, in seconds; the longer of before and after.
    pub(crate) calibration: f64,
    /// Whether that was too long.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub(crate) is_disturbed: bool,
    /// Whether another run of this round took its place.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub(crate) is_replaced: bool,
    /// What it cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) measured: Option<Measurement>,
    /// Why it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

/// What a run cost.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Measurement {
    /// Seconds from start to end.
    pub(crate) time: f64,
    /// Seconds in the program; `None` if a script did not say.
    pub(crate) user: Option<f64>,
    /// Seconds in the kernel on its behalf.
    pub(crate) system: Option<f64>,
    /// KiB. The most that one of its processes had resident.
    pub(crate) peak_rss: f64,
    /// Page faults.
    pub(crate) faults: Option<f64>,
    /// What the workload measured itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) figures: BTreeMap<String, Figure>,
}

impl Record {
    /// Begins a record without runs.
    pub(crate) fn begin(
        machine: Machine,
        settings: Settings,
        allocators: Vec<Column>,
        manifests: &[Manifest],
    ) -> Self {
        let workloads = manifests.iter().map(Workload::of).collect();
        Self {
            format: FORMAT,
            date: now(),
            resumed: Vec::new(),
            machine,
            settings,
            allocators,
            workloads,
            skips: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Takes over the runs of `earlier`, the same session up to an interruption.
    ///
    /// # Errors
    ///
    /// If it measured something else or elsewhere: runs of the two could not be compared.
    pub(crate) fn resume(&mut self, earlier: Self) -> Result<()> {
        let machine = |record: &Self| Machine { load: 0.0, ..record.machine.clone() };
        let settings = |record: &Self| Settings { calibration: 0.0, ..record.settings.clone() };
        ensure!(machine(self) == machine(&earlier), "the interrupted session was on another machine");
        ensure!(settings(self) == settings(&earlier), "the interrupted session had other settings");
        ensure!(self.allocators == earlier.allocators, "the interrupted session had other allocators");
        ensure!(self.workloads == earlier.workloads, "the interrupted session had other workloads");
        self.date = earlier.date;
        self.resumed = earlier.resumed;
        self.resumed.push(now());
        self.runs = earlier.runs;
        Ok(())
    }

    /// Tells whether `workload` had its turn on `allocator` in `round`.
    pub(crate) fn has_run(&self, workload: &str, allocator: &str, round: u32) -> bool {
        self.runs
            .iter()
            .any(|run| run.workload == workload && run.allocator == allocator && run.round == round)
    }

    /// The workloads and allocators of runs that failed.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (String, String)> {
        let failed = self.runs.iter().filter(|run| run.failure.is_some());
        failed.map(|run| (run.workload.clone(), run.allocator.clone()))
    }

    /// Stores the record in `file`, which never holds half of one.
    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        let next = file.with_extension("next");
        fs::write(&next, self.to_json()?)
            .and_then(|()| fs::rename(&next, file))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// Reads a stored record.
    pub(crate) fn load(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let record: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is no record of this suite", file.display()))?;
        ensure!(record.format == FORMAT, "{} has format {}, not {FORMAT}", file.display(), record.format);
        Ok(record)
    }

    /// Keeps only the workloads and allocators that were asked for.
    pub(crate) fn only(mut self, arguments: &Arguments) -> Result<Self> {
        self.workloads.retain(|one| arguments.wants(&one.name, one.group));
        ensure!(!self.workloads.is_empty(), "no workload of the record matches --only");
        if !arguments.allocators.is_empty() {
            for wanted in &arguments.allocators {
                ensure!(
                    self.allocators.iter().any(|one| one.name == *wanted),
                    "the record knows no allocator {wanted}"
                );
            }
            let place = |name: &String| arguments.allocators.iter().position(|wanted| wanted == name);
            self.allocators.retain(|one| place(&one.name).is_some());
            self.allocators.sort_by_key(|one| place(&one.name));
        }
        let is_kept = |workload: &String, allocator: Option<&String>| {
            self.workloads.iter().any(|one| one.name == *workload)
                && allocator.is_none_or(|name| self.allocators.iter().any(|one| one.name == *name))
        };
        self.runs.retain(|run| is_kept(&run.workload, Some(&run.allocator)));
        self.skips.retain(|skip| is_kept(&skip.workload, skip.allocator.as_ref()));
        Ok(self)
    }

    /// Writes the record with one line per run.
    pub(crate) fn to_json(&self) -> Result<String> {
        let head = Self { runs: Vec::new(), ..self.clone() };
        let head = serde_json::to_string_pretty(&head)?;
        let runs = self.runs.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        let head = head.strip_suffix("[]\n}").context("the runs come last in a record")?;
        Ok(format!("{head}[\n{}\n]}}\n", runs.join(",\n")))
    }

    /// Returns the name of the files that `--record` writes, without their endings.
    pub(crate) fn stem(&self, name: &str) -> String {
        let day = self.date.split(' ').next().unwrap_or_default();
        let name: String =
            name.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '-' }).collect();
        format!("{day}-{name}")
    }
}

/// The date and time, as it stands in a record.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

impl Workload {
    fn of(manifest: &Manifest) -> Self {
        Self {
            name: manifest.name.clone(),
            role: manifest.role.clone(),
            group: manifest.group,
            is_counted: manifest.is_counted,
            threads: manifest.threads,
            scaling: manifest.scaling.clone(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::Parser;

    /// A workload of a record that a test makes up.
    pub(crate) fn workload(name: &str, group: Group) -> Workload {
        let role = format!("the role of {name}");
        Workload { name: name.into(), role, group, is_counted: true, threads: None, scaling: None }
    }

    /// A run that took `time` seconds and `peak_rss` KiB.
    pub(crate) fn run(workload: &str, allocator: &str, time: f64, peak_rss: f64) -> Run {
        let measured = Measurement {
            time,
            user: Some(time),
            system: Some(0.0),
            peak_rss,
            faults: Some(1.0),
            figures: BTreeMap::new(),
        };
        Run {
            workload: workload.into(),
            allocator: allocator.into(),
            round: 1,
            calibration: 0.02,
            is_disturbed: false,
            is_replaced: false,
            measured: Some(measured),
            failure: None,
        }
    }

    /// A record of some runs.
    pub(crate) fn record(allocators: &[&str], workloads: Vec<Workload>, runs: Vec<Run>) -> Record {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            version: "1".into(),
            environment: BTreeMap::new(),
        };
        let settings =
            Settings { rounds: 1, by_workload: false, warm_gib: 0.0, timeout: 60, calibration: 0.02 };
        let allocators = allocators.iter().map(column).collect();
        let mut record = Record::begin(Machine::default(), settings, allocators, &[]);
        record.workloads = workloads;
        record.runs = runs;
        record
    }

    #[test]
    fn a_record_survives_being_stored() {
        let runs = vec![run("a", "mallow", 1.0, 10.0), run("a", "glibc", 2.0, 5.0)];
        let before = record(&["mallow", "glibc"], vec![workload("a", Group::Single)], runs);
        let text = before.to_json().unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("\"round\":1")).count(), 2, "{text}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        fs::write(&file, &text).unwrap();
        assert_eq!(Record::load(&file).unwrap().to_json().unwrap(), text);
        fs::write(&file, text.replace("\"format\": 1", "\"format\": 0")).unwrap();
        assert!(Record::load(&file).unwrap_err().to_string().contains("format 0"));
        fs::write(&file, "{}").unwrap();
        assert!(Record::load(&file).unwrap_err().to_string().contains("no record"));
    }

    #[test]
    fn a_session_goes_on_only_where_it_was() {
        let workloads = || vec![workload("a", Group::Single)];
        let earlier = || record(&["mallow"], workloads(), vec![run("a", "mallow", 1.0, 10.0)]);
        let mut later = record(&["mallow"], workloads(), Vec::new());
        later.machine.load = 0.4;
        later.resume(earlier()).unwrap();
        assert!(later.has_run("a", "mallow", 1) && !later.has_run("a", "mallow", 2));
        assert_eq!(later.resumed.len(), 1);
        let refusal = |change: &dyn Fn(&mut Record)| {
            let mut other = earlier();
            change(&mut other);
            record(&["mallow"], workloads(), Vec::new()).resume(other).unwrap_err().to_string()
        };
        assert!(refusal(&|other| other.machine.kernel = "0".into()).contains("another machine"));
        assert!(refusal(&|other| other.settings.rounds = 9).contains("other settings"));
        assert!(refusal(&|other| other.allocators[0].version = "0".into()).contains("other allocators"));
        assert!(refusal(&|other| other.workloads.clear()).contains("other workloads"));
    }

    #[test]
    fn a_part_of_a_record_can_be_shown() {
        let runs =
            vec![run("a", "mallow", 1.0, 10.0), run("b", "glibc", 2.0, 5.0), run("b", "mallow", 1.0, 1.0)];
        let workloads = vec![workload("a", Group::Single), workload("b", Group::Large)];
        let whole = record(&["mallow", "glibc"], workloads, runs);
        let arguments = Arguments::parse_from(["x", "--only", "large", "--allocators", "glibc,mallow"]);
        let part = whole.clone().only(&arguments).unwrap();
        assert_eq!((part.workloads.len(), part.runs.len()), (1, 2));
        assert_eq!(part.allocators[0].name, "glibc");
        assert!(whole.clone().only(&Arguments::parse_from(["x", "--only", "c"])).is_err());
        assert!(whole.only(&Arguments::parse_from(["x", "--allocators", "other"])).is_err());
    }

    #[test]
    fn files_are_named_after_the_day() {
        let mut one = record(&[], Vec::new(), Vec::new());
        one.date = "2026-01-02 03:04 UTC".into();
        assert_eq!(one.stem("after e3/x"), "2026-01-02-after-e3-x");
    }
}
