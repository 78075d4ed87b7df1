//! Two runs of one script, compared.

use libtest_mimic::Failed;
use mallow_testkit::preload::Outcome;

/// How many lines that differ are shown.
const SHOWN: usize = 20;

/// Succeeds if both runs printed the same on standard output and ended the same way.
///
/// Otherwise says which lines differ and repeats what the run on the library had to say on standard error.
pub(crate) fn same(without: &Outcome, with: &Outcome) -> Result<(), Failed> {
    if without.status == with.status && without.stdout == with.stdout {
        return Ok(());
    }
    let differences = differences(&without.stdout(), &with.stdout());
    Err(format!(
        "{}\n{} without the library, {} with it\n{differences}stderr: {}",
        with.command,
        without.status,
        with.status,
        with.stderr()
    )
    .into())
}

/// Lists what only one side has, from the first line that differs to the last.
fn differences(without: &str, with: &str) -> String {
    let (without, with): (Vec<&str>, Vec<&str>) = (without.lines().collect(), with.lines().collect());
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let head = without.iter().zip(&with).take_while(same).count();
    let (without, with) = (&without[head..], &with[head..]);
    let tail = without.iter().rev().zip(with.iter().rev()).take_while(same).count();
    let marked = |mark: char, lines: &[&str]| -> String {
        let lines = &lines[..lines.len() - tail];
        let cut = lines.len().saturating_sub(SHOWN);
        let shown: String = lines.iter().take(SHOWN).map(|line| format!("{mark} {line}\n")).collect();
        if cut == 0 { shown } else { format!("{shown}{mark} and {cut} more\n") }
    };
    format!("from line {} of stdout:\n{}{}", head + 1, marked('-', without), marked('+', with))
}
