//! The ledger: where the resident memory of a process is, in lines that add up to what the kernel says.
//!
//! ```text
//!  heap  arenas  stacks  program  libraries  files  shared  ...      = the mappings of `smaps`, line by line
//!  + residual                                                        = what the sum of the kernel has more, or less
//!  = RSS
//!  beside it: page tables, swap, hugetlb                             charged to the process, and not in RSS
//! ```
//!
//! Called by the command, with what it has read.

use alloc::collections::BTreeMap;

use crate::mallow::{self, Share};
use crate::owner::{self, Owner, Part};
use crate::read::smaps::{Amount, Amounts, Mapping};
use crate::read::status::Status;

/// One line of the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// What the memory is for.
    pub kind: Kind,
    /// How many mappings it is in.
    pub mappings: usize,
    /// Bytes of address space.
    pub address_space: u64,
    /// Bytes in memory: those that add up.
    pub resident: u64,
    /// What else `smaps` tells of these mappings.
    pub amounts: Amounts,
}

/// What memory is for. The order is that of the ledger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A part of the heap of a process on mallow.
    Mallow(mallow::Part),
    /// See [`Owner::Heap`].
    Heap,
    /// See [`Owner::Arena`].
    Arenas,
    /// See [`Owner::Anonymous`].
    Anonymous,
    /// See [`Owner::Named`].
    Named,
    /// See [`Owner::MainStack`].
    MainStack,
    /// See [`Owner::ThreadStack`].
    ThreadStacks,
    /// Data of the program that was written to, and its bss.
    ProgramData,
    /// Code and constants of the program.
    ProgramText,
    /// Data of libraries that was written to, and their bss.
    LibraryData,
    /// Code and constants of libraries.
    LibraryText,
    /// See [`Owner::File`].
    Files,
    /// See [`Owner::SharedMemory`].
    SharedMemory,
    /// See [`Owner::Memfd`].
    Memfds,
    /// See [`Owner::Kernel`].
    Kernel,
}

impl Kind {
    /// The name of the line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mallow(part) => part.name(),
            Self::Heap => "heap (brk)",
            Self::Arenas => "arenas of glibc",
            Self::Anonymous => "anonymous memory",
            Self::Named => "named anonymous memory",
            Self::MainStack => "main stack",
            Self::ThreadStacks => "thread stacks",
            Self::ProgramData => "program: data and bss",
            Self::ProgramText => "program: text and constants",
            Self::LibraryData => "libraries: data and bss",
            Self::LibraryText => "libraries: text and constants",
            Self::Files => "mapped files",
            Self::SharedMemory => "shared memory",
            Self::Memfds => "memfd",
            Self::Kernel => "vdso",
        }
    }

    /// `None` for what is not in RSS.
    pub(crate) const fn of(owner: &Owner) -> Option<Self> {
        Some(match owner {
            Owner::Heap => Self::Heap,
            Owner::Arena => Self::Arenas,
            Owner::MainStack => Self::MainStack,
            Owner::ThreadStack => Self::ThreadStacks,
            Owner::Program(Part::Data | Part::Bss) => Self::ProgramData,
            Owner::Program(Part::Text | Part::ReadOnly) => Self::ProgramText,
            Owner::Library(_, Part::Data | Part::Bss) => Self::LibraryData,
            Owner::Library(_, Part::Text | Part::ReadOnly) => Self::LibraryText,
            Owner::File(_) => Self::Files,
            Owner::SharedMemory => Self::SharedMemory,
            Owner::Memfd(_) => Self::Memfds,
            Owner::Kernel => Self::Kernel,
            Owner::Named(_) => Self::Named,
            Owner::Anonymous => Self::Anonymous,
            Owner::HugeTlb => return None,
        })
    }
}

/// Where the memory of a process is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ledger {
    /// The lines that have a mapping, in order.
    pub lines: Vec<Line>,
    /// Bytes in memory, by the kernel's own sum (`smaps_rollup`, or `statm`, read beside `smaps`).
    pub resident: u64,
    /// What is charged to the process beside that.
    pub beside: Beside,
}

/// What is charged to a process, and not in RSS, in bytes. `None` if this kernel does not tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beside {
    /// Page tables.
    pub page_tables: Option<u64>,
    /// Swapped out.
    pub swapped: Option<u64>,
    /// Pages of `hugetlbfs`.
    pub huge_tlb: Option<u64>,
}

impl Ledger {
    /// The ledger of a process: its mappings, the path of its program, its status, and its RSS by the kernel's own sum.
    pub fn of(mappings: &[Mapping], program: &[u8], status: &Status, resident: u64) -> Self {
        Self::with_heap(mappings, program, status, resident, &[])
    }

    /// The same for a process on mallow, with `shares` of its heap in these mappings. A mapping counts, and with it its amounts, in
    /// the line that has most of it.
    pub fn with_heap(
        mappings: &[Mapping],
        program: &[u8],
        status: &Status,
        resident: u64,
        shares: &[Share],
    ) -> Self {
        let mut lines: BTreeMap<Kind, Line> = BTreeMap::new();
        let mut shared: Vec<Vec<Share>> = vec![Vec::new(); mappings.len()];
        for share in shares {
            if let Some(of_mapping) = shared.get_mut(share.mapping) {
                of_mapping.push(*share);
            }
        }
        let mut owners = owner::owners(mappings, program);
        owner::correct(&mut owners, shares);
        for ((mapping, owner), shares) in mappings.iter().zip(owners).zip(shared) {
            let Some(kind) = Kind::of(&owner) else { continue };
            let amounts = split(kind, mapping.resident_bytes(), &shares);
            let most = amounts.iter().max_by_key(|(_, bytes)| *bytes).map_or(kind, |(kind, _)| *kind);
            for (kind, bytes) in amounts {
                lines.entry(kind).or_insert_with(|| Line::empty(kind)).add(bytes);
            }
            let line = lines.entry(most).or_insert_with(|| Line::empty(most));
            line.mappings += 1;
            line.address_space = line.address_space.saturating_add(mapping.bytes());
            line.amounts.add(&mapping.amounts);
        }
        let Status { page_tables, swapped, huge_tlb, .. } = *status;
        let beside = Beside { page_tables, swapped, huge_tlb };
        Self { lines: lines.into_values().collect(), resident, beside }
    }

    /// Bytes that are in [`Ledger::resident`] and in none of the lines; below 0 if the lines have more, because the process
    /// went on while it was looked at.
    pub fn residual(&self) -> i128 {
        let lines: i128 = self.lines.iter().map(|line| i128::from(line.resident)).sum();
        i128::from(self.resident) - lines
    }

    /// One of the amounts over all lines.
    pub fn total(&self, amount: Amount) -> Option<u64> {
        let mut sum = Amounts::default();
        self.lines.iter().for_each(|line| sum.add(&line.amounts));
        sum.get(amount)
    }
}

/// Divides the `resident` bytes of a mapping among `shares` and, for the rest, `kind`. Where the shares have more, pages that were only read
/// are among them, or some that have gone since: that is taken off the largest.
fn split(kind: Kind, resident: u64, shares: &[Share]) -> Vec<(Kind, u64)> {
    let mut amounts: Vec<_> = shares.iter().map(|share| (Kind::Mallow(share.part), share.resident)).collect();
    let sum = amounts.iter().map(|(_, bytes)| *bytes).fold(0, u64::saturating_add);
    let mut excess = sum.saturating_sub(resident);
    amounts.sort_by_key(|(_, bytes)| core::cmp::Reverse(*bytes));
    for (_, bytes) in &mut amounts {
        let taken = excess.min(*bytes);
        *bytes -= taken;
        excess -= taken;
    }
    if resident > sum || amounts.is_empty() {
        amounts.push((kind, resident.saturating_sub(sum)));
    }
    amounts
}

impl Line {
    fn empty(kind: Kind) -> Self {
        Self { kind, mappings: 0, address_space: 0, resident: 0, amounts: Amounts::default() }
    }

    /// A snapshot may claim more than there is memory.
    const fn add(&mut self, resident: u64) {
        self.resident = self.resident.saturating_add(resident);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use std::process::{Command, Stdio};
    use std::thread;

    use crate::read::{smaps, status};

    #[test]
    fn lines_and_residual_add_up() {
        let mappings = smaps::parse(
            b"1000-3000 r-xp 0 08:01 1 /bin/a\nRss: 8 kB\n3000-4000 rw-p 0 08:01 1 /bin/a\nRss: 4 kB\n\
              4000-5000 rw-p 0 00:00 0 \nRss: 4 kB\n5000-9000 rw-p 0 00:00 0 [heap]\nRss: 12 kB\nSwap: 4 kB\n\
              400000-600000 rw-p 0 00:0f 9 /hugepages\nRss: 0 kB\nPrivate_Hugetlb: 2048 kB\nVmFlags: rd wr ht\n",
        );
        let status = status::parse(b"VmPTE:\t40 kB\nVmSwap:\t4 kB\n").unwrap();
        let ledger = Ledger::of(&mappings.unwrap(), b"/bin/a", &status, 32 << 10);
        let lines: Vec<_> =
            ledger.lines.iter().map(|line| (line.kind, line.mappings, line.resident)).collect();
        let expected =
            [(Kind::Heap, 1, 12 << 10), (Kind::ProgramData, 2, 8 << 10), (Kind::ProgramText, 1, 8 << 10)];
        assert_eq!(lines, expected);
        assert_eq!(ledger.residual(), 4 << 10);
        assert_eq!(ledger.total(Amount::Swap), Some(4 << 10));
        assert_eq!((ledger.beside.page_tables, ledger.beside.huge_tlb), (Some(40 << 10), None));
    }

    #[test]
    fn the_ledger_of_a_process_that_waits_ties_out() {
        let mut waiting = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let read = |name: &str| std::fs::read(format!("/proc/{}/{name}", waiting.id())).unwrap();
        // Until it is the program, and sleeps because there is nothing to read.
        let is_ready = |status: &Status| status.name == b"cat" && status.state == b'S';
        while !is_ready(&status::parse(&read("status")).unwrap()) {
            thread::sleep(Duration::from_millis(10));
        }
        let mappings = smaps::parse(&read("smaps")).unwrap();
        let rollup = smaps::parse(&read("smaps_rollup")).unwrap();
        let status = status::parse(&read("status")).unwrap();
        let program = std::fs::read_link(format!("/proc/{}/exe", waiting.id())).unwrap();
        let ledger = Ledger::of(
            &mappings,
            program.as_os_str().as_encoded_bytes(),
            &status,
            rollup[0].resident_bytes(),
        );
        waiting.kill().unwrap();
        waiting.wait().unwrap();
        assert_eq!(ledger.residual(), 0, "{ledger:?}");
        assert!(ledger.lines.iter().any(|line| line.kind == Kind::ProgramText && line.resident > 0));
    }
}
