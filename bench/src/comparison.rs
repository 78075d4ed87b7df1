//! The comparison: a record boiled down to one summary per workload and allocator, to ratios, and to means.
//!
//! Ratios are against [`REFERENCE`], or against the first column if that was not run. Means are geometric and taken over
//! the counted workloads that *every* allocator of the record has finished, so that no allocator gains by failing.
//! Called by `table`, `scatter` and `verdict`.

use alloc::collections::BTreeMap;

use crate::allocator::{self, OURS, REFERENCE};
use crate::figures::Figure;
use crate::manifest::Group;
use crate::record::{Measurement, Record, Run, Workload};
use crate::statistics;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    /// Best time from start to end.
    Time,
    /// Median of the peak of the resident set.
    PeakRss,
    /// Median of the time on processors.
    Processor,
    /// Median of the page faults.
    Faults,
}

/// All runs of one workload on one allocator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Summary {
    /// Seconds: the best.
    pub(crate) best: f64,
    /// Seconds: the median.
    pub(crate) median: f64,
    /// (max - min) / min of the times.
    pub(crate) spread: f64,
    /// Seconds in the program, median.
    pub(crate) user: Option<f64>,
    /// Seconds in the kernel, median.
    pub(crate) system: Option<f64>,
    /// KiB, median.
    pub(crate) peak_rss: f64,
    /// Page faults, median.
    pub(crate) faults: Option<f64>,
    /// What the workload measured itself, medians.
    pub(crate) figures: BTreeMap<String, Figure>,
    /// Runs that count and were disturbed nevertheless.
    pub(crate) disturbed: usize,
}

/// One place of the tables.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Every run was as it should be.
    Measured(Summary),
    /// One was not, for this reason.
    Failed(String),
    /// It could not be run.
    Absent,
}

/// A record, boiled down.
#[derive(Debug)]
pub(crate) struct Comparison<'a> {
    /// What it was made of.
    pub(crate) record: &'a Record,
    /// By workload and allocator.
    cells: Vec<Vec<Cell>>,
}

impl<'a> Comparison<'a> {
    /// Boils a record down.
    pub(crate) fn of(record: &'a Record) -> Self {
        let mut runs: BTreeMap<(&str, &str), Vec<&Run>> = BTreeMap::new();
        for run in record.runs.iter().filter(|run| !run.is_replaced) {
            runs.entry((&run.workload, &run.allocator)).or_default().push(run);
        }
        let cell = |workload: &Workload, allocator: &str| {
            runs.get(&(workload.name.as_str(), allocator)).map_or(Cell::Absent, |runs| Cell::of(runs))
        };
        let row = |workload| record.allocators.iter().map(|column| cell(workload, &column.name)).collect();
        Self { record, cells: record.workloads.iter().map(row).collect() }
    }

    /// Returns one place of the tables.
    pub(crate) fn cell(&self, workload: usize, allocator: usize) -> &Cell {
        &self.cells[workload][allocator]
    }

    /// Returns what was measured at one place, if all went well there.
    pub(crate) fn summary(&self, workload: usize, allocator: usize) -> Option<&Summary> {
        match self.cell(workload, allocator) {
            Cell::Measured(summary) => Some(summary),
            Cell::Failed(_) | Cell::Absent => None,
        }
    }

    /// Returns a positive value of a metric at one place.
    pub(crate) fn value(&self, metric: Metric, workload: usize, allocator: usize) -> Option<f64> {
        self.summary(workload, allocator)
            .and_then(|summary| summary.value(metric))
            .filter(|value| *value > 0.0)
    }

    /// Returns a value of a metric as a multiple of the reference's.
    pub(crate) fn ratio(&self, metric: Metric, workload: usize, allocator: usize) -> Option<f64> {
        Some(self.value(metric, workload, allocator)? / self.value(metric, workload, self.reference())?)
    }

    /// Lists workload, allocator and reason of everything that failed.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let places = self.workloads().flat_map(|one| self.columns().map(move |column| (one, column)));
        places.filter_map(|(workload, allocator)| match self.cell(workload, allocator) {
            Cell::Failed(reason) => {
                let names = (&self.record.workloads[workload].name, &self.record.allocators[allocator].name);
                Some((names.0.as_str(), names.1.as_str(), reason.as_str()))
            }
            Cell::Measured(_) | Cell::Absent => None,
        })
    }

    /// Returns the place of an allocator, if it is one of the columns.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.record.allocators.iter().position(|column| column.name == name)
    }

    /// Returns the column that the others are compared with.
    pub(crate) fn reference(&self) -> usize {
        self.column(REFERENCE).unwrap_or(0)
    }

    /// Returns all columns.
    pub(crate) fn columns(&self) -> core::ops::Range<usize> {
        0..self.record.allocators.len()
    }

    /// Returns the columns of the known allocators that are not ours.
    pub(crate) fn peers(&self) -> impl Iterator<Item = usize> {
        self.columns().filter(|column| {
            let name = self.record.allocators[*column].name.as_str();
            name != OURS && allocator::ALL.contains(&name)
        })
    }

    /// Returns all rows.
    pub(crate) fn workloads(&self) -> core::ops::Range<usize> {
        0..self.record.workloads.len()
    }

    /// Returns the rows that are part of means and ratios.
    pub(crate) fn counted(&self) -> impl Iterator<Item = usize> {
        self.workloads().filter(|workload| self.record.workloads[*workload].is_counted)
    }

    /// Returns the rows over which a metric is averaged, of one group or of all.
    pub(crate) fn averaged(&self, metric: Metric, group: Option<Group>) -> Vec<usize> {
        let is_whole = |workload: &usize| {
            self.columns().all(|allocator| self.value(metric, *workload, allocator).is_some())
        };
        let is_in_group =
            |workload: &usize| group.is_none_or(|group| self.record.workloads[*workload].group == group);
        self.counted().filter(is_in_group).filter(is_whole).collect()
    }

    /// Returns the geometric mean of an allocator's ratios.
    pub(crate) fn mean(&self, metric: Metric, group: Option<Group>, allocator: usize) -> Option<f64> {
        let rows = self.averaged(metric, group);
        statistics::geometric_mean(rows.into_iter().filter_map(|row| self.ratio(metric, row, allocator)))
    }

    /// Returns the peer that does best at one workload.
    pub(crate) fn best_peer(&self, metric: Metric, workload: usize) -> Option<usize> {
        let with_value = |peer| Some((peer, self.value(metric, workload, peer)?));
        let best = self.peers().filter_map(with_value).min_by(|a, b| a.1.total_cmp(&b.1));
        best.map(|(peer, _)| peer)
    }

    /// Returns the geometric mean of the best peer's ratio at each workload: what no peer reaches everywhere.
    pub(crate) fn mean_of_best_peers(&self, metric: Metric, group: Option<Group>) -> Option<f64> {
        let rows = self.averaged(metric, group);
        let best = rows.into_iter().filter_map(|row| self.ratio(metric, row, self.best_peer(metric, row)?));
        statistics::geometric_mean(best)
    }
}

impl Cell {
    fn of(runs: &[&Run]) -> Self {
        if let Some(reason) = runs.iter().find_map(|run| run.failure.as_ref()) {
            return Self::Failed(reason.clone());
        }
        let measured: Vec<&Measurement> = runs.iter().filter_map(|run| run.measured.as_ref()).collect();
        let disturbed = runs.iter().filter(|run| run.is_disturbed).count();
        Summary::of(&measured, disturbed).map_or(Self::Absent, Self::Measured)
    }
}

impl Summary {
    /// Sums up at least one measurement.
    fn of(measured: &[&Measurement], disturbed: usize) -> Option<Self> {
        let times = measured.iter().map(|one| one.time);
        // Half an answer is none: a median over some of the runs would not say which.
        let median_if_all = |of: fn(&Measurement) -> Option<f64>| {
            measured.iter().map(|one| of(one)).collect::<Option<Vec<f64>>>().and_then(statistics::median)
        };
        let mut figures = BTreeMap::new();
        for name in measured.iter().flat_map(|one| one.figures.keys()) {
            let all: Vec<&Figure> = measured.iter().filter_map(|one| one.figures.get(name)).collect();
            if let (Some(value), Some(first)) =
                (statistics::median(all.iter().map(|one| one.value)), all.first())
            {
                figures.insert(name.clone(), Figure { value, unit: first.unit.clone() });
            }
        }
        Some(Self {
            best: statistics::least(times.clone())?,
            median: statistics::median(times.clone())?,
            spread: statistics::spread(times)?,
            user: median_if_all(|one| one.user),
            system: median_if_all(|one| one.system),
            peak_rss: statistics::median(measured.iter().map(|one| one.peak_rss))?,
            faults: median_if_all(|one| one.faults),
            figures,
            disturbed,
        })
    }

    fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Time => Some(self.best),
            Metric::PeakRss => Some(self.peak_rss),
            Metric::Processor => Some(self.user? + self.system?),
            Metric::Faults => self.faults,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::{record, run, workload};

    fn near(got: Option<f64>, expected: f64) -> bool {
        got.is_some_and(|got| (got - expected).abs() < 1e-9)
    }

    fn sample() -> Record {
        let runs = vec![
            run("a", "mallow", 1.0, 50.0),
            run("a", "mallow", 3.0, 70.0),
            run("a", "mallow", 1.5, 60.0),
            run("a", "mimalloc3", 2.0, 100.0),
            run("a", "glibc", 4.0, 25.0),
            run("b", "mallow", 2.0, 50.0),
            run("b", "mimalloc3", 1.0, 100.0),
            run("b", "glibc", 0.5, 400.0),
            run("c", "mallow", 2.0, 50.0),
            run("c", "mimalloc3", 1.0, 100.0),
        ];
        let workloads =
            vec![workload("a", Group::Single), workload("b", Group::Large), workload("c", Group::Large)];
        record(&["mallow", "mimalloc3", "glibc"], workloads, runs)
    }

    #[test]
    fn time_is_the_best_and_memory_the_median() {
        let record = sample();
        let comparison = Comparison::of(&record);
        let summary = comparison.summary(0, 0).unwrap();
        assert_eq!((summary.best, summary.median, summary.peak_rss, summary.spread), (1.0, 1.5, 60.0, 2.0));
    }

    #[test]
    fn ratios_are_against_the_reference() {
        let record = sample();
        let comparison = Comparison::of(&record);
        assert!(near(comparison.ratio(Metric::Time, 0, 0), 0.5));
        assert!(near(comparison.ratio(Metric::PeakRss, 1, 2), 4.0));
        assert_eq!(comparison.ratio(Metric::Time, 2, 2), None);
    }

    #[test]
    fn means_are_over_what_everybody_finished() {
        let record = sample();
        let comparison = Comparison::of(&record);
        assert_eq!(comparison.averaged(Metric::Time, None), [0, 1]);
        assert!(near(comparison.mean(Metric::Time, None, 0), 1.0));
        assert!(near(comparison.mean(Metric::Time, Some(Group::Large), 0), 2.0));
        assert_eq!(comparison.mean(Metric::Time, Some(Group::Threads), 0), None);
    }

    #[test]
    fn the_best_peer_is_found_per_workload() {
        let record = sample();
        let comparison = Comparison::of(&record);
        assert_eq!(comparison.best_peer(Metric::Time, 0), Some(1));
        assert_eq!(comparison.best_peer(Metric::Time, 1), Some(2));
        // 1.0 at a, 0.5 at b.
        assert!(near(comparison.mean_of_best_peers(Metric::Time, None), 0.5f64.sqrt()));
    }

    #[test]
    fn one_failed_run_fails_the_cell_and_takes_the_workload_out_of_the_means() {
        let mut record = sample();
        let failure = Some("killed by signal 11".to_owned());
        record.runs.push(Run { measured: None, failure, ..run("b", "glibc", 1.0, 1.0) });
        let comparison = Comparison::of(&record);
        assert_eq!(comparison.averaged(Metric::Time, None), [0]);
        let failures: Vec<_> = comparison.failures().collect();
        assert_eq!(failures, [("b", "glibc", "killed by signal 11")]);
    }

    #[test]
    fn replaced_runs_and_uncounted_workloads_stay_out() {
        let mut record = sample();
        record.runs.push(Run { is_replaced: true, ..run("a", "mallow", 0.1, 1.0) });
        record.workloads[1].is_counted = false;
        let comparison = Comparison::of(&record);
        assert!(near(comparison.value(Metric::Time, 0, 0), 1.0));
        assert_eq!(comparison.averaged(Metric::Time, None), [0]);
    }
}
