//! Plays a script on a machine.

use alloc::string::String;
use alloc::vec::Vec;

use mallow_units::page::PAGE_BYTES;
use mallow_units::{Errno, PageCount, VirtAddr};
use mallow_vma::fault::SegvCode;
use mallow_vma::{Advice, FileId, LockFlags, MapFlags, MapRequest, OpenFile, Prot, RemapFlags};

use super::call::{Call, Limit, Resource, Source};
use super::outcome::{Outcome, Signal};
use super::place::{Base, Place};
use super::{Script, Statement};
use crate::handle_fault;
use crate::machine::Machine;
use crate::mm::Pid;

/// Between the first address of a program and the last of the kernel's half lie those that no table translates.
const NOT_CANONICAL: core::ops::Range<u64> = 1 << 47..0xffff_8000_0000_0000;
/// `SIGSEGV` and `SI_KERNEL`, for an address that no table translates.
const PROTECTION_FAULT: Signal = Signal::Other(11, 128);
/// `SIGKILL`, for want of memory.
const OUT_OF_MEMORY: Signal = Signal::Other(9, 0);

/// The processes, files and names of a script that is being played.
///
/// ```
/// use mallow_kmm::machine::{Config, Machine};
/// use mallow_kmm::script::{Outcome, Player, Script};
/// use mallow_units::{Bytes, VirtAddr};
///
/// let script: Script = "brk brk+4p\nwrite brk 4p 7\nread brk+4p".parse()?;
/// let mut machine = Machine::boot(Config::new(Bytes(16 << 20)))?;
/// let mut player = Player::new(&mut machine, VirtAddr(0x7000_0000_0000))?;
/// let outcomes = player.play(&mut machine, &script);
/// assert!(matches!(outcomes[2], Outcome::Killed(0, _)));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Player {
    arena: VirtAddr,
    heap: VirtAddr,
    processes: Vec<Option<Pid>>,
    files: Vec<(String, FileId)>,
    results: Vec<(String, u64)>,
}

impl Player {
    /// Begins the first process. `arena` is what scripts call `@`.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the machine has no memory for it.
    pub fn new(machine: &mut Machine, arena: VirtAddr) -> Result<Self, Errno> {
        let first = machine.spawn("script")?;
        let heap = machine.process(first)?.space.heap_end();
        Ok(Self { arena, heap, processes: [Some(first)].into(), files: Vec::new(), results: Vec::new() })
    }

    /// The process that a script calls by this number, unless it has exited.
    pub fn pid(&self, process: u32) -> Option<Pid> {
        self.processes.get(process as usize).copied().flatten()
    }

    /// Plays all of a script.
    pub fn play(&mut self, machine: &mut Machine, script: &Script) -> Vec<Outcome> {
        script.statements.iter().map(|statement| self.step(machine, statement)).collect()
    }

    /// Plays one statement.
    pub fn step(&mut self, machine: &mut Machine, statement: &Statement) -> Outcome {
        let outcome = match self.pid(statement.process) {
            Some(pid) => self.perform(machine, pid, statement),
            None => Outcome::Skipped,
        };
        if let Some(name) = &statement.name {
            let value = if let Outcome::Value(value) = outcome { value } else { 0 };
            self.results.push((name.clone(), value));
        }
        outcome
    }

    fn perform(&mut self, machine: &mut Machine, pid: Pid, statement: &Statement) -> Outcome {
        let result = match &statement.call {
            Call::Read { at, bytes } => return touch(machine, pid, self.address(at), *bytes, None),
            Call::Write { at, bytes, value } => {
                return touch(machine, pid, self.address(at), *bytes, Some(*value));
            }
            Call::File { name, bytes } => machine.create_shared(name, *bytes).map(|file| {
                self.files.push((name.clone(), file));
                0
            }),
            Call::Fork => machine.fork(pid).map(|child| {
                self.processes.push(Some(child));
                self.processes.len() as u64 - 1
            }),
            Call::Exit => machine.exit(pid).map(|()| {
                self.processes[statement.process as usize] = None;
                0
            }),
            call => self.call(machine, pid, call),
        };
        result.map_or_else(Outcome::Refused, Outcome::Value)
    }

    fn call(&self, machine: &mut Machine, pid: Pid, call: &Call) -> Result<u64, Errno> {
        let at = |place| VirtAddr(self.address(place));
        let done = match call {
            Call::Mmap { at: place, bytes, protection, flags, source } => {
                let request = self.request(at(place), *bytes, *protection, *flags, source)?;
                return machine.mmap(pid, &request).map(|address| address.0);
            }
            Call::Mremap { at: place, old_bytes, new_bytes, flags, to } => {
                let to = to.as_ref().map_or(VirtAddr(0), at);
                let flags = RemapFlags(*flags);
                return machine
                    .mremap(pid, at(place), *old_bytes, *new_bytes, flags, to)
                    .map(|address| address.0);
            }
            Call::Brk { to } => return machine.brk(pid, at(to)).map(|end| end.0),
            Call::Mincore { at: place, bytes } => {
                let vector = machine.mincore(pid, at(place), *bytes)?;
                return Ok(vector.into_iter().fold(Outcome::EMPTY_DIGEST, Outcome::digest));
            }
            Call::Munmap { at: place, bytes } => machine.munmap(pid, at(place), *bytes),
            Call::Mprotect { at: place, bytes, protection } => {
                machine.mprotect(pid, at(place), *bytes, Prot(*protection))
            }
            Call::Mlock { at: place, bytes, on_fault } => machine.mlock(pid, at(place), *bytes, *on_fault),
            Call::Munlock { at: place, bytes } => machine.munlock(pid, at(place), *bytes),
            Call::Mlockall { flags } => machine.mlockall(pid, LockFlags(*flags)),
            Call::Munlockall => machine.munlockall(pid),
            Call::Madvise { at: place, bytes, advice } => {
                machine.madvise(pid, at(place), *bytes, Advice(advice.cast_signed()))
            }
            Call::Rlimit { resource, limit } => limit_to(machine, pid, *resource, *limit),
            Call::File { .. } | Call::Read { .. } | Call::Write { .. } | Call::Fork | Call::Exit => Ok(()),
        };
        done.map(|()| 0)
    }

    fn request(
        &self,
        address: VirtAddr,
        length: u64,
        protection: u32,
        flags: u32,
        source: &Source,
    ) -> Result<MapRequest, Errno> {
        let (flags, prot) = (MapFlags(flags), Prot(protection));
        Ok(match source {
            Source::Anonymous => {
                let flags = flags.with(MapFlags::ANONYMOUS);
                MapRequest { address, length, prot, flags, file: None, offset: 0 }
            }
            Source::File { name, offset } => {
                let found = self.files.iter().rfind(|(known, _)| known == name).ok_or(Errno::EBADF)?;
                let file = Some(OpenFile::read_write(found.1));
                MapRequest { address, length, prot, flags, file, offset: *offset }
            }
        })
    }

    fn address(&self, place: &Place) -> u64 {
        let base = match &place.base {
            Base::Zero => 0,
            Base::Arena => self.arena.0,
            Base::Break => self.heap.0,
            Base::Result(name) => {
                self.results.iter().rfind(|(known, _)| known == name).map_or(0, |(_, value)| *value)
            }
        };
        base.wrapping_add(place.distance)
    }
}

/// Loads or stores the first byte, and every one that lies whole pages behind it.
fn touch(machine: &mut Machine, pid: Pid, at: u64, bytes: u64, store: Option<u8>) -> Outcome {
    let mut digest = Outcome::EMPTY_DIGEST;
    for page in 0..bytes.div_ceil(PAGE_BYTES as u64) {
        let at = at.wrapping_add(page.wrapping_mul(PAGE_BYTES as u64));
        if NOT_CANONICAL.contains(&at) {
            return Outcome::Killed(page, PROTECTION_FAULT);
        }
        let mut byte = [store.unwrap_or_default()];
        let done = match store {
            Some(_) => machine.write(pid, VirtAddr(at), &byte),
            None => machine.read(pid, VirtAddr(at), &mut byte),
        };
        match done {
            Ok(()) => digest = Outcome::digest(digest, byte[0]),
            Err(signal) => return Outcome::Killed(page, signal.into()),
        }
    }
    Outcome::Value(digest)
}

fn limit_to(machine: &mut Machine, pid: Pid, resource: Resource, limit: Limit) -> Result<(), Errno> {
    let space = &mut machine.process_mut(pid)?.space;
    let (account, mut limits) = (*space.account(), *space.limits());
    let (field, used) = match resource {
        Resource::AddressSpace => (&mut limits.address_space, account.total),
        Resource::Data => (&mut limits.data, account.data),
        Resource::Stack => (&mut limits.stack, PageCount(0)),
        Resource::LockedMemory => (&mut limits.locked, account.locked),
    };
    *field = match limit {
        Limit::Bytes(bytes) => bytes,
        Limit::Above(bytes) => used.bytes().unwrap_or(u64::MAX).saturating_add(bytes),
        Limit::None => u64::MAX,
    };
    space.set_limits(limits);
    Ok(())
}

impl From<handle_fault::Signal> for Signal {
    fn from(signal: handle_fault::Signal) -> Self {
        match signal {
            handle_fault::Signal::Segv(SegvCode::NotMapped) => Self::NotMapped,
            handle_fault::Signal::Segv(SegvCode::NotAllowed) => Self::NotAllowed,
            handle_fault::Signal::Bus => Self::BeyondFile,
            handle_fault::Signal::Killed | handle_fault::Signal::NoMemory => OUT_OF_MEMORY,
        }
    }
}
