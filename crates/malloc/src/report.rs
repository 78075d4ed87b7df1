//! mallinfo, malloc_info and malloc_stats: what the allocator knows about itself, in the forms that programs expect.
//!
//! The numbers are exact for the calling thread and for threads that have exited; those of other running threads are
//! as of their last tick.

use core::ffi::{c_char, c_int, c_void};
use core::fmt::{self, Write};

use mallow_heap::process::{self, ROOT};
use mallow_sys::line::Line;
use mallow_sys::linux::call;
use mallow_trace::Counter;
use mallow_units::Bytes;

use crate::errno::EINVAL;

unsafe extern "C" {
    fn fwrite(from: *const c_void, bytes: usize, count: usize, to: *mut c_void) -> usize;
}

/// What [`mallinfo2`] returns.
///
/// # Source
///
/// `mallinfo(3)`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Mallinfo<T> {
    /// Bytes in slabs and runs, and free resident bytes.
    pub arena: T,
    /// Free pieces: 1 if anything is free.
    pub ordblks: T,
    /// Always 0: there are no fast bins.
    pub smblks: T,
    /// Large blocks: 1 if there are any.
    pub hblks: T,
    /// Bytes in large blocks.
    pub hblkhd: T,
    /// Always 0.
    pub usmblks: T,
    /// Always 0: there are no fast bins.
    pub fsmblks: T,
    /// Bytes in live blocks that are not large.
    pub uordblks: T,
    /// `arena` less `uordblks`.
    pub fordblks: T,
    /// Bytes that `malloc_trim(0)` can return at least.
    pub keepcost: T,
}

/// One reading of the counters, after this thread has settled its own.
#[derive(Clone, Copy, Debug)]
struct Reading {
    runs: u64,
    large: u64,
    dirty: u64,
    live: u64,
}

impl Reading {
    fn take() -> Self {
        process::settle();
        let (runs, large) = (ROOT.counters.run_bytes() as u64, ROOT.counters.large_bytes() as u64);
        let live = ROOT.counters.get(Counter::LiveBytes);
        Self { runs, large, dirty: ROOT.counters.get(Counter::DirtyBytes), live: live.min(runs + large) }
    }

    fn map<T: Default>(self, as_t: impl Fn(u64) -> T) -> Mallinfo<T> {
        let arena = self.runs + self.dirty;
        let used = self.live.saturating_sub(self.large);
        Mallinfo {
            arena: as_t(arena),
            ordblks: as_t(u64::from(arena > used)),
            hblks: as_t(u64::from(self.large > 0)),
            hblkhd: as_t(self.large),
            uordblks: as_t(used),
            fordblks: as_t(arena.saturating_sub(used)),
            keepcost: as_t(self.dirty),
            ..Mallinfo::default()
        }
    }
}

/// The allocator's figures.
///
/// # Source
///
/// `mallinfo(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn mallinfo2() -> Mallinfo<usize> {
    Reading::take().map(|value| usize::try_from(value).unwrap_or(usize::MAX))
}

/// The allocator's figures in the old format, whose numbers wrap around at 4 GiB.
///
/// # Source
///
/// `mallinfo(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn mallinfo() -> Mallinfo<c_int> {
    Reading::take().map(|value| {
        let bytes = value.to_le_bytes();
        c_int::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    })
}

/// Writes the figures to `stream` as XML; 0, or `EINVAL` for options other than 0.
///
/// # Safety
///
/// 1. `stream` is an open stream.
///
/// # Source
///
/// `malloc_info(3)`: `<malloc version="1">` with `system` and `aspace` elements as glibc writes them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_info(options: c_int, stream: *mut c_void) -> c_int {
    if options != 0 {
        return EINVAL;
    }
    let info = Reading::take().map(|value| value);
    // Formatted before it is written: the stream may allocate.
    let mut text = Text::new();
    // What does not fit is a bug that the tests would see; a `Text` itself never fails.
    let _ = write_info(&mut text, &info);
    // SAFETY: an open stream (1), and a buffer of this length.
    unsafe { fwrite(text.bytes.as_ptr().cast(), 1, text.len, stream) };
    0
}

fn write_info(out: &mut impl Write, info: &Mallinfo<u64>) -> fmt::Result {
    let counter = |counter| ROOT.counters.get(counter);
    let peak = counter(Counter::PeakHeapBytes);
    writeln!(out, "<malloc version=\"1\">")?;
    writeln!(out, "<heap nr=\"0\">")?;
    writeln!(out, "<sizes>\n</sizes>")?;
    write_totals(out, info)?;
    writeln!(out, "</heap>")?;
    write_totals(out, info)?;
    writeln!(out, "<total type=\"mmap\" count=\"{}\" size=\"{}\"/>", info.hblks, info.hblkhd)?;
    writeln!(out, "<system type=\"current\" size=\"{}\"/>", info.arena + info.hblkhd)?;
    writeln!(out, "<system type=\"max\" size=\"{peak}\"/>")?;
    writeln!(out, "<aspace type=\"total\" size=\"{}\"/>", counter(Counter::ReservedBytes))?;
    writeln!(out, "<aspace type=\"mprotect\" size=\"{}\"/>", counter(Counter::CommittedBytes))?;
    for shown in Counter::ALL {
        writeln!(out, "<mallow name=\"{}\" value=\"{}\"/>", shown.name(), counter(shown))?;
    }
    writeln!(out, "</malloc>")
}

fn write_totals(out: &mut impl Write, info: &Mallinfo<u64>) -> fmt::Result {
    writeln!(out, "<total type=\"fast\" count=\"0\" size=\"0\"/>")?;
    writeln!(out, "<total type=\"rest\" count=\"{}\" size=\"{}\"/>", info.ordblks, info.fordblks)
}

/// Writes the figures to standard error.
///
/// # Source
///
/// `malloc_stats(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_stats() {
    const STDERR: usize = 2;
    process::settle();
    for counter in Counter::ALL {
        let value = ROOT.counters.get(counter);
        let mut line = Line::new();
        // A `Line` never fails; it cuts.
        let _ = match counter.unit() {
            mallow_trace::Unit::Bytes => {
                writeln!(line, "mallow: {:<14} {:>12}  {}", counter.name(), Bytes(value), counter.doc())
            }
            mallow_trace::Unit::Count => {
                writeln!(line, "mallow: {:<14} {value:>12}  {}", counter.name(), counter.doc())
            }
        };
        call::write_all(STDERR, line.as_bytes());
    }
}

/// Text on the stack.
#[derive(Debug)]
struct Text {
    bytes: [c_char; Self::BYTES],
    len: usize,
}

impl Text {
    const BYTES: usize = 4096;

    const fn new() -> Self {
        Self { bytes: [0; Self::BYTES], len: 0 }
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            *self.bytes.get_mut(self.len).ok_or(fmt::Error)? = byte.cast_signed();
            self.len += 1;
        }
        Ok(())
    }
}
