//! Pace: how fast something grows and how long that takes, for people.

use core::time::Duration;

use mallow_analyze::limits::Unit;

use crate::style::Style;

/// Seconds.
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// From so much a second on, a second is the better measure; below, an hour.
const FAST: f64 = 1_048_576.0;

/// A time in its largest two units: `3 h 10 min`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let two = |large: u64, name: &str, small: u64, small_name: &str| match seconds % large / small {
        0 => format!("{} {name}", seconds / large),
        rest => format!("{} {name} {rest} {small_name}", seconds / large),
    };
    match seconds {
        0 if time.is_zero() => "0 s".to_owned(),
        0 => format!("{} ms", time.as_millis()),
        1..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => two(MINUTE, "min", 1, "s"),
        HOUR..DAY => two(HOUR, "h", MINUTE, "min"),
        _ if seconds / DAY < 1000 => two(DAY, "d", HOUR, "h"),
        _ => "years".to_owned(),
    }
}

/// A slope, given by the second: `+2.0 MiB/s`, `-12 KiB/h`.
pub(crate) fn slope(style: Style, unit: Unit, by_second: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, which is far beyond any machine")]
    let whole = |number: f64| number.round() as i128;
    let (number, per) =
        if by_second.abs() >= FAST { (whole(by_second), "s") } else { (whole(by_second * 3600.0), "h") };
    match unit {
        Unit::Bytes => format!("{}/{per}", style.signed_bytes(number)),
        Unit::Mappings => format!("{number:+}/{per}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_at_most() {
        let found = [0, 1, 59, 60, 61, 3599, 3600, 3660, 86_400, 90_000, 1_000_000_000]
            .map(|seconds| duration(Duration::from_secs(seconds)));
        let expected = [
            "0 s",
            "1 s",
            "59 s",
            "1 min",
            "1 min 1 s",
            "59 min 59 s",
            "1 h",
            "1 h 1 min",
            "1 d",
            "1 d 1 h",
            "years",
        ];
        assert_eq!(found, expected);
        assert_eq!(duration(Duration::from_millis(250)), "250 ms");
    }

    #[test]
    fn slopes_are_by_the_second_if_they_are_steep() {
        let bytes = |by_second| slope(Style::PLAIN, Unit::Bytes, by_second);
        assert_eq!(bytes(2.0 * 1_048_576.0), "+2.0 MiB/s");
        assert_eq!(bytes(-1.0), "-3.5 KiB/h");
        assert_eq!(bytes(0.0), "0 B/h");
        assert_eq!(slope(Style::PLAIN, Unit::Mappings, 1.0), "+3600/h");
    }
}
