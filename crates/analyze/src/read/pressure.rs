//! `/proc/pressure/memory` and `memory.pressure` of a cgroup: how long tasks had to wait for memory.
//!
//! A kernel may be built or started without this; then there is no file, or reading it fails.

use super::{ReadError, decimal, lines, words};

/// Waiting for memory, and for the disk because of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pressure {
    /// At least one task waited.
    pub some: Option<Stall>,
    /// All that could have worked waited.
    pub full: Option<Stall>,
}

/// Shares of time, and a sum of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stall {
    /// Hundredths of a percent, over the last 10 seconds.
    pub avg10: u64,
    /// Hundredths of a percent, over the last 60 seconds.
    pub avg60: u64,
    /// Hundredths of a percent, over the last 300 seconds.
    pub avg300: u64,
    /// Microseconds since the start.
    pub total_us: u64,
}

/// Reads the file.
///
/// # Errors
///
/// The first line that is not of the form below.
///
/// # Source
///
/// `Documentation/accounting/psi.rst` of the kernel: `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
pub fn parse(file: &[u8]) -> Result<Pressure, ReadError> {
    let mut pressure = Pressure::default();
    for (offset, line) in lines(file) {
        let expected = "`KIND avg10=N avg60=N avg300=N total=N`";
        let mut words = words(line);
        let kind = words.next().unwrap_or_default();
        let stall = stall(words).ok_or(ReadError { offset, expected })?;
        match kind {
            b"some" => pressure.some = Some(stall),
            b"full" => pressure.full = Some(stall),
            _ => {}
        }
    }
    Ok(pressure)
}

fn stall<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> Option<Stall> {
    let mut value = |name: &[u8]| words.next()?.strip_prefix(name);
    Some(Stall {
        avg10: hundredths(value(b"avg10=")?)?,
        avg60: hundredths(value(b"avg60=")?)?,
        avg300: hundredths(value(b"avg300=")?)?,
        total_us: decimal(value(b"total=")?)?,
    })
}

/// `12.34`: always two places behind the point.
fn hundredths(number: &[u8]) -> Option<u64> {
    let (whole, [b'.', part @ ..]) = number.split_at_checked(number.len().checked_sub(3)?)? else {
        return None;
    };
    decimal(whole)?.checked_mul(100)?.checked_add(decimal(part)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"\
some avg10=0.00 avg60=1.05 avg300=100.00 total=64007890
full avg10=0.10 avg60=0.00 avg300=0.11 total=38962429
";

    #[test]
    fn both_kinds_are_read() {
        let pressure = parse(FILE).unwrap();
        let some = Stall { avg10: 0, avg60: 105, avg300: 10_000, total_us: 64_007_890 };
        assert_eq!(pressure.some, Some(some));
        assert_eq!(pressure.full.map(|full| (full.avg10, full.avg300)), Some((10, 11)));
        assert_eq!(parse(b"").unwrap().some, None, "not told is not 0");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (file, offset) in [
            (&b"some avg10=1 avg60=0.00 avg300=0.00 total=0\n"[..], 0),
            (b"some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00\n", 47),
            (b"\n", 0),
        ] {
            assert_eq!(parse(file).unwrap_err().offset, offset, "{file:?}");
        }
    }

    refuses_only_with_a_place!(parse, FILE);
}
