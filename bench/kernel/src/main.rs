//! The kernel half beside the crates that do the same, measured in one run: `cargo bench-kernel`.
//!
//! ```text
//! cargo bench-kernel                          everything, five rounds
//! cargo bench-kernel --only random --rounds 9 the metrics with `random` in their name
//! cargo bench-kernel --subject mallow         nobody but `mallow`
//! cargo bench-kernel --record NAME            and store the outcome in bench/record
//! cargo bench-kernel --churn --record NAME    huge pages after long work, as a plot
//! ```
//!
//! A *metric* is one kind of operation; its subjects take turns, so that a bad minute hits all alike. A figure is the best of the rounds, because noise
//! only adds to it, with the median beside it. One file per part of the kernel half says what is measured; this one
//! and `measure` say how.

mod areas;
mod churn;
mod frames;
mod measure;
mod objects;
mod report;

use std::process::ExitCode;

use measure::Metric;

/// What to do, from the command line.
struct Arguments {
    only: String,
    subject: Option<String>,
    rounds: usize,
    record: Option<String>,
    churn: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut made = Self { only: String::new(), subject: None, rounds: 5, record: None, churn: false };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "--only" => made.only = value()?,
                "--subject" => made.subject = Some(value()?),
                "--rounds" => {
                    made.rounds = value()?.parse().map_err(|error| format!("`--rounds`: {error}"))?;
                }
                "--churn" => made.churn = true,
                "--record" => made.record = Some(value()?),
                _ => {
                    return Err(format!(
                        "there is no `{word}`; there are --only, --subject, --rounds, --churn and --record"
                    ));
                }
            }
        }
        if made.rounds == 0 { Err("at least one round is needed".into()) } else { Ok(made) }
    }
}

/// Every metric, in the order of the table.
fn metrics() -> Vec<Metric> {
    let mut all = Vec::new();
    all.extend(frames::metrics());
    all.extend(areas::metrics());
    all.extend(objects::metrics());
    all
}

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("bench-kernel: {message}");
            return ExitCode::from(2);
        }
    };
    if arguments.churn {
        let (text, svg) = churn::plot();
        return finish(arguments.record, &text, || ("svg", svg));
    }
    let chosen = metrics().into_iter().filter(|metric| metric.name.contains(&arguments.only));
    let run = |mut metric: Metric| {
        if let Some(subject) = &arguments.subject {
            metric.keep(subject);
        }
        metric.run(arguments.rounds)
    };
    let outcomes: Vec<_> = chosen.map(run).collect();
    let text = report::table(&outcomes, arguments.rounds);
    finish(arguments.record, &text, || ("json", report::json(&outcomes, arguments.rounds)))
}

/// Prints what came out, and records it if that is wanted.
fn finish(record: Option<String>, text: &str, data: impl FnOnce() -> (&'static str, String)) -> ExitCode {
    print!("{text}");
    let stored = record.map_or(Ok(()), |name| {
        let (extension, data) = data();
        report::store(&name, text, (extension, &data))
    });
    match stored {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-kernel: the record could not be written: {error}");
            ExitCode::FAILURE
        }
    }
}
