//! One line of text on standard error, without allocating.
//!
//! Used for warnings and for the last words before an abort. The line is built in a buffer on the stack and leaves
//! with one `write`, so lines of several threads do not mix.

use core::fmt;

use crate::linux::call;

const STDERR: usize = 2;

/// A line under construction; what does not fit is cut.
#[derive(Debug)]
pub struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self { bytes: [0; 512], len: 0 }
    }

    /// What has been written so far.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let taken = room.len().min(text.len());
        for (to, from) in room.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        self.len += taken;
        Ok(())
    }
}

/// Writes `mallow: `, the message and a line end to standard error.
pub fn warn(message: fmt::Arguments<'_>) {
    let mut line = Line::new();
    // A `Line` never fails; it cuts.
    let _ = fmt::Write::write_fmt(&mut line, format_args!("mallow: {message}"));
    line.len = line.len.min(line.bytes.len() - 1);
    let _ = fmt::Write::write_str(&mut line, "\n");
    call::write_all(STDERR, line.as_bytes());
}
