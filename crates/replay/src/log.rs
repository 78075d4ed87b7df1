//! Logs of what a program asked `malloc` for, as glibc writes them.
//!
//! ```text
//!  = Start
//!  @ ./program:(main+0x10)[0x1169] + 0x55d0c8 0x20      malloc: address, bytes
//!  @ ./program:(main+0x20)[0x1179] < 0x55d0c8           realloc: of this block
//!  @ ./program:(main+0x20)[0x1179] > 0x55d0f8 0x40        to this one
//!  @ ./program:(main+0x30)[0x1189] - 0x55d0f8           free
//!  @ ./program:(main+0x40)[0x1199] ! 0x55d128 0x1000    a realloc that was refused
//!  = End
//! ```
//!
//! Called by the command.
//!
//! # Source
//!
//! `mtrace(3)`; `malloc/mtrace-impl.c` of glibc for what the manual leaves out.

use core::fmt;

/// A log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Log {
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// A line of a log; of a `realloc`, the second one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// The number of the line, from 1 on.
    pub line: usize,
    /// What happened.
    pub call: Call,
}

/// What a program asked for. Addresses are those of the log, sizes are bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// `malloc`, `calloc`, `memalign` and so on.
    Allocate {
        /// What it returned; 0 if it was refused.
        address: u64,
        /// What was asked for.
        bytes: u64,
    },
    /// `realloc` of a block.
    Reallocate {
        /// The block.
        from: u64,
        /// Where it is now; `None` if it was refused.
        to: Option<u64>,
        /// What was asked for.
        bytes: u64,
    },
    /// `free`.
    Free {
        /// The block.
        address: u64,
    },
}

/// What is wrong with a log, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogError {
    /// The number of the line, from 1 on.
    pub line: usize,
    /// The first byte of that line.
    pub offset: usize,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, offset {}: {}", self.line, self.offset, self.reason)
    }
}

impl core::error::Error for LogError {}

/// One line, before those of a `realloc` are one.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// Nothing happened: an empty line, the start, the end.
    Mark,
    Call(Call),
    From(u64),
    To(u64, u64),
}

impl Log {
    /// Whether `bytes` look like a log: they begin as glibc begins one, or with its first event.
    pub fn is_one(bytes: &[u8]) -> bool {
        let start = bytes.trim_ascii_start();
        start.starts_with(b"= Start") || start.starts_with(b"@ ")
    }

    /// Reads a log. A program that was killed leaves one without an end; all its lines are whole.
    ///
    /// # Errors
    ///
    /// The first line that is none of a log, or that has been cut off.
    pub fn parse(bytes: &[u8]) -> Result<Self, LogError> {
        let mut events = Vec::new();
        let mut from: Option<u64> = None;
        let mut offset = 0;
        for (line, content) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let wrong = |reason: String| LogError { line, offset, reason };
            let Some((b'\n', content)) = content.split_last() else {
                return Err(wrong("the log is cut off in the middle of this line".to_owned()));
            };
            let found = parse_line(content).map_err(wrong)?;
            if let Some(from) = from
                && !matches!(found, Line::To(..))
            {
                return Err(wrong(format!("a line with `>` is missing for the realloc of {from:#x}")));
            }
            match found {
                Line::Mark => {}
                Line::Call(call) => events.push(Event { line, call }),
                Line::From(address) => from = Some(address),
                Line::To(to, bytes) => {
                    let from = from.take().ok_or_else(|| wrong("`>` without a `<` before it".to_owned()))?;
                    events.push(Event { line, call: Call::Reallocate { from, to: Some(to), bytes } });
                }
            }
            offset += content.len() + 1;
        }
        match from {
            Some(from) => {
                let line = bytes.iter().filter(|byte| **byte == b'\n').count();
                let reason = format!("the log ends before the realloc of {from:#x} does");
                Err(LogError { line, offset, reason })
            }
            None => Ok(Self { events }),
        }
    }
}

fn parse_line(line: &[u8]) -> Result<Line, String> {
    let text = core::str::from_utf8(line).map_err(|_| "this is not text".to_owned())?;
    if text.trim().is_empty() || text.starts_with("= ") {
        return Ok(Line::Mark);
    }
    // Where it was called from may have spaces, so the line is read from its end.
    let mut words = text.split_ascii_whitespace().rev();
    let (Some(last), Some(before)) = (words.next(), words.next()) else {
        return Err(format!("`{text}` is no line of a log"));
    };
    let one = |of: fn(u64) -> Line| Ok(of(number(last)?));
    match (before, words.next()) {
        ("-", _) => one(|address| Line::Call(Call::Free { address })),
        ("<", _) => one(Line::From),
        (address, Some("+")) => {
            Ok(Line::Call(Call::Allocate { address: number(address)?, bytes: number(last)? }))
        }
        (address, Some(">")) => Ok(Line::To(number(address)?, number(last)?)),
        (address, Some("!")) => {
            let call = Call::Reallocate { from: number(address)?, to: None, bytes: number(last)? };
            Ok(Line::Call(call))
        }
        _ => Err(format!("`{text}` has none of + - < > ! where a log has it")),
    }
}

/// A number as `printf` writes a pointer or `%#lx`.
fn number(word: &str) -> Result<u64, String> {
    if word == "(nil)" || word == "0" {
        return Ok(0);
    }
    let digits = word.strip_prefix("0x").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| format!("`{word}` is not a number such as 0x55d0c8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOG: &str = "= Start\n\
        @ ./my program:(main+0x10)[0x1169] + 0x55d0c8 0x20\n\
        @ ./my program:(main+0x20)[0x1179] < 0x55d0c8\n\
        @ ./my program:(main+0x20)[0x1179] > 0x55d0f8 0x40\n\
        @ [0x1189] - 0x55d0f8\n\
        @ [0x1199] ! 0x55d128 0x1000\n\
        @ [0x1199] + (nil) 0xffffffffffffffff\n\
        = End\n";

    fn error(text: &str) -> String {
        Log::parse(text.as_bytes()).map_err(|error| error.to_string()).unwrap_err()
    }

    #[test]
    fn every_line_of_a_log_is_understood() {
        let log = Log::parse(LOG.as_bytes()).unwrap();
        let calls: Vec<_> = log.events.iter().map(|event| (event.line, event.call)).collect();
        assert_eq!(
            calls,
            [
                (2, Call::Allocate { address: 0x55_d0c8, bytes: 0x20 }),
                (4, Call::Reallocate { from: 0x55_d0c8, to: Some(0x55_d0f8), bytes: 0x40 }),
                (5, Call::Free { address: 0x55_d0f8 }),
                (6, Call::Reallocate { from: 0x55_d128, to: None, bytes: 0x1000 }),
                (7, Call::Allocate { address: 0, bytes: u64::MAX }),
            ]
        );
        assert!(Log::is_one(LOG.as_bytes()) && Log::is_one(b"@ [0x1] - 0x2\n"));
        assert!(!Log::is_one(b"a = mmap 0 64M rw- private anon\n") && !Log::is_one(b""));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        assert_eq!(
            error("= Start\n@ a + 0x1"),
            "line 2, offset 8: the log is cut off in the middle of this line"
        );
        assert_eq!(error("= Start\nhello\n"), "line 2, offset 8: `hello` is no line of a log");
        assert_eq!(
            error("@ a * 0x1 0x2\n"),
            "line 1, offset 0: `@ a * 0x1 0x2` has none of + - < > ! where a log has it"
        );
        assert_eq!(error("@ a + 12 0x2\n"), "line 1, offset 0: `12` is not a number such as 0x55d0c8");
        assert_eq!(error("@ a - 0x+1\n"), "line 1, offset 0: `0x+1` is not a number such as 0x55d0c8");
        assert_eq!(error("@ a > 0x1 0x2\n"), "line 1, offset 0: `>` without a `<` before it");
        assert_eq!(
            error("@ a < 0x1\n= End\n"),
            "line 2, offset 10: a line with `>` is missing for the realloc of 0x1"
        );
        assert_eq!(error("@ a < 0x1\n"), "line 1, offset 10: the log ends before the realloc of 0x1 does");
        assert_eq!(error("@ a - 0x1\n@ \u{80}\n").split(": ").next(), Some("line 2, offset 10"));
    }

    proptest! {
        #[test]
        fn a_log_that_is_cut_off_is_no_log_or_a_shorter_one(length in 0..LOG.len()) {
            let whole = Log::parse(LOG.as_bytes()).unwrap();
            match Log::parse(&LOG.as_bytes()[..length]) {
                Ok(shorter) => prop_assert!(whole.events.starts_with(&shorter.events)),
                Err(error) => prop_assert!(error.offset <= length),
            }
        }

        #[test]
        fn any_bytes_are_a_log_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(error) = Log::parse(&bytes) {
                prop_assert!(error.offset <= bytes.len());
            }
        }

        #[test]
        fn any_words_are_a_log_or_an_error(words in "([-+<>!=@ \n]|0x1f|\\(nil\\)){0,40}") {
            if let Err(error) = Log::parse(words.as_bytes()) {
                prop_assert!(error.offset <= words.len());
            }
        }
    }
}
