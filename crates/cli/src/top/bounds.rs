//! Bounds: the limit that each process reaches first.
//!
//! Many processes share a cgroup, so what a group allows is read once for all of them, and again after some seconds. The machine itself
//! is no limit of a process: everybody has it, and the line above the list shows it.
//!
//! Called by `watch`.

use alloc::collections::BTreeMap;
use core::time::Duration;
use std::time::Instant;

use mallow_analyze::escape;
use mallow_analyze::limits::{self, Bound, Look};
use mallow_analyze::processes::{Known, Limit};
use mallow_analyze::read::mountinfo::Mount;
use mallow_analyze::read::rlimits;
use mallow_analyze::read::status::Status;

use super::system::System;
use crate::cgroup::{self, Cgroups};
use crate::process::Process;

/// How old what is known of a group may be.
const AGE: Duration = Duration::from_secs(3);

/// What limits processes.
#[derive(Debug)]
pub(super) struct Bounds {
    mounts: Result<Vec<Mount>, String>,
    /// By what a process's `cgroup` file holds.
    groups: BTreeMap<Vec<u8>, (Instant, Option<Cgroups>)>,
}

impl Bounds {
    /// Knows nothing yet but where cgroups are.
    pub(super) fn new() -> Self {
        Self { mounts: cgroup::mounts(), groups: BTreeMap::new() }
    }

    /// The limit that a process reaches first.
    pub(super) fn nearest(
        &mut self,
        pid: u32,
        status: &Status,
        system: &System,
        now: Instant,
    ) -> Known<Limit> {
        let Ok(process) = Process::open(pid) else { return Known::No("it has ended") };
        let rlimits = process.read("limits").ok().and_then(|file| rlimits::parse(&file).ok());
        self.groups.retain(|_, (at, _)| now.duration_since(*at) < 2 * AGE);
        let groups = match process.read("cgroup") {
            Err(_) => &[][..],
            Ok(file) => self.groups_of(file, &process, now),
        };
        let look = Look {
            groups,
            rlimits: rlimits.as_ref(),
            status,
            meminfo: &system.meminfo,
            mappings: None,
            most_mappings: None,
            overcommit_mode: system.overcommit_mode,
        };
        let mut bounds = limits::bounds(&look);
        bounds.retain(|bound| !bound.kind.is_everybodys());
        limits::nearest(&bounds).and_then(of).map_or(Known::None, Known::Yes)
    }

    fn groups_of(
        &mut self,
        file: Vec<u8>,
        process: &Process,
        now: Instant,
    ) -> &[(Vec<u8>, mallow_analyze::read::cgroup::group::Group)] {
        let is_fresh = self.groups.get(&file).is_some_and(|(at, _)| now.duration_since(*at) < AGE);
        if !is_fresh {
            let place = self.mounts.as_ref().ok().and_then(|mounts| cgroup::place(process, mounts).ok());
            let found = place.and_then(|place| Cgroups::at(&place).ok());
            self.groups.insert(file.clone(), (now, found));
        }
        match self.groups.get(&file) {
            Some((_, Some(cgroups))) => &cgroups.groups,
            _ => &[],
        }
    }
}

fn of(bound: &Bound) -> Option<Limit> {
    let name = match &bound.scope {
        Some(scope) => format!("{} {}", bound.kind.name(), escape::name(scope)),
        None => bound.kind.name().to_owned(),
    };
    Some(Limit { name, bytes: bound.limit.number()?, headroom: bound.headroom()? })
}
