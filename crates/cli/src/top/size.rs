//! Sizes in few characters: `1.5G`, `12.0M`, `312K`.
//!
//! Called by `draw` and `table`.

/// The units above a byte, and bytes in them.
const UNITS: [(char, f64); 5] = [
    ('K', 1024.0),
    ('M', 1_048_576.0),
    ('G', 1_073_741_824.0),
    ('T', 1_099_511_627_776.0),
    ('P', 1_125_899_906_842_624.0),
];

/// Returns a number of bytes in at most five characters.
pub(super) fn short(bytes: u64) -> String {
    if bytes == 0 {
        return "0".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let bytes = bytes as f64;
    // A digit more would be needed from here on, once it is rounded.
    let (letter, unit) =
        UNITS.into_iter().find(|(_, unit)| bytes / unit < 999.5).unwrap_or(('P', UNITS[4].1));
    let number = bytes / unit;
    if number < 99.95 { format!("{number:.1}{letter}") } else { format!("{number:.0}{letter}") }
}

/// Returns how many bytes an hour something grows, in at most seven characters.
pub(super) fn short_slope(slope: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not below 0, and cut at the end"
    )]
    let size = short(slope.abs() as u64);
    match slope {
        _ if size == "0" || slope.abs() < 1024.0 => "0".to_owned(),
        0.0.. => format!("+{size}/h"),
        _ => format!("-{size}/h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_few_characters() {
        for (bytes, expected) in [
            (0, "0"),
            (1, "0.0K"),
            (4096, "4.0K"),
            (102_300, "99.9K"),
            (102_400, "100K"),
            (1_022_976, "999K"),
            (1_048_000, "1.0M"),
            (1_610_612_736, "1.5G"),
            (1 << 40, "1.0T"),
            (u64::MAX, "16384P"),
        ] {
            assert_eq!(short(bytes), expected);
        }
    }

    #[test]
    fn slopes_have_a_sign() {
        for (slope, expected) in [(0.0, "0"), (500.0, "0"), (2_097_152.0, "+2.0M/h"), (-2e9, "-1.9G/h")] {
            assert_eq!(short_slope(slope), expected);
        }
    }
}
