//! `/proc/PID/status`: who a process is, and the kernel's own sums of its memory.
//!
//! The sums are kept in batches for each thread and may be some pages off; `smaps` is exact. Kernel threads have no sums.
//! Called by `ledger`, by way of whoever has read the file.

use super::{ReadError, amount, decimal, hexadecimal, key_and_value, lines};

/// What `status` tells, as far as this kernel tells it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// The name of its first thread: at most 15 bytes, whichever the program likes.
    pub name: Vec<u8>,
    /// One letter: running, sleeping, zombie, ...
    pub state: u8,
    /// The number of the process.
    pub pid: u64,
    /// The number of the process that it is a thread of; its own if it is one.
    pub group: Option<u64>,
    /// The number of its parent.
    pub parent_pid: u64,
    /// The user whose rights it has.
    pub user: u64,
    /// How many threads it has.
    pub threads: u64,
    /// Bytes of address space.
    pub address_space: Option<u64>,
    /// Bytes in memory, and the most that there ever were.
    pub resident: Option<u64>,
    /// See [`Status::resident`].
    pub peak_resident: Option<u64>,
    /// Of [`Status::resident`], what has no file behind it.
    pub resident_anonymous: Option<u64>,
    /// Of [`Status::resident`], what has a file behind it.
    pub resident_file: Option<u64>,
    /// Of [`Status::resident`], shared memory.
    pub resident_shared: Option<u64>,
    /// Bytes of address space that are private and can be written to, but for stacks: what `RLIMIT_DATA` counts.
    pub data: Option<u64>,
    /// Bytes of address space of the main stack.
    pub stack: Option<u64>,
    /// Bytes locked into memory.
    pub locked: Option<u64>,
    /// Bytes of page tables; charged to the process, and not part of [`Status::resident`].
    pub page_tables: Option<u64>,
    /// Bytes swapped out.
    pub swapped: Option<u64>,
    /// Bytes in pages of `hugetlbfs`; not part of [`Status::resident`].
    pub huge_tlb: Option<u64>,
    /// What it may do beyond others, a bit for each capability.
    pub capabilities: Option<u64>,
}

impl Status {
    /// Whether it is one of the kernel's own threads, or has ended: there is no address space to look at.
    pub const fn has_no_memory(&self) -> bool {
        self.address_space.is_none()
    }
}

/// Reads `status`.
///
/// # Errors
///
/// The first line that is not `KEY: VALUE`, or a known one whose value is not what it should be.
///
/// # Source
///
/// `proc_pid_status(5)`.
pub fn parse(file: &[u8]) -> Result<Status, ReadError> {
    let mut status = Status::default();
    for (offset, line) in lines(file) {
        let wrong = |expected| ReadError { offset, expected };
        let (key, value) = key_and_value(line).ok_or(wrong("a line `KEY: VALUE`"))?;
        let number = || decimal(nth_word(value, 0)).ok_or(wrong("a number"));
        let bytes = || amount(value).map(Some).ok_or(wrong("a number of kB"));
        match key {
            b"Name" => status.name = unescaped(value),
            b"State" => status.state = *value.first().ok_or(wrong("a letter"))?,
            b"Pid" => status.pid = number()?,
            b"Tgid" => status.group = Some(number()?),
            b"PPid" => status.parent_pid = number()?,
            // Real, effective, saved, and of files.
            b"Uid" => status.user = decimal(nth_word(value, 1)).ok_or(wrong("four users"))?,
            b"Threads" => status.threads = number()?,
            b"VmSize" => status.address_space = bytes()?,
            b"VmRSS" => status.resident = bytes()?,
            b"VmHWM" => status.peak_resident = bytes()?,
            b"RssAnon" => status.resident_anonymous = bytes()?,
            b"RssFile" => status.resident_file = bytes()?,
            b"RssShmem" => status.resident_shared = bytes()?,
            b"VmData" => status.data = bytes()?,
            b"VmStk" => status.stack = bytes()?,
            b"VmLck" => status.locked = bytes()?,
            b"VmPTE" => status.page_tables = bytes()?,
            b"VmSwap" => status.swapped = bytes()?,
            b"HugetlbPages" => status.huge_tlb = bytes()?,
            b"CapEff" => status.capabilities = Some(hexadecimal(value).ok_or(wrong("a hexadecimal number"))?),
            _ => {}
        }
    }
    Ok(status)
}

fn nth_word(value: &[u8], nth: usize) -> &[u8] {
    value.split(u8::is_ascii_whitespace).nth(nth).unwrap_or_default()
}

/// A name as it was given: here the kernel writes a newline as `\n` and a backslash as `\\`.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match (*byte, bytes.as_slice().first()) {
            (b'\\', Some(b'n')) => {
                bytes.next();
                b'\n'
            }
            (b'\\', Some(b'\\')) => {
                bytes.next();
                b'\\'
            }
            _ => *byte,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"\
Name:\ta\\nb: \\\\ \xff
State:\tS (sleeping)
Tgid:\t17
Pid:\t17
PPid:\t1
Uid:\t0\t1000\t0\t0
VmSize:\t  2000 kB
VmRSS:\t   100 kB
VmPTE:\t    40 kB
Threads:\t3
Cpus_allowed:\t3
";

    #[test]
    fn a_status_is_read() {
        let status = parse(ONE).unwrap();
        assert_eq!(status.name, b"a\nb: \\ \xff");
        assert_eq!((status.state, status.pid, status.parent_pid, status.threads), (b'S', 17, 1, 3));
        assert_eq!(status.group, Some(17));
        assert_eq!(status.user, 1000, "the effective one");
        assert_eq!((status.resident, status.page_tables), (Some(100 << 10), Some(40 << 10)));
        assert_eq!(status.swapped, None, "not told is not 0");
        assert!(!status.has_no_memory());
    }

    #[test]
    fn a_kernel_thread_has_no_memory() {
        assert!(parse(b"Name:\tkthreadd\nState:\tS (sleeping)\n").unwrap().has_no_memory());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (file, offset, expected) in [
            (&b"Name:\tx\nVmRSS:\t1 MB\n"[..], 8, "a number of kB"),
            (b"Threads:\tmany\n", 0, "a number"),
            (b"Uid:\t1\n", 0, "four users"),
            (b"nothing\n", 0, "`KEY: VALUE`"),
        ] {
            let error = parse(file).unwrap_err();
            assert_eq!(error.offset, offset, "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn this_process_can_be_read() {
        let status = parse(&std::fs::read("/proc/self/status").unwrap()).unwrap();
        assert_eq!(status.pid, u64::from(std::process::id()));
        assert!(status.resident.is_some_and(|bytes| bytes > 0) && status.threads > 0);
    }

    refuses_only_with_a_place!(parse, ONE);
}
