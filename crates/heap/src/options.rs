//! Options: one table with name, default, unit and meaning, and the reading of `MALLOW=`.
//!
//! Called once by `process` when the library starts, before there are other threads; later changes come from
//! `mallopt`. A wrong key or value is reported in one sentence and otherwise ignored: it never stops a program.

use core::fmt;

use mallow_ds::sync::{AtomicU64, Ordering};

use crate::config::{DIRTY_FLOOR_BYTES, MAX_RUN_BYTES};

/// The options that have a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Key {
    /// Fill pattern for new and freed blocks.
    Perturb,
    /// Free memory that may stay resident.
    TrimThreshold,
    /// Size from which a block gets its own mapping.
    MmapThreshold,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The key in `MALLOW=`.
    pub name: &'static str,
    /// The value if nobody says otherwise.
    pub default: u64,
    /// The smallest and the largest value.
    pub range: (u64, u64),
    /// Unit of the value.
    pub unit: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// The glibc tunable of the same meaning.
    pub tunable: &'static str,
    /// The glibc environment variable of the same meaning.
    pub variable: &'static str,
}

/// The table, in the order of [`Key`].
pub const TABLE: [Row; 3] = [
    Row {
        name: "perturb",
        default: 0,
        range: (0, 255),
        unit: "byte",
        meaning: "fill new blocks with the complement of this byte and freed blocks with the byte; 0 is off",
        tunable: "glibc.malloc.perturb",
        variable: "MALLOC_PERTURB_",
    },
    Row {
        name: "trim_threshold",
        default: DIRTY_FLOOR_BYTES as u64,
        range: (0, 1 << 47),
        unit: "bytes",
        meaning: "free memory that may stay resident however small the heap is",
        tunable: "glibc.malloc.trim_threshold",
        variable: "MALLOC_TRIM_THRESHOLD_",
    },
    Row {
        name: "mmap_threshold",
        default: MAX_RUN_BYTES as u64,
        range: (16 << 10, MAX_RUN_BYTES as u64),
        unit: "bytes",
        meaning: "blocks larger than this get a mapping of their own, which goes back to the kernel when they are freed",
        tunable: "glibc.malloc.mmap_threshold",
        variable: "MALLOC_MMAP_THRESHOLD_",
    },
];

/// The name of the option whose value is a path, not a number.
pub const SEGMENT: &str = "segment";

/// The values.
#[derive(Debug)]
pub struct Options {
    values: [AtomicU64; TABLE.len()],
}

impl Options {
    /// All defaults.
    pub const fn new() -> Self {
        let mut values = [const { AtomicU64::new(0) }; TABLE.len()];
        let mut index = 0;
        while index < TABLE.len() {
            values[index] = AtomicU64::new(TABLE[index].default);
            index += 1;
        }
        Self { values }
    }

    /// The value of an option.
    pub fn get(&self, key: Key) -> u64 {
        // ORDERING: a number on its own.
        self.values[key as usize].load(Ordering::Relaxed)
    }

    /// Sets an option, if the value is in its range.
    ///
    /// # Errors
    ///
    /// [`Wrong::Range`] otherwise.
    pub fn set(&self, key: Key, value: u64) -> Result<(), Wrong<'static>> {
        let row = &TABLE[key as usize];
        if value < row.range.0 || value > row.range.1 {
            return Err(Wrong::Range(row, value));
        }
        self.values[key as usize].store(value, Ordering::Relaxed);
        Ok(())
    }

    /// Sets the options of a `MALLOW=` value: `key=value` pairs with commas between.
    ///
    /// Returns the path of the segment if there is one. Each mistake is passed to `report`, and the rest is read.
    pub fn read<'a>(&self, text: &'a [u8], mut report: impl FnMut(Wrong<'a>)) -> Option<&'a [u8]> {
        let mut segment = None;
        for pair in text.split(|byte| *byte == b',').filter(|pair| !pair.is_empty()) {
            let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(equals);
            let value = value.get(1..).unwrap_or_default();
            if name == SEGMENT.as_bytes() {
                segment = Some(value);
                continue;
            }
            let read = match KEYS.into_iter().find(|key| TABLE[*key as usize].name.as_bytes() == name) {
                None => Err(Wrong::Key(Text(name))),
                Some(key) => match number(value) {
                    None => Err(Wrong::Value(&TABLE[key as usize], Text(value))),
                    Some(value) => self.set(key, value),
                },
            };
            if let Err(wrong) = read {
                report(wrong);
            }
        }
        segment
    }

    /// Sets the options that glibc's own environment variables and tunables ask for.
    ///
    /// What is not a number is ignored silently, as glibc does.
    pub fn read_glibc<'a>(&self, variable: impl Fn(&str) -> Option<&'a [u8]>) {
        let tunables = variable("GLIBC_TUNABLES").unwrap_or_default();
        for key in KEYS {
            let row = &TABLE[key as usize];
            let tunable = tunables
                .split(|byte| *byte == b':')
                .find_map(|pair| pair.strip_prefix(row.tunable.as_bytes())?.strip_prefix(b"="));
            for text in [variable(row.variable), tunable].into_iter().flatten() {
                if let Some(value) = number(text) {
                    // What we cannot do is done as nearly as we can; a clamped value is always in range.
                    let _ = self.set(key, value.clamp(row.range.0, row.range.1));
                }
            }
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

const KEYS: [Key; TABLE.len()] = [Key::Perturb, Key::TrimThreshold, Key::MmapThreshold];

const _: () = {
    let mut index = 0;
    while index < KEYS.len() {
        assert!(KEYS[index] as usize == index);
        index += 1;
    }
};

/// A decimal or 0x number, with an optional suffix k, m or g.
fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    let (digits, radix) = match text.strip_prefix(b"0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let suffixed = |shift| digits.split_last().map_or((digits, 0), |(_, rest)| (rest, shift));
    let (digits, shift) = match (radix, digits.last().map(u8::to_ascii_lowercase)) {
        (10, Some(b'k')) => suffixed(10),
        (10, Some(b'm')) => suffixed(20),
        (10, Some(b'g')) => suffixed(30),
        _ => (digits, 0),
    };
    let digits = core::str::from_utf8(digits).ok()?;
    u64::from_str_radix(digits, radix).ok()?.checked_mul(1 << shift)
}

/// Bytes from the environment that are shown in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a>(&'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// A mistake in `MALLOW=`.
#[derive(Clone, Copy, Debug)]
pub enum Wrong<'a> {
    /// No option has this name.
    Key(Text<'a>),
    /// The value is not a number.
    Value(&'static Row, Text<'a>),
    /// The number is out of range.
    Range(&'static Row, u64),
}

impl fmt::Display for Wrong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(name) => {
                write!(f, "MALLOW: there is no option '{name}'; the options are {SEGMENT}")?;
                TABLE.iter().try_for_each(|row| write!(f, ", {}", row.name))
            }
            Self::Value(row, text) => {
                let (low, high) = row.range;
                write!(
                    f,
                    "MALLOW: {}='{text}' is not a number; {low} to {high} {} are allowed",
                    row.name, row.unit
                )
            }
            Self::Range(row, value) => {
                let (low, high) = row.range;
                write!(
                    f,
                    "MALLOW: {}={value} is out of range; {low} to {high} {} are allowed",
                    row.name, row.unit
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use super::*;

    fn read(text: &str) -> (Options, Option<&[u8]>, Vec<String>) {
        let (options, mut reports) = (Options::new(), Vec::new());
        let segment = options.read(text.as_bytes(), |wrong| reports.push(wrong.to_string()));
        (options, segment, reports)
    }

    #[test]
    fn reads_pairs_and_suffixes() {
        let (options, segment, reports) = read("perturb=0x5a,trim_threshold=3m,segment=/proc/1/fd/3");
        assert_eq!(options.get(Key::Perturb), 0x5a);
        assert_eq!(options.get(Key::TrimThreshold), 3 << 20);
        assert_eq!(segment, Some(&b"/proc/1/fd/3"[..]));
        assert!(reports.is_empty());
    }

    #[test]
    fn every_mistake_is_one_sentence_and_the_rest_is_read() {
        let (options, _, reports) = read("colour=red,perturb=999,trim_threshold=many,perturb=7");
        assert_eq!(options.get(Key::Perturb), 7);
        assert_eq!(reports.len(), 3);
        assert!(reports[0].contains("'colour'") && reports[0].contains("perturb"));
        assert!(reports[1].contains("perturb=999") && reports[1].contains("0 to 255"));
        assert!(reports[2].contains("trim_threshold='many'"));
    }

    #[test]
    fn glibc_names_work_and_nonsense_is_silent() {
        let options = Options::new();
        options.read_glibc(|name| match name {
            "GLIBC_TUNABLES" => Some(b"glibc.malloc.check=3:glibc.malloc.perturb=12"),
            "MALLOC_TRIM_THRESHOLD_" => Some(b"nonsense"),
            _ => None,
        });
        assert_eq!(options.get(Key::Perturb), 12);
        assert_eq!(options.get(Key::TrimThreshold), TABLE[1].default);
    }
}
