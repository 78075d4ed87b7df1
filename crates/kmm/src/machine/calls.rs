//! The system calls of a process: areas first, then the pages that have to be faulted in.

use alloc::vec::Vec;

use mallow_frame::Flag;
use mallow_units::{Errno, PageSpan, VirtAddr};
use mallow_vma::fault::Access;
use mallow_vma::{
    Advice, Backing as Contents, FileId, Flags, Growing, LockFlags, MapRequest, Prot, RemapFlags, Space, Vma,
};

use crate::absent::Absent;
use crate::backing::{Backing, Populate};
use crate::handle_fault::Signal;
use crate::machine::{Machine, Process};
use crate::mm::Pid;

/// What `mlock` says if a page cannot be had.
const fn lock_errno(signal: Signal) -> Errno {
    match signal {
        Signal::NoMemory => Errno::EAGAIN,
        _ => Errno::ENOMEM,
    }
}

/// What `madvise` says if a page cannot be had.
const fn advice_errno(signal: Signal) -> Errno {
    match signal {
        Signal::NoMemory => Errno::ENOMEM,
        _ => Errno::EFAULT,
    }
}

/// What to do about the next area when a page of one cannot be had.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    Stop,
}

impl Machine {
    /// `mmap(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux; `ESRCH` if there is no such process.
    pub fn mmap(&mut self, pid: Pid, request: &MapRequest) -> Result<VirtAddr, Errno> {
        // What cannot be had now may be had later: `MAP_POPULATE` never fails.
        self.call_and_populate(pid, |space, pages| space.mmap(request, pages))
    }

    /// `munmap(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux; `ESRCH` if there is no such process.
    pub fn munmap(&mut self, pid: Pid, address: VirtAddr, length: u64) -> Result<(), Errno> {
        self.call(pid, |space, pages| space.munmap(address, length, pages)).0
    }

    /// `mprotect(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux; `ESRCH` if there is no such process.
    pub fn mprotect(&mut self, pid: Pid, address: VirtAddr, length: u64, prot: Prot) -> Result<(), Errno> {
        self.call_and_populate(pid, |space, pages| space.mprotect(address, length, prot, pages))
    }

    /// `mremap(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux; `ESRCH` if there is no such process.
    pub fn mremap(
        &mut self,
        pid: Pid,
        address: VirtAddr,
        old_length: u64,
        new_length: u64,
        flags: RemapFlags,
        new_address: VirtAddr,
    ) -> Result<VirtAddr, Errno> {
        self.call_and_populate(pid, |space, pages| {
            space.mremap(address, old_length, new_length, flags, new_address, pages)
        })
    }

    /// The system call behind `brk(2)`: returns the end of the heap, moved or not.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such process.
    pub fn brk(&mut self, pid: Pid, address: VirtAddr) -> Result<VirtAddr, Errno> {
        self.call_and_populate(pid, |space, pages| Ok(space.brk(address, pages)))
    }

    /// `mlock2(2)`; without `on_fault`, `mlock(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux; `ESRCH` if there is no such process.
    pub fn mlock(&mut self, pid: Pid, address: VirtAddr, length: u64, on_fault: bool) -> Result<(), Errno> {
        let (answer, later) = self.call(pid, |space, pages| space.mlock(address, length, on_fault, pages));
        answer.and(self.populate(pid, &later, Then::Stop).map_err(lock_errno))
    }

    /// `munlock(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux; `ESRCH` if there is no such process.
    pub fn munlock(&mut self, pid: Pid, address: VirtAddr, length: u64) -> Result<(), Errno> {
        self.call(pid, |space, pages| space.munlock(address, length, pages)).0
    }

    /// `mlockall(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux; `ESRCH` if there is no such process.
    pub fn mlockall(&mut self, pid: Pid, flags: LockFlags) -> Result<(), Errno> {
        // Linux ignores what cannot be faulted in here.
        self.call_and_populate(pid, |space, pages| space.mlockall(flags, pages))
    }

    /// `munlockall(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux; `ESRCH` if there is no such process.
    pub fn munlockall(&mut self, pid: Pid) -> Result<(), Errno> {
        self.call(pid, |space, pages| space.munlockall(pages)).0
    }

    /// `madvise(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux; `ESRCH` if there is no such process.
    pub fn madvise(&mut self, pid: Pid, address: VirtAddr, length: u64, advice: Advice) -> Result<(), Errno> {
        let (answer, later) = self.call(pid, |space, pages| space.madvise(address, length, advice, pages));
        // What was to be faulted in lies below what was refused.
        self.populate(pid, &later, Then::Stop).map_err(advice_errno).and(answer)
    }

    /// `mincore(2)`: a byte for each page, whose lowest bit says whether the page is in memory.
    ///
    /// # Errors
    ///
    /// Those of Linux; `ESRCH` if there is no such process.
    pub fn mincore(&mut self, pid: Pid, address: VirtAddr, length: u64) -> Result<Vec<u8>, Errno> {
        self.now_ns = self.now_ns.saturating_add(self.costs.call);
        let mut answer = Vec::new();
        let space = &self.process(pid)?.space;
        space
            .mincore(address, length, |page, area| answer.push(u8::from(self.is_in_core(pid, area, page))))?;
        Ok(answer)
    }

    fn is_in_core(&self, pid: Pid, area: &Vma, page: mallow_units::PageNumber) -> bool {
        let (_, entry) = self.world.entry(pid, page);
        if entry.has_frame() {
            return true;
        }
        match (entry.payload().map(Absent::of_payload), area.backing()) {
            (Some(Absent::Swapped { .. }), _) | (None | Some(Absent::Guard), Contents::Anonymous) => false,
            (None | Some(Absent::Guard), Contents::File(file)) => self.is_cached(file, area.offset_of(page)),
        }
    }

    fn is_cached(&self, file: FileId, index: u64) -> bool {
        self.world.files.get(file).is_some_and(|file| file.pages.contains_key(&index))
    }

    /// `fork(2)`: returns the child.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory for its tables, or the rules of overcommit forbid it; there is no child then.
    pub fn fork(&mut self, pid: Pid) -> Result<Pid, Errno> {
        self.now_ns = self.now_ns.saturating_add(self.costs.call);
        self.process(pid)?;
        let child = self.world.new_mm().ok_or(Errno::ENOMEM)?;
        let process = self.processes.get_mut(pid.0 as usize).and_then(Option::as_mut).ok_or(Errno::ESRCH)?;
        let mut backing = self.world.backing_of_fork(pid, child);
        match process.space.fork(Default::default(), Default::default(), &mut backing) {
            Ok(space) => {
                let name = process.name.clone();
                self.enter(child, Process { space, name, parent: Some(pid) });
                Ok(child)
            }
            Err(errno) => {
                if let Some(all) = PageSpan::new(mallow_units::PageNumber(0), self.layout.end) {
                    self.world.unmap(child, all);
                }
                self.world.remove_mm(child);
                Err(errno)
            }
        }
    }

    /// The end of a process: everything that it had is given back.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such process.
    pub fn exit(&mut self, pid: Pid) -> Result<(), Errno> {
        self.process(pid)?;
        if let Some(process) = self.processes.get_mut(pid.0 as usize).and_then(Option::as_mut) {
            process.space.clear(&mut self.world.backing(pid));
        }
        self.processes[pid.0 as usize] = None;
        self.world.remove_mm(pid);
        Ok(())
    }

    /// Runs a system call that does not tell of pages that cannot be faulted in.
    fn call_and_populate<R>(
        &mut self,
        pid: Pid,
        call: impl FnOnce(&mut Space<Growing>, &mut Backing<'_>) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let (answer, later) = self.call(pid, call);
        let _ = self.populate(pid, &later, Then::GoOn);
        answer
    }

    /// Faults pages in, area by area; returns the first reason why one cannot be had.
    fn populate(&mut self, pid: Pid, later: &[(PageSpan, Populate)], then: Then) -> Result<(), Signal> {
        let mut outcome = Ok(());
        for (span, how) in later {
            let Ok(process) = self.process(pid) else { continue };
            let areas: Vec<Vma> = process.space.areas_in(*span).copied().collect();
            for area in areas {
                let part = area.span().common(*span);
                let done = part.map_or(Ok(()), |part| self.populate_area(pid, &area, part, *how));
                outcome = outcome.and(done);
                if outcome.is_err() && then == Then::Stop {
                    return outcome;
                }
            }
        }
        outcome
    }

    fn populate_area(&mut self, pid: Pid, area: &Vma, span: PageSpan, how: Populate) -> Result<(), Signal> {
        if how == Populate::Usual && area.flags().has(Flags::LOCK_ON_FAULT) {
            return Ok(());
        }
        // A private area that may be written gets its pages as a write would, so that they need no copy later.
        let is_written = area.flags().has(Flags::WRITE) && area.is_private();
        let access = match how {
            Populate::Usual if is_written => Access::Write,
            Populate::Write => Access::Write,
            Populate::Usual | Populate::Read => Access::Read,
        };
        for page in span.iter() {
            let (_, entry) = self.world.entry(pid, page);
            let suffices = entry.is_present() && (access != Access::Write || entry.rights().may_write());
            if !suffices {
                self.fault(pid, page, access)?;
            } else if access == Access::Write && !entry.is_dirty() {
                self.world.physical.frame(entry.frame_number()).raise(Flag::Dirty);
            }
        }
        Ok(())
    }
}
