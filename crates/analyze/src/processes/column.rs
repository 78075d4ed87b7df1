//! Columns: what is shown of each process, and the orders that they give.
//!
//! Called by the command.

use core::cmp::Ordering;

use super::{Known, Process};

/// A column of the list of processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Column {
    /// See [`Process::pid`].
    Pid,
    /// See [`Process::user`].
    User,
    /// See [`Process::name`].
    Name,
    /// See [`Process::rss`].
    Rss,
    /// See [`Process::pss`].
    Pss,
    /// See [`Process::uss`].
    Uss,
    /// See [`Process::anonymous`].
    Anonymous,
    /// See [`Process::swap`].
    Swap,
    /// See [`Process::thp`].
    Thp,
    /// See [`Process::limit`]: the limit itself.
    Limit,
    /// See [`Process::limit`]: what is left.
    Headroom,
    /// See [`Process::slope`].
    Slope,
    /// See [`Process::oom_rank`].
    Oom,
}

impl Column {
    /// All of them, as they stand from left to right.
    pub const ALL: [Self; 13] = [
        Self::Pid,
        Self::User,
        Self::Name,
        Self::Rss,
        Self::Pss,
        Self::Uss,
        Self::Anonymous,
        Self::Swap,
        Self::Thp,
        Self::Limit,
        Self::Headroom,
        Self::Slope,
        Self::Oom,
    ];

    /// Its title, which in small letters is also what it is called on the command line.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Pid => "PID",
            Self::User => "USER",
            Self::Name => "NAME",
            Self::Rss => "RSS",
            Self::Pss => "PSS",
            Self::Uss => "USS",
            Self::Anonymous => "ANON",
            Self::Swap => "SWAP",
            Self::Thp => "THP",
            Self::Limit => "LIMIT",
            Self::Headroom => "HEADROOM",
            Self::Slope => "SLOPE",
            Self::Oom => "OOM",
        }
    }

    /// The column of a title, capitals or not.
    pub fn of_title(title: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.title().eq_ignore_ascii_case(title))
    }

    /// Whether asking for it stops the process for a moment, because the kernel has to go through its mappings.
    pub const fn is_costly(self) -> bool {
        matches!(self, Self::Pss | Self::Uss | Self::Thp)
    }

    /// What a process has in this column, if that is a number of bytes; no other column has any.
    pub fn bytes(self, process: &Process) -> Known<u64> {
        match self {
            Self::Rss => Known::Yes(process.rss),
            Self::Anonymous => Known::Yes(process.anonymous),
            Self::Pss => process.pss,
            Self::Uss => process.uss,
            Self::Swap => process.swap,
            Self::Thp => process.thp,
            Self::Limit => process.limit.map(|limit| limit.bytes),
            Self::Headroom => process.limit.map(|limit| limit.headroom),
            Self::Pid | Self::User | Self::Name | Self::Slope | Self::Oom => Known::None,
        }
    }

    /// What stands above: of sizes the largest, of names the first, of what is left and ranks the smallest. What is not known is
    /// always below, and the number decides between equals.
    pub fn order(self, one: &Process, other: &Process) -> Ordering {
        let order = match self {
            Self::Pid => Ordering::Equal,
            Self::User => one.user.cmp(&other.user),
            Self::Name => one.name.cmp(&other.name),
            Self::Rss | Self::Anonymous | Self::Pss | Self::Uss | Self::Swap | Self::Thp => {
                known_first(&self.bytes(one), &self.bytes(other), |one, other| other.cmp(one))
            }
            Self::Limit | Self::Headroom => known_first(&self.bytes(one), &self.bytes(other), Ord::cmp),
            Self::Slope => known_first(&one.slope, &other.slope, |one, other| other.total_cmp(one)),
            Self::Oom => known_first(&one.oom_rank, &other.oom_rank, Ord::cmp),
        };
        order.then(one.pid.cmp(&other.pid))
    }
}

fn known_first<T>(one: &Known<T>, other: &Known<T>, order: impl FnOnce(&T, &T) -> Ordering) -> Ordering {
    match (one.get(), other.get()) {
        (Some(one), Some(other)) => order(one, other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

/// Puts `processes` in the order of a column, or in the opposite one.
pub fn sort(processes: &mut [Process], column: Column, is_reversed: bool) {
    processes.sort_by(|one, other| {
        let order = column.order(one, other);
        if is_reversed { order.reverse() } else { order }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processes::Limit;

    /// The numbers of three processes in the order of `column`.
    fn sorted(column: Column, is_reversed: bool, set: impl Fn(u32, &mut Process)) -> [u32; 3] {
        let mut processes = [3, 1, 2].map(Process::unread);
        processes.iter_mut().for_each(|process| set(process.pid, process));
        sort(&mut processes, column, is_reversed);
        processes.map(|process| process.pid)
    }

    #[test]
    fn the_most_interesting_comes_first() {
        assert_eq!(sorted(Column::Pid, false, |_, _| {}), [1, 2, 3]);
        assert_eq!(sorted(Column::Pid, true, |_, _| {}), [3, 2, 1]);
        assert_eq!(sorted(Column::Rss, false, |pid, process| process.rss = u64::from(pid)), [3, 2, 1]);
        assert_eq!(
            sorted(Column::Name, false, |pid, process| process.name = format!("{}", 9 - pid).into()),
            [3, 2, 1]
        );
        assert_eq!(
            sorted(Column::Slope, false, |pid, process| process.slope = Known::Yes(-f64::from(pid))),
            [1, 2, 3]
        );
        let limit = |pid: u32| Limit { name: String::new(), bytes: 9, headroom: u64::from(9 - pid) };
        assert_eq!(
            sorted(Column::Headroom, false, |pid, process| process.limit = Known::Yes(limit(pid))),
            [3, 2, 1]
        );
    }

    #[test]
    fn what_is_not_known_comes_last() {
        let pss = |pid, process: &mut Process| {
            process.pss = if pid == 1 { Known::No("not permitted") } else { Known::Yes(u64::from(pid)) };
        };
        assert_eq!(sorted(Column::Pss, false, pss), [3, 2, 1]);
    }

    #[test]
    fn titles_name_columns() {
        for column in Column::ALL {
            assert_eq!(Column::of_title(&column.title().to_lowercase()), Some(column));
        }
        assert_eq!(Column::of_title("cpu"), None);
    }
}
