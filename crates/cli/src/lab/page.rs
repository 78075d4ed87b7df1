//! The page: the story of an experiment as text, or as JSON.
//!
//! Pure functions from a story to text. Called by `cmd::lab`.

use core::fmt::Write;

use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::look::{Change, Column, Look};
use super::story::{Grid, Looked, Step, Verdict};
use super::subject::Done;
use super::{Allocator, Experiment, Lab, experiments, machine, page_bytes, size};
use crate::style::{Style, Tone};
use crate::table::{Align, Cell, Table};

/// Columns of text; longer lines are hard to read.
const WIDEST_TEXT: usize = 100;
/// Lines of `maps` that are shown for one step at most.
const MOST_CHANGES: usize = 8;
/// Stands for "as before".
const SAME: &str = "·";

/// Everything there is to say about an experiment that was made.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) experiment: &'a Experiment,
    pub(crate) lab: &'a Lab,
    pub(crate) verdict: &'a Verdict,
    pub(crate) is_explained: bool,
}

impl Page<'_> {
    /// The page as text.
    pub(crate) fn render(&self, style: Style) -> String {
        let name = style.paint(Tone::Strong, self.experiment.name);
        let mut text = format!("{name}: {}\n", self.experiment.title);
        if let Some(surroundings) = self.surroundings() {
            text += &style.paint(Tone::Dim, &surroundings);
            text.push('\n');
        }
        let story = &self.lab.story;
        if self.is_explained {
            for paragraph in self.experiment.explanation {
                text += "\n";
                text += &wrapped(paragraph, "  ", "  ", style);
            }
        }
        if !story.steps.is_empty() {
            text += "\n";
            text += &self.table(style);
        }
        text += &self.changes(style);
        for grid in &story.tables {
            text.push('\n');
            text += &grid_text(grid, style);
        }
        if !story.findings.is_empty() {
            text += "\n";
        }
        for finding in &story.findings {
            let (tone, word) = if finding.is_seen { (Tone::Good, "seen") } else { (Tone::Bad, "NOT SEEN") };
            text += &labelled(word, tone, &finding.what, style);
        }
        for remark in &story.remarks {
            text += "\n";
            text += &labelled("articles", Tone::Dim, &remark.articles, style);
            text += &labelled("here", Tone::Accent, &remark.here, style);
        }
        for note in &story.notes {
            text += "\n";
            text += &labelled("note", Tone::Dim, note, style);
        }
        if let Verdict::CouldNotLook(obstacle) = self.verdict {
            let sentence = wrapped(&format!("could not look: {obstacle}."), "  ", "  ", style);
            text += "\n";
            text += &style.paint(Tone::Warning, &sentence);
        }
        text + "\n"
    }

    /// Where the experiment was made.
    fn surroundings(&self) -> Option<String> {
        let glibc = self.lab.glibc.map(|release| format!("glibc {}.{}", release / 1000, release % 1000))?;
        let library = match self.lab.allocator {
            Allocator::Glibc => glibc,
            Allocator::Mallow => format!("mallow in {glibc}"),
        };
        let kernel = machine::text_of("/proc/sys/kernel/osrelease")
            .unwrap_or_else(|_| "of an unknown release".to_owned());
        Some(format!("on {library}, Linux {kernel}, pages of {}", size(page_bytes())))
    }

    /// The steps with their numbers: what there was at first, then what changed.
    fn table(&self, style: Style) -> String {
        let story = &self.lab.story;
        let numbers = story.columns.iter().map(|_| Align::Right);
        let mut table =
            Table::new([Align::Left].into_iter().chain(numbers).chain([Align::Right])).with_flexible(0);
        let dim = |text: &str| Cell::toned(Tone::Dim, text);
        let titles = story.columns.iter().map(|column| dim(column.title()));
        table.row([dim("step")].into_iter().chain(titles).chain([dim("faults")]));
        for step in &story.steps {
            match step {
                Step::Heading(heading) => table.row([Cell::toned(Tone::Accent, heading)]),
                Step::Calls(done) => {
                    for call in done {
                        table.row(call_row(call, "", story.columns.iter().map(|_| Cell::from(""))));
                    }
                }
                Step::Look(looked) => {
                    let Looked { who, done, now, before, .. } = &**looked;
                    let numbers =
                        || story.columns.iter().map(|column| number(*column, now, before.as_ref(), style));
                    let Some((last, earlier)) = done.split_last() else {
                        let moment = match before {
                            None => format!("{who}at first"),
                            Some(_) => format!("{who}a look at it"),
                        };
                        table.row([Cell::toned(Tone::Dim, moment)].into_iter().chain(numbers()));
                        continue;
                    };
                    for call in earlier {
                        table.row(call_row(call, who, story.columns.iter().map(|_| Cell::from(""))));
                    }
                    table.row(call_row(last, who, numbers()));
                }
            }
        }
        table.render(style, "  ")
    }

    /// The lines of `maps` that came and went.
    fn changes(&self, style: Style) -> String {
        let mut text = String::new();
        for step in &self.lab.story.steps {
            let Step::Look(looked) = step else { continue };
            let Looked { who, done, changes, .. } = &**looked;
            if changes.is_empty() {
                continue;
            }
            let calls: Vec<_> = match &done[..] {
                [first, _, _, .., last] => vec![first.shown.as_str(), "...", last.shown.as_str()],
                few => few.iter().map(|call| call.shown.as_str()).collect(),
            };
            // Writing to a string cannot fail.
            let heading = wrapped(&format!("maps after {who}{}", calls.join("; ")), "  ", "    ", style);
            let _ = write!(
                text,
                "
{}
",
                style.paint(Tone::Dim, heading.trim_end())
            );
            for change in changes.iter().take(MOST_CHANGES) {
                let tone = if change.is_new { Tone::Good } else { Tone::Bad };
                let _ = writeln!(text, "  {}", style.paint(tone, &change.line(style)));
            }
            if changes.len() > MOST_CHANGES {
                let _ = writeln!(text, "  ... and {} lines more", changes.len() - MOST_CHANGES);
            }
        }
        text
    }

    /// The page as JSON.
    pub(crate) fn json(&self) -> Value {
        let story = &self.lab.story;
        let findings = story.findings.iter().map(|one| json!({ "what": one.what, "is_seen": one.is_seen }));
        let remarks = story.remarks.iter().map(|one| json!({ "articles": one.articles, "here": one.here }));
        let mut page = json!({
            "name": self.experiment.name,
            "title": self.experiment.title,
            "allocator": self.lab.allocator.name(),
            "outcome": self.verdict.name(),
            "reason": match self.verdict {
                Verdict::CouldNotLook(obstacle) => Value::String(obstacle.to_string()),
                Verdict::Seen | Verdict::NotSeen => Value::Null,
            },
            "steps": story.steps.iter().map(|step| step_json(step, &story.columns)).collect::<Vec<_>>(),
            "tables": story.tables.iter().map(|grid| json!({ "titles": grid.titles, "rows": grid.rows })).collect::<Vec<_>>(),
            "findings": findings.collect::<Vec<_>>(),
            "remarks": remarks.collect::<Vec<_>>(),
            "notes": story.notes,
        });
        if self.is_explained {
            page["explanation"] = json!(self.experiment.explanation);
        }
        page
    }
}

fn grid_text(grid: &Grid, style: Style) -> String {
    let mut table = Table::new([Align::Right].repeat(grid.titles.len()));
    table.row(grid.titles.iter().map(|title| Cell::toned(Tone::Dim, title)));
    for row in &grid.rows {
        table.row(row.iter().map(Cell::from));
    }
    table.render(style, "  ")
}

fn call_row(call: &Done, who: &str, numbers: impl Iterator<Item = Cell>) -> Vec<Cell> {
    let faults = call.faults.map_or_else(|| "n/a".to_owned(), |faults| faults.to_string());
    let call = [format!("{who}{}", call.shown).into()];
    call.into_iter().chain(numbers).chain([faults.into()]).collect()
}

/// A number of a look, or how much it changed since the look before.
fn number(column: Column, now: &Look, before: Option<&Look>, style: Style) -> Cell {
    let value = now.get(column);
    let Some(before) = before else {
        return if column.is_count() { value.to_string() } else { style.bytes(value) }.into();
    };
    let change = i128::from(value) - i128::from(before.get(column));
    match change {
        0 => Cell::toned(Tone::Dim, SAME),
        _ if column.is_count() => format!("{change:+}").into(),
        _ => style.signed_bytes(change).into(),
    }
}

fn step_json(step: &Step, columns: &[Column]) -> Value {
    let calls = |done: &[Done]| {
        done.iter().map(|call| json!({ "call": call.shown, "faults": call.faults })).collect::<Vec<_>>()
    };
    match step {
        Step::Heading(heading) => json!({ "part": heading }),
        Step::Calls(done) => json!({ "calls": calls(done) }),
        Step::Look(looked) => {
            let Looked { who, done, now, changes, .. } = &**looked;
            let numbers: Map<String, Value> =
                columns.iter().map(|column| (column.key().to_owned(), now.get(*column).into())).collect();
            let maps: Vec<Value> = changes.iter().map(change_json).collect();
            json!({ "who": who.trim_end_matches([':', ' ']), "calls": calls(done), "numbers": numbers, "maps": maps })
        }
    }
}

fn change_json(change: &Change) -> Value {
    json!({
        "is_new": change.is_new,
        "start": change.start,
        "end": change.end,
        "permissions": change.permissions,
        "name": change.name,
    })
}

/// The experiments, one per line.
pub(crate) fn list_text(style: Style) -> String {
    let mut table = Table::new([Align::Left, Align::Left]).with_flexible(1);
    for experiment in experiments::ALL {
        table.row([Cell::toned(Tone::Strong, experiment.name), experiment.title.into()]);
    }
    table.render(style, "") + "\nOne of them: mallow lab NAME. All of them: mallow lab all.\n"
}

/// The experiments as JSON.
pub(crate) fn list() -> Value {
    experiments::ALL.iter().map(|one| json!({ "name": one.name, "title": one.title })).collect()
}

/// How each of several experiments came out.
pub(crate) fn summary<'a>(
    results: impl Iterator<Item = (&'a Experiment, &'a Verdict)>,
    style: Style,
) -> String {
    let mut table = Table::new([Align::Left, Align::Left, Align::Left]).with_flexible(2);
    for (experiment, verdict) in results {
        let (tone, rest) = match verdict {
            Verdict::Seen => (Tone::Good, experiment.title.to_owned()),
            Verdict::NotSeen => (Tone::Bad, experiment.title.to_owned()),
            Verdict::CouldNotLook(obstacle) => (Tone::Warning, obstacle.to_string()),
        };
        table.row([experiment.name.into(), Cell::toned(tone, verdict.name()), rest.into()]);
    }
    table.render(style, "")
}

/// Columns of the longest label, and a gap.
const LABEL: usize = 10;

/// A paragraph with a label in front.
fn labelled(label: &str, tone: Tone, text: &str, style: Style) -> String {
    let indent = " ".repeat(LABEL + 2);
    let body = wrapped(&format!("{text}."), &indent, &indent, style);
    let padding = " ".repeat(LABEL.saturating_sub(label.len()).max(1));
    format!("  {}{padding}{}", style.paint(tone, label), body.trim_start())
}

/// A paragraph in lines that are not too long.
fn wrapped(text: &str, first: &str, rest: &str, style: Style) -> String {
    let width = style.columns().min(WIDEST_TEXT);
    let mut lines = String::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.width() + 1 + word.width() > width {
            lines += line.trim_end();
            lines.push('\n');
            rest.clone_into(&mut line);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line += word;
        is_empty = false;
    }
    lines + line.trim_end() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_between_words() {
        let narrow = Style { width: Some(12), ..Style::PLAIN };
        assert_eq!(wrapped("one two three four", "  ", "  ", narrow), "  one two\n  three four\n");
        assert_eq!(wrapped("averyveryverylongword a", "", "", narrow), "averyveryverylongword\na\n");
    }

    #[test]
    fn labels_stand_in_a_column() {
        let text = labelled("here", Tone::Plain, "it is so", Style::PLAIN);
        assert_eq!(text, "  here      it is so.\n");
        let text = labelled("NOT SEEN", Tone::Plain, "it is dark", Style::PLAIN);
        assert_eq!(text, "  NOT SEEN  it is dark.\n");
    }
}
