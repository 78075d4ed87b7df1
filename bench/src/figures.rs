//! Figures: what a workload measures of itself and writes into the file that `BENCH_FIGURES` names.
//!
//! One per line, `NAME VALUE UNIT`. The names in [`Own`] stand for what the runner would have measured, for scripts whose
//! server is what counts, not the script.

use alloc::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// A number with its unit.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// How much.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: String,
}

/// Figures that replace those of the runner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Own {
    /// Seconds.
    pub(crate) time: Option<f64>,
    /// Seconds.
    pub(crate) user: Option<f64>,
    /// Seconds.
    pub(crate) system: Option<f64>,
    /// KiB.
    pub(crate) peak_rss: Option<f64>,
    /// A count.
    pub(crate) faults: Option<f64>,
}

/// Everything that one run wrote.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// Those that replace the runner's.
    pub(crate) own: Own,
    /// All others, by name.
    pub(crate) others: BTreeMap<String, Figure>,
}

impl Figures {
    /// Reads the file; a workload that has nothing to say leaves none.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).context("cannot read the figures of the workload"),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let mut figures = Self::default();
        for line in text.lines() {
            figures.take(line).with_context(|| format!("wrote the figure `{line}`"))?;
        }
        Ok(figures)
    }

    fn take(&mut self, line: &str) -> Result<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, value, unit] = words[..] else { bail!("a figure is NAME VALUE UNIT") };
        let value: f64 = value.parse().with_context(|| format!("{value} is not a number"))?;
        ensure!(value.is_finite() && value >= 0.0, "{value} is not an amount");
        let own = match name {
            "time" => Some((&mut self.own.time, "s")),
            "user" => Some((&mut self.own.user, "s")),
            "system" => Some((&mut self.own.system, "s")),
            "peak_rss" => Some((&mut self.own.peak_rss, "KiB")),
            "faults" => Some((&mut self.own.faults, unit)),
            _ => None,
        };
        let is_new = match own {
            Some((slot, expected)) => {
                ensure!(unit == expected, "{name} is given in {expected}, not in {unit}");
                slot.replace(value).is_none()
            }
            None => self.others.insert(name.to_owned(), Figure { value, unit: unit.to_owned() }).is_none(),
        };
        ensure!(is_new, "there is a {name} already");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_the_runner_are_told_from_others() {
        let figures =
            Figures::parse("time 1.5 s\nrss_after 1234 KiB\npeak_rss 99 KiB\nfaults 7 count\n").unwrap();
        assert_eq!(figures.own.time, Some(1.5));
        assert_eq!(figures.own.peak_rss, Some(99.0));
        assert_eq!(figures.own.faults, Some(7.0));
        assert_eq!(figures.own.user, None);
        assert_eq!(figures.others["rss_after"], Figure { value: 1234.0, unit: "KiB".into() });
        assert_eq!(figures.others.len(), 1);
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        for (text, sentence) in [
            ("rss 12", "NAME VALUE UNIT"),
            ("rss twelve KiB", "twelve is not a number"),
            ("rss -1 KiB", "-1 is not an amount"),
            ("rss nan KiB", "NaN is not an amount"),
            ("time 100 ms", "time is given in s, not in ms"),
            ("rss 1 KiB\nrss 2 KiB", "there is a rss already"),
            ("time 1 s\ntime 2 s", "there is a time already"),
        ] {
            let error = format!("{:#}", Figures::parse(text).unwrap_err());
            assert!(error.contains(sentence), "{text}: {error}");
        }
    }

    #[test]
    fn no_file_means_no_figures() {
        assert_eq!(Figures::read(Path::new("there-is-no-such-file")).unwrap(), Figures::default());
    }
}
