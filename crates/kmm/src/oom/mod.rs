//! Out of memory: who is killed when nothing can be reclaimed.
//!
//! Called by the machine at the end of the allocation slow path, and by whoever shows `/proc/PID/oom_score`. What is
//! here is arithmetic on what a process has; killing and reaping are the machine's.
//!
//! A process has as many points as pages would come back if it went: resident, swapped out, and page tables.
//! `oom_score_adj` adds thousandths of all memory to them, or takes them away. The one with the most is killed.

mod explain;
mod log;

use core::fmt;

use mallow_units::address::PageCount;

pub use explain::Explanation;
pub use log::{Asker, Killed, Log, MemInfo, Purpose, Reaped, ZoneInfo};

/// `oom_score_adj`: thousandths of all memory that are added to a process's points.
///
/// # Invariants
///
/// 1. The value is from -1000 to 1000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Adjustment(i16);

impl Adjustment {
    /// No adjustment.
    pub const ORDINARY: Self = Self(0);
    /// Never killed.
    pub const IMMUNE: Self = Self(-1000);
    /// Killed first.
    pub const FIRST: Self = Self(1000);

    /// Takes `value` if it is from -1000 to 1000; Linux answers `EINVAL` to others.
    pub const fn new(value: i16) -> Option<Self> {
        if value >= -1000 && value <= 1000 { Some(Self(value)) } else { None }
    }

    /// The value as in `/proc/PID/oom_score_adj`.
    pub const fn get(self) -> i16 {
        self.0
    }
}

impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What would come back if a process went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Resident pages of anonymous memory.
    pub anonymous: PageCount,
    /// Resident pages of files.
    pub file: PageCount,
    /// Resident pages of shared memory.
    pub shared: PageCount,
    /// Pages that are swapped out.
    pub swapped: PageCount,
    /// Frames of page tables.
    pub page_tables: PageCount,
}

impl Usage {
    /// All resident pages: `VmRSS`.
    pub const fn resident(&self) -> PageCount {
        PageCount(self.anonymous.0.saturating_add(self.file.0).saturating_add(self.shared.0))
    }

    /// The points before the adjustment. Unit: pages.
    pub const fn base(&self) -> PageCount {
        let resident = self.resident().0;
        PageCount(resident.saturating_add(self.swapped.0).saturating_add(self.page_tables.0))
    }
}

/// Where a process is on its way to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Standing {
    /// May be killed.
    #[default]
    Ordinary,
    /// The first process, or one of the kernel: is never killed.
    Protected,
    /// Has been chosen and still has memory: what it gives back is waited for.
    Dying,
    /// Has been chosen, and its memory has been taken.
    Reaped,
}

/// A process as the killer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The process.
    pub pid: u32,
    /// Whose it is.
    pub uid: u32,
    /// At most 15 bytes, as in `/proc/PID/comm`.
    pub name: &'a str,
    /// What it has.
    pub usage: Usage,
    /// Pages of address space: `VmSize`.
    pub address_space: PageCount,
    /// `oom_score_adj`.
    pub adjustment: Adjustment,
    /// Whether it may be chosen.
    pub standing: Standing,
}

impl Task<'_> {
    /// The points of the process; `None` if it cannot be killed. They may be negative.
    ///
    /// Unit: pages. `total` is RAM and swap.
    pub fn points(&self, total: PageCount) -> Option<i64> {
        if self.adjustment == Adjustment::IMMUNE || self.standing != Standing::Ordinary {
            return None;
        }
        Some(points(&self.usage, self.adjustment, total))
    }

    /// What `/proc/PID/oom_score` shows: 0 for a process that is immune, 666 for one that has nothing.
    pub fn score(&self, total: PageCount) -> u32 {
        if self.adjustment == Adjustment::IMMUNE || self.standing != Standing::Ordinary {
            return 0;
        }
        score(points(&self.usage, self.adjustment, total), total)
    }
}

/// The points of what a process has, with its adjustment. Unit: pages.
fn points(usage: &Usage, adjustment: Adjustment, total: PageCount) -> i64 {
    let base = i64::try_from(usage.base().0).unwrap_or(i64::MAX);
    base.saturating_add(adjusted(adjustment, total))
}

/// The pages that an adjustment stands for. A thousandth is rounded down to whole pages first, as Linux does.
fn adjusted(adjustment: Adjustment, total: PageCount) -> i64 {
    let thousandth = i64::try_from(total.0 / 1000).unwrap_or(i64::MAX);
    thousandth.saturating_mul(i64::from(adjustment.get()))
}

/// Points as the number in `/proc/PID/oom_score`: from 0 to about 2000, where 666 stands for no points.
fn score(points: i64, total: PageCount) -> u32 {
    let total = i128::from(total.0.max(1));
    let scaled = (1000 + i128::from(points) * 1000 / total) * 2 / 3;
    u32::try_from(scaled).unwrap_or(if scaled < 0 { 0 } else { u32::MAX })
}

/// What the killer decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// The process with this number has the most points.
    Kill {
        /// Which.
        pid: u32,
        /// Its points.
        points: i64,
    },
    /// One that was chosen before has not given its memory back yet.
    Wait {
        /// Which.
        pid: u32,
    },
    /// There is nobody that may be killed.
    Nobody,
}

/// Chooses among `tasks`, the oldest first; of two with as many points the younger one goes.
///
/// Cost: one pass.
///
/// # Source
///
/// The rules of Linux 6.18 for a machine that is short of memory: one victim at a time, no sacrifice of children.
pub fn choose<'a>(tasks: impl Iterator<Item = Task<'a>>, total: PageCount) -> Choice {
    let mut chosen = Choice::Nobody;
    for task in tasks {
        if task.standing == Standing::Dying {
            return Choice::Wait { pid: task.pid };
        }
        let Some(points) = task.points(total) else { continue };
        if !matches!(chosen, Choice::Kill { points: most, .. } if most > points) {
            chosen = Choice::Kill { pid: task.pid, points };
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOTAL: PageCount = PageCount(100_000);

    fn task(pid: u32, resident: u64, adjustment: i16) -> Task<'static> {
        Task {
            pid,
            uid: 0,
            name: "a",
            usage: Usage { anonymous: PageCount(resident), ..Usage::default() },
            address_space: PageCount(resident),
            adjustment: Adjustment::new(adjustment).expect("within the range"),
            standing: Standing::Ordinary,
        }
    }

    #[test]
    fn the_one_that_has_most_is_chosen() {
        let tasks = [task(1, 10, 0), task(2, 30, 0), task(3, 20, 0)];
        assert_eq!(choose(tasks.into_iter(), TOTAL), Choice::Kill { pid: 2, points: 30 });
    }

    #[test]
    fn of_equals_the_younger_goes() {
        let tasks = [task(1, 30, 0), task(2, 30, 0), task(3, 20, 0)];
        assert_eq!(choose(tasks.into_iter(), TOTAL), Choice::Kill { pid: 2, points: 30 });
    }

    #[test]
    fn an_adjustment_is_thousandths_of_all_memory() {
        let tasks = [task(1, 30_000, -300), task(2, 10, 1), task(3, 100, 0)];
        assert_eq!(tasks[0].points(TOTAL), Some(0));
        assert_eq!(choose(tasks.into_iter(), TOTAL), Choice::Kill { pid: 2, points: 110 });
    }

    #[test]
    fn negative_points_are_still_points() {
        let tasks = [task(1, 10, -500), task(2, 10, -400)];
        assert_eq!(choose(tasks.into_iter(), TOTAL), Choice::Kill { pid: 2, points: 10 - 40_000 });
    }

    #[test]
    fn who_is_immune_protected_or_gone_is_not_chosen() {
        let protected = Task { standing: Standing::Protected, ..task(1, 900, 0) };
        let reaped = Task { standing: Standing::Reaped, ..task(3, 900, 0) };
        let tasks = [protected, task(2, 900, -1000), reaped];
        assert_eq!(choose(tasks.into_iter(), TOTAL), Choice::Nobody);
        assert_eq!(tasks.map(|task| task.score(TOTAL)), [0, 0, 0]);
    }

    #[test]
    fn one_that_is_dying_is_waited_for() {
        let dying = Task { standing: Standing::Dying, ..task(2, 1, 0) };
        assert_eq!(choose([task(1, 900, 0), dying].into_iter(), TOTAL), Choice::Wait { pid: 2 });
    }

    #[test]
    fn scores_are_those_of_proc() {
        assert_eq!(task(1, 0, 0).score(TOTAL), 666);
        assert_eq!(task(1, 50_000, 0).score(TOTAL), 1000);
        assert_eq!(task(1, 0, 1000).score(TOTAL), 1333);
        assert_eq!(task(1, 0, -999).score(TOTAL), 0);
        assert_eq!(
            task(1, 10, 1000).score(PageCount(0)),
            7333,
            "a machine without memory divides by one page"
        );
    }
}
