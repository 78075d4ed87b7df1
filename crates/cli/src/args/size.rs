//! Sizes as words: `4096`, `64K`, `512M`, `1.5G`.
//!
//! Called by the parser.

/// What may be given.
const ALLOWED: &str = "a size such as 4096, 64K, 512M or 1.5G is allowed";
/// Units in bytes. Without one, bytes are meant.
const UNITS: [(&str, f64); 4] =
    [("K", 1024.0), ("M", 1_048_576.0), ("G", 1_073_741_824.0), ("T", 1_099_511_627_776.0)];
/// Bytes. Above this a number with a fraction is not exact any more.
const MOST: f64 = 9_007_199_254_740_992.0;

/// Reads a size; bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, unit) = unit.unwrap_or((text, 1.0));
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let bytes = number.parse::<f64>().ok().filter(|_| is_number).ok_or(ALLOWED)? * unit;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
    if (0.0..=MOST).contains(&bytes) { Ok(bytes as u64) } else { Err(ALLOWED.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("64K", 65536), ("1.5G", 3 << 29), ("2T", 2 << 40)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "M", "-1", "1x", "nan", "inf", "1e3", "99999T", "0x10", "1 K"] {
            assert_eq!(size(wrong), Err(ALLOWED.to_owned()), "{wrong}");
        }
    }
}
