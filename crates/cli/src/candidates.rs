//! Candidates: every process that could be killed if memory ran out.
//!
//! Called by the verbs that say who would be first.

use mallow_analyze::rank::Candidate;
use mallow_analyze::read::mountinfo::Mount;
use mallow_analyze::read::status::Status;

use crate::cgroup;
use crate::process::Process;
use crate::target;

/// Every process with memory that can be seen; `mounts` and `group` leave those out that are not in a cgroup.
pub(crate) fn all(within: Option<(&[Mount], &[u8])>) -> anyhow::Result<Vec<Candidate>> {
    let processes = target::all_pids()?.into_iter().filter_map(|pid| Process::open(pid).ok());
    let is_meant = |process: &Process| within.is_none_or(|(mounts, group)| is_in(process, mounts, group));
    Ok(processes.filter(is_meant).filter_map(|process| of(&process)).collect())
}

/// A process with memory; `None` if it has none, or has just ended.
pub(crate) fn of(process: &Process) -> Option<Candidate> {
    let status = process.status().ok()?;
    let adjustment = process.read("oom_score_adj").ok()?;
    let adjustment = core::str::from_utf8(&adjustment).ok()?.trim().parse().ok()?;
    let Status { pid, name, resident, swapped, page_tables, .. } = status;
    let (swapped, page_tables) = (swapped.unwrap_or(0), page_tables.unwrap_or(0));
    // The first process of a container has a score, that of the machine has none.
    let is_init = process.pid == 1 && process.read("oom_score").is_ok_and(|score| score.trim_ascii() == b"0");
    Some(Candidate { pid, name, resident: resident?, swapped, page_tables, adjustment, is_init })
}

fn is_in(process: &Process, mounts: &[Mount], group: &[u8]) -> bool {
    cgroup::place(process, mounts).is_ok_and(|place| place.groups.iter().any(|folder| folder.name == group))
}
