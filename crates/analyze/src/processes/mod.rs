//! Processes: all of them side by side, in the order and the shape that somebody asks for.
//!
//! ```text
//!  stat, statm of each ──► Process ──► filter ──► order, or tree ──► rows
//!  smaps_rollup of some ──►  (what costs the process something to be asked is known of some only)
//! ```
//!
//! Called by the command, with what it has read.

pub mod column;
pub mod slope;
pub mod tree;

use crate::escape;

/// What is known of a process. Sizes are in bytes.
#[derive(Clone, PartialEq, Debug)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The number of its parent; 0 if it has none.
    pub parent_pid: u32,
    /// The name of its first thread: whichever bytes it likes.
    pub name: Vec<u8>,
    /// The name of its user, or the number if that has none.
    pub user: String,
    /// One letter: running, sleeping, zombie, ...
    pub state: u8,
    /// In memory.
    pub rss: u64,
    /// In memory without a file behind it.
    pub anonymous: u64,
    /// In memory, each page divided by the number of its users.
    pub pss: Known<u64>,
    /// In memory for this process alone.
    pub uss: Known<u64>,
    /// In huge pages.
    pub thp: Known<u64>,
    /// Swapped out.
    pub swap: Known<u64>,
    /// The limit that it reaches first.
    pub limit: Known<Limit>,
    /// Bytes an hour that [`Process::rss`] grows.
    pub slope: Known<f64>,
    /// Its place among those that would be killed if memory ran out; 1 if it would be the first.
    pub oom_rank: Known<u64>,
}

/// A limit and what is left below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// Whose limit it is, in a word or two.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// Bytes that are left.
    pub headroom: u64,
}

/// Something that may not be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Known<T> {
    /// It is known.
    Yes(T),
    /// Nobody has looked yet.
    #[default]
    NotYet,
    /// It is known that there is none.
    None,
    /// It cannot be known, for this reason.
    No(&'static str),
}

impl<T> Known<T> {
    /// The value, if it is known.
    pub const fn get(&self) -> Option<&T> {
        match self {
            Self::Yes(value) => Some(value),
            _ => None,
        }
    }

    /// The same for something that is made of the value.
    pub fn map<U>(&self, of: impl FnOnce(&T) -> U) -> Known<U> {
        match self {
            Self::Yes(value) => Known::Yes(of(value)),
            Self::NotYet => Known::NotYet,
            Self::None => Known::None,
            Self::No(reason) => Known::No(reason),
        }
    }
}

impl Process {
    /// A process of which nothing is known yet but its number.
    pub const fn unread(pid: u32) -> Self {
        Self {
            pid,
            parent_pid: 0,
            name: Vec::new(),
            user: String::new(),
            state: 0,
            rss: 0,
            anonymous: 0,
            pss: Known::NotYet,
            uss: Known::NotYet,
            thp: Known::NotYet,
            swap: Known::NotYet,
            limit: Known::NotYet,
            slope: Known::NotYet,
            oom_rank: Known::NotYet,
        }
    }

    /// Its name, safe to print.
    pub fn label(&self) -> String {
        escape::name(&self.name)
    }

    /// Whether `pattern` is in its name, in its user's name, or is its number. Capitals make no difference.
    pub fn matches(&self, pattern: &str) -> bool {
        let pattern = pattern.to_lowercase();
        self.label().to_lowercase().contains(&pattern)
            || self.user.to_lowercase().contains(&pattern)
            || self.pid.to_string() == pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_looked_for_in_names_users_and_numbers() {
        let (name, user) = (b"Redis-\x1bserver".to_vec(), "daemon".to_owned());
        let process = Process { name, user, ..Process::unread(4121) };
        for (pattern, is_found) in [
            ("", true),
            ("redis", true),
            ("SERVER", true),
            ("daem", true),
            ("4121", true),
            ("412", false),
            ("\\u{1b}", true),
            ("nginx", false),
        ] {
            assert_eq!(process.matches(pattern), is_found, "{pattern}");
        }
    }

    #[test]
    fn what_is_not_known_stays_so() {
        assert_eq!(Known::Yes(2).map(|value| value + 1), Known::Yes(3));
        assert_eq!(Known::<u64>::No("not permitted").map(|value| value + 1), Known::No("not permitted"));
        assert_eq!((Known::<u64>::NotYet.get(), Known::Yes(1).get()), (None, Some(&1)));
    }
}
