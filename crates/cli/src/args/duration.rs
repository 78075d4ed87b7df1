//! Times as words: `30`, `30s`, `5m`, `1.5h`, `500ms`.
//!
//! Called by the parser.

use core::time::Duration;

/// What may be given.
const ALLOWED: &str = "a time from 100ms to 30d is allowed, such as 30s, 5m or 1h";
/// Units in seconds. Without one, seconds are meant.
const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
/// The shortest and the longest time, in seconds.
const BOUNDS: core::ops::RangeInclusive<f64> = 0.1..=30.0 * 86_400.0;

/// Reads a time.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let unit = UNITS.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (number, unit) = unit.unwrap_or((text, 1.0));
    let seconds = number.parse::<f64>().map_err(|_| ALLOWED)? * unit;
    if BOUNDS.contains(&seconds) { Ok(Duration::from_secs_f64(seconds)) } else { Err(ALLOWED.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let ms = |text| duration(text).map(|time| time.as_millis());
        for (text, expected) in
            [("30", 30_000), ("30s", 30_000), ("500ms", 500), ("1.5h", 5_400_000), ("2m", 120_000)]
        {
            assert_eq!(ms(text), Ok(expected), "{text}");
        }
        for wrong in ["", "s", "1x", "-1", "0", "nan", "inf", "99d", "1 s", "0x10"] {
            assert_eq!(ms(wrong), Err(ALLOWED.to_owned()), "{wrong}");
        }
    }
}
