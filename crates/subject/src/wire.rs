//! The wire: requests as lines of words on standard input, answers as lines on standard output.
//!
//! ```text
//!  verb word word ...\n     words are decimal numbers, or texts without spaces
//!  = RESULT FAULTS\n        or   ! ERRNO FAULTS\n
//! ```
//!
//! Called by `main`. Nothing is allocated: words are cut apart in the buffer that they were read into.

use core::ffi::CStr;

use crate::Answer;

/// Bytes; longer requests do not exist.
const LONGEST_LINE: usize = 1024;
/// Bytes of an answer: a sign, two numbers, spaces.
const LONGEST_REPLY: usize = 64;

/// Where requests come from.
pub(crate) struct Wire {
    buffer: [u8; LONGEST_LINE],
}

/// One request; its words end with a zero byte each.
pub(crate) struct Request<'a> {
    line: &'a [u8],
}

impl Wire {
    pub(crate) const fn new() -> Self {
        Self { buffer: [0; LONGEST_LINE] }
    }

    /// Waits for the next request; `None` when nobody is there any more.
    ///
    /// Byte by byte, so that a fork's child finds the rest of the pipe untouched.
    pub(crate) fn next(&mut self) -> Option<Request<'_>> {
        let mut length = 0;
        loop {
            let place = self.buffer.get_mut(length)?;
            // SAFETY: the buffer has room for the one byte at `place`.
            let count = unsafe { libc::read(libc::STDIN_FILENO, (&raw mut *place).cast(), 1) };
            match count {
                1 if *place == b'\n' => break,
                1 => length += 1,
                _ if count < 0 && is_interrupted() => {}
                _ => return None,
            }
        }
        for byte in &mut self.buffer[..=length] {
            if matches!(*byte, b' ' | b'\n') {
                *byte = 0;
            }
        }
        Some(Request { line: &self.buffer[..=length] })
    }
}

impl<'a> Request<'a> {
    /// The word at `place`, empty if there are fewer.
    pub(crate) fn text(&self, place: usize) -> &'a CStr {
        let mut rest = self.line;
        for _ in 0..place {
            let end = rest.iter().position(|byte| *byte == 0).map_or(rest.len(), |end| end + 1);
            rest = &rest[end..];
        }
        CStr::from_bytes_until_nul(rest).unwrap_or(c"")
    }

    /// The number at `place`, 0 if there is none.
    pub(crate) fn number(&self, place: usize) -> usize {
        let digits = self.text(place).to_bytes().iter();
        digits.fold(0, |number: usize, digit| number.wrapping_mul(10).wrapping_add(usize::from(digit - b'0')))
    }

    /// The number at `place` as C's `int`; numbers beyond it wrap, so that negative ones can be told.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "negative numbers arrive wrapped"
    )]
    pub(crate) fn int(&self, place: usize) -> i32 {
        self.number(place) as i32
    }
}

/// Answers; false if nobody listens.
pub(crate) fn reply(answer: Answer, faults: u64) -> bool {
    let (sign, value) = match answer {
        Ok(value) => (b'=', value),
        Err(errno) => (b'!', u64::from(errno.unsigned_abs())),
    };
    let mut text = [0; LONGEST_REPLY];
    let mut length = LONGEST_REPLY;
    for (number, end) in [(faults, b'\n'), (value, b' ')] {
        length = write_before(&mut text, length, number, end);
    }
    length -= 2;
    text[length] = sign;
    text[length + 1] = b' ';
    let rest = &text[length..];
    // SAFETY: `rest` is the initialised end of the array.
    let count = unsafe { libc::write(libc::STDOUT_FILENO, rest.as_ptr().cast(), rest.len()) };
    // A line this short is written in one piece or not at all.
    usize::try_from(count) == Ok(rest.len())
}

/// Writes a number and what ends it so that they end before `at`; returns where they begin.
fn write_before(text: &mut [u8], mut at: usize, mut number: u64, end: u8) -> usize {
    at -= 1;
    text[at] = end;
    loop {
        at -= 1;
        text[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return at;
        }
    }
}

fn is_interrupted() -> bool {
    crate::call::errno() == libc::EINTR
}
