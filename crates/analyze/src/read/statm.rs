//! `/proc/PID/statm`: the sizes of a process in pages, the cheapest look at its memory that there is.
//!
//! The kernel's counters are kept in batches for each thread and may be some pages off; `smaps` is exact. Zeros are of kernel
//! threads and of processes that have ended.
//! Called by `processes`, by way of whoever has read the file.

use super::{ReadError, decimal};

/// What `statm` tells, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statm {
    /// Pages of address space.
    pub address_space: u64,
    /// Pages in memory.
    pub resident: u64,
    /// Of [`Statm::resident`], what has a file behind it, shared memory too.
    pub shared: u64,
}

impl Statm {
    /// Pages in memory without a file behind them.
    pub const fn anonymous(self) -> u64 {
        self.resident.saturating_sub(self.shared)
    }
}

/// Reads `statm`.
///
/// # Errors
///
/// The file, if it does not begin with three numbers.
///
/// # Source
///
/// `proc_pid_statm(5)`.
pub fn parse(file: &[u8]) -> Result<Statm, ReadError> {
    let mut words = file.split(u8::is_ascii_whitespace);
    let mut number =
        || words.next().and_then(decimal).ok_or(ReadError { offset: 0, expected: "numbers of pages" });
    Ok(Statm { address_space: number()?, resident: number()?, shared: number()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"765 394 350 5 0 94 0\n";

    #[test]
    fn sizes_are_read() {
        let statm = parse(ONE).unwrap();
        assert_eq!(statm, Statm { address_space: 765, resident: 394, shared: 350 });
        assert_eq!(statm.anonymous(), 44);
        assert!(parse(b"765 394\n").unwrap_err().to_string().contains("numbers of pages"));
    }

    #[test]
    fn this_process_can_be_read() {
        let statm = parse(&std::fs::read("/proc/self/statm").unwrap()).unwrap();
        assert!(statm.resident > 0 && statm.address_space > statm.resident);
    }

    refuses_only_with_a_place!(parse, ONE);
}
