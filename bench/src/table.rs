//! Tables: plain aligned text, narrow enough for a terminal of 140 columns.
//!
//! A ratio is against the reference column. A star marks the best peer of a row.

use comfy_table::{CellAlignment, Table, presets};

use crate::comparison::{Cell, Comparison, Metric, Summary};
use crate::manifest::{Group, Manifest};

/// What stands where there is nothing.
const NOTHING: &str = "-";

/// Lays out rows; the first column is left-aligned, the others right-aligned.
fn lay_out(header: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header).add_rows(rows);
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        column.set_cell_alignment(if place == 0 { CellAlignment::Left } else { CellAlignment::Right });
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// The workloads, for `--list`.
pub(crate) fn list(manifests: &[Manifest]) -> String {
    let width = manifests.iter().map(|one| one.name.len()).max().unwrap_or(0);
    let line = |one: &Manifest| {
        let counted = if one.is_counted { "" } else { " (figures of its own)" };
        format!("{:width$}  {:8}  {}{counted}\n", one.name, one.group.name(), one.role)
    };
    manifests.iter().map(line).collect()
}

/// Geometric means, all together and by group, one row per allocator.
pub(crate) fn means(comparison: &Comparison<'_>, metric: Metric) -> String {
    let all = [None].into_iter().chain(Group::ALL.map(Some));
    let groups: Vec<_> = all.filter(|group| !comparison.averaged(metric, *group).is_empty()).collect();
    let name = |group: &Option<Group>| {
        let count = comparison.averaged(metric, *group).len();
        format!("{} ({count})", group.map_or("all", Group::name))
    };
    let header = [String::new()].into_iter().chain(groups.iter().map(name)).collect();
    let mut rows: Vec<Vec<String>> = comparison
        .columns()
        .map(|column| {
            let means = groups.iter().map(|group| ratio(comparison.mean(metric, *group, column)));
            [column_name(comparison, column)].into_iter().chain(means).collect()
        })
        .collect();
    let best = groups.iter().map(|group| ratio(comparison.mean_of_best_peers(metric, *group)));
    rows.push(["best peer of each".to_owned()].into_iter().chain(best).collect());
    lay_out(header, rows)
}

/// One row per counted workload: the reference's value, and everybody's ratio to it.
pub(crate) fn workloads(comparison: &Comparison<'_>, metric: Metric) -> String {
    let reference = comparison.reference();
    let unit = match metric {
        Metric::Time | Metric::Processor => "s",
        Metric::PeakRss => "MiB",
        Metric::Faults => "faults",
    };
    let names = comparison.columns().map(|column| column_name(comparison, column));
    let header = [String::new(), unit.to_owned()].into_iter().chain(names.map(|name| name + " ")).collect();
    let mut rows = Vec::new();
    for group in Group::ALL {
        for row in comparison.counted().filter(|row| comparison.record.workloads[*row].group == group) {
            let value =
                comparison.value(metric, row, reference).map_or(NOTHING.to_owned(), |value| match metric {
                    Metric::Time | Metric::Processor => format!("{value:.3}"),
                    Metric::PeakRss => format!("{:.1}", value / 1024.0),
                    Metric::Faults => format!("{value:.0}"),
                });
            let best = comparison.best_peer(metric, row);
            let cells = comparison.columns().map(|column| {
                let mark = if best == Some(column) { '*' } else { ' ' };
                match comparison.cell(row, column) {
                    Cell::Measured(_) => format!("{}{mark}", ratio(comparison.ratio(metric, row, column))),
                    Cell::Failed(_) => "failed ".to_owned(),
                    Cell::Absent => format!("{NOTHING} "),
                }
            });
            let name = comparison.record.workloads[row].name.clone();
            rows.push([name, value].into_iter().chain(cells).collect());
        }
    }
    let count = comparison.averaged(metric, None).len();
    let means = comparison.columns().map(|column| ratio(comparison.mean(metric, None, column)) + " ");
    rows.push([format!("geometric mean of {count}"), String::new()].into_iter().chain(means).collect());
    lay_out(header, rows)
}

/// Throughput at more threads as a part of that at two, one row per family and number of threads.
pub(crate) fn scaling(comparison: &Comparison<'_>) -> Option<String> {
    let names = comparison.columns().map(|column| column_name(comparison, column));
    let header = [String::new()].into_iter().chain(names).collect();
    let row = |(few, many): (usize, usize)| {
        let workloads = &comparison.record.workloads;
        let threads = |place: usize| workloads[place].threads.unwrap_or(0);
        let family = workloads[many].scaling.clone().unwrap_or_default();
        let name = format!("{family}: {} threads against {}", threads(many), threads(few));
        let kept = comparison.columns().map(|column| ratio(kept_throughput(comparison, few, many, column)));
        [name].into_iter().chain(kept).collect::<Vec<_>>()
    };
    let rows: Vec<_> = families(comparison).into_iter().map(row).collect();
    (!rows.is_empty()).then(|| lay_out(header, rows))
}

/// Pairs of workloads that do the same work with few and with more threads.
pub(crate) fn families(comparison: &Comparison<'_>) -> Vec<(usize, usize)> {
    let workloads = &comparison.record.workloads;
    let mut pairs = Vec::new();
    for many in comparison.workloads().filter(|place| workloads[*place].scaling.is_some()) {
        let is_family = |place: &usize| workloads[*place].scaling == workloads[many].scaling;
        let few = comparison.workloads().filter(is_family).min_by_key(|place| workloads[*place].threads);
        pairs.extend(few.filter(|few| *few != many).map(|few| (few, many)));
    }
    pairs.sort_by_key(|(few, many)| (*few, workloads[*many].threads));
    pairs
}

/// The same work with more threads: the part of the throughput that is kept.
pub(crate) fn kept_throughput(
    comparison: &Comparison<'_>,
    few: usize,
    many: usize,
    column: usize,
) -> Option<f64> {
    Some(comparison.value(Metric::Time, few, column)? / comparison.value(Metric::Time, many, column)?)
}

/// What workloads measured themselves, one row per figure.
pub(crate) fn figures(comparison: &Comparison<'_>) -> Option<String> {
    let names = comparison.columns().map(|column| column_name(comparison, column));
    let header = [String::new(), "unit".to_owned()].into_iter().chain(names).collect();
    let mut rows = Vec::new();
    for row in comparison.workloads() {
        let workload = &comparison.record.workloads[row];
        let summaries = || comparison.columns().filter_map(|column| comparison.summary(row, column));
        let mut names: Vec<(&String, &String)> = summaries()
            .flat_map(|one| one.figures.iter().map(|(name, figure)| (name, &figure.unit)))
            .collect();
        names.sort_unstable();
        names.dedup();
        if !workload.is_counted {
            let peaks = comparison.columns().map(|column| match comparison.cell(row, column) {
                Cell::Measured(summary) => format!("{:.0}", summary.peak_rss),
                Cell::Failed(_) => "failed".to_owned(),
                Cell::Absent => NOTHING.to_owned(),
            });
            rows.push(
                [format!("{}: peak_rss", workload.name), "KiB".to_owned()].into_iter().chain(peaks).collect(),
            );
        }
        for (name, unit) in names {
            let values = comparison.columns().map(|column| {
                let figure = comparison.summary(row, column).and_then(|summary| summary.figures.get(name));
                figure.map_or(NOTHING.to_owned(), |figure| amount(figure.value))
            });
            rows.push(
                [format!("{}: {name}", workload.name), unit.clone()].into_iter().chain(values).collect(),
            );
        }
    }
    (!rows.is_empty()).then(|| lay_out(header, rows))
}

/// Every figure of every workload on every allocator.
pub(crate) fn details(comparison: &Comparison<'_>) -> String {
    let header =
        ["", "best s", "median s", "spread", "user s", "system s", "peak MiB", "faults", "time", "RSS"];
    let mut rows = Vec::new();
    for row in comparison.workloads() {
        for column in comparison.columns() {
            let name =
                format!("{} on {}", comparison.record.workloads[row].name, column_name(comparison, column));
            let Some(summary) = comparison.summary(row, column) else { continue };
            let Summary { best, median, spread, user, system, peak_rss, faults, .. } = summary;
            let seconds =
                |value: &Option<f64>| value.map_or(NOTHING.to_owned(), |value| format!("{value:.3}"));
            rows.push(vec![
                name,
                format!("{best:.3}"),
                format!("{median:.3}"),
                format!("{:.1} %", spread * 100.0),
                seconds(user),
                seconds(system),
                format!("{:.1}", peak_rss / 1024.0),
                faults.map_or(NOTHING.to_owned(), |faults| format!("{faults:.0}")),
                ratio(comparison.ratio(Metric::Time, row, column)),
                ratio(comparison.ratio(Metric::PeakRss, row, column)),
            ]);
        }
    }
    lay_out(header.map(str::to_owned).to_vec(), rows)
}

fn column_name(comparison: &Comparison<'_>, column: usize) -> String {
    comparison.record.allocators[column].name.clone()
}

fn ratio(value: Option<f64>) -> String {
    value.map_or(NOTHING.to_owned(), |value| format!("{value:.3}"))
}

/// A figure with as many digits as say something.
fn amount(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocator::{ALL, OURS};
    use crate::record::tests::{record, run, workload};
    use crate::record::{Record, Workload};

    fn sample() -> Record {
        let family = |name: &str, threads| Workload {
            threads: Some(threads),
            scaling: Some("server".into()),
            ..workload(name, Group::Threads)
        };
        let runs = vec![
            run("server-2", OURS, 1.0, 2048.0),
            run("server-8", OURS, 1.25, 2048.0),
            run("server-2", "mimalloc3", 2.0, 1024.0),
            run("server-8", "mimalloc3", 1.0, 1024.0),
        ];
        record(&[OURS, "mimalloc3"], vec![family("server-2", 2), family("server-8", 8)], runs)
    }

    #[test]
    fn rows_show_the_reference_and_ratios_and_mark_the_best_peer() {
        let record = sample();
        let text = workloads(&Comparison::of(&record), Metric::Time);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["server-2", "2.000", "0.500", "1.000*"]);
        assert!(lines[3].starts_with("geometric mean of 2"), "{text}");
        assert!(lines.iter().all(|line| line.len() <= 140 && !line.ends_with(' ')), "{text}");
    }

    #[test]
    fn nine_allocators_fit_into_140_columns() {
        let mut record =
            record(&ALL, vec![workload("a-name-of-twenty-eight-bytes", Group::Single)], Vec::new());
        for name in ALL {
            record.runs.push(run("a-name-of-twenty-eight-bytes", name, 12.0, 1.0e6));
        }
        let comparison = Comparison::of(&record);
        for text in
            [workloads(&comparison, Metric::PeakRss), means(&comparison, Metric::Time), details(&comparison)]
        {
            assert!(text.lines().all(|line| line.chars().count() <= 140), "{text}");
        }
    }

    #[test]
    fn throughput_is_compared_within_a_family() {
        let record = sample();
        let comparison = Comparison::of(&record);
        assert_eq!(families(&comparison), [(0, 1)]);
        let text = scaling(&comparison).unwrap();
        let last: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(last[last.len() - 2..], ["0.800", "2.000"], "{text}");
    }

    #[test]
    fn what_is_not_there_is_a_dash() {
        let mut record = sample();
        record.runs.retain(|run| run.workload != "server-8" || run.allocator == OURS);
        let text = workloads(&Comparison::of(&record), Metric::PeakRss);
        let second: Vec<&str> = text.lines().nth(2).unwrap().split_whitespace().collect();
        assert_eq!(second, ["server-8", "-", "-", "-"], "{text}");
        assert!(figures(&Comparison::of(&record)).is_none());
    }
}
