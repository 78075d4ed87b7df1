//! Recordings: the files of one process at one moment, so that every question can be asked again later.
//!
//! ```text
//!  smaps, status, statm (before and after), ...   as the kernel wrote them
//!  cgroup/0/memory.current, cgroup/1/...          of its group, the one above, ...
//!  what was seen of its heaps and huge pages      counted, never kept
//!  samples                                        if it was watched
//! ```
//!
//! What could not be read has the reason in its place. As JSON it has a version; text that is UTF-8 is kept as it is, and
//! anything else escaped (see [`escape`]). Made by the command; read by `account`, which does not know whether it
//! is from now or from a file.

use alloc::collections::BTreeMap;
use core::error::Error;
use core::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::escape;
use crate::glibc::Heap;
use crate::mallow::View;
use crate::padding::Padding;
use crate::slope::Sample;

/// What the files of this version are called inside.
const FORMAT: &str = "mallow-recording";
/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// The fields in which something was counted.
const COUNTED: [&str; 4] = ["heaps", "mallow", "padding", "samples"];
/// More than any address or size in them can be, so that sums of them are numbers too.
const TOO_LARGE: u64 = 1 << 57;

/// Everything that was read of a process.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Recording {
    format: String,
    version: u32,
    /// The number of the process.
    pub pid: u32,
    /// Milliseconds since 1970 began, when it was read.
    pub unix_ms: u64,
    /// Milliseconds that reading took.
    pub took_ms: u64,
    files: BTreeMap<String, Content>,
    missing: BTreeMap<String, String>,
    /// What was seen of the heaps of glibc, or why nothing was looked at.
    pub heaps: Result<Vec<Heap>, String>,
    /// What was seen of the heap of a process on mallow, or why nothing was; `None` if it is on another allocator.
    #[serde(default)]
    pub mallow: Option<Result<View, String>>,
    /// What was seen of huge pages; `None` if there are none.
    pub padding: Option<Padding>,
    /// What was resident while it was watched.
    pub samples: Vec<Sample>,
}

/// What is in a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Escaped { escaped: String },
}

/// Why a file is no recording.
#[derive(Debug)]
pub enum RecordingError {
    /// It is no JSON, or not of the fields of a recording.
    Malformed(serde_json::Error),
    /// It is JSON of something else.
    NoRecording,
    /// It counts more than any machine has.
    TooLarge,
    /// It is of a version that is not known here.
    Version(u32),
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "no snapshot of `mallow why --save`: {error}"),
            Self::NoRecording => f.write_str("JSON, and no snapshot of `mallow why --save`"),
            Self::TooLarge => f.write_str(
                "no snapshot of `mallow why --save`: it has a number that is larger than any address space",
            ),
            Self::Version(version) => write!(f, "a snapshot of version {version}; {VERSION} can be read"),
        }
    }
}

impl Error for RecordingError {}

/// The fields that say what a file is.
#[derive(Deserialize)]
struct Preamble {
    format: Option<String>,
    version: Option<u32>,
}

/// Whether some number in `value` is none that can have been counted.
fn is_too_large(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_u64().is_some_and(|number| number >= TOO_LARGE),
        Value::Array(values) => values.iter().any(is_too_large),
        Value::Object(fields) => fields.values().any(is_too_large),
        _ => false,
    }
}

impl Recording {
    /// A recording of a process of which nothing has been read.
    pub fn new(pid: u32, unix_ms: u64) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            pid,
            unix_ms,
            took_ms: 0,
            files: BTreeMap::new(),
            missing: BTreeMap::new(),
            heaps: Err("it was not looked at".to_owned()),
            mallow: None,
            padding: None,
            samples: Vec::new(),
        }
    }

    /// Keeps what is in a file.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) {
        let content = match String::from_utf8(bytes) {
            Ok(text) => Content::Text(text),
            Err(error) => Content::Escaped { escaped: escape::name(error.as_bytes()) },
        };
        self.missing.remove(name);
        self.files.insert(name.to_owned(), content);
    }

    /// Keeps the reason why a file could not be read.
    pub fn put_missing(&mut self, name: &str, reason: String) {
        self.files.remove(name);
        self.missing.insert(name.to_owned(), reason);
    }

    /// What is in a file; `None` if it was not read.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        match self.files.get(name)? {
            Content::Text(text) => Some(text.clone().into_bytes()),
            Content::Escaped { escaped } => escape::bytes(escaped),
        }
    }

    /// Why a file was not read.
    pub fn reason(&self, name: &str) -> &str {
        self.missing.get(name).map_or("it was not read", |reason| reason)
    }

    /// Returns it as JSON.
    ///
    /// # Errors
    ///
    /// None that can be brought about: every field has a form in JSON.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Reads what [`Recording::to_json`] has written.
    ///
    /// # Errors
    ///
    /// See [`RecordingError`].
    pub fn from_json(json: &[u8]) -> Result<Self, RecordingError> {
        let content: Value = serde_json::from_slice(json).map_err(RecordingError::Malformed)?;
        let preamble = Preamble::deserialize(&content).map_err(RecordingError::Malformed)?;
        match preamble {
            Preamble { format: Some(format), version: Some(VERSION) } if format == FORMAT => {
                if COUNTED.iter().any(|field| content.get(field).is_some_and(is_too_large)) {
                    return Err(RecordingError::TooLarge);
                }
                serde_json::from_value(content).map_err(RecordingError::Malformed)
            }
            Preamble { format: Some(format), version: Some(version) } if format == FORMAT => {
                Err(RecordingError::Version(version))
            }
            _ => Err(RecordingError::NoRecording),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_not_read_has_a_reason() {
        let mut recording = Recording::new(7, 0);
        recording.put_missing("smaps", "not permitted".to_owned());
        assert_eq!((recording.get("smaps"), recording.reason("smaps")), (None, "not permitted"));
        recording.put("smaps", b"x".to_vec());
        assert_eq!(recording.get("smaps"), Some(b"x".to_vec()));
        assert_eq!(recording.reason("maps"), "it was not read");
    }

    #[test]
    fn files_of_something_else_are_refused() {
        for (json, expected) in [
            (&b""[..], "no snapshot of `mallow why --save`: EOF"),
            (b"\xff", "no snapshot of `mallow why --save`: "),
            (b"{}", "JSON, and no snapshot"),
            (b"[1]", "no snapshot of"),
            (br#"{"format":"mallow-recording","version":99}"#, "a snapshot of version 99; 1 can be read"),
            (
                br#"{"format":"mallow-recording","version":1,"padding":[18446744073709551615]}"#,
                "larger than any",
            ),
            (br#"{"format":"mallow-recording","version":1}"#, "missing field `pid`"),
        ] {
            let error = Recording::from_json(json).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_saved_comes_back(smaps: Vec<u8>, text: String) {
            let mut recording = Recording::new(7, 1);
            recording.put("smaps", smaps.clone());
            recording.put("status", text.clone().into_bytes());
            recording.samples.push(Sample { at_ms: 1, resident: 2 });
            let again = Recording::from_json(recording.to_json().unwrap().as_bytes()).unwrap();
            prop_assert_eq!(&again, &recording);
            prop_assert_eq!(again.get("smaps"), Some(smaps));
            prop_assert_eq!(again.get("status"), Some(text.into_bytes()));
        }

        #[test]
        fn any_bytes_are_read_or_refused(json: Vec<u8>) {
            let _ = Recording::from_json(&json);
        }
    }
}
