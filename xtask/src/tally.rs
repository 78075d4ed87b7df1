//! How many tests passed, failed and were skipped, counted from what test programs print.
//!
//! Understood are the lines of libtest, which libtest-mimic writes too, and one of our own: a script that cannot do
//! its work prints `skipped: <what>: <why>`. Used by `suite`.

use core::fmt;

/// The count so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that ran and succeeded.
    pub(crate) passed: usize,
    /// Tests that ran and did not.
    pub(crate) failed: usize,
    /// Tests that could not run or were told not to.
    pub(crate) skipped: usize,
    /// Which ones were skipped, with the reason if one was given.
    pub(crate) skips: Vec<String>,
}

impl Tally {
    /// Reads one line.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.read_result(counts);
        } else if let Some(skip) = line.strip_prefix("skipped: ") {
            self.skipped += 1;
            self.skips.push(skip.to_owned());
        } else if let Some(skip) = skipped_test(line) {
            self.skips.push(skip);
        }
    }

    /// Reads `ok. 3 passed; 0 failed; 1 ignored; ..`.
    fn read_result(&mut self, counts: &str) {
        let counts = counts.split_once(". ").map_or(counts, |(_, counts)| counts);
        for part in counts.split("; ") {
            let Some((number, what)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

/// The name and reason in `test <name> ... ignored, <reason>`, or `ignored (<reason>)` of libtest-mimic.
fn skipped_test(line: &str) -> Option<String> {
    let (name, reason) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    let bracketed = reason.strip_prefix(" (").map(|reason| reason.strip_suffix(')').unwrap_or(reason));
    let reason = bracketed.or_else(|| reason.strip_prefix(", "));
    Some(reason.map_or_else(|| name.trim().to_owned(), |reason| format!("{}: {reason}", name.trim())))
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(text: &str) -> Tally {
        let mut tally = Tally::default();
        text.lines().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn adds_up_the_results_of_all_programs() {
        let text = "running 4 tests\ntest a ... ok\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out; finished in 0.00s\n\
            test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s\n";
        assert_eq!(tally(text).to_string(), "5 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn keeps_the_reasons() {
        let text = "test a ... ignored, needs ruby\ntest b ... ignored\n\
            test c    ... ignored (needs (a) root)\nskipped: loom: no such test\n\
            test result: ok. 0 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        let tally = tally(text);
        assert_eq!(tally.skipped, 4);
        assert_eq!(tally.skips, ["a: needs ruby", "b", "c: needs (a) root", "loom: no such test"]);
    }

    #[test]
    fn a_test_with_such_a_name_is_not_a_result() {
        assert_eq!(tally("test result_is_read ... ok\ntest ignored ... ok"), Tally::default());
    }
}
