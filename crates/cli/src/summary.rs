//! The summary: what a program used, as a few aligned lines.
//!
//! A pure function from numbers to text, so that it can be tested without a program. Called by `cmd::run`.
//!
//! Peak RSS and page faults are the kernel's, over all processes of the program (`usage`); everything else is
//! counted by the library, in the first process.

use core::fmt::Write;

use mallow_trace::{Counter, Snapshot, Unit};
use mallow_units::Bytes;

use crate::child::Ending;
use crate::segment::Segment;
use crate::usage::Usage;

/// Columns before a value.
const LABEL_WIDTH: usize = 15;

/// Everything there is to say about one run.
#[derive(Debug)]
pub(crate) struct Summary<'a> {
    /// The program, as the user named it.
    pub(crate) program: &'a str,
    /// How it ended.
    pub(crate) ending: Ending,
    /// What the kernel says about it.
    pub(crate) usage: Usage,
    /// What the library says about it.
    pub(crate) counters: Counters,
}

/// The library's account of the process that claimed the segment.
#[derive(Debug)]
pub(crate) enum Counters {
    /// The segment holds these.
    Read(Box<Snapshot>),
    /// There are none, for this reason.
    Missing(String),
}

/// Whether to write escape sequences for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Labels are dimmed.
    Colour,
    /// Text only.
    Plain,
}

impl Counters {
    /// Reads the segment, or says why there is nothing to read in it.
    pub(crate) fn read(segment: &Segment) -> Self {
        match segment.read() {
            Ok(snapshot) if snapshot.claimed_by().is_some() => Self::Read(Box::new(snapshot)),
            Ok(_) => Self::Missing(
                "none: the program did not load the allocator, or changed its user before it did".to_owned(),
            ),
            Err(error) => Self::Missing(format!("unreadable: {error:#}")),
        }
    }
}

impl Summary<'_> {
    /// Returns the summary as lines of text, with a table of every counter if `has_details`.
    pub(crate) fn render(&self, has_details: bool, paint: Paint) -> String {
        let mut text = format!("\nmallow: {} {}\n", self.program, self.ending.describe());
        let mut line = |label: &str, value: &str| {
            let (dim, normal) = if paint == Paint::Colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {dim}{label:<LABEL_WIDTH$}{normal}{value}");
        };
        line("peak RSS", &self.usage.peak_rss.to_string());
        let faults = [self.usage.faults.minor, self.usage.faults.major].map(grouped);
        line("page faults", &format!("{} minor, {} major", faults[0], faults[1]));
        match &self.counters {
            Counters::Missing(reason) => line("counters", reason),
            Counters::Read(snapshot) => {
                let show = |counter| shown(counter, snapshot);
                line(
                    "live at exit",
                    &format!("{}, peak {}", show(Counter::LiveBytes), show(Counter::PeakLiveBytes)),
                );
                line(
                    "allocations",
                    &format!("{}, {} freed", show(Counter::Allocations), show(Counter::Frees)),
                );
                line("returned", &format!("{} to the kernel", show(Counter::PurgedBytes)));
                if has_details {
                    text.push_str(&table(snapshot));
                    text.push_str(&classes(snapshot));
                }
            }
        }
        text
    }
}

/// Returns every counter on a line of its own: name, value, meaning.
fn table(snapshot: &Snapshot) -> String {
    let pid = snapshot.claimed_by().unwrap_or(0);
    let values = Counter::ALL.map(|counter| shown(counter, snapshot));
    let width = values.iter().map(String::len).max().unwrap_or(0);
    let mut text = format!("\n  counters of process {pid}\n");
    for (counter, value) in Counter::ALL.iter().zip(values) {
        let _ = writeln!(text, "  {:<LABEL_WIDTH$}{value:>width$}  {}", counter.name(), counter.doc());
    }
    text
}

/// Returns a line for each size class of which the program took a block; what is live includes free blocks that threads had at hand.
fn classes(snapshot: &Snapshot) -> String {
    let Some(counters) = snapshot.class_counters() else { return String::new() };
    let used = counters.filter(|(_, counters)| counters.allocations > 0);
    let mut rows = vec![["block", "allocations", "frees", "live", ""].map(str::to_owned)];
    rows.extend(used.map(|(bytes, counters)| {
        let live = Bytes(counters.live().saturating_mul(bytes.into()));
        let [taken, freed, left] = [counters.allocations, counters.frees, counters.live()].map(grouped);
        [bytes.to_string(), taken, freed, left, live.to_string()]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 5] = core::array::from_fn(width);
    let mut text = "\n  small blocks by size class, in bytes\n".to_owned();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    text
}

fn shown(counter: Counter, snapshot: &Snapshot) -> String {
    match (snapshot.get(counter), counter.unit()) {
        (None, _) => "unknown".to_owned(),
        (Some(value), Unit::Bytes) => Bytes(value).to_string(),
        (Some(value), Unit::Count) => grouped(value),
    }
}

/// Writes a count with a comma between groups of three digits.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

impl Ending {
    fn describe(self) -> String {
        match self {
            Self::Exited(status) => format!("exited with status {status}"),
            Self::Killed(signal) => {
                let name = signal_hook::low_level::signal_name(signal);
                format!("was ended by {}", name.map_or_else(|| format!("signal {signal}"), str::to_owned))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mallow_trace::{Landmark, segment};

    use super::*;
    use crate::usage::Faults;

    fn snapshot(values: &[(Counter, u64)]) -> Snapshot {
        let mut bytes = segment::blank();
        segment::put(&mut bytes, segment::PID_WORD, 4711);
        for &(counter, value) in values {
            segment::put(&mut bytes, counter.word(), value);
        }
        Snapshot::decode(&bytes).unwrap()
    }

    fn summary(ending: Ending, counters: Counters) -> Summary<'static> {
        let usage = Usage { peak_rss: Bytes(9 << 20), faults: Faults { minor: 1234, major: 0 } };
        Summary { program: "python3", ending, usage, counters }
    }

    #[test]
    fn is_a_few_aligned_lines() {
        let counters = snapshot(&[
            (Counter::Allocations, 81_234),
            (Counter::Frees, 80_111),
            (Counter::LiveBytes, 512 << 10),
            (Counter::PeakLiveBytes, 3 << 20),
            (Counter::PurgedBytes, 4 << 20),
        ]);
        let expected = "
mallow: python3 exited with status 0
  peak RSS       9.0 MiB
  page faults    1,234 minor, 0 major
  live at exit   512.0 KiB, peak 3.0 MiB
  allocations    81,234, 80,111 freed
  returned       4.0 MiB to the kernel
";
        let summary = summary(Ending::Exited(0), Counters::Read(Box::new(counters)));
        assert_eq!(summary.render(false, Paint::Plain), expected);
    }

    #[test]
    fn prints_no_zeros_when_nobody_counted() {
        let text =
            summary(Ending::Exited(1), Counters::Missing("none".to_owned())).render(true, Paint::Plain);
        assert!(text.contains("  counters       none\n"), "{text}");
        assert!(!text.contains("allocations"), "{text}");
    }

    #[test]
    fn details_name_the_process_and_every_counter() {
        let text =
            summary(Ending::Exited(0), Counters::Read(Box::new(snapshot(&[])))).render(true, Paint::Plain);
        assert!(text.contains("counters of process 4711"), "{text}");
        for counter in Counter::ALL {
            assert!(text.contains(counter.doc()), "{text}");
        }
    }

    #[test]
    fn details_have_a_line_for_each_size_class_in_use() {
        let mut bytes = segment::blank();
        let mut words = vec![0_u64; (segment::FILE_BYTES - segment::SEGMENT_BYTES) / 8];
        segment::put(&mut bytes, segment::LANDMARK_COUNT_AT, Landmark::COUNT as u64);
        for landmark in Landmark::ALL {
            segment::put(&mut bytes, landmark.word(), landmark.range().0);
        }
        segment::put(&mut bytes, Landmark::Classes.word(), 3);
        segment::put(&mut bytes, segment::CLASSES_AT, 0x0030_0020_0010);
        segment::put(&mut bytes, segment::CLASS_COUNT_AT, 3);
        words[..6].copy_from_slice(&[1_234_567, 1_234_000, 0, 0, 5, 5]);
        let words = words.iter().flat_map(|word| word.to_le_bytes());
        let file: Vec<u8> = bytes.into_iter().chain(words).collect();
        let counters = Counters::Read(Box::new(Snapshot::decode(&file).unwrap()));
        let text = summary(Ending::Exited(0), counters).render(true, Paint::Plain);
        let expected = "
  small blocks by size class, in bytes
  block  allocations      frees  live
     16    1,234,567  1,234,000   567  8.8 KiB
     48            5          5     0      0 B
";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn names_the_signal_that_ended_the_program() {
        let killed = |signal| summary(Ending::Killed(signal), Counters::Missing(String::new()));
        assert!(killed(11).render(false, Paint::Plain).contains("python3 was ended by SIGSEGV\n"));
        assert!(killed(40).render(false, Paint::Plain).contains("python3 was ended by signal 40\n"));
    }

    #[test]
    fn colours_only_when_asked() {
        let text = |paint| summary(Ending::Exited(0), Counters::Missing(String::new())).render(false, paint);
        assert!(text(Paint::Colour).contains('\x1b'));
        assert!(!text(Paint::Plain).contains('\x1b'));
    }

    #[test]
    fn groups_digits_by_three() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
