//! The table, and the record of a run.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::measure::Outcome;

/// The outcome as a table: nanoseconds per operation, best and median.
pub fn table(outcomes: &[Outcome], rounds: usize) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}; {rounds} rounds; nanoseconds per operation, best (median)", machine());
    for outcome in outcomes {
        let bar = outcome.bar.map_or(String::new(), |bar| format!(", bar {bar}"));
        let _ = writeln!(text, "\n{}{bar}", outcome.name);
        for figure in &outcome.figures {
            let (best, median) = (figure.best(), figure.median());
            let _ = writeln!(text, "    {:<28} {best:>10.2} ({median:.2})", figure.subject);
        }
    }
    text
}

/// Processor, load and kernel.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model).to_owned();
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!("{model}, Linux {}, load {load} at the end", read("/proc/sys/kernel/osrelease").trim())
}

/// Writes `bench/record/NAME.md` with `text`, and `NAME.EXTENSION` with what it was made from.
pub fn store(name: &str, text: &str, (extension, data): (&str, &str)) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../record");
    fs::write(folder.join(format!("{name}.md")), format!("```text\n{text}```\n"))?;
    fs::write(folder.join(format!("{name}.{extension}")), data)
}

/// Every round, for programs.
///
/// Names are plain words of this program, so nothing needs escaping.
pub fn json(outcomes: &[Outcome], rounds: usize) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut metrics = Vec::new();
    for outcome in outcomes {
        let figures = outcome.figures.iter().map(|figure| {
            let rounds: Vec<String> = figure.rounds.iter().map(|took| format!("{took:.3}")).collect();
            format!("        {{ \"subject\": \"{}\", \"ns\": [{}] }}", figure.subject, rounds.join(", "))
        });
        let bar = outcome.bar.map_or("null".to_owned(), |bar| bar.to_string());
        let figures: Vec<String> = figures.collect();
        metrics.push(format!(
            "    {{\n      \"name\": \"{}\",\n      \"bar_ns\": {bar},\n      \"figures\": [\n{}\n      ]\n    }}",
            outcome.name,
            figures.join(",\n")
        ));
    }
    format!(
        "{{\n  \"format\": 1,\n  \"kind\": \"bench-kernel\",\n  \"unix_time\": {seconds},\n  \"machine\": \"{}\",\n  \"rounds\": {rounds},\n  \"metrics\": [\n{}\n  ]\n}}\n",
        machine(),
        metrics.join(",\n")
    )
}
