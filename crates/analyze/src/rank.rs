//! Rank: who would be killed first if memory ran out, by the kernel's own sum.
//!
//! ```text
//!  points = in memory + swapped out + page tables + adjustment * total / 1000
//! ```
//!
//! `total` is what is short: memory and swap of the machine, or the limit of a cgroup. Whoever has the most points is killed;
//! time, priority and children do not count on kernels since 2010 and 2018. Called by `kill` and by the command.
//!
//! # Source
//!
//! `oom_badness` in `mm/oom_kill.c` of the kernel.

use core::cmp::Reverse;

use crate::read::Limit;
use crate::read::cgroup::group::Group;

/// The adjustment that protects in any case.
pub const NEVER: i64 = -1000;

/// A process that could be killed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its number.
    pub pid: u64,
    /// Its name.
    pub name: Vec<u8>,
    /// Bytes in memory, whoever else uses them too.
    pub resident: u64,
    /// Bytes swapped out.
    pub swapped: u64,
    /// Bytes of page tables.
    pub page_tables: u64,
    /// From -1000 to 1000: `oom_score_adj`.
    pub adjustment: i64,
    /// Whether it is the first process of the machine, which is never killed. That of a container is not.
    pub is_init: bool,
}

impl Candidate {
    /// What a kill would set free, at most, in bytes.
    pub const fn bytes(&self) -> u64 {
        self.resident.saturating_add(self.swapped).saturating_add(self.page_tables)
    }

    /// What counts when `total` bytes are short, in bytes: below 0 if it is protected a little, `None` if entirely.
    pub fn points(&self, total: u64) -> Option<i128> {
        let is_protected = self.adjustment <= NEVER || self.is_init;
        let adjustment = i128::from(self.adjustment) * (i128::from(total) / 1000);
        (!is_protected).then(|| i128::from(self.bytes()) + adjustment)
    }

    /// What `/proc/PID/oom_score` shows on today's kernels: points of the machine's `total`, from 0 to 2000 * 2 / 3.
    pub fn score(&self, total: u64) -> u64 {
        let points = self.points(total).filter(|_| total > 0);
        let score = points.map_or(0, |points| (1000 + points * 1000 / i128::from(total)) * 2 / 3);
        u64::try_from(score.max(0)).unwrap_or(0)
    }
}

/// The candidates that can be killed when `total` bytes are short, the first to be killed first.
///
/// Of several with as many points, the youngest goes first.
pub fn order(candidates: &[Candidate], total: u64) -> Vec<&Candidate> {
    let mut ranked: Vec<_> =
        candidates.iter().filter_map(|found| Some((found.points(total)?, found))).collect();
    ranked.sort_by_key(|(points, found)| Reverse((*points, found.pid)));
    ranked.into_iter().map(|(_, found)| found).collect()
}

/// What is short when a group reaches its limit, in bytes: the limit, and the swap that it may use. `None` without a limit.
pub fn total_of_group(group: &Group, swap: u64) -> Option<u64> {
    let max = group.max?.number()?;
    let own = |limit: Option<Limit>| limit.map_or(swap, |limit| limit.number().unwrap_or(u64::MAX).min(swap));
    let with_swap = group.with_swap_max.map(|limit| limit.number().unwrap_or(u64::MAX));
    let more = with_swap.map_or_else(|| own(group.swap_max), |both| both.saturating_sub(max).min(swap));
    Some(max.saturating_add(more))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::meminfo::{self, Item};
    use crate::read::status;

    fn candidate(pid: u64, bytes: u64, adjustment: i64) -> Candidate {
        Candidate {
            pid,
            name: Vec::new(),
            resident: bytes,
            swapped: 0,
            page_tables: 0,
            adjustment,
            is_init: pid == 1,
        }
    }

    #[test]
    fn the_largest_goes_first_unless_somebody_has_adjusted() {
        let all = [
            candidate(1, 900, 0),
            candidate(2, 500, 0),
            candidate(3, 100, 500),
            candidate(4, 800, -1000),
            candidate(5, 800, -400),
            candidate(6, 500, 0),
        ];
        let pids: Vec<_> = order(&all, 1000).iter().map(|found| found.pid).collect();
        assert_eq!(pids, [3, 6, 2, 5], "without the first process, and without who is protected");
    }

    #[test]
    fn swap_and_page_tables_count() {
        let process = Candidate { swapped: 20, page_tables: 3, ..candidate(7, 100, -10) };
        assert_eq!((process.bytes(), process.points(2000)), (123, Some(103)));
    }

    #[test]
    fn a_group_is_short_of_its_limit_and_its_swap() {
        let group = |max, swap_max, with_swap_max| Group { max, swap_max, with_swap_max, ..Group::default() };
        for (group, total) in [
            (group(Some(Limit::At(100)), None, None), Some(150)),
            (group(Some(Limit::At(100)), Some(Limit::At(7)), None), Some(107)),
            (group(Some(Limit::At(100)), Some(Limit::Unlimited), None), Some(150)),
            (group(Some(Limit::At(100)), None, Some(Limit::At(120))), Some(120)),
            (group(Some(Limit::At(100)), None, Some(Limit::Unlimited)), Some(150)),
            (group(Some(Limit::Unlimited), None, None), None),
        ] {
            assert_eq!(total_of_group(&group, 50), total, "{group:?}");
        }
    }

    #[test]
    fn the_score_is_that_of_the_kernel() {
        for (bytes, adjustment, score) in
            [(0, 0, 666), (0, 1000, 1333), (0, -1000, 0), (500, 0, 1000), (1000, 1000, 2000)]
        {
            assert_eq!(candidate(2, bytes, adjustment).score(1000), score, "{bytes} {adjustment}");
        }
        assert_eq!(candidate(2, 1, 0).score(0), 0, "nothing is known of the machine");
    }

    #[test]
    fn this_process_has_the_score_that_the_kernel_shows() {
        let read = |name: &str| std::fs::read(format!("/proc/{name}")).unwrap();
        let number = |name: &str| String::from_utf8(read(name)).unwrap().trim().parse::<i64>().unwrap();
        let status = status::parse(&read("self/status")).unwrap();
        let meminfo = meminfo::parse(&read("meminfo")).unwrap();
        let process = Candidate {
            pid: status.pid,
            name: status.name,
            resident: status.resident.unwrap(),
            swapped: status.swapped.unwrap_or(0),
            page_tables: status.page_tables.unwrap_or(0),
            adjustment: number("self/oom_score_adj"),
            is_init: false,
        };
        let total = meminfo.get(Item::Total).unwrap() + meminfo.get(Item::SwapTotal).unwrap_or(0);
        let score = i64::try_from(process.score(total)).unwrap();
        assert!((score - number("self/oom_score")).abs() <= 1, "{score}, {process:?}");
    }
}
