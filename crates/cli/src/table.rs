//! Tables: cells in aligned columns, no wider than the terminal.
//!
//! ```text
//!  heap (brk)          1.2 GiB   36 %  ██████████████▍
//!  mapped files       12.0 MiB  0.3 %  ▏
//! ```
//!
//! One column may be the flexible one: it is cut, with an ellipsis, where a line would be too long. Called by the verbs that
//! print.

use unicode_width::UnicodeWidthStr;

use crate::style::{Style, Tone};

/// What stands between two columns.
const GAP: &str = "  ";

/// To which side a column is aligned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A piece of text in a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

/// Rows of cells.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<Align>,
    flexible: Option<usize>,
    rows: Vec<Vec<Cell>>,
}

impl Cell {
    /// A cell in the colour for `tone`.
    pub(crate) fn toned(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(Tone::Plain, text)
    }
}

impl Table {
    /// A table without rows. Rows may have fewer cells than there are columns.
    pub(crate) fn new(columns: impl IntoIterator<Item = Align>) -> Self {
        Self { columns: columns.into_iter().collect(), flexible: None, rows: Vec::new() }
    }

    /// Lets a column be cut where lines would be too long.
    pub(crate) fn with_flexible(self, column: usize) -> Self {
        Self { flexible: Some(column), ..self }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().take(self.columns.len()).collect());
    }

    /// Returns the rows as lines, each behind `indent`.
    pub(crate) fn render(&self, style: Style, indent: &str) -> String {
        let widths = self.widths(style, indent.width());
        let mut text = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let shown = shortened(&cell.text, *width);
                let padding = " ".repeat(width.saturating_sub(shown.width()));
                let painted = style.paint(cell.tone, &shown);
                let is_last = place + 1 == row.len();
                match self.columns[place] {
                    Align::Left if is_last => line += &painted,
                    Align::Left => line += &(painted + &padding),
                    Align::Right => line += &(padding + &painted),
                }
                if !is_last {
                    line += GAP;
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The columns' widths; the flexible one gets what the others leave.
    fn widths(&self, style: Style, indent: usize) -> Vec<usize> {
        let widest = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.text.width())
                .max()
                .unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        if let (Some(limit), Some(flexible)) = (style.width, self.flexible) {
            let gaps = GAP.len() * self.columns.len().saturating_sub(1);
            let total: usize = indent + widths.iter().sum::<usize>() + gaps;
            let excess = total.saturating_sub(limit);
            widths[flexible] = widths[flexible].saturating_sub(excess).max(SHORTEST.min(widths[flexible]));
        }
        widths
    }
}

/// Columns that the flexible column keeps, however narrow the terminal is.
const SHORTEST: usize = 8;

/// Returns `text` in at most `columns`, with an ellipsis where it is cut: in the middle, because both ends of a path say
/// something.
fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let (front, back) = (room / 2, room - room / 2);
    let mut head = String::new();
    for character in text.chars() {
        head.push(character);
        if head.width() > front {
            head.pop();
            break;
        }
    }
    let mut start = text.len();
    for (place, _) in text.char_indices().rev() {
        if text[place..].width() > back {
            break;
        }
        start = place;
    }
    format!("{head}…{}", &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([Align::Left, Align::Right, Align::Left]).with_flexible(0);
        table.row(["heap".into(), "1.0 MiB".into(), Cell::toned(Tone::Accent, "██")]);
        table.row(["/usr/lib/libsomething-long.so".into(), "12 B".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_lines_have_no_tails() {
        let expected =
            "  heap                           1.0 MiB  ██\n  /usr/lib/libsomething-long.so     12 B\n";
        assert_eq!(table().render(Style::PLAIN, "  "), expected);
    }

    #[test]
    fn the_flexible_column_is_cut_where_lines_are_too_long() {
        let style = Style { width: Some(30), ..Style::PLAIN };
        let text = table().render(style, "");
        assert_eq!(text, "heap               1.0 MiB  ██\n/usr/lib…-long.so     12 B\n");
        assert!(text.lines().all(|line| line.width() <= 30), "{text}");
        let narrow = table().render(Style { width: Some(1), ..Style::PLAIN }, "");
        assert!(narrow.starts_with("heap      1.0 MiB"), "{narrow}");
    }

    #[test]
    fn wide_characters_count_as_two_columns() {
        assert_eq!(shortened("漢字漢字漢字", 6), "漢…字");
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcdef", 0), "…");
    }
}
