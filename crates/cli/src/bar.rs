//! Bars: a share as a row of blocks, to an eighth of a column.
//!
//! Called by the verbs that print tables.

/// The blocks of one to seven eighths.
const PARTS: [&str; 7] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Returns a bar for `part` of `whole`, `columns` long if it is all of it. What is not nothing shows.
pub(crate) fn bar(part: u64, whole: u64, columns: usize) -> String {
    if part == 0 || whole == 0 {
        return String::new();
    }
    let eighths = u128::from(part.min(whole)) * columns as u128 * 8 / u128::from(whole);
    let eighths = usize::try_from(eighths).unwrap_or(0).max(1);
    let last = (eighths % 8).checked_sub(1).map_or("", |place| PARTS[place]);
    "█".repeat(eighths / 8) + last
}

/// Returns `part` of `whole` in per cent, without a fraction unless it is small.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
    match tenths {
        0 if part > 0 => "<0.1 %".to_owned(),
        0 => "0 %".to_owned(),
        1..100 => format!("{}.{} %", tenths / 10, tenths % 10),
        _ => format!("{} %", (tenths + 5) / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_the_share() {
        assert_eq!(bar(0, 100, 10), "");
        assert_eq!(bar(1, 1_000_000, 10), "▏");
        assert_eq!(bar(50, 100, 10), "█████");
        assert_eq!(bar(55, 100, 10), "█████▌");
        assert_eq!(bar(100, 100, 4), "████");
        assert_eq!(bar(200, 100, 4), "████", "never longer");
        assert_eq!(bar(u64::MAX, u64::MAX, 2), "██");
        assert_eq!(bar(1, 0, 4), "");
    }

    #[test]
    fn shares_are_rounded() {
        let found: Vec<_> = [(0, 9), (1, 10_000), (1, 100), (99, 1000), (1, 3), (995, 1000), (1, 1), (1, 0)]
            .map(|(part, whole)| percent(part, whole))
            .into();
        assert_eq!(found, ["0 %", "<0.1 %", "1.0 %", "9.9 %", "33 %", "100 %", "100 %", "-"]);
    }
}
