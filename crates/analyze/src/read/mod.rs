//! Parsers of the files in `/proc`: bytes to numbers, one file format per module.
//!
//! Names in these files are whatever bytes a program chose. Lines that nobody here knows are left out: newer kernels
//! have more of them. What a kernel does not tell is `None`, never 0.

/// The two properties of a parser: whatever it is given, it answers, or says where the file is wrong.
#[cfg(test)]
macro_rules! refuses_only_with_a_place {
    ($parse:expr, $good:expr) => {
        proptest::proptest! {
            #[test]
            fn any_bytes_are_read_or_refused(file: Vec<u8>) {
                crate::read::tests::errors_are_within(&file, $parse(&file))?;
            }

            #[test]
            fn damaged_files_are_read_or_refused(place in 0..$good.len(), byte: u8) {
                let mut file = $good.to_vec();
                file[place] = byte;
                crate::read::tests::errors_are_within(&file, $parse(&file))?;
            }
        }
    };
}

pub mod buddyinfo;
pub mod cgroup;
pub mod counts;
pub mod kmsg;
pub mod meminfo;
pub mod mountinfo;
pub mod oom;
pub mod passwd;
pub mod pressure;
pub mod rlimits;
pub mod slabinfo;
pub mod smaps;
pub mod stat;
pub mod statm;
pub mod status;
pub mod vmallocinfo;
pub mod zoneinfo;

use core::error::Error;
use core::fmt;

/// A limit, or that there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// So much is allowed, in the unit of what is limited.
    At(u64),
    /// As much as there is.
    Unlimited,
}

impl Limit {
    /// The number, if there is one.
    pub const fn number(self) -> Option<u64> {
        match self {
            Self::At(number) => Some(number),
            Self::Unlimited => None,
        }
    }
}

/// Bytes in the "kB" of these files.
const KB: u64 = 1 << 10;

/// A file that is not as it must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadError {
    /// Bytes from the start of the file to the line.
    pub offset: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: expected {}", self.offset, self.expected)
    }
}

impl Error for ReadError {}

/// The lines of a file, each with its offset, without their ends.
fn lines(file: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut offset = 0;
    file.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let start = offset;
        offset += line.len();
        (start, line.strip_suffix(b"\n").unwrap_or(line))
    })
}

/// A line `KEY: VALUE` in two, the spaces around the value removed.
fn key_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// The words of a line, whatever is between them.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A decimal number.
fn decimal(digits: &[u8]) -> Option<u64> {
    number(digits, 10)
}

/// A hexadecimal number without a prefix.
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    number(digits, 16)
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    // `from_str_radix` takes a sign, which these files never have.
    if digits.first().is_none_or(|first| !first.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(core::str::from_utf8(digits).ok()?, radix).ok()
}

/// A value `NUMBER kB`, in bytes.
fn amount(value: &[u8]) -> Option<u64> {
    decimal(value.strip_suffix(b" kB")?.trim_ascii_end())?.checked_mul(KB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// That what was `read` of `file`, if it is an error, names a line of it; the end is the last one.
    pub(crate) fn errors_are_within<T>(file: &[u8], read: Result<T, ReadError>) -> Result<(), TestCaseError> {
        match read {
            Err(error) => {
                prop_assert!(error.offset <= file.len(), "{error}");
                let is_start = error.offset == 0 || file[error.offset - 1] == b'\n';
                prop_assert!(is_start || error.offset == file.len(), "{error}, in the middle of a line");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    #[test]
    fn lines_know_where_they_begin() {
        let found: Vec<_> = lines(b"ab\n\ncd").collect();
        assert_eq!(found, [(0, &b"ab"[..]), (3, b""), (4, b"cd")]);
    }

    #[test]
    fn numbers_have_no_signs_and_do_not_overflow() {
        assert_eq!(decimal(b"12"), Some(12));
        assert_eq!(hexadecimal(b"fF"), Some(255));
        for wrong in [&b""[..], b"+1", b"-1", b" 1", b"1 ", b"99999999999999999999", b"\xff"] {
            assert_eq!(decimal(wrong), None, "{wrong:?}");
        }
        assert_eq!(amount(b"8 kB"), Some(8192));
        assert_eq!(amount(b"8"), None);
        assert_eq!(amount(b"18446744073709551615 kB"), None);
    }
}
