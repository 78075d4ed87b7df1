//! Reads a script, and says where it cannot.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::str::FromStr;

use mallow_units::page::PAGE_BYTES;

use super::call::{Call, Limit, Resource, Source};
use super::place::{Base, Place};
use super::words::{self, Word, protection};
use super::{Script, Statement};

/// How many processes a script may have.
pub const MAX_PROCESSES: u32 = 8;

/// Why a text is not a script, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Counted from one.
    pub line: usize,
    /// In characters of the line, counted from one.
    pub column: usize,
    /// In bytes from the start of the text.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl Error for ParseError {}

impl FromStr for Script {
    type Err = ParseError;

    /// Reads a script.
    ///
    /// # Errors
    ///
    /// With the place of the first word that cannot be read, or that names what no earlier line has made.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut known = Known::default();
        let mut statements = Vec::new();
        let mut start = 0;
        for (index, whole) in text.split_inclusive('\n').enumerate() {
            let line = whole.split('#').next().unwrap_or_default();
            let mut words = Words::of(line);
            if !words.rest.is_empty() {
                let statement =
                    statement(&mut words, &known, index + 1).map_err(|(at, message)| ParseError {
                        line: index + 1,
                        column: line[..at].chars().count() + 1,
                        offset: start + at,
                        message,
                    })?;
                known.learn(&statement);
                statements.push(statement);
            }
            start += whole.len();
        }
        Ok(Self { statements })
    }
}

/// What earlier lines have made.
#[derive(Default)]
struct Known {
    names: Vec<String>,
    files: Vec<String>,
    forks: u32,
}

impl Known {
    fn learn(&mut self, statement: &Statement) {
        self.names.extend(statement.name.clone());
        match &statement.call {
            Call::File { name, .. } => self.files.push(name.clone()),
            Call::Fork => self.forks += 1,
            _ => {}
        }
    }
}

/// A place in a line, and what is wrong there.
type Wrong = (usize, String);

/// A word and where it stands.
#[derive(Clone, Copy)]
struct At<'a> {
    at: usize,
    word: &'a str,
}

impl At<'_> {
    fn is_not(self, what: &str) -> Wrong {
        (self.at, format!("`{}` is not {what}", self.word))
    }
}

/// The words of a line that have not been read.
struct Words<'a> {
    rest: Vec<At<'a>>,
    end: usize,
}

impl<'a> Words<'a> {
    /// Splits a line at spaces; `:` after a process and `=` after a name are words of their own.
    fn of(line: &'a str) -> Self {
        let mut rest = Vec::new();
        let mut begin = None;
        for (at, character) in line.char_indices().chain([(line.len(), ' ')]) {
            let is_sign = matches!(character, ':' | '=');
            if is_sign || character.is_whitespace() {
                rest.extend(begin.take().map(|begin| At { at: begin, word: &line[begin..at] }));
            } else {
                begin = begin.or(Some(at));
            }
            if is_sign {
                rest.push(At { at, word: &line[at..=at] });
            }
        }
        rest.reverse();
        Self { rest, end: line.trim_end().len() }
    }

    /// Whether the word after the next one is `word`.
    fn second_is(&self, word: &str) -> bool {
        self.rest.len().checked_sub(2).is_some_and(|second| self.rest[second].word == word)
    }

    fn next(&mut self, what: &str) -> Result<At<'a>, Wrong> {
        self.rest.pop().ok_or_else(|| (self.end, format!("{what} is missing")))
    }

    fn size(&mut self) -> Result<u64, Wrong> {
        let word = self.next("a size")?;
        size(word.word).ok_or_else(|| word.is_not("a size"))
    }

    fn place(&mut self, known: &Known) -> Result<Place, Wrong> {
        place(self.next("an address")?, known)
    }

    fn protection(&mut self) -> Result<u32, Wrong> {
        let word = self.next("a protection")?;
        access(word.word).ok_or_else(|| word.is_not("a protection"))
    }

    /// All the words that are left, as bits.
    fn bits(&mut self, table: &'static [Word], what: &str) -> Result<u32, Wrong> {
        let mut bits = 0;
        while let Some(word) = self.rest.pop() {
            bits |= flag_bits(table, word).ok_or_else(|| word.is_not(what))?;
        }
        Ok(bits)
    }
}

fn statement(words: &mut Words<'_>, known: &Known, line: usize) -> Result<Statement, Wrong> {
    let mut process = 0;
    if words.second_is(":") {
        let word = words.next("a process")?;
        words.next(":")?;
        process = word.word.parse().map_err(|_| word.is_not("a process"))?;
        if process > known.forks {
            return Err((word.at, format!("there is no process {process} yet")));
        }
    }
    let mut name = None;
    if words.second_is("=") {
        let word = words.next("a name")?;
        words.next("=")?;
        name = Some(new_name(word)?);
    }
    let call = call(words, known)?;
    match words.rest.pop() {
        Some(word) => Err((word.at, format!("nothing is expected here, but there is `{}`", word.word))),
        None => Ok(Statement { line, process, name, call }),
    }
}

fn call(words: &mut Words<'_>, known: &Known) -> Result<Call, Wrong> {
    let verb = words.next("a verb")?;
    Ok(match verb.word {
        "file" => Call::File { name: new_name(words.next("a name")?)?, bytes: words.size()? },
        "mmap" => mmap(words, known)?,
        "munmap" => Call::Munmap { at: words.place(known)?, bytes: words.size()? },
        "mprotect" => Call::Mprotect {
            at: words.place(known)?,
            bytes: words.size()?,
            protection: words.protection()? | words.bits(words::PROTECTION, "`growsdown`")?,
        },
        "mremap" => mremap(words, known)?,
        "brk" => Call::Brk { to: words.place(known)? },
        "mlock" => Call::Mlock {
            at: words.place(known)?,
            bytes: words.size()?,
            on_fault: words.bits(&[("onfault", 1)], "`onfault`")? != 0,
        },
        "munlock" => Call::Munlock { at: words.place(known)?, bytes: words.size()? },
        "mlockall" => Call::Mlockall { flags: words.bits(words::LOCK, "a flag of mlockall")? },
        "munlockall" => Call::Munlockall,
        "madvise" => Call::Madvise {
            at: words.place(known)?,
            bytes: words.size()?,
            advice: {
                let word = words.next("an advice")?;
                flag_bits(words::ADVICE, word).ok_or_else(|| word.is_not("an advice"))?
            },
        },
        "mincore" => Call::Mincore { at: words.place(known)?, bytes: words.size()? },
        "read" => Call::Read { at: words.place(known)?, bytes: optional_size(words)? },
        "write" => {
            Call::Write { at: words.place(known)?, bytes: optional_size(words)?, value: value(words)? }
        }
        "rlimit" => rlimit(words)?,
        "fork" if known.forks + 1 >= MAX_PROCESSES => {
            return Err((verb.at, format!("a script has at most {MAX_PROCESSES} processes")));
        }
        "fork" => Call::Fork,
        "exit" => Call::Exit,
        _ => return Err(verb.is_not("a verb")),
    })
}

fn mmap(words: &mut Words<'_>, known: &Known) -> Result<Call, Wrong> {
    let (at, bytes, protection) = (words.place(known)?, words.size()?, words.protection()?);
    let (mut flags, mut source) = (0, None);
    while let Some(word) = words.rest.pop() {
        if let Some(bits) = flag_bits(words::FLAGS, word) {
            flags |= bits;
            continue;
        }
        if source.is_some() {
            return Err(word.is_not("a flag of mmap"));
        }
        source = Some(file(word, known)?);
    }
    match source {
        Some(source) => Ok(Call::Mmap { at, bytes, protection, flags, source }),
        None => Err((words.end, "a file or `anon` is missing".to_owned())),
    }
}

/// `anon`, `FILE` or `FILE+SIZE`.
fn file(word: At<'_>, known: &Known) -> Result<Source, Wrong> {
    if word.word == "anon" {
        return Ok(Source::Anonymous);
    }
    let (name, offset) = word.word.split_once('+').unwrap_or((word.word, "0"));
    if !known.files.iter().any(|known| known == name) {
        return Err(word.is_not("a flag of mmap, nor a file"));
    }
    let offset = size(offset).ok_or_else(|| word.is_not("a file and a size"))?;
    Ok(Source::File { name: name.to_owned(), offset })
}

fn mremap(words: &mut Words<'_>, known: &Known) -> Result<Call, Wrong> {
    let (at, old_bytes, new_bytes) = (words.place(known)?, words.size()?, words.size()?);
    let (mut flags, mut to) = (0, None);
    while let Some(word) = words.rest.pop() {
        if word.word == "to" {
            to = Some(words.place(known)?);
        } else {
            flags |= flag_bits(words::REMAP, word).ok_or_else(|| word.is_not("a flag of mremap"))?;
        }
    }
    Ok(Call::Mremap { at, old_bytes, new_bytes, flags, to })
}

fn rlimit(words: &mut Words<'_>) -> Result<Call, Wrong> {
    let word = words.next("a resource")?;
    let resource = match word.word {
        "as" => Resource::AddressSpace,
        "data" => Resource::Data,
        "stack" => Resource::Stack,
        "memlock" => Resource::LockedMemory,
        _ => return Err(word.is_not("a resource")),
    };
    let word = words.next("a limit")?;
    let limit = match (word.word, word.word.strip_prefix('+')) {
        ("none", _) => Some(Limit::None),
        (_, Some(above)) => size(above).map(Limit::Above),
        (bytes, None) => size(bytes).map(Limit::Bytes),
    };
    Ok(Call::Rlimit { resource, limit: limit.ok_or_else(|| word.is_not("a limit"))? })
}

/// A size, or one byte where the line ends.
fn optional_size(words: &mut Words<'_>) -> Result<u64, Wrong> {
    if words.rest.is_empty() { Ok(1) } else { words.size() }
}

/// A byte, or 1 where the line ends.
fn value(words: &mut Words<'_>) -> Result<u8, Wrong> {
    let Some(word) = words.rest.pop() else { return Ok(1) };
    number(word.word).and_then(|value| u8::try_from(value).ok()).ok_or_else(|| word.is_not("a byte"))
}

/// A name that a statement gives: letters, digits and underscores; no word of the format, so that it can be told from them.
fn new_name(word: At<'_>) -> Result<String, Wrong> {
    let is_name = word.word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    let is_taken =
        matches!(word.word, "anon" | "brk" | "to" | "none") || words::bits(words::FLAGS, word.word).is_some();
    if is_name && !is_taken { Ok(word.word.to_owned()) } else { Err(word.is_not("a name")) }
}

fn place(word: At<'_>, known: &Known) -> Result<Place, Wrong> {
    let text = word.word;
    let length = text.find(['+', '-']).unwrap_or(text.len());
    let (base, mut rest) = text.split_at(length);
    let (base, mut distance) = match base {
        "@" => (Base::Arena, 0),
        "brk" => (Base::Break, 0),
        name if known.names.iter().any(|known| known == name) => (Base::Result(name.to_owned()), 0),
        number => (Base::Zero, size(number).ok_or_else(|| word.is_not("an address"))?),
    };
    while let Some(sign) = rest.chars().next() {
        let length = rest[1..].find(['+', '-']).map_or(rest.len(), |at| at + 1);
        let bytes = size(&rest[1..length]).ok_or_else(|| word.is_not("an address"))?;
        distance = if sign == '+' { distance.wrapping_add(bytes) } else { distance.wrapping_sub(bytes) };
        rest = &rest[length..];
    }
    Ok(Place { base, distance })
}

/// Bytes; `None` if it is not a size, or one that 64 bits do not hold.
fn size(word: &str) -> Option<u64> {
    let unit = match word.chars().last()? {
        _ if word.starts_with("0x") => 1,
        'p' => PAGE_BYTES as u64,
        'K' => 1 << 10,
        'M' => 1 << 20,
        'G' => 1 << 30,
        _ => 1,
    };
    let digits = if unit == 1 { word } else { &word[..word.len() - 1] };
    number(digits)?.checked_mul(unit)
}

fn number(word: &str) -> Option<u64> {
    // A sign would pass: these functions take one.
    if word.contains(['+', '-']) {
        return None;
    }
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

fn flag_bits(table: &'static [Word], word: At<'_>) -> Option<u32> {
    words::bits(table, word.word).or_else(|| u32::try_from(number(word.word)?).ok())
}

/// `rwx` with hyphens, a number, or both with `|` between them.
fn access(word: &str) -> Option<u32> {
    let numeric = |word: &str| u32::try_from(number(word)?).ok();
    if let Some((letters, rest)) = word.split_once('|') {
        return Some(access(letters)? | numeric(rest)?);
    }
    let bits = [protection::READ, protection::WRITE, protection::EXEC];
    let letters: Option<u32> = (word.len() == 3)
        .then(|| {
            let pairs = word.chars().zip("rwx".chars()).zip(bits);
            pairs
                .map(|((is, letter), bit)| match is {
                    '-' => Some(0),
                    is => (is == letter).then_some(bit),
                })
                .sum()
        })
        .flatten();
    letters.or_else(|| numeric(word))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    const ALL: &str = "\
file f 0x5001
mmap @-1p 4p rw- private anon fixed noreserve
mmap @+0x801 0x1001 r-x shared f+2p noreplace
mmap 0 0 rwx|0x1000 f 0x800000
mmap 1p 2p --- shared_validate anon growsdown locked populate nonblock stack
a1 = mmap 0 4p rw- private anon
fork
1: munmap a1+2p 1p
mprotect a1 4p r-- growsdown
mremap @ 2p 4p maymove fixed dontunmap to @+9p
mremap @ 2p 4p
brk brk+3p
mlock @ 4p
mlock @ 4p onfault
munlock @ 4p
mlockall current future onfault
mlockall
munlockall
madvise @ 4p dontneed
madvise @ 4p 0x63
mincore @ 0xffffffffffffffff
read @ 1p
write @+0x10 0x1 7
rlimit as +4p
rlimit memlock none
rlimit stack 2048p
1: exit
";

    #[test]
    fn what_was_printed_reads_back_as_the_same() {
        let script: Script = ALL.parse().unwrap();
        assert_eq!(script.to_string(), ALL);
        assert_eq!(script.to_string().parse::<Script>().unwrap(), script);
    }

    #[test]
    fn comments_blank_lines_and_units_are_understood() {
        let script: Script = "# all\n\n  read @+1M-4K 2p # two\nwrite 0x10\r\nread @+1+1".parse().unwrap();
        assert_eq!(script.to_string(), "read @+255p 2p\nwrite 0x10 0x1 1\nread @+0x2 0x1\n");
        assert_eq!(script.statements[1].line, 4);
    }

    #[test]
    fn errors_name_line_column_and_offset() {
        let cases = [
            ("munmap", 1, 7, "an address is missing"),
            ("read @\nmunmap b 4p", 2, 8, "`b` is not an address"),
            ("read @\n\nmap", 3, 1, "`map` is not a verb"),
            ("munmap @ 4p 5p", 1, 13, "nothing is expected here, but there is `5p`"),
            ("mmap @ 1p rw- anon private f", 1, 28, "`f` is not a flag of mmap"),
            ("mmap @ 1p rw- private f", 1, 23, "`f` is not a flag of mmap, nor a file"),
            ("mmap @ 1p rw- private", 1, 22, "a file or `anon` is missing"),
            ("mmap @ 1p wr- private anon", 1, 11, "`wr-` is not a protection"),
            ("munmap @ 0x10000000000000000", 1, 10, "`0x10000000000000000` is not a size"),
            ("munmap @ 0xfffffffffffffffp", 1, 10, "`0xfffffffffffffffp` is not a size"),
            ("munmap @ 4503599627370496p", 1, 10, "`4503599627370496p` is not a size"),
            ("1: exit", 1, 1, "there is no process 1 yet"),
            ("fixed = fork", 1, 1, "`fixed` is not a name"),
            ("write @ 1p 256", 1, 12, "`256` is not a byte"),
            ("é = fork", 1, 1, "`é` is not a name"),
        ];
        for (text, line, column, message) in cases {
            let error = text.parse::<Script>().unwrap_err();
            assert_eq!((error.line, error.column, &*error.message), (line, column, message), "{text}");
        }
        assert_eq!("read @\n  map".parse::<Script>().unwrap_err().offset, 9);
    }

    #[test]
    fn no_text_makes_it_panic() {
        for length in 0..ALL.len() {
            let _ = ALL[..length].parse::<Script>();
            let _ = ALL[length..].parse::<Script>();
            let _ = ALL.replace(&ALL[length..=length], "é").parse::<Script>();
        }
    }
}
