//! A cgroup: what it uses and what it may use, in the words of version 2 for both versions.
//!
//! The root of version 2 has no usage and no limits; the root of version 1 has both, and cannot be limited.

use core::error::Error;
use core::fmt;

use super::super::counts::{self, Counts};
use super::super::pressure::{self, Pressure};
use super::super::{Limit, ReadError, decimal};
use super::place::Version;

/// Bytes; from here on version 1 means that there is no limit: the most that is a multiple of any page.
const NO_LIMIT_V1: u64 = (1 << 63) - (1 << 20);

/// What a group's files say, in bytes, as far as there are such files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Group {
    /// What the group uses, with all groups below: programs, file cache, and the kernel on their behalf.
    pub current: Option<u64>,
    /// The most that it ever used.
    pub peak: Option<u64>,
    /// Where somebody in it is killed, if nothing can be reclaimed.
    pub max: Option<Limit>,
    /// From where on it is slowed down and reclaimed from. Version 2 only.
    pub high: Option<Limit>,
    /// What it is left as long as there is enough elsewhere. Version 2 only.
    pub low: Option<Limit>,
    /// What it is left in any case. Version 2 only.
    pub min: Option<Limit>,
    /// Where it is brought back to when memory is short. Version 1 only.
    pub soft: Option<Limit>,
    /// What it has in swap. Version 2 only.
    pub swap_current: Option<u64>,
    /// How much it may have in swap. Version 2 only.
    pub swap_max: Option<Limit>,
    /// Memory and swap together. Version 1 only.
    pub with_swap_current: Option<u64>,
    /// How much memory and swap it may have together. Version 1 only.
    pub with_swap_max: Option<Limit>,
    /// Compressed memory of zswap: part of [`Group::current`]. Version 2 only.
    pub zswap_current: Option<u64>,
    /// How much it may have of that. Version 2 only.
    pub zswap_max: Option<Limit>,
    /// What it uses, by kind: see [`Group::part`].
    pub stat: Option<Counts>,
    /// How often what happened here and below: `low`, `high`, `max`, `oom`, `oom_kill`. Of version 1, `oom_kill` only.
    pub events: Option<Counts>,
    /// The same, here only. Version 2 only.
    pub events_local: Option<Counts>,
    /// How often the limit was hit. Version 1 only.
    pub hits: Option<u64>,
    /// Waiting for memory. Version 2 only.
    pub pressure: Option<Pressure>,
    /// Whether all in the group are killed together. Version 2 only.
    pub kills_all: Option<bool>,
    /// Whether nobody is killed: who asks for memory waits. Version 1 only.
    pub kills_nobody: Option<bool>,
}

/// A part of what a group uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Of programs, without a file.
    Anonymous,
    /// Cache of files, shared memory included.
    File,
    /// Of [`Part::File`], shared memory and tmpfs.
    Shmem,
    /// Of [`Part::File`], what is in the address space of a program.
    FileMapped,
    /// Of [`Part::File`], what was not used for longer: reclaimed first.
    InactiveFile,
    /// In huge pages of [`Part::Anonymous`].
    HugePages,
    /// Locked, or of other memory that cannot be taken.
    Unevictable,
    /// Everything of the kernel.
    Kernel,
    /// Stacks in the kernel. Version 2 only.
    KernelStack,
    /// Page tables. Version 2 only.
    PageTables,
    /// Objects of the kernel. Version 2 only.
    Slab,
    /// What of them can be taken back. Version 2 only.
    SlabReclaimable,
    /// Buffers of sockets.
    Sockets,
    /// What the kernel has once for each processor. Version 2 only.
    Percpu,
}

impl Part {
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Anonymous => ("anon", "total_rss"),
            Self::File => ("file", "total_cache"),
            Self::Shmem => ("shmem", "total_shmem"),
            Self::FileMapped => ("file_mapped", "total_mapped_file"),
            Self::InactiveFile => ("inactive_file", "total_inactive_file"),
            Self::HugePages => ("anon_thp", "total_rss_huge"),
            Self::Unevictable => ("unevictable", "total_unevictable"),
            Self::Kernel => ("kernel", KERNEL_V1),
            Self::KernelStack => ("kernel_stack", ""),
            Self::PageTables => ("pagetables", ""),
            Self::Slab => ("slab", ""),
            Self::SlabReclaimable => ("slab_reclaimable", ""),
            Self::Sockets => ("sock", SOCKETS_V1),
            Self::Percpu => ("percpu", ""),
        }
    }
}

/// Names that no kernel uses, for what version 1 has in files of their own.
const KERNEL_V1: &str = "memory.kmem.usage_in_bytes";
const SOCKETS_V1: &str = "memory.kmem.tcp.usage_in_bytes";

/// A file of a group that is not as it must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupError {
    /// Its name.
    pub file: &'static str,
    /// What is wrong with it.
    pub error: ReadError,
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.file, self.error)
    }
}

impl Error for GroupError {}

impl Group {
    /// Reads a group. `file` gives what is in the file of a name; `None` if there is none, or it may not be read.
    ///
    /// # Errors
    ///
    /// The first file that is not as it must be.
    ///
    /// # Source
    ///
    /// `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst` of the kernel.
    pub fn read(version: Version, file: impl FnMut(&str) -> Option<Vec<u8>>) -> Result<Self, GroupError> {
        let mut files = Files(file);
        match version {
            Version::V1 => Self::read_v1(&mut files),
            Version::V2 => Self::read_v2(&mut files),
        }
    }

    fn read_v2<F: FnMut(&str) -> Option<Vec<u8>>>(files: &mut Files<F>) -> Result<Self, GroupError> {
        Ok(Self {
            current: files.number("memory.current")?,
            peak: files.number("memory.peak")?,
            max: files.limit("memory.max")?,
            high: files.limit("memory.high")?,
            low: files.limit("memory.low")?,
            min: files.limit("memory.min")?,
            swap_current: files.number("memory.swap.current")?,
            swap_max: files.limit("memory.swap.max")?,
            zswap_current: files.number("memory.zswap.current")?,
            zswap_max: files.limit("memory.zswap.max")?,
            stat: files.counts("memory.stat")?,
            events: files.counts("memory.events")?,
            events_local: files.counts("memory.events.local")?,
            pressure: files.read("memory.pressure", pressure::parse)?,
            kills_all: files.number("memory.oom.group")?.map(|number| number != 0),
            ..Self::default()
        })
    }

    fn read_v1<F: FnMut(&str) -> Option<Vec<u8>>>(files: &mut Files<F>) -> Result<Self, GroupError> {
        let mut stat = files.counts("memory.stat")?;
        for name in [KERNEL_V1, SOCKETS_V1] {
            if let (Some(stat), Some(number)) = (&mut stat, files.number(name)?) {
                stat.insert(name, number);
            }
        }
        let oom_control = files.counts("memory.oom_control")?;
        let kills_nobody = oom_control.as_ref().and_then(|counts| counts.get("oom_kill_disable"));
        Ok(Self {
            current: files.number("memory.usage_in_bytes")?,
            peak: files.number("memory.max_usage_in_bytes")?,
            max: files.limit_v1("memory.limit_in_bytes")?,
            soft: files.limit_v1("memory.soft_limit_in_bytes")?,
            with_swap_current: files.number("memory.memsw.usage_in_bytes")?,
            with_swap_max: files.limit_v1("memory.memsw.limit_in_bytes")?,
            stat,
            events: oom_control,
            hits: files.number("memory.failcnt")?,
            kills_nobody: kills_nobody.map(|number| number != 0),
            ..Self::default()
        })
    }

    /// A part of what the group uses, with all groups below, in bytes; `None` if this kernel does not tell.
    pub fn part(&self, part: Part) -> Option<u64> {
        let (v2, v1) = part.names();
        let stat = self.stat.as_ref()?;
        stat.get(v2).filter(|_| !self.is_v1()).or_else(|| stat.get(v1))
    }

    /// What cannot be reclaimed at once: usage without the file cache that was not used for longer.
    pub fn working_set(&self) -> Option<u64> {
        Some(self.current?.saturating_sub(self.part(Part::InactiveFile)?))
    }

    /// How often somebody in the group, or below, was killed because memory ran out.
    pub fn kills(&self) -> Option<u64> {
        self.events.as_ref()?.get("oom_kill")
    }

    /// The smallest limit of this group and those above, also above what can be seen. Version 1 only.
    pub fn limit_with_ancestors(&self) -> Option<Limit> {
        self.stat.as_ref()?.get("hierarchical_memory_limit").map(limit_v1)
    }

    /// `memory.stat` of version 1 has the names of version 2 for some things too, and counts without the groups below.
    fn is_v1(&self) -> bool {
        self.stat.as_ref().is_some_and(|stat| stat.get("hierarchical_memory_limit").is_some())
    }
}

/// The files of a group.
struct Files<F>(F);

impl<F: FnMut(&str) -> Option<Vec<u8>>> Files<F> {
    fn read<T>(
        &mut self,
        file: &'static str,
        parse: impl FnOnce(&[u8]) -> Result<T, ReadError>,
    ) -> Result<Option<T>, GroupError> {
        (self.0)(file).map(|text| parse(&text)).transpose().map_err(|error| GroupError { file, error })
    }

    fn counts(&mut self, file: &'static str) -> Result<Option<Counts>, GroupError> {
        self.read(file, counts::parse)
    }

    fn number(&mut self, file: &'static str) -> Result<Option<u64>, GroupError> {
        self.read(file, number)
    }

    fn limit(&mut self, file: &'static str) -> Result<Option<Limit>, GroupError> {
        self.read(file, limit)
    }

    fn limit_v1(&mut self, file: &'static str) -> Result<Option<Limit>, GroupError> {
        Ok(self.number(file)?.map(limit_v1))
    }
}

const fn limit_v1(number: u64) -> Limit {
    if number >= NO_LIMIT_V1 { Limit::Unlimited } else { Limit::At(number) }
}

fn number(file: &[u8]) -> Result<u64, ReadError> {
    decimal(file.trim_ascii()).ok_or(ReadError { offset: 0, expected: "a number" })
}

fn limit(file: &[u8]) -> Result<Limit, ReadError> {
    let file = file.trim_ascii();
    let number =
        || decimal(file).map(Limit::At).ok_or(ReadError { offset: 0, expected: "a number, or `max`" });
    if file == b"max" { Ok(Limit::Unlimited) } else { number() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(version: Version, files: &[(&str, &str)]) -> Result<Group, GroupError> {
        Group::read(version, |name| {
            files.iter().find(|(found, _)| *found == name).map(|(_, text)| text.as_bytes().to_vec())
        })
    }

    #[test]
    fn version_2_is_read() {
        let group = group(
            Version::V2,
            &[
                ("memory.current", "4096000\n"),
                ("memory.max", "max\n"),
                ("memory.high", "8192000\n"),
                ("memory.stat", "anon 1000\nfile 3000\ninactive_file 96000\npagetables 7\n"),
                ("memory.events", "low 0\nhigh 12\nmax 3\noom 1\noom_kill 2\n"),
                ("memory.oom.group", "1\n"),
                ("memory.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=5\n"),
            ],
        );
        let group = group.unwrap();
        assert_eq!((group.max, group.high), (Some(Limit::Unlimited), Some(Limit::At(8_192_000))));
        assert_eq!((group.part(Part::Anonymous), group.part(Part::PageTables)), (Some(1000), Some(7)));
        assert_eq!(
            (group.working_set(), group.kills(), group.kills_all),
            (Some(4_000_000), Some(2), Some(true))
        );
        assert_eq!((group.peak, group.part(Part::Slab)), (None, None), "not told is not 0");
        assert_eq!(group.pressure.and_then(|pressure| pressure.some).map(|some| some.avg10), Some(100));
    }

    #[test]
    fn version_1_is_read_in_the_same_words() {
        let group = group(
            Version::V1,
            &[
                ("memory.usage_in_bytes", "4096\n"),
                ("memory.limit_in_bytes", "9223372036854771712\n"),
                ("memory.memsw.limit_in_bytes", "8192\n"),
                ("memory.kmem.usage_in_bytes", "77\n"),
                ("memory.oom_control", "oom_kill_disable 1\nunder_oom 0\noom_kill 9\n"),
                (
                    "memory.stat",
                    "cache 1\nrss 2\nshmem 3\ninactive_file 4\nhierarchical_memory_limit 65536\n\
                     total_cache 10\ntotal_rss 20\ntotal_shmem 30\ntotal_inactive_file 40\n",
                ),
            ],
        );
        let group = group.unwrap();
        assert_eq!((group.max, group.with_swap_max), (Some(Limit::Unlimited), Some(Limit::At(8192))));
        assert_eq!(
            (group.part(Part::Shmem), group.part(Part::Kernel)),
            (Some(30), Some(77)),
            "with those below"
        );
        assert_eq!((group.part(Part::File), group.working_set()), (Some(10), Some(4056)));
        assert_eq!((group.kills(), group.kills_nobody), (Some(9), Some(true)));
        assert_eq!(group.limit_with_ancestors(), Some(Limit::At(65536)));
        assert_eq!(group.part(Part::PageTables), None);
    }

    #[test]
    fn a_group_without_files_says_nothing() {
        for version in [Version::V1, Version::V2] {
            assert_eq!(group(version, &[]), Ok(Group::default()));
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_the_file() {
        for (file, text, expected) in [
            ("memory.max", "many\n", "memory.max, at byte 0: expected a number, or `max`"),
            ("memory.current", "", "memory.current, at byte 0: expected a number"),
            ("memory.stat", "anon 1\nx\n", "memory.stat, at byte 7: expected a line `NAME NUMBER`"),
        ] {
            assert_eq!(group(Version::V2, &[(file, text)]).unwrap_err().to_string(), expected);
        }
    }

    refuses_only_with_a_place!(number, b"123\n");
    mod limits {
        use super::super::limit;
        refuses_only_with_a_place!(limit, b"max\n");
    }
}
