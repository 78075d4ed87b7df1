//! A machine: processors, memory, processes, and the system calls that they make.
//!
//! ```
//! use mallow_kmm::machine::{Config, Machine};
//! use mallow_units::{Bytes, VirtAddr};
//! use mallow_vma::{MapRequest, Prot};
//!
//! let mut machine = Machine::boot(Config::new(Bytes(16 << 20)))?;
//! let pid = machine.spawn("example")?;
//! let at = machine.mmap(pid, &MapRequest::anonymous(1 << 20, Prot::READ.with(Prot::WRITE)))?;
//! machine.write(pid, at, b"hello").expect("it may be written");
//! let mut bytes = [0; 5];
//! machine.read(pid, at, &mut bytes).expect("it may be read");
//! assert_eq!(&bytes, b"hello");
//! assert_eq!(machine.resident(pid).unwrap().anon, 1);
//! # Ok::<(), mallow_units::Errno>(())
//! ```
//!
//! Everything is deterministic: the same calls give the same addresses, frames and times. Called by scripts, traces, tests and
//! `sim::os`. Calls `vma` for what addresses mean and [`World`] for the rest.

pub mod access;
pub mod calls;
pub mod check;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use mallow_buddy::{Layout as NodeLayout, Tuning};
use mallow_frame::FrameState;
use mallow_units::page::PAGE_BYTES;
use mallow_units::{Bytes, Errno, FrameNumber, Order, PageCount};
use mallow_vma::{FileId, Growing, Layout, Limits, Space};

use crate::backing::{Backing, Populate};
use crate::files::{Contents, File};
use crate::huge::HugePages;
use crate::mm::{Name, Pid, Resident};
use crate::oom::Adjustment;
use crate::overcommit::Mode;
use crate::overcommit::Policy;
use crate::physical::Physical;
use crate::pressure::{KillReport, Pressure, PressureCosts, SwapConfig};
use crate::ram::Ram;
use crate::reclaim::SWAPPINESS;
use crate::world::World;

/// What a machine is like.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its memory; what does not fill a page is ignored.
    pub ram: Bytes,
    /// Its processors.
    pub cpus: u32,
    /// The first frame above the zone DMA32.
    pub boundary: FrameNumber,
    /// How much stays free.
    pub tuning: Tuning,
    /// Where things lie in the address spaces of its processes.
    pub layout: Layout,
    /// What its processes may use.
    pub limits: Limits,
    /// Pages of a file that a fault maps at most: a power of two.
    pub fault_around: u64,
    /// Who gets huge pages.
    pub huge_pages: HugePages,
    /// Whether frames are cleared before a program gets them.
    pub clears: bool,
    /// Whether processes may use what is kept for administrators.
    pub is_admin: bool,
    /// What time things take.
    pub costs: Costs,
    /// Where pages go when memory is short.
    pub swap: SwapConfig,
    /// `vm.swappiness`.
    pub swappiness: u8,
    /// What time things take then.
    pub pressure_costs: PressureCosts,
    /// What may be promised; `None` for what Linux begins with.
    pub overcommit: Option<Policy>,
}

impl Config {
    /// A machine with `ram` and one processor, its memory below 4 GiB.
    pub fn new(ram: Bytes) -> Self {
        Self {
            ram,
            cpus: 1,
            boundary: FrameNumber(1 << 20),
            tuning: Tuning::default(),
            layout: Layout::X86_64,
            limits: Limits { has_huge_pages: false, ..Limits::ORDINARY },
            fault_around: 16,
            huge_pages: HugePages::Never,
            clears: true,
            is_admin: false,
            costs: Costs::default(),
            swap: SwapConfig::NONE,
            swappiness: SWAPPINESS,
            pressure_costs: PressureCosts::default(),
            overcommit: None,
        }
    }
}

/// What time things take on the clock of a machine. Unit: nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Costs {
    /// An access that the processor remembers.
    pub hit: u64,
    /// A walk through the tables.
    pub walk: u64,
    /// A fault, without the work that it causes.
    pub fault: u64,
    /// A system call.
    pub call: u64,
    /// To clear or copy a frame.
    pub copy: u64,
    /// To read a page of a file from the disk.
    pub disk: u64,
}

impl Default for Costs {
    /// What they take on a virtual machine of 2025, about.
    fn default() -> Self {
        Self { hit: 1, walk: 20, fault: 700, call: 170, copy: 400, disk: 80_000 }
    }
}

/// One process.
#[derive(Debug)]
pub struct Process {
    /// Its areas.
    pub space: Space<Growing>,
    /// What it is called.
    pub name: String,
    /// Who forked it.
    pub parent: Option<Pid>,
}

/// A machine.
#[derive(Debug)]
pub struct Machine {
    /// What processes share.
    pub world: World,
    processes: Vec<Option<Process>>,
    layout: Layout,
    limits: Limits,
    costs: Costs,
    now_ns: u64,
}

impl Machine {
    /// A machine without processes.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the host has no room for its memory, or if it is too little to boot.
    pub fn boot(config: Config) -> Result<Self, Errno> {
        let frames = u32::try_from(config.ram.0 / PAGE_BYTES as u64).map_err(|_| Errno::ENOMEM)?;
        Self::boot_on(Ram::new(frames).ok_or(Errno::ENOMEM)?, config)
    }

    /// A machine on memory that is there already; `config.ram` is not looked at.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if it is too little to boot.
    pub fn boot_on(ram: Ram, config: Config) -> Result<Self, Errno> {
        let layout =
            NodeLayout { boundary: config.boundary, block_order: Order::HUGE, tuning: config.tuning };
        let mut physical = Physical::new(ram, layout, config.cpus as usize).map_err(|_| Errno::ENOMEM)?;
        physical.clears = config.clears;
        let cpus = physical.cpus().len();
        let frames = physical.node().managed_frames();
        let mut pressure = Pressure::new(config.swap, frames, cpus).ok_or(Errno::ENOMEM)?;
        (pressure.swappiness, pressure.costs) = (config.swappiness, config.pressure_costs);
        let mut world = World::new(physical, pressure);
        if let Some(policy) = config.overcommit {
            world.policy = policy;
        }
        world.fault_around = config.fault_around.next_power_of_two().clamp(1, 512);
        world.is_admin = config.is_admin;
        world.huge_pages = config.huge_pages;
        Ok(Self {
            world,
            processes: Vec::new(),
            layout: config.layout,
            limits: config.limits,
            costs: config.costs,
            now_ns: 0,
        })
    }

    /// A new process, without an area.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory for its tables.
    pub fn spawn(&mut self, name: &str) -> Result<Pid, Errno> {
        let pid = self.world.new_mm().ok_or(Errno::ENOMEM)?;
        let space = Space::new(Default::default(), Default::default(), self.layout, self.limits);
        self.enter(pid, Process { space, name: name.to_string(), parent: None });
        Ok(pid)
    }

    fn enter(&mut self, pid: Pid, process: Process) {
        let inherited =
            process.parent.and_then(|parent| self.world.mm(parent)).map(|mm| (mm.uid, mm.adjustment));
        if let Some(mm) = self.world.mm_mut(pid) {
            mm.name = Name::new(&process.name);
            mm.address_space = process.space.account().total;
            (mm.uid, mm.adjustment) = inherited.unwrap_or_default();
        }
        let at = pid.0 as usize;
        self.processes.resize_with(self.processes.len().max(at + 1), || None);
        self.processes[at] = Some(process);
    }

    /// A process that has not exited.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is none of this number.
    pub fn process(&self, pid: Pid) -> Result<&Process, Errno> {
        self.processes.get(pid.0 as usize).and_then(Option::as_ref).ok_or(Errno::ESRCH)
    }

    /// The same, to change its name or limits.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is none of this number.
    pub fn process_mut(&mut self, pid: Pid) -> Result<&mut Process, Errno> {
        self.processes.get_mut(pid.0 as usize).and_then(Option::as_mut).ok_or(Errno::ESRCH)
    }

    /// The processes that have not exited.
    pub fn processes(&self) -> impl Iterator<Item = (Pid, &Process)> {
        (0..).map(Pid).zip(&self.processes).filter_map(|(pid, process)| Some((pid, process.as_ref()?)))
    }

    /// What a process has in memory.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is none of this number.
    pub fn resident(&self, pid: Pid) -> Result<Resident, Errno> {
        self.world.mm(pid).map(|mm| mm.resident).ok_or(Errno::ESRCH)
    }

    /// Frames that the kernel manages: `MemTotal`.
    pub fn total(&self) -> PageCount {
        self.world.totals().ram
    }

    /// Nanoseconds since the machine booted, by the costs it was given.
    pub const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Lets time pass.
    pub const fn advance_ns(&mut self, ns: u64) {
        self.now_ns = self.now_ns.saturating_add(ns);
    }

    /// Adds a file with these bytes on its disk. It stays until [`Machine::close`].
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there are too many.
    pub fn create_file(&mut self, name: &str, bytes: &[u8]) -> Result<FileId, Errno> {
        self.add_file(name, bytes.len() as u64, Contents::Disk(bytes.to_vec()))
    }

    /// Adds shared memory of `bytes` under a name, as `memfd_create` and `ftruncate` do. It stays until [`Machine::close`].
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there are too many.
    pub fn create_shared(&mut self, name: &str, bytes: u64) -> Result<FileId, Errno> {
        self.add_file(name, bytes, Contents::Shared)
    }

    fn add_file(&mut self, name: &str, bytes: u64, contents: Contents) -> Result<FileId, Errno> {
        let charges_pages = matches!(contents, Contents::Shared);
        let file = File {
            name: name.to_string(),
            bytes,
            contents,
            pages: alloc::collections::BTreeMap::new(),
            swapped: alloc::collections::BTreeMap::new(),
            shadows: alloc::collections::BTreeMap::new(),
            areas: 0,
            is_open: true,
            charged: 0,
            charges_pages,
        };
        self.world.files.add(file).ok_or(Errno::ENOMEM)
    }

    /// Gives up a file; it goes when no area shows it any more.
    pub fn close(&mut self, file: FileId) {
        if let Some(found) = self.world.files.get_mut(file) {
            found.is_open = false;
        }
        self.world.drop_file_if_unused(file);
    }

    /// Changes the length of a file, as `ftruncate` does: what lies beyond is unmapped from everybody.
    ///
    /// # Errors
    ///
    /// `EBADF` if there is no such file.
    pub fn truncate(&mut self, file: FileId, bytes: u64) -> Result<(), Errno> {
        let found = self.world.files.get_mut(file).ok_or(Errno::EBADF)?;
        found.bytes = bytes;
        if let (Contents::Disk(disk), Ok(length)) = (&mut found.contents, usize::try_from(bytes)) {
            disk.resize(length, 0);
        }
        let first_gone = found.page_count();
        let gone: Vec<u64> = found.pages.range(first_gone..).map(|(index, _)| *index).collect();
        for index in gone {
            self.world.remove_from_cache(file, index);
        }
        Ok(())
    }

    /// Pages of shared memory in memory: `Shmem`.
    pub fn shared_pages(&self) -> u64 {
        let shared = self.world.files.iter().filter(|(_, file)| file.is_shared_memory());
        shared.map(|(_, file)| file.pages.len() as u64).sum()
    }

    /// Pages of files in memory, shared memory too: `Cached`.
    pub fn cached_pages(&self) -> u64 {
        self.world.files.iter().map(|(_, file)| file.pages.len() as u64).sum()
    }

    /// Frames that hold private memory.
    pub fn anon_frames(&self) -> u64 {
        self.world.physical.count_by_state(FrameState::Anon)
    }

    /// Runs a system call on the areas of a process; returns its answer, and what is to be faulted in whatever that is.
    fn call<R>(
        &mut self,
        pid: Pid,
        call: impl FnOnce(&mut Space<Growing>, &mut Backing<'_>) -> Result<R, Errno>,
    ) -> (Result<R, Errno>, Vec<(mallow_units::PageSpan, Populate)>) {
        self.now_ns = self.now_ns.saturating_add(self.costs.call);
        let Some(process) = self.processes.get_mut(pid.0 as usize).and_then(Option::as_mut) else {
            return (Err(Errno::ESRCH), Vec::new());
        };
        // In mode 2 a mapping cannot be left out of the account.
        let never_overcommit = self.world.policy.mode == Mode::Never;
        if process.space.limits().never_overcommit != never_overcommit {
            let limits = Limits { never_overcommit, ..*process.space.limits() };
            process.space.set_limits(limits);
        }
        self.world.begin(pid, self.now_ns);
        let mut backing = self.world.backing(pid);
        let answer = call(&mut process.space, &mut backing);
        let later = core::mem::take(&mut backing.later);
        self.settle(pid);
        (answer, later)
    }

    /// After a fault or a call: time that went into making room, the background, and the end of those who were killed.
    pub(crate) fn settle(&mut self, pid: Pid) {
        if let (Some(process), Some(mm)) =
            (self.processes.get(pid.0 as usize).and_then(Option::as_ref), self.world.mm_mut(pid))
        {
            mm.address_space = process.space.account().total;
        }
        self.world.run_background();
        self.now_ns = self.now_ns.saturating_add(self.world.end());
        while let Some(pid) = self.world.next_dying() {
            let gone = self.exit(pid);
            debug_assert!(gone.is_ok(), "{pid:?} was killed and does not exist");
        }
    }

    /// Sets `oom_score_adj` of a process.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is none of this number.
    pub fn set_oom_adjustment(&mut self, pid: Pid, adjustment: Adjustment) -> Result<(), Errno> {
        self.world.mm_mut(pid).ok_or(Errno::ESRCH)?.adjustment = adjustment;
        Ok(())
    }

    /// What `/proc/PID/oom_score` shows.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is none of this number.
    pub fn oom_score(&self, pid: Pid) -> Result<u32, Errno> {
        let mm = self.world.mm(pid).ok_or(Errno::ESRCH)?;
        Ok(mm.task(pid).score(self.world.oom_total()))
    }

    /// Who was killed for want of memory so far, with the log and the reasons.
    pub fn kills(&self) -> &[KillReport] {
        &self.world.pressure.kills
    }
}
