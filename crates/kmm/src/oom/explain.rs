//! Why this process and no other: the sum behind each row of the log.
//!
//! Printed beside the log by `mallow sim` and by tests that fail.

use core::fmt;

use mallow_units::address::PageCount;

use super::{Choice, Standing, Task, adjusted};

/// The reasons of a choice, as text.
#[derive(Clone, Copy, Debug)]
pub struct Explanation<Tasks> {
    /// All processes with memory, the oldest first, as they were when the choice was made.
    pub tasks: Tasks,
    /// RAM and swap.
    pub total: PageCount,
    /// What was decided.
    pub choice: Choice,
}

impl<'a, Tasks: Iterator<Item = Task<'a>> + Clone> fmt::Display for Explanation<Tasks> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousandth = self.total.0 / 1000;
        writeln!(
            f,
            "memory to share: {} pages; one point of oom_score_adj is {thousandth} pages",
            self.total.0
        )?;
        for task in self.tasks.clone() {
            self.row(f, &task)?;
        }
        self.decision(f)
    }
}

impl<'a, Tasks: Iterator<Item = Task<'a>> + Clone> Explanation<Tasks> {
    fn row(&self, f: &mut fmt::Formatter<'_>, task: &Task<'_>) -> fmt::Result {
        let usage = &task.usage;
        write!(
            f,
            "{:>7} {:<15} {} resident + {} swapped + {} page tables",
            task.pid,
            task.name,
            usage.resident().0,
            usage.swapped.0,
            usage.page_tables.0
        )?;
        let adjustment = adjusted(task.adjustment, self.total);
        if adjustment != 0 {
            let (sign, by) = if adjustment < 0 {
                ('-', adjustment.unsigned_abs())
            } else {
                ('+', adjustment.unsigned_abs())
            };
            write!(f, " {sign} {by} for oom_score_adj {}", task.adjustment)?;
        }
        match (task.points(self.total), task.standing) {
            (Some(points), _) => writeln!(f, " = {points} points"),
            (None, Standing::Ordinary) => writeln!(f, ": immune"),
            (None, Standing::Protected) => writeln!(f, ": never killed"),
            (None, Standing::Dying) => writeln!(f, ": dying already"),
            (None, Standing::Reaped) => writeln!(f, ": reaped already"),
        }
    }

    fn decision(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.choice {
            Choice::Nobody => writeln!(f, "nobody may be killed"),
            Choice::Wait { pid } => writeln!(f, "nobody is killed: {pid} is still giving back what it has"),
            Choice::Kill { pid, points } => {
                let others = self.tasks.clone().filter(|task| task.pid != pid);
                let next = others.filter_map(|task| Some((task.points(self.total)?, task.pid))).max();
                match next {
                    None => writeln!(f, "{pid} is killed: no other may be"),
                    Some((less, other)) if less == points => {
                        writeln!(f, "{pid} is killed: {other} has as many points and is older")
                    }
                    Some((less, other)) => {
                        writeln!(
                            f,
                            "{pid} is killed: it has {} points more than {other}, the next",
                            points.abs_diff(less)
                        )
                    }
                }
            }
        }
    }
}
