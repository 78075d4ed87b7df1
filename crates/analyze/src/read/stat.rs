//! `/proc/PID/stat`: one line of numbers about a process, cheap to read.
//!
//! ```text
//! 17 (a name) S 1 17 17 ...        the name may hold anything, `)` too: the last one ends it
//! ```
//!
//! The kernel answers it without a look at the mappings, so it is what is read again and again. Addresses are 1 or 0 for
//! readers that may not know them.
//! Called by `map` and `processes`, by way of whoever has read the file.

use super::{ReadError, decimal};

/// What `stat` tells.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stat {
    /// The number of the process.
    pub pid: u64,
    /// The name of its first thread: at most 15 bytes (63 for the kernel's), whichever the program likes.
    pub name: Vec<u8>,
    /// One letter: running, sleeping, zombie, ...
    pub state: u8,
    /// The number of its parent.
    pub parent_pid: u64,
    /// Whether it is one of the kernel's own threads.
    pub is_kernel_thread: bool,
    /// Page faults that needed nothing from a disk.
    pub minor_faults: u64,
    /// Page faults that did.
    pub major_faults: u64,
    /// How many threads it has.
    pub threads: u64,
    /// When it started: clock ticks (see `sysconf(_SC_CLK_TCK)`) since the machine did.
    pub start_ticks: u64,
    /// Bytes of address space.
    pub address_space: u64,
    /// Pages in memory.
    pub resident_pages: u64,
    /// Where the first thread's stack began, at its high end.
    pub stack_start: Option<u64>,
    /// Where the heap began.
    pub heap_start: Option<u64>,
}

/// The bit of the process's flags that the kernel's own threads have (`PF_KTHREAD`).
const KERNEL_THREAD: u64 = 0x20_0000;

/// Reads `stat`.
///
/// # Errors
///
/// The file, if it is not `NUMBER (NAME) LETTER NUMBERS...` with as many numbers as are needed.
///
/// # Source
///
/// `proc_pid_stat(5)`, whose numbers of the fields these are.
pub fn parse(file: &[u8]) -> Result<Stat, ReadError> {
    let wrong = |expected| ReadError { offset: 0, expected };
    let (pid, name, rest) = parts(file).ok_or(wrong("`NUMBER (NAME) ...`"))?;
    let words: Vec<&[u8]> = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    // Behind the name begins field 3.
    let field = |number: usize| words.get(number - 3).copied();
    let number = |place: usize| {
        field(place).and_then(decimal).ok_or(wrong("47 fields, numbers but for the second and third"))
    };
    let address = |place: usize| number(place).map(|address| Some(address).filter(|address| *address > 1));
    Ok(Stat {
        pid: decimal(pid).ok_or(wrong("`NUMBER (NAME) ...`"))?,
        name: name.to_vec(),
        state: field(3).and_then(<[u8]>::first).copied().ok_or(wrong("a letter behind the name"))?,
        parent_pid: number(4)?,
        is_kernel_thread: number(9)? & KERNEL_THREAD != 0,
        minor_faults: number(10)?,
        major_faults: number(12)?,
        threads: number(20)?,
        start_ticks: number(22)?,
        address_space: number(23)?,
        resident_pages: number(24)?,
        stack_start: address(28)?,
        heap_start: address(47)?,
    })
}

/// The number, the name and what is behind it.
fn parts(file: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let open = file.iter().position(|byte| *byte == b'(')?;
    let close = file.iter().rposition(|byte| *byte == b')').filter(|close| *close > open)?;
    Some((file[..open].trim_ascii(), &file[open + 1..close], &file[close + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"\
17 (a) S (b\n\xff) S 1 17 17 0 -1 4194304 101 5 3 0 0 0 0 0 20 0 4 0 3602762 3133440 394 18446744073709551615 \
94345062395904 94345062415785 140729950095296 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 94345062431792 94345062433408 \
94345511034880 140729950100137 140729950100216 140729950100216 140729950101483 0
";

    #[test]
    fn a_line_is_read_whatever_the_name() {
        let stat = parse(ONE).unwrap();
        assert_eq!((stat.pid, &stat.name[..], stat.state), (17, &b"a) S (b\n\xff"[..], b'S'));
        assert_eq!((stat.parent_pid, stat.threads, stat.is_kernel_thread), (1, 4, false));
        assert_eq!((stat.minor_faults, stat.major_faults, stat.start_ticks), (101, 3, 3_602_762));
        assert_eq!((stat.address_space, stat.resident_pages), (3_133_440, 394));
        assert_eq!(stat.stack_start, Some(140_729_950_095_296));
        assert_eq!(stat.heap_start, Some(94_345_511_034_880));
    }

    #[test]
    fn addresses_that_may_not_be_known_are_not_told() {
        let hidden =
            String::from_utf8_lossy(ONE).replace("140729950095296", "1").replace("94345511034880", "0");
        let stat = parse(hidden.as_bytes()).unwrap();
        assert_eq!((stat.stack_start, stat.heap_start), (None, None));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (file, expected) in [
            (&b""[..], "`NUMBER (NAME) ...`"),
            (b"17 )a( S", "`NUMBER (NAME) ...`"),
            (b"x (a) S 1", "`NUMBER (NAME) ...`"),
            (b"17 (a)", "a letter"),
            (b"17 (a) S 1 2 3", "47 fields"),
        ] {
            let error = parse(file).unwrap_err();
            assert!(error.to_string().contains(expected), "{file:?}: {error}");
        }
    }

    #[test]
    fn this_process_can_be_read() {
        let stat = parse(&std::fs::read("/proc/self/stat").unwrap()).unwrap();
        assert_eq!(stat.pid, u64::from(std::process::id()));
        assert!(stat.resident_pages > 0 && stat.stack_start.is_some() && !stat.is_kernel_thread);
    }

    refuses_only_with_a_place!(parse, ONE);
}
