//! Limits: how far a process may grow, what happens there, and which limit comes first.
//!
//! ```text
//!  cgroups above it ─┐
//!  rlimits           ├──► bounds: used, limit, effect ──► nearest; with two looks: slope, and time that is left
//!  the machine       ┘
//! ```
//!
//! Called by the command, with what it has read.

pub mod bound;
mod growth;

pub use bound::{Bound, Effect, Kind, Unit};
pub use growth::{Growth, growth};

use crate::read::Limit;
use crate::read::cgroup::group::{Group, Part};
use crate::read::meminfo::{Item, Meminfo};
use crate::read::rlimits::{Resource, Rlimits};
use crate::read::status::Status;

/// The capability to lock as much memory as one likes, as a bit.
const CAP_IPC_LOCK: u64 = 1 << 14;
/// The mode in which nothing is promised beyond the commit limit.
const STRICT: u64 = 2;

/// What was read of a process and around it, at one moment. What could not be read is `None`.
#[derive(Clone, Debug)]
pub struct Look<'a> {
    /// Its group and all above that can be seen, with their names, its own first.
    pub groups: &'a [(Vec<u8>, Group)],
    /// `/proc/PID/limits`.
    pub rlimits: Option<&'a Rlimits>,
    /// `/proc/PID/status`.
    pub status: &'a Status,
    /// `/proc/meminfo`.
    pub meminfo: &'a Meminfo,
    /// How many mappings it has.
    pub mappings: Option<u64>,
    /// `vm.max_map_count`.
    pub most_mappings: Option<u64>,
    /// `vm.overcommit_memory`.
    pub overcommit_mode: Option<u64>,
}

/// Everything that limits the process, whether it is near or not.
pub fn bounds(look: &Look<'_>) -> Vec<Bound> {
    let mut bounds: Vec<Bound> = look.groups.iter().flat_map(|(name, group)| of_group(name, group)).collect();
    bounds.extend(unseen(look.groups));
    bounds.extend(of_process(look));
    bounds.extend(of_machine(look));
    bounds
}

/// The one that is reached first if the process goes on to take memory: the one with the least left.
pub fn nearest(bounds: &[Bound]) -> Option<&Bound> {
    let counts =
        |bound: &&Bound| bound.binds && bound.kind.is_reached_by_growth() && bound.headroom().is_some();
    bounds.iter().filter(counts).min_by_key(|bound| bound.headroom())
}

fn of_group(name: &[u8], group: &Group) -> Vec<Bound> {
    let killing = match (group.kills_nobody, group.kills_all) {
        (Some(true), _) => Effect::Stops,
        (_, Some(true)) => Effect::KillsGroup,
        _ => Effect::Kills,
    };
    let cache = group.part(Part::File).map(|file| file.saturating_sub(group.part(Part::Shmem).unwrap_or(0)));
    let bound = |kind, used, limit: Option<Limit>, effect| {
        let reclaimable = if matches!(kind, Kind::GroupMax | Kind::GroupHigh) { cache } else { None };
        limit.map(|limit| Bound {
            scope: Some(name.to_vec()),
            reclaimable,
            ..Bound::new(kind, used, limit, effect)
        })
    };
    let found = [
        bound(Kind::GroupMax, group.current, group.max, killing),
        bound(Kind::GroupHigh, group.current, group.high, Effect::Slows),
        bound(Kind::GroupSwap, group.swap_current, group.swap_max, Effect::StopsSwapping),
        bound(Kind::GroupWithSwap, group.with_swap_current, group.with_swap_max, killing),
    ];
    found.into_iter().flatten().collect()
}

/// The limit of a group above those that can be seen, which only version 1 tells.
fn unseen(groups: &[(Vec<u8>, Group)]) -> Option<Bound> {
    let (_, top) = groups.last()?;
    let limit = top.limit_with_ancestors()?.number()?;
    let is_seen =
        |limit: u64| groups.iter().any(|(_, group)| group.max.and_then(Limit::number) == Some(limit));
    // What the others up there use is not known; it is no less than what can be seen.
    (!is_seen(limit)).then(|| Bound::new(Kind::UnseenGroup, top.current, Limit::At(limit), Effect::Kills))
}

fn of_process(look: &Look<'_>) -> Vec<Bound> {
    let status = look.status;
    let limit = |resource| Some(look.rlimits?.get(resource)?.soft);
    let may_lock_all = status.capabilities.is_some_and(|set| set & CAP_IPC_LOCK != 0);
    let bound =
        |kind, used, limit: Option<Limit>, effect| limit.map(|limit| Bound::new(kind, used, limit, effect));
    let most = look.most_mappings.map(Limit::At);
    let found = [
        bound(Kind::AddressSpace, status.address_space, limit(Resource::AddressSpace), Effect::Refuses),
        bound(Kind::Data, status.data, limit(Resource::Data), Effect::Refuses),
        bound(Kind::Stack, status.stack, limit(Resource::Stack), Effect::Faults),
        bound(Kind::Locked, status.locked, limit(Resource::Locked), Effect::Refuses)
            .map(|bound| Bound { binds: bound.binds && !may_lock_all, ..bound }),
        bound(Kind::Mappings, look.mappings, most, Effect::Refuses),
    ];
    found.into_iter().flatten().collect()
}

fn of_machine(look: &Look<'_>) -> Vec<Bound> {
    let get = |item| look.meminfo.get(item);
    let machine = || {
        let swap = get(Item::SwapTotal).unwrap_or(0);
        let free = get(Item::Available)?.saturating_add(get(Item::SwapFree).unwrap_or(0));
        let limit = get(Item::Total)?.saturating_add(swap);
        Some(Bound::new(Kind::Machine, Some(limit.saturating_sub(free)), Limit::At(limit), Effect::Kills))
    };
    let commit = get(Item::CommitLimit).map(|limit| {
        let bound = Bound::new(Kind::Commit, get(Item::CommittedAs), Limit::At(limit), Effect::Refuses);
        Bound { binds: look.overcommit_mode == Some(STRICT), ..bound }
    });
    machine().into_iter().chain(commit).collect()
}

#[cfg(test)]
mod tests;
