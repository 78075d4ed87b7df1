//! `/proc/pid/statm` and `/proc/pid/maps`.

use core::fmt;

use super::smaps::write_head;
use crate::machine::{Machine, Process};
use crate::mm::Pid;

/// `/proc/pid/statm`: seven numbers of pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statm {
    /// All areas.
    pub size: u64,
    /// In memory.
    pub resident: u64,
    /// In memory, of files and shared memory.
    pub shared: u64,
    /// Of the program's own code.
    pub text: u64,
    /// Private areas that may be written, and stacks.
    pub data: u64,
}

impl fmt::Display for Statm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} {} {} 0 {} 0", self.size, self.resident, self.shared, self.text, self.data)
    }
}

/// `/proc/pid/maps`.
#[derive(Debug)]
pub struct Maps<'a> {
    machine: &'a Machine,
    process: &'a Process,
}

impl fmt::Display for Maps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.process.space.areas().try_for_each(|area| write_head(f, self.machine, self.process, area))
    }
}

impl Machine {
    /// `/proc/pid/statm` of a process that has not exited.
    pub fn statm(&self, pid: Pid) -> Option<Statm> {
        let (account, resident) = (self.process(pid).ok()?.space.account(), self.world.mm(pid)?.resident);
        Some(Statm {
            size: account.total.0,
            resident: resident.total(),
            shared: resident.file + resident.shmem,
            text: account.exec.0,
            data: account.data.0 + account.stack.0,
        })
    }

    /// `/proc/pid/maps` of a process that has not exited.
    pub fn maps(&self, pid: Pid) -> Option<Maps<'_>> {
        Some(Maps { machine: self, process: self.process(pid).ok()? })
    }
}
