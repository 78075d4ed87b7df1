//! Files of lines `NAME NUMBER`: `/proc/vmstat`, and `memory.stat`, `memory.events` and `memory.oom_control` of a cgroup.
//!
//! Each kernel has other names, so they are kept as they are. Called by `cgroup`, and by whoever reads these files.

use alloc::collections::BTreeMap;

use super::{ReadError, decimal, lines, words};

/// Numbers by their names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts(BTreeMap<Vec<u8>, u64>);

impl Counts {
    /// The number of that name; `None` if this kernel does not tell.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name.as_bytes()).copied()
    }

    /// Adds a number that another file tells.
    pub(super) fn insert(&mut self, name: &str, number: u64) {
        self.0.insert(name.as_bytes().to_vec(), number);
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.0.iter().map(|(name, number)| (&name[..], *number))
    }
}

/// Reads such a file.
///
/// # Errors
///
/// The first line that is not `NAME NUMBER`.
///
/// # Source
///
/// `proc_vmstat(5)`, and `Documentation/admin-guide/cgroup-v2.rst` of the kernel.
pub fn parse(file: &[u8]) -> Result<Counts, ReadError> {
    let mut counts = BTreeMap::new();
    for (offset, line) in lines(file) {
        let pair = || {
            let mut words = words(line);
            let pair = (words.next()?, decimal(words.next()?)?);
            words.next().is_none().then_some(pair)
        };
        let (name, number) = pair().ok_or(ReadError { offset, expected: "a line `NAME NUMBER`" })?;
        counts.insert(name.to_vec(), number);
    }
    Ok(Counts(counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"anon 4096\nfile 0\noom_kill 3\n";

    #[test]
    fn numbers_are_found_by_their_names() {
        let counts = parse(FILE).unwrap();
        assert_eq!((counts.get("anon"), counts.get("file")), (Some(4096), Some(0)));
        assert_eq!(counts.get("kernel"), None, "not told is not 0");
        assert_eq!(counts.iter().map(|(_, number)| number).sum::<u64>(), 4099);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (file, offset) in [(&b"a 1\nb\n"[..], 4), (b"a -1\n", 0), (b"a 1 2\n", 0), (b"a 1\n\n", 4)] {
            assert_eq!(parse(file).unwrap_err().offset, offset, "{file:?}");
        }
    }

    #[test]
    fn this_machine_can_be_read() {
        let counts = parse(&std::fs::read("/proc/vmstat").unwrap()).unwrap();
        assert!(counts.get("pgfault").is_some_and(|faults| faults > 0));
    }

    refuses_only_with_a_place!(parse, FILE);
}
