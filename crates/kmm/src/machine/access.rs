//! Memory as a program sees it: by address, through what the processor remembers, the tables, and faults.

use mallow_frame::Memory;
use mallow_paging as paging;
use mallow_units::page::PAGE_BYTES;
use mallow_units::{FrameNumber, PageNumber, VirtAddr};
use mallow_vma::fault::Access;

use crate::handle_fault::Signal;
use crate::machine::Machine;
use crate::mm::Pid;

const fn processor_access(access: Access) -> paging::Access {
    match access {
        Access::Read => paging::Access::Read,
        Access::Write => paging::Access::Write,
        Access::Execute => paging::Access::Execute,
    }
}

/// Accesses to one page that are tried: each fault makes some progress, unless memory is so short that what one fault brings in
/// the next takes away.
const ATTEMPTS: u32 = 64;

impl Machine {
    /// Makes one access; returns the frame.
    ///
    /// # Errors
    ///
    /// The signal that the program gets.
    #[inline]
    pub fn touch(&mut self, pid: Pid, address: VirtAddr, access: Access) -> Result<FrameNumber, Signal> {
        let page = address.page();
        let cpu = self.world.physical.cpu();
        if let Some(cached) = self.world.tlbs.find(cpu, pid, page) {
            let allowed = match access {
                Access::Read => true,
                Access::Write => cached.may_write,
                Access::Execute => cached.may_execute,
            };
            if allowed {
                self.now_ns += self.costs.hit;
                return Ok(cached.frame);
            }
        }
        self.touch_slow(pid, page, access)
    }

    fn touch_slow(&mut self, pid: Pid, page: PageNumber, access: Access) -> Result<FrameNumber, Signal> {
        for _ in 0..ATTEMPTS {
            self.now_ns += self.costs.walk;
            let mm = self.world.mm(pid).filter(|mm| !mm.is_killed).ok_or(Signal::Killed)?;
            let translated = mm.table.translate(&self.world.physical, page, processor_access(access));
            if let Ok(found) = translated {
                let cpu = self.world.physical.cpu();
                self.world.tlbs.fill(cpu, pid, page, found);
                return Ok(found.frame);
            }
            self.fault(pid, page, access)?;
        }
        Err(Signal::NoMemory)
    }

    /// Resolves a fault, as if the processor had just reported it.
    ///
    /// # Errors
    ///
    /// The signal that the program gets.
    pub fn fault(&mut self, pid: Pid, page: PageNumber, access: Access) -> Result<(), Signal> {
        let before = self.world.events;
        let process = self.processes.get_mut(pid.0 as usize).and_then(Option::as_mut);
        let process = process.ok_or(Signal::Killed)?;
        self.world.begin(pid, self.now_ns);
        let outcome = self.world.handle_fault(pid, &mut process.space, page, access);
        let after = &self.world.events;
        let copies = after.new_frames + after.copies - before.new_frames - before.copies;
        let reads = after.major_faults - before.major_faults;
        self.now_ns += self.costs.fault + copies * self.costs.copy + reads * self.costs.disk;
        self.settle(pid);
        if self.world.mm(pid).is_none_or(|mm| mm.is_killed) {
            return Err(Signal::Killed);
        }
        outcome
    }

    /// Reads bytes of a program.
    ///
    /// # Errors
    ///
    /// The signal that the program gets; the bytes in front of that page have been read.
    pub fn read(&mut self, pid: Pid, address: VirtAddr, bytes: &mut [u8]) -> Result<(), Signal> {
        let mut at = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (part, after) = rest.split_at_mut(within_page(at, rest.len()));
            let frame = self.touch(pid, at, Access::Read)?;
            self.world.physical.ram().read(frame, offset(at), part);
            at = VirtAddr(at.0.wrapping_add(part.len() as u64));
            rest = after;
        }
        Ok(())
    }

    /// Writes bytes of a program.
    ///
    /// # Errors
    ///
    /// The signal that the program gets; the bytes in front of that page have been written.
    pub fn write(&mut self, pid: Pid, address: VirtAddr, bytes: &[u8]) -> Result<(), Signal> {
        let mut at = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(within_page(at, rest.len()));
            let frame = self.touch(pid, at, Access::Write)?;
            self.world.physical.ram().write(frame, offset(at), part);
            at = VirtAddr(at.0.wrapping_add(part.len() as u64));
            rest = after;
        }
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "below the size of a page")]
const fn offset(address: VirtAddr) -> usize {
    address.offset() as usize
}

fn within_page(address: VirtAddr, length: usize) -> usize {
    length.min(PAGE_BYTES - offset(address))
}
