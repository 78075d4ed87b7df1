//! The watch: all processes, looked at again and again for as little as possible.
//!
//! ```text
//!  every refresh   all          stat, statm       some microseconds each; no lock of the process's
//!  now and then    all          status            user, swap, what counts for the OOM killer
//!  now and then    on screen    smaps_rollup      PSS, USS, THP: the kernel goes through the mappings, under their lock
//!  now and then    on screen    cgroups, limits   nearest limit
//! ```
//!
//! What is read now and then has a budget of time: what does not fit into it waits for the next refresh, the oldest first. A process
//! whose mappings take long is asked less often.
//! Called by `top`.

use alloc::collections::BTreeMap;
use core::time::Duration;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Instant;

use anyhow::Context;
use mallow_analyze::memory::PAGE_BYTES;
use mallow_analyze::processes::slope::Looks;
use mallow_analyze::processes::{Known, Process};
use mallow_analyze::rank::{self, Candidate};
use mallow_analyze::read::smaps::{self, Amount};
use mallow_analyze::read::stat::{self, Stat};
use mallow_analyze::read::statm::{self, Statm};
use mallow_analyze::read::status::{self, Status};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::bounds::Bounds;
use super::system::System;
use super::users::Users;
use crate::process::proc_root;
use crate::target;

/// How old a status may be.
const STATUS_AGE: Duration = Duration::from_secs(5);
/// How old the sum of a process's mappings may be.
const DETAILS_AGE: Duration = Duration::from_secs(3);
/// A process is asked for the sum of its mappings for no more than this part of the time.
const DETAILS_SHARE: u32 = 50;
/// How old the limits of a process may be.
const LIMITS_AGE: Duration = Duration::from_secs(5);

/// How much time each of the slower looks may take within a refresh.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    status: Duration,
    details: Duration,
    limits: Duration,
}

impl Budget {
    /// For a screen that is refreshed.
    pub(super) const REFRESH: Self = Self {
        status: Duration::from_millis(8),
        details: Duration::from_millis(12),
        limits: Duration::from_millis(8),
    };
    /// For one look that must be complete.
    pub(super) const COMPLETE: Self =
        Self { status: Duration::MAX, details: Duration::MAX, limits: Duration::MAX };
}

/// Of whom the slower looks are wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Those on the screen.
    pub(super) visible: Vec<u32>,
    /// Whether the order needs PSS, USS or THP of everybody.
    pub(super) all_details: bool,
    /// Whether the order needs the limits of everybody.
    pub(super) all_limits: bool,
}

/// Everything that is remembered between two refreshes.
#[derive(Debug)]
pub(crate) struct Watch {
    root: OwnedFd,
    users: Users,
    bounds: Bounds,
    start: Instant,
    seen: BTreeMap<u32, Seen>,
    buffer: Vec<u8>,
    /// The machine at the last refresh.
    pub(super) system: System,
    /// How many of the kernel's own threads, and of processes that have ended, were left out.
    pub(super) left_out: usize,
}

/// A process that was there at the last refresh.
#[derive(Debug)]
struct Seen {
    start_ticks: u64,
    process: Process,
    looks: Looks,
    status_at: Option<Instant>,
    details_at: Option<Instant>,
    details_cost: Duration,
    limits_at: Option<Instant>,
    status: Option<Status>,
    candidate: Option<Candidate>,
}

impl Watch {
    /// A watch that has seen nothing yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let path = proc_root();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(rustix::fs::CWD, &path, flags, Mode::empty())
            .with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self {
            root,
            users: Users::read(),
            bounds: Bounds::new(),
            start: Instant::now(),
            seen: BTreeMap::new(),
            buffer: Vec::with_capacity(4096),
            system: System::read()?,
            left_out: 0,
        })
    }

    /// Looks again.
    pub(super) fn refresh(&mut self, wanted: &Wanted, budget: Budget) -> anyhow::Result<()> {
        let now = Instant::now();
        self.system = System::read()?;
        let mut seen = core::mem::take(&mut self.seen);
        self.left_out = 0;
        for pid in target::all_pids()? {
            let Some((stat, statm)) = self.sizes(pid) else { continue };
            if stat.is_kernel_thread || stat.address_space == 0 {
                self.left_out += 1;
                continue;
            }
            // A number that was given to another process begins anew.
            let known = seen.remove(&pid).filter(|seen| seen.start_ticks == stat.start_ticks);
            let mut process = known.unwrap_or_else(|| Seen::new(pid, &stat));
            process.update(stat, statm, now.duration_since(self.start));
            self.seen.insert(pid, process);
        }
        let _ = self.look_closer(wanted, budget);
        Ok(())
    }

    /// Reads of those who are wanted what is not read at every refresh; `false` if the budget was not enough for all.
    pub(super) fn look_closer(&mut self, wanted: &Wanted, budget: Budget) -> bool {
        let now = Instant::now();
        let has_status = self.refresh_status(now, budget.status);
        let has_details = self.refresh_details(wanted, now, budget.details);
        let has_limits = self.refresh_limits(wanted, now, budget.limits);
        self.rank();
        has_status && has_details && has_limits
    }

    /// The processes as they were at the last refresh.
    pub(super) fn processes(&self) -> Vec<Process> {
        self.seen.values().map(|seen| seen.process.clone()).collect()
    }

    /// What costs little; `None` if the process has just ended.
    fn sizes(&mut self, pid: u32) -> Option<(Stat, Statm)> {
        let stat = stat::parse(self.read(pid, "stat").ok()?).ok()?;
        let statm = statm::parse(self.read(pid, "statm").ok()?).ok()?;
        Some((stat, statm))
    }

    /// A file of a process, in the buffer that is used for all of them.
    fn read(&mut self, pid: u32, file: &str) -> Result<&[u8], Errno> {
        let path = format!("{pid}/{file}");
        let file = openat(&self.root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        self.buffer.clear();
        File::from(file)
            .read_to_end(&mut self.buffer)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok(&self.buffer)
    }

    /// Reads the status of those who have none yet or an old one.
    fn refresh_status(&mut self, now: Instant, budget: Duration) -> bool {
        let is_due = |seen: &Seen| is_older(seen.status_at, now, STATUS_AGE);
        let start = Instant::now();
        for pid in self.due(|_, seen| is_due(seen), |seen| seen.status_at) {
            if start.elapsed() > budget {
                return false;
            }
            let status = self.read(pid, "status").ok().and_then(|file| status::parse(file).ok());
            let adjustment = self.read(pid, "oom_score_adj").ok().and_then(number);
            // The first process of a container has a score, that of the machine has none.
            let is_init = pid == 1 && self.read(pid, "oom_score").ok().and_then(number) == Some(0);
            let Some(seen) = self.seen.get_mut(&pid) else { continue };
            seen.status_at = Some(now);
            let Some(status) = status else { continue };
            seen.process.user = self.users.name(status.user);
            seen.process.swap = status.swapped.map_or(Known::No("this kernel does not tell"), Known::Yes);
            seen.candidate = adjustment.map(|adjustment| Candidate {
                pid: u64::from(pid),
                name: Vec::new(),
                resident: seen.process.rss,
                swapped: status.swapped.unwrap_or(0),
                page_tables: status.page_tables.unwrap_or(0),
                adjustment,
                is_init,
            });
            seen.status = Some(status);
        }
        true
    }

    /// Reads the sums of the mappings of those for whom they are wanted.
    fn refresh_details(&mut self, wanted: &Wanted, now: Instant, budget: Duration) -> bool {
        let is_due = |pid: u32, seen: &Seen| {
            let age = DETAILS_AGE.max(seen.details_cost.saturating_mul(DETAILS_SHARE));
            let is_wanted = wanted.all_details || wanted.visible.contains(&pid);
            is_wanted && is_older(seen.details_at, now, age)
        };
        let start = Instant::now();
        for pid in self.due(is_due, |seen| seen.details_at) {
            if start.elapsed() > budget {
                return false;
            }
            let before = Instant::now();
            let rollup = self.read(pid, "smaps_rollup").map(smaps::parse);
            let found = match rollup {
                Ok(Ok(rollup)) => rollup.into_iter().next().map(|sum| sum.amounts).ok_or("it has no memory"),
                Ok(Err(_)) => Err("cannot be understood"),
                Err(Errno::ACCESS | Errno::PERM) => Err("not permitted"),
                Err(Errno::NOENT) => Err("this kernel does not tell"),
                Err(_) => Err("it has ended"),
            };
            let Some(seen) = self.seen.get_mut(&pid) else { continue };
            (seen.details_at, seen.details_cost) = (Some(now), before.elapsed());
            let sum = |amounts: &[Amount]| match &found {
                Err(reason) => Known::No(reason),
                Ok(sum) => amounts
                    .iter()
                    .filter_map(|amount| sum.get(*amount))
                    .reduce(|one, other| one + other)
                    .map_or(Known::No("this kernel does not tell"), Known::Yes),
            };
            seen.process.pss = sum(&[Amount::Pss]);
            seen.process.uss = sum(&[Amount::PrivateClean, Amount::PrivateDirty]);
            seen.process.thp = sum(&[Amount::AnonHugePages, Amount::ShmemPmdMapped, Amount::FilePmdMapped]);
        }
        true
    }

    /// Reads the limits of those for whom they are wanted.
    fn refresh_limits(&mut self, wanted: &Wanted, now: Instant, budget: Duration) -> bool {
        let is_due = |pid: u32, seen: &Seen| {
            let is_wanted = wanted.all_limits || wanted.visible.contains(&pid);
            is_wanted && seen.status.is_some() && is_older(seen.limits_at, now, LIMITS_AGE)
        };
        let start = Instant::now();
        for pid in self.due(is_due, |seen| seen.limits_at) {
            if start.elapsed() > budget {
                return false;
            }
            let Some(seen) = self.seen.get_mut(&pid) else { continue };
            let Some(status) = &seen.status else { continue };
            seen.process.limit = self.bounds.nearest(pid, status, &self.system, now);
            seen.limits_at = Some(now);
        }
        true
    }

    /// Those for whom something is due, the longest ago first.
    fn due(&self, is_due: impl Fn(u32, &Seen) -> bool, at: impl Fn(&Seen) -> Option<Instant>) -> Vec<u32> {
        let mut due: Vec<(Option<Instant>, u32)> = self
            .seen
            .iter()
            .filter(|(pid, seen)| is_due(**pid, seen))
            .map(|(pid, seen)| (at(seen), *pid))
            .collect();
        due.sort_unstable();
        due.into_iter().map(|(_, pid)| pid).collect()
    }

    /// Says of each who would be killed how soon.
    fn rank(&mut self) {
        let candidates: Vec<Candidate> = self
            .seen
            .values()
            .filter_map(|seen| Some(Candidate { resident: seen.process.rss, ..seen.candidate.clone()? }))
            .collect();
        for seen in self.seen.values_mut() {
            seen.process.oom_rank = if seen.candidate.is_some() { Known::None } else { Known::NotYet };
        }
        for (place, candidate) in (1..).zip(rank::order(&candidates, self.system.total)) {
            let pid = u32::try_from(candidate.pid).unwrap_or(0);
            if let Some(seen) = self.seen.get_mut(&pid) {
                seen.process.oom_rank = Known::Yes(place);
            }
        }
    }
}

fn is_older(at: Option<Instant>, now: Instant, age: Duration) -> bool {
    at.is_none_or(|at| now.duration_since(at) >= age)
}

fn number(file: &[u8]) -> Option<i64> {
    core::str::from_utf8(file).ok()?.trim().parse().ok()
}

impl Seen {
    fn new(pid: u32, stat: &Stat) -> Self {
        let process = Process::unread(pid);
        Self {
            start_ticks: stat.start_ticks,
            process,
            looks: Looks::default(),
            status_at: None,
            details_at: None,
            details_cost: Duration::ZERO,
            limits_at: None,
            status: None,
            candidate: None,
        }
    }

    fn update(&mut self, stat: Stat, statm: Statm, time: Duration) {
        self.process.parent_pid = u32::try_from(stat.parent_pid).unwrap_or(0);
        self.process.name = stat.name;
        self.process.state = stat.state;
        self.process.rss = statm.resident * PAGE_BYTES;
        self.process.anonymous = statm.anonymous() * PAGE_BYTES;
        self.looks.push(time, self.process.rss);
        self.process.slope = self.looks.slope().map_or(Known::NotYet, Known::Yes);
    }
}
