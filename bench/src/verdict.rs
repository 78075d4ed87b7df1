//! Verdicts: what mallow promises to hold in one run of the suite, judged from the comparison.
//!
//! Each line says whether it holds and names what does not. A line is not judged if an allocator or a workload that it
//! speaks of was not run. Called by `page`.

use crate::allocator::{self, GLIBC, OURS, REFERENCE};
use crate::comparison::{Comparison, Metric};
use crate::statistics;
use crate::table;

/// The geometric mean of time must not be above this multiple of the reference's.
const MEAN_TIME: f64 = 0.94;

/// The same for the peak of the resident set.
const MEAN_RSS: f64 = 0.60;

/// Those that are fast; no workload may be slower than this multiple of the best of them.
const FAST: [&str; 3] = ["mimalloc2", "mimalloc3", "snmalloc"];
const SLOWER: f64 = 1.10;

/// Those that are lean; no workload may take more than this multiple of the leanest of them.
const LEAN: [&str; 4] = ["jemalloc", "rpmalloc", "snmalloc", "glibc"];
const FATTER: f64 = 1.25;

/// How much longer a single workload may seem to take without being slower: the noise of a best time.
const NOISE: f64 = 1.02;

/// The part of the throughput with two threads that more threads must keep.
const KEPT_THROUGHPUT: f64 = 0.9;

/// The smallest process, and KiB that it may have beyond glibc's.
const SMALLEST: (&str, &str) = ("smallest-process", "private_dirty");
const SMALLEST_MARGIN: f64 = 64.0;

/// The process of a thousand threads that sleep.
const IDLE_THREADS: (&str, &str) = ("idle-threads", "rss");

/// A figure of those workloads that leave a burst behind, and of no other.
const MARK_OF_A_BURST: &str = "rss_freed";

/// Workloads that must not take longer than a peer does: the workload and the peers.
const GROWTH: (&str, &[&str]) = ("growing-vector", &[GLIBC]);
const ZEROED: (&str, &[&str]) = ("calloc-large", &allocator::ALL);

/// One promise.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    /// What was promised.
    pub(crate) promise: String,
    /// Whether it holds; `None` if it could not be judged.
    pub(crate) holds: Option<bool>,
    /// The number, or the offenders by name, or why it was not judged.
    pub(crate) detail: String,
}

/// Something that a promise is about, with what it is and what it may be.
struct Claim {
    name: String,
    is: f64,
    may_be: f64,
}

/// Judges every promise.
pub(crate) fn judge(comparison: &Comparison<'_>) -> Vec<Verdict> {
    let Some(ours) = comparison.column(OURS) else { return Vec::new() };
    let judge = Judge { comparison, ours };
    vec![
        judge.mean(Metric::Time, "time", MEAN_TIME),
        judge.below_every_peer(Metric::Time, "time"),
        judge.mean(Metric::PeakRss, "peak RSS", MEAN_RSS),
        judge.below_every_peer(Metric::PeakRss, "peak RSS"),
        judge.each(Metric::Time, "slower", &FAST, SLOWER),
        judge.each(Metric::PeakRss, "fatter", &LEAN, FATTER),
        judge.scaling(),
        judge.no_slower("growth to 1 GiB no slower than glibc's mremap", GROWTH),
        judge.no_slower("calloc of 1 to 64 MiB no slower than the fastest peer", ZEROED),
        judge.idle("rss_after", "RSS 2 s after a burst the lowest of all peers"),
        judge.idle("rss_light", "RSS after 2 s of little work the lowest of all peers"),
        judge.against_glibc(SMALLEST, SMALLEST_MARGIN),
        judge.against_glibc(IDLE_THREADS, 0.0),
    ]
}

struct Judge<'a> {
    comparison: &'a Comparison<'a>,
    ours: usize,
}

impl Judge<'_> {
    fn mean(&self, metric: Metric, what: &str, bound: f64) -> Verdict {
        let promise = format!("geometric mean of {what} at most {bound:.2} of {REFERENCE}");
        if self.comparison.column(REFERENCE).is_none() {
            return Verdict::not_judged(promise, format!("{REFERENCE} was not run"));
        }
        match self.comparison.mean(metric, None, self.ours) {
            Some(mean) => Verdict { promise, holds: Some(mean <= bound), detail: format!("{mean:.3}") },
            None => Verdict::not_judged(promise, "no workload was finished by all".to_owned()),
        }
    }

    fn below_every_peer(&self, metric: Metric, what: &str) -> Verdict {
        let promise = format!("geometric mean of {what} below every peer");
        let mean = |column| self.comparison.mean(metric, None, column);
        let Some(own) = mean(self.ours) else {
            return Verdict::not_judged(promise, "no workload was finished by all".to_owned());
        };
        let claims = self.comparison.peers().filter_map(|peer| {
            // Equal is not below.
            let may_be = mean(peer)?.next_down();
            Some(Claim { name: self.name(peer), is: own, may_be })
        });
        Verdict::of(promise, claims, |claim| format!("{} ({:.3})", claim.name, claim.may_be / claim.is))
    }

    /// No workload beyond a multiple of the best of some peers.
    fn each(&self, metric: Metric, what: &str, peers: &[&str], factor: f64) -> Verdict {
        let promise = format!("no workload {what} than {factor:.2} x the best of {}", peers.join(", "));
        let columns: Vec<Option<usize>> = peers.iter().map(|peer| self.comparison.column(peer)).collect();
        let Some(columns) = columns.into_iter().collect::<Option<Vec<usize>>>() else {
            return Verdict::not_judged(promise, "not all of them were run".to_owned());
        };
        let claims = self.comparison.counted().filter_map(|row| {
            let best = columns.iter().filter_map(|column| self.comparison.value(metric, row, *column));
            let best = statistics::least(best)?;
            let is = self.comparison.value(metric, row, self.ours)? / best;
            Some(Claim { name: self.comparison.record.workloads[row].name.clone(), is, may_be: factor })
        });
        let missing =
            self.comparison.counted().filter(|row| self.comparison.summary(*row, self.ours).is_none());
        let missing: Vec<String> =
            missing.map(|row| self.comparison.record.workloads[row].name.clone()).collect();
        let mut verdict = Verdict::of(promise, claims, |claim| format!("{} ({:.2})", claim.name, claim.is));
        if !missing.is_empty() {
            verdict.holds = verdict.holds.map(|_| false);
            verdict.detail = format!("{}; not finished: {}", verdict.detail, missing.join(", "));
        }
        verdict
    }

    fn scaling(&self) -> Verdict {
        let promise = format!("more threads keep {KEPT_THROUGHPUT} of the throughput of two");
        let claims = table::families(self.comparison).into_iter().filter_map(|(few, many)| {
            let kept = table::kept_throughput(self.comparison, few, many, self.ours)?;
            // What is lost is what must stay below a bound.
            Some(Claim {
                name: self.comparison.record.workloads[many].name.clone(),
                is: 1.0 - kept,
                may_be: 1.0 - KEPT_THROUGHPUT,
            })
        });
        Verdict::of(promise, claims, |claim| format!("{} ({:.2})", claim.name, 1.0 - claim.is))
    }

    /// One workload's time against the best of some peers; what is within the noise of one workload is equal.
    fn no_slower(&self, promise: &str, (workload, peers): (&str, &[&str])) -> Verdict {
        let claims = self.rows(workload).filter_map(|row| {
            let times = self.comparison.peers().filter(|peer| peers.contains(&self.name(*peer).as_str()));
            let times = times.filter_map(|peer| self.comparison.value(Metric::Time, row, peer));
            let best = statistics::least(times)?;
            let is = self.comparison.value(Metric::Time, row, self.ours)? / best;
            Some(Claim { name: workload.to_owned(), is, may_be: NOISE })
        });
        Verdict::of(promise.to_owned(), claims, |claim| format!("{} ({:.3})", claim.name, claim.is))
    }

    /// What a burst leaves behind, which must be the lowest of all.
    fn idle(&self, figure: &str, promise: &str) -> Verdict {
        let claims = self.comparison.workloads().filter_map(|row| {
            self.figure(row, self.ours, MARK_OF_A_BURST)?;
            let is = self.figure(row, self.ours, figure)?;
            let peers = self.comparison.peers().filter_map(|peer| self.figure(row, peer, figure));
            let name = self.comparison.record.workloads[row].name.clone();
            Some(Claim { name, is, may_be: statistics::least(peers)? })
        });
        Verdict::of(promise.to_owned(), claims, |claim| {
            format!("{} ({:.0} KiB, best peer {:.0})", claim.name, claim.is, claim.may_be)
        })
    }

    /// A figure of one workload that must not be above glibc's by more than a margin.
    fn against_glibc(&self, (workload, figure): (&str, &str), margin: f64) -> Verdict {
        let promise = format!("{workload}: {figure} at most glibc's and {margin:.0} KiB");
        let Some(glibc) = self.comparison.column(GLIBC) else {
            return Verdict::not_judged(promise, "glibc was not run".to_owned());
        };
        let claims = self.rows(workload).filter_map(|row| {
            let is = self.figure(row, self.ours, figure)?;
            let may_be = self.figure(row, glibc, figure)? + margin;
            Some(Claim { name: workload.to_owned(), is, may_be })
        });
        Verdict::of(promise, claims, |claim| {
            format!("{} ({:.0} KiB, allowed {:.0})", claim.name, claim.is, claim.may_be)
        })
    }

    fn rows(&self, workload: &str) -> impl Iterator<Item = usize> {
        self.comparison.workloads().filter(move |row| self.comparison.record.workloads[*row].name == workload)
    }

    fn figure(&self, row: usize, column: usize, name: &str) -> Option<f64> {
        Some(self.comparison.summary(row, column)?.figures.get(name)?.value)
    }

    fn name(&self, column: usize) -> String {
        self.comparison.record.allocators[column].name.clone()
    }
}

impl Verdict {
    /// Judges claims: all must hold, and there must be some.
    fn of(promise: String, claims: impl Iterator<Item = Claim>, offender: impl Fn(&Claim) -> String) -> Self {
        let claims: Vec<Claim> = claims.collect();
        if claims.is_empty() {
            return Self::not_judged(promise, "nothing of the kind was run".to_owned());
        }
        let count = claims.len();
        let mut offenders: Vec<Claim> = claims.into_iter().filter(|claim| claim.is > claim.may_be).collect();
        if offenders.is_empty() {
            return Self { promise, holds: Some(true), detail: format!("all {count}") };
        }
        offenders.sort_by(|a, b| (b.is / b.may_be).total_cmp(&(a.is / a.may_be)));
        let names: Vec<String> = offenders.iter().map(offender).collect();
        Self {
            promise,
            holds: Some(false),
            detail: format!("{} of {count}: {}", names.len(), names.join(", ")),
        }
    }

    fn not_judged(promise: String, detail: String) -> Self {
        Self { promise, holds: None, detail }
    }

    /// Returns the answer as a word.
    pub(crate) const fn word(&self) -> &'static str {
        match self.holds {
            Some(true) => "true",
            Some(false) => "false",
            None => "not judged",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figure;
    use crate::manifest::Group;
    use crate::record::tests::{record, run, workload};
    use crate::record::{Record, Run, Workload};

    const ALLOCATORS: [&str; 7] =
        [OURS, "mimalloc3", "mimalloc2", "snmalloc", "jemalloc", "rpmalloc", "glibc"];

    /// One workload per pair of time and KiB of ours; every peer takes 1 s and 100 KiB.
    fn sample(ours: &[(f64, f64)]) -> Record {
        let (mut workloads, mut runs) = (Vec::new(), Vec::new());
        for (place, (time, rss)) in ours.iter().enumerate() {
            let name = format!("w{place}");
            runs.extend(ALLOCATORS[1..].iter().map(|peer| run(&name, peer, 1.0, 100.0)));
            runs.push(run(&name, OURS, *time, *rss));
            workloads.push(workload(&name, Group::Single));
        }
        record(&ALLOCATORS, workloads, runs)
    }

    fn verdicts(record: &Record) -> Vec<(Option<bool>, String)> {
        judge(&Comparison::of(record)).into_iter().map(|one| (one.holds, one.detail)).collect()
    }

    #[test]
    fn everything_holds_for_the_best() {
        let verdicts = verdicts(&sample(&[(0.9, 50.0), (0.9, 60.0)]));
        assert!(verdicts[..6].iter().all(|(holds, _)| *holds == Some(true)), "{verdicts:?}");
        assert_eq!(verdicts[0].1, "0.900");
    }

    #[test]
    fn offenders_are_named_worst_first() {
        let verdicts = verdicts(&sample(&[(1.11, 50.0), (0.5, 130.0), (2.0, 50.0), (1.1, 125.0)]));
        assert_eq!(verdicts[4], (Some(false), "2 of 4: w2 (2.00), w0 (1.11)".into()));
        assert_eq!(verdicts[5], (Some(false), "1 of 4: w1 (1.30)".into()));
    }

    #[test]
    fn equal_is_not_below() {
        let verdicts = verdicts(&sample(&[(1.0, 100.0)]));
        assert_eq!((verdicts[1].0, verdicts[3].0), (Some(false), Some(false)));
        assert!(verdicts[1].1.starts_with("6 of 6: "), "{}", verdicts[1].1);
    }

    #[test]
    fn nothing_is_judged_without_those_it_speaks_of() {
        let mut record = sample(&[(0.5, 10.0)]);
        record.allocators.retain(|one| one.name != "snmalloc" && one.name != "mimalloc3");
        let judged = verdicts(&record);
        assert_eq!((judged[0].0, judged[4].0, judged[5].0), (None, None, None));
        assert_eq!(judged[1].0, Some(true));
        record.allocators.retain(|one| one.name != OURS);
        assert!(verdicts(&record).is_empty());
    }

    #[test]
    fn what_ours_does_not_finish_is_an_offence() {
        let mut record = sample(&[(0.5, 10.0), (0.5, 10.0)]);
        let failure = Some("wrong output".to_owned());
        record.runs.push(Run { measured: None, failure, ..run("w1", OURS, 1.0, 1.0) });
        assert_eq!(verdicts(&record)[4], (Some(false), "all 1; not finished: w1".into()));
    }

    #[test]
    fn throughput_must_be_kept() {
        let mut record = sample(&[(1.0, 1.0), (1.12, 1.0)]);
        for (place, threads) in [(0, 2), (1, 8)] {
            let one = &mut record.workloads[place];
            *one = Workload { threads: Some(threads), scaling: Some("s".into()), ..one.clone() };
        }
        assert_eq!(verdicts(&record)[6], (Some(false), "1 of 1: w1 (0.89)".into()));
    }

    #[test]
    fn what_a_burst_leaves_is_compared_with_the_best_peer() {
        let mut record = sample(&[(1.0, 1.0), (1.0, 1.0)]);
        for one in record.runs.iter_mut().filter(|one| one.workload == "w0") {
            let value = if one.allocator == OURS { 300.0 } else { 299.0 };
            tell(one, "rss_after", value);
            tell(one, "rss_freed", value);
        }
        // Not after a burst.
        record.runs.iter_mut().filter(|one| one.workload == "w1").for_each(|one| tell(one, "rss_after", 1.0));
        assert_eq!(verdicts(&record)[9], (Some(false), "1 of 1: w0 (300 KiB, best peer 299)".into()));
        assert_eq!(verdicts(&record)[10].0, None);
    }

    #[test]
    fn the_smallest_process_may_have_a_little_more_than_glibc_s() {
        let mut record = sample(&[(1.0, 1.0)]);
        record.workloads[0].name = "smallest-process".into();
        for one in &mut record.runs {
            one.workload = "smallest-process".into();
            tell(one, "private_dirty", if one.allocator == OURS { 164.0 } else { 100.0 });
        }
        assert_eq!(verdicts(&record)[11].0, Some(true));
        record
            .runs
            .iter_mut()
            .filter(|one| one.allocator == OURS)
            .for_each(|one| tell(one, "private_dirty", 165.0));
        assert_eq!(verdicts(&record)[11].1, "1 of 1: smallest-process (165 KiB, allowed 164)");
    }

    #[test]
    fn growth_is_compared_with_glibc_alone() {
        let mut record = sample(&[(1.1, 1.0)]);
        record.workloads[0].name = "growing-vector".into();
        for one in &mut record.runs {
            one.workload = "growing-vector".into();
            let is_glibc = one.allocator == GLIBC;
            one.measured.as_mut().filter(|_| is_glibc).into_iter().for_each(|measured| measured.time = 1.2);
        }
        let verdicts = verdicts(&record);
        assert_eq!((verdicts[7].0, verdicts[8].0), (Some(true), None));
    }

    fn tell(run: &mut Run, name: &str, value: f64) {
        let figures = &mut run.measured.as_mut().unwrap().figures;
        figures.insert(name.into(), Figure { value, unit: "KiB".into() });
    }
}
