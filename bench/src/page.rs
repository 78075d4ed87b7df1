//! The page: what a person gets to read of a record, on a terminal or as Markdown.

use crate::comparison::{Comparison, Metric};
use crate::record::Record;
use crate::table;
use crate::verdict::{self, Verdict};

/// With this many workloads or fewer, every figure of them is shown unasked.
const FEW: usize = 4;

/// What means are shown of.
const MEANS: [(Metric, &str); 4] = [
    (Metric::Time, "time"),
    (Metric::PeakRss, "peak RSS"),
    (Metric::Processor, "user and system time"),
    (Metric::Faults, "page faults"),
];

/// A part of the page.
struct Section {
    title: String,
    body: String,
}

/// Returns the page for a terminal.
pub(crate) fn text(record: &Record, comparison: &Comparison<'_>, has_details: bool) -> String {
    let sections = sections(record, comparison, has_details);
    sections.iter().map(|one| format!("\n{}\n\n{}", one.title, one.body)).collect()
}

/// Returns the page as it is stored beside the record.
pub(crate) fn markdown(record: &Record, comparison: &Comparison<'_>, stem: &str) -> String {
    let heading =
        format!("# {stem}\n\nEvery single run: `{stem}.json`. Time against memory:\n\n![]({stem}.svg)\n");
    let sections = sections(record, comparison, true);
    let body = sections.iter().map(|one| format!("\n## {}\n\n```text\n{}```\n", one.title, one.body));
    [heading].into_iter().chain(body).collect()
}

fn sections(record: &Record, comparison: &Comparison<'_>, has_details: bool) -> Vec<Section> {
    let rounds = record.settings.rounds;
    let reference = &record.allocators[comparison.reference()].name;
    let mut sections = Vec::new();
    let mut add = |title: String, body: String| sections.push(Section { title, body });
    add("What was measured".to_owned(), setting(record));
    if comparison.counted().next().is_some() {
        let title = |what: &str| format!("{what}, as a multiple of {reference}; * marks the best peer");
        add(title(&format!("Time, best of {rounds}")), table::workloads(comparison, Metric::Time));
        add(title(&format!("Peak RSS, median of {rounds}")), table::workloads(comparison, Metric::PeakRss));
    }
    for (metric, what) in MEANS {
        if !comparison.averaged(metric, None).is_empty() {
            let title = format!("Geometric means of {what} (workloads that all finished)");
            add(title, table::means(comparison, metric));
        }
    }
    if let Some(body) = table::scaling(comparison) {
        add("Throughput kept with more threads".to_owned(), body);
    }
    if let Some(body) = table::figures(comparison) {
        add(format!("Figures of the workloads' own, median of {rounds}"), body);
    }
    if has_details || record.workloads.len() <= FEW {
        add("Every workload on every allocator".to_owned(), table::details(comparison));
    }
    let missing = missing(record, comparison);
    if !missing.is_empty() {
        add("What is missing".to_owned(), missing);
    }
    let verdicts = promises(comparison, has_details);
    if !verdicts.is_empty() {
        add("Must hold".to_owned(), verdicts);
    }
    sections
}

/// What was promised and whether it holds; what could not be judged is one line unless details are wanted.
fn promises(comparison: &Comparison<'_>, has_details: bool) -> String {
    let (judged, others): (Vec<_>, Vec<_>) =
        verdict::judge(comparison).into_iter().partition(|one| one.holds.is_some());
    let line = |one: &Verdict| format!("{:10}  {}: {}\n", one.word(), one.promise, one.detail);
    let mut lines: Vec<String> = judged.iter().map(line).collect();
    if has_details {
        lines.extend(others.iter().map(line));
    } else if !others.is_empty() {
        lines.push(format!("not judged  {} more, about what was not run\n", others.len()));
    }
    lines.concat()
}

/// Machine, settings and versions.
fn setting(record: &Record) -> String {
    let Record { date, machine, settings, .. } = record;
    let order = if settings.by_workload { "by workload" } else { "interleaved" };
    let on: String = record.resumed.iter().map(|date| format!(", went on {date}")).collect();
    let mut lines = vec![
        format!("date        {date}{on}"),
        format!("machine     {}, {} cores, {} GiB", machine.processor, machine.cores, machine.memory_gib),
        format!("system      {}, Linux {}, glibc {}", machine.system, machine.kernel, machine.glibc),
        format!("huge pages  {}", machine.huge_pages),
        format!("compilers   {}", machine.compilers.join("; ")),
        format!(
            "rounds      {}, {order}; {} GiB touched before each run",
            settings.rounds, settings.warm_gib
        ),
    ];
    for one in &record.allocators {
        let pairs: String = one.environment.iter().map(|(name, value)| format!(", {name}={value}")).collect();
        lines.push(format!("{:10}  {}{pairs}", one.name, one.version));
    }
    let disturbed = record.runs.iter().filter(|run| run.is_disturbed && !run.is_replaced).count();
    let usual = settings.calibration * 1000.0;
    lines.push(format!(
        "disturbed   {disturbed} of {} runs, by a loop that takes {usual:.1} ms; load at the start {}",
        record.runs.iter().filter(|run| !run.is_replaced).count(),
        machine.load
    ));
    if machine.is_busy() {
        lines.push("            the machine was busy: do not believe the times".to_owned());
    }
    lines.join("\n") + "\n"
}

/// What failed and what could not be run.
fn missing(record: &Record, comparison: &Comparison<'_>) -> String {
    let failures = comparison
        .failures()
        .map(|(workload, allocator, reason)| format!("failed   {workload} on {allocator}: {reason}\n"));
    let skips = record.skips.iter().map(|skip| {
        let on = skip.allocator.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
        format!("skipped  {}{on}: {}\n", skip.workload, skip.reason)
    });
    failures.chain(skips).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Group;
    use crate::record::tests::{record, run, workload};
    use crate::record::{Run, Skip};

    #[test]
    fn failures_and_skips_are_named() {
        let failure = Some("wrong output".to_owned());
        let runs = vec![
            run("a", "mallow", 1.0, 1.0),
            Run { measured: None, failure, ..run("a", "glibc", 1.0, 1.0) },
        ];
        let mut record = record(&["mallow", "glibc"], vec![workload("a", Group::Single)], runs);
        let reason = "z3 is not installed".to_owned();
        record.skips.push(Skip { workload: "z".into(), allocator: None, reason });
        let text = text(&record, &Comparison::of(&record), false);
        assert!(text.contains("failed   a on glibc: wrong output"), "{text}");
        assert!(text.contains("skipped  z: z3 is not installed"), "{text}");
        assert!(!text.contains("Geometric means"), "{text}");
    }

    #[test]
    fn markdown_has_a_heading_per_table_and_fences_that_close() {
        let record =
            record(&["mallow"], vec![workload("a", Group::Single)], vec![run("a", "mallow", 1.0, 1.0)]);
        let page = markdown(&record, &Comparison::of(&record), "2026-01-02-x");
        assert!(page.starts_with("# 2026-01-02-x\n"));
        assert!(page.contains("\n## Must hold\n"));
        assert_eq!(page.matches("```").count() % 2, 0);
    }
}
