//! Kills: what the kernel's log means, who was ranked how, and why one was chosen.
//!
//! Called by the command, with what `read::oom` has found.

use core::cmp::Reverse;

use crate::rank::Candidate;
use crate::read::oom::{Kill, Meaning, PageTables, Scope, Task};

/// Bytes of a page where the log does not tell.
const USUAL_PAGE: u64 = 4096;

/// A row of the table with its place in the queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ranked {
    /// The process, in bytes.
    pub candidate: Candidate,
    /// What counted; `None` if it could not be killed.
    pub points: Option<i128>,
    /// Whether the table tells what is swapped out; if not, it is taken for nothing.
    pub tells_swap: bool,
    /// Whether the table tells page tables; if not, they are taken for nothing.
    pub tells_page_tables: bool,
}

/// Why one was killed and not another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It had the most points.
    Most,
    /// It is the one that asked: `vm.oom_kill_allocating_task` is set.
    Asked,
    /// Its parent had the most points, and the kernel took a child instead.
    Child,
    /// Another one in the table has more points.
    NotMost,
    /// The log has no table.
    NoTable,
    /// Adjustments count, and the log does not say how much memory there was.
    UnknownTotal,
    /// There was nobody to kill.
    Nobody,
    /// The log ends before it says who was killed.
    Unfinished,
}

/// Bytes of a page on the machine that wrote the log: address space is told in pages in the table, and in kB of the victim.
pub fn page_bytes(kill: &Kill) -> u64 {
    let of_victim = kill.victims.iter().find_map(|victim| {
        let task = kill.tasks.iter().find(|task| task.pid == victim.pid && task.total_vm > 0)?;
        Some(victim.address_space? / task.total_vm)
    });
    of_victim.filter(|bytes| bytes.is_power_of_two() && *bytes >= USUAL_PAGE).unwrap_or(USUAL_PAGE)
}

/// Bytes of what was short: the limit of the group, or memory and swap of the machine.
pub fn total_bytes(kill: &Kill) -> Option<u64> {
    if let Scope::Group { .. } = kill.scope {
        return kill.usage.iter().find(|usage| usage.what == b"memory").map(|usage| usage.limit);
    }
    let pages = kill.ram_pages?.saturating_sub(kill.reserved_pages.unwrap_or(0));
    Some(pages.saturating_mul(page_bytes(kill)).saturating_add(kill.swap_bytes.unwrap_or(0)))
}

/// The table in the order in which they would have been killed; those that cannot be are last.
pub fn ranked(kill: &Kill) -> Vec<Ranked> {
    let (page, total) = (page_bytes(kill), total_bytes(kill).unwrap_or(0));
    let mut ranked: Vec<_> = kill
        .tasks
        .iter()
        .map(|task| {
            let candidate = candidate(task, page);
            let points = candidate.points(total);
            Ranked {
                candidate,
                points,
                tells_swap: task.swapped.is_some(),
                tells_page_tables: task.page_tables != PageTables::Unknown,
            }
        })
        .collect();
    ranked.sort_by_key(|found| Reverse((found.points, found.candidate.pid)));
    ranked
}

fn candidate(task: &Task, page: u64) -> Candidate {
    Candidate {
        pid: task.pid,
        name: task.name.clone(),
        resident: task.resident.saturating_mul(page),
        swapped: task.swapped.unwrap_or(0).saturating_mul(page),
        page_tables: match task.page_tables {
            PageTables::Unknown => 0,
            PageTables::Pages(pages) => pages.saturating_mul(page),
            PageTables::Bytes(bytes) => bytes,
        },
        adjustment: task.adjustment,
        is_init: task.pid == 1,
    }
}

/// Why the first victim was chosen.
pub fn reason(kill: &Kill) -> Reason {
    let Some(victim) = kill.victims.first() else {
        return if kill.found_nobody { Reason::Nobody } else { Reason::Unfinished };
    };
    if kill.kills_asker {
        return Reason::Asked;
    }
    let chosen = kill.chosen.as_ref().map_or(victim.pid, |(pid, ..)| *pid);
    if chosen != victim.pid {
        return Reason::Child;
    }
    let ranked = ranked(kill);
    let Some(first) = ranked.first() else { return Reason::NoTable };
    if total_bytes(kill).is_none() && kill.tasks.iter().any(|task| !matches!(task.adjustment, 0 | -1000)) {
        return Reason::UnknownTotal;
    }
    // Two with as many points: which one of them depends on an order that the log does not show.
    let points = ranked.iter().find(|found| found.candidate.pid == victim.pid).map(|found| found.points);
    if points == Some(first.points) { Reason::Most } else { Reason::NotMost }
}

/// What a line of the log is about, as a sentence.
pub const fn meaning(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Asker => {
            "This process needed memory, and none could be reclaimed. gfp_mask is the kind of memory, order says that it \
             wanted 2^order pages in one piece. It need not be the one that uses much."
        }
        Meaning::Kernel => {
            "The process that asked, and the version of the kernel. What follows is how it got there."
        }
        Meaning::LimitOf => {
            "The victim is in the first group; the limit that was reached is that of the second."
        }
        Meaning::Usage => {
            "What the group used and what it is allowed; failcnt is how often it was at the limit. 9007199254740988kB is \
             no limit."
        }
        Meaning::Machine => "How much memory or swap the machine has; points are measured against their sum.",
        Meaning::Columns => {
            "The processes that could have been killed. rss, swapents and total_vm are in pages; page tables are in bytes, \
             on old kernels (nr_ptes, nr_pmds) in pages."
        }
        Meaning::Row => {
            "One of them. What counts is rss + swapents + page tables, and oom_score_adj thousandths of what is short."
        }
        Meaning::Summary => {
            "What was short: CONSTRAINT_NONE is the machine, CONSTRAINT_MEMCG the limit of the group oom_memcg, \
             CONSTRAINT_CPUSET and CONSTRAINT_MEMORY_POLICY some nodes only. Then who was chosen, and in which group it is."
        }
        Meaning::Chosen => {
            "Who was chosen; the score is in thousandths of what is short. On this kernel a child may be killed in its place."
        }
        Meaning::Killed => {
            "Who was killed, and what it had: anon-rss comes back, file-rss was cache, shmem-rss stays if others use it."
        }
        Meaning::WholeGroup => "memory.oom.group is set: all other processes of the group are killed too.",
        Meaning::Reaped => "Its memory has been taken already, before the process could end by itself.",
        Meaning::NotReaped => {
            "Its memory could not be taken, because the process held a lock: until it ends, little comes back."
        }
        Meaning::Nobody => {
            "There was nobody that may be killed: all are protected by oom_score_adj -1000, or belong to the kernel."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::oom;

    fn first(log: &[u8]) -> Kill {
        oom::kills(log).remove(0)
    }

    #[test]
    fn the_reason_is_found() {
        for (log, reason) in [
            (&include_bytes!("../tests/kernel-logs/2.6.32-cgroup.log")[..], Reason::Most),
            (include_bytes!("../tests/kernel-logs/3.16-machine.log"), Reason::Child),
            (include_bytes!("../tests/kernel-logs/4.15-cgroup.log"), Reason::Most),
            (include_bytes!("../tests/kernel-logs/5.4-group.log"), Reason::Most),
            (include_bytes!("../tests/kernel-logs/5.15-nobody.log"), Reason::Nobody),
            (include_bytes!("../tests/kernel-logs/6.16-machine.log"), Reason::Most),
            (include_bytes!("../tests/kernel-logs/6.18-cgroup-v1.kmsg"), Reason::Most),
            (b"x invoked oom-killer: gfp_mask=0x0, order=0\n", Reason::Unfinished),
            (b"Out of memory: Killed process 7 (a) total-vm:1kB, anon-rss:1kB\n", Reason::NoTable),
            (b"Out of memory (oom_kill_allocating_task): Killed process 7 (a) total-vm:1kB\n", Reason::Asked),
        ] {
            assert_eq!(super::reason(&first(log)), reason, "{}", String::from_utf8_lossy(log));
        }
    }

    #[test]
    fn adjustments_count_against_what_was_short() {
        let kill = first(include_bytes!("../tests/kernel-logs/3.16-machine.log"));
        assert_eq!(total_bytes(&kill), Some(((1_048_446 - 20_446) * 4096) + (1_048_572 << 10)));
        let pids: Vec<_> =
            ranked(&kill).iter().map(|found| (found.candidate.pid, found.points.is_some())).collect();
        assert_eq!(pids, [(4001, true), (4082, true), (4000, true), (201, false)]);
    }

    #[test]
    fn pages_are_as_long_as_on_that_machine() {
        let log = b"\
x invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[      7]     0     7      100       10       131072        0             0 big
[      8]     0     8      100       10       131072        0           500 other
Out of memory: Killed process 7 (big) total-vm:6400kB, anon-rss:640kB, file-rss:0kB, shmem-rss:0kB
";
        let kill = first(log);
        assert_eq!((page_bytes(&kill), ranked(&kill)[0].candidate.resident), (65536, 655_360));
        assert_eq!(reason(&kill), Reason::UnknownTotal);
    }

    #[test]
    fn one_with_less_than_another_is_called_that() {
        let log = b"\
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[      7]     0     7      100       10       131072        0             0 small
[      8]     0     8      100       99       131072        0             0 large
Out of memory: Killed process 7 (small) total-vm:400kB, anon-rss:40kB
";
        let log = [&b"x invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0\n"[..], log].concat();
        assert_eq!(reason(&first(&log)), Reason::NotMost);
    }
}
