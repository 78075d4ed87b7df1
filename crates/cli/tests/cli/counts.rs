//! Counts: the summary tells what the program did, or that it cannot tell.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;

use crate::command::{MALLOW, assert_contains, mallow, output};

/// The loader of this machine, which can also be run as a program.
const LOADER: &str =
    if cfg!(target_arch = "aarch64") { "/lib/ld-linux-aarch64.so.1" } else { "/lib64/ld-linux-x86-64.so.2" };

pub(crate) fn trials() -> Vec<Trial> {
    let python = (!Path::new("/usr/bin/python3").exists()).then_some("/usr/bin/python3 is missing");
    let mut trials =
        crate::trials![a_real_program_is_counted, details_list_every_counter, details_list_the_size_classes,];
    trials = trials.into_iter().map(|trial| crate::unless(python, trial)).collect();
    trials.extend(crate::trials![
        says_so_if_nobody_counted,
        what_its_caller_ran_before_is_not_counted,
        quiet_is_quiet,
    ]);
    trials
}

/// Runs a line of Python and returns the summary.
fn summary_of_python(options: &[&str]) -> String {
    let program = ["--", "/usr/bin/python3", "-c", "print(sum(range(10)))"];
    let output = output(mallow(["run"]).args(options).args(program));
    assert_eq!(output.stdout, b"45\n", "{output:?}");
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn a_real_program_is_counted() {
    let summary = summary_of_python(&[]);
    let allocations = summary.lines().find_map(|line| line.trim().strip_prefix("allocations"));
    let count = allocations.and_then(|line| line.split(", ").next()).map(|count| count.replace(',', ""));
    let count: u64 = count.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
    assert!(count > 1_000, "{summary}");
}

fn details_list_every_counter() {
    let summary = summary_of_python(&["--stats"]);
    for part in ["counters of process", "peak live", "reserved", "foreign frees"] {
        assert_contains(&summary, part);
    }
}

/// Blocks of a known number are in the line of their class, and all lines together are nearly all small blocks.
fn details_list_the_size_classes() {
    let script = "import sys\nkeep = [bytes(991) for _ in range(30000)]\ndel keep[::3]\nsys.stdout.flush()\n\
        import os, ctypes\nctypes.CDLL(None).exit(0)";
    let mut run = mallow(["run", "--stats", "--", "/usr/bin/python3", "-c", script]);
    let output = output(run.env("PYTHONMALLOC", "malloc"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary = String::from_utf8_lossy(&output.stderr).replace(',', "");
    let (_, classes) = summary.split_once("small blocks by size class").expect("size classes");
    let rows: Vec<Vec<u64>> = classes
        .lines()
        .skip(2)
        .map(|line| line.split_whitespace().take(4).filter_map(|word| word.parse().ok()).collect())
        .collect();
    assert!(rows.len() > 5 && rows.iter().all(|row| row.len() == 4), "{summary}");
    assert!(rows.is_sorted_by_key(|row| row[0]), "{summary}");
    let row = rows.iter().find(|row| row[0] == 1024).expect("the class of 991 and 33 bytes");
    assert!((30_000..32_000).contains(&row[1]), "{summary}");
    assert!((10_000..12_000).contains(&row[2]) && (20_000..21_000).contains(&row[3]), "{summary}");
    let all: u64 = summary
        .lines()
        .find_map(|line| line.trim().strip_prefix("allocations ")?.trim().split(' ').next()?.parse().ok())
        .expect("allocations");
    let small: u64 = rows.iter().map(|row| row[1]).sum();
    assert!(small <= all && small > all / 100 * 95, "{small} of {all}: {summary}");
}

/// The loader maps the library to list it, and starts nothing.
fn says_so_if_nobody_counted() {
    let output = output(&mut mallow(["run", "--stats", "--", LOADER, "--list", "/bin/true"]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary = String::from_utf8_lossy(&output.stderr);
    assert_contains(&summary, "counters       none: the program did not load the allocator");
    assert!(!summary.contains("allocations"), "{summary}");
}

/// `tail` holds everything it is given, and the shell then becomes the command.
fn what_its_caller_ran_before_is_not_counted() {
    let script =
        format!("head -c 200M /dev/zero | tail -c 200M >/dev/null; exec {MALLOW} run -- sh -c 'exit 6'");
    let output = output(Command::new("sh").args(["-c", &script]));
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let summary = String::from_utf8_lossy(&output.stderr);
    let number = |label: &str, unit: &str| {
        let line = summary.lines().find_map(|line| line.trim().strip_prefix(label))?;
        line.split(unit).next()?.trim().replace(',', "").parse::<f64>().ok()
    };
    assert!(number("peak RSS", "MiB").is_some_and(|mib| mib < 100.0), "{summary}");
    assert!(number("page faults", "minor").is_some_and(|count| count < 20_000.0), "{summary}");
}

fn quiet_is_quiet() {
    assert_eq!(output(&mut mallow(["run", "--quiet", "true"])).stderr, b"");
}
