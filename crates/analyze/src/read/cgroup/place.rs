//! Where the memory of a process is counted: the folders of its group, and of those above.
//!
//! A process in a container has its own root, and sees nothing above it. Whether there is something above can be told only
//! by what is in the topmost folder, see [`Place::top_is_root`].

use core::error::Error;
use core::fmt;

use super::super::mountinfo::Mount;
use super::super::{ReadError, decimal, lines};

/// The two kinds of cgroups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// One tree for each controller.
    V1,
    /// One tree for all.
    V2,
}

/// A line of `/proc/PID/cgroup`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    /// The number of the tree; 0 is that of version 2.
    pub tree: u64,
    /// What the tree controls, between commas; nothing in version 2.
    pub controllers: Vec<u8>,
    /// The group, from the root that the reader sees.
    pub path: Vec<u8>,
}

/// Where to look for the memory of a process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Which names the files have.
    pub version: Version,
    /// Its group, then the one above, up to the root that can be seen.
    pub groups: Vec<Folder>,
    /// Whether only a part of the tree is mounted, so that there are groups above.
    pub is_cut: bool,
}

/// The folder of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder {
    /// The name of the group: its path from the root that can be seen.
    pub name: Vec<u8>,
    /// Where its files are.
    pub path: Vec<u8>,
}

impl Place {
    /// Whether the topmost folder is the root of the machine, and not that of a container, by the names of files in it.
    pub fn top_is_root(&self, has_file: impl Fn(&str) -> bool) -> bool {
        !self.is_cut
            && match self.version {
                Version::V1 => has_file("release_agent"),
                Version::V2 => !has_file("cgroup.events"),
            }
    }
}

/// Why there is no folder to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoPlace {
    /// The process is in no group that could count memory.
    NoCgroups,
    /// The tree is not mounted where it could be read.
    NotMounted(Version),
    /// The group is outside what can be seen from here: the process is in another container, or above ours.
    OutOfSight(Vec<u8>),
}

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCgroups => f.write_str("the process is in no cgroup that counts memory"),
            Self::NotMounted(Version::V1) => {
                f.write_str("the memory controller of cgroup v1 is not mounted here")
            }
            Self::NotMounted(Version::V2) => f.write_str("cgroup v2 is not mounted here"),
            Self::OutOfSight(_) => {
                f.write_str("the process is in a cgroup that cannot be seen from this container")
            }
        }
    }
}

impl Error for NoPlace {}

/// Reads `/proc/PID/cgroup`.
///
/// # Errors
///
/// The first line that is not `TREE:CONTROLLERS:PATH`.
///
/// # Source
///
/// `cgroups(7)`.
pub fn parse(file: &[u8]) -> Result<Vec<Membership>, ReadError> {
    lines(file)
        .map(|(offset, line)| {
            membership(line).ok_or(ReadError { offset, expected: "`TREE:CONTROLLERS:PATH`" })
        })
        .collect()
}

fn membership(line: &[u8]) -> Option<Membership> {
    let mut parts = line.splitn(3, |byte| *byte == b':');
    let tree = decimal(parts.next()?)?;
    let controllers = parts.next()?.to_vec();
    let path = parts.next().filter(|path| path.starts_with(b"/"))?.to_vec();
    Some(Membership { tree, controllers, path })
}

/// Where the memory of a process with these `memberships` is counted, by what the reader has mounted.
///
/// # Errors
///
/// That there is no such place, or none that can be seen.
pub fn of_memory(memberships: &[Membership], mounts: &[Mount]) -> Result<Place, NoPlace> {
    let counts_memory =
        |found: &&Membership| found.controllers.split(|byte| *byte == b',').any(|name| name == b"memory");
    let (version, membership) = memberships
        .iter()
        .find(counts_memory)
        .map(|found| (Version::V1, found))
        .or_else(|| memberships.iter().find(|found| found.tree == 0).map(|found| (Version::V2, found)))
        .ok_or(NoPlace::NoCgroups)?;
    let is_tree = |mount: &&Mount| match version {
        Version::V1 => mount.kind == b"cgroup" && mount.has_option("memory"),
        Version::V2 => mount.kind == b"cgroup2",
    };
    let trees: Vec<_> = mounts.iter().filter(is_tree).collect();
    if trees.is_empty() {
        return Err(NoPlace::NotMounted(version));
    }
    let path = &membership.path;
    // Of several mounts the one that shows most.
    let seen = trees.iter().filter_map(|mount| Some((*mount, below(path, &mount.root)?)));
    let (mount, rest) =
        seen.min_by_key(|(mount, _)| mount.root.len()).ok_or_else(|| NoPlace::OutOfSight(path.clone()))?;
    let groups = ancestors(rest).map(|name| Folder {
        name: if name.is_empty() { b"/".to_vec() } else { name.to_vec() },
        path: [mount.point.strip_suffix(b"/").unwrap_or(&mount.point), name].concat(),
    });
    Ok(Place { version, groups: groups.collect(), is_cut: mount.root != b"/" })
}

/// What is left of `path` below `root`: nothing, or something with a slash in front.
fn below<'a>(path: &'a [u8], root: &[u8]) -> Option<&'a [u8]> {
    // `/..` is above the root of the reader's own container.
    let is_above = |path: &[u8]| path.split(|byte| *byte == b'/').any(|part| part == b"..");
    if is_above(path) || is_above(root) {
        return None;
    }
    let rest = path.strip_prefix(root.strip_suffix(b"/").unwrap_or(root))?;
    let rest = rest.strip_suffix(b"/").unwrap_or(rest);
    (rest.is_empty() || rest.starts_with(b"/")).then_some(rest)
}

/// `/a/b`, `/a`, and nothing.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::successors(Some(path), |path| {
        let slash = path.iter().rposition(|byte| *byte == b'/')?;
        Some(&path[..slash])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::mountinfo;

    const FILE: &[u8] = b"4:cpu,memory:/a/b\n1:name=systemd:/init.scope\n0::/a:c\n";
    const V2: &[u8] = b"1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
    const HYBRID: &[u8] = b"\
1 1 0:1 / /c/cpuset rw - cgroup cgroup rw,cpuset
1 1 0:1 / /c/memory rw - cgroup cgroup rw,cpu,memory
1 1 0:1 / /c/unified rw - cgroup2 cgroup2 rw
";
    const CONTAINER: &[u8] = b"\
1 1 0:1 /docker/7/x /bound rw - cgroup cgroup rw,memory
1 1 0:1 /docker/7 /c/memory rw - cgroup cgroup rw,memory
";

    fn place(memberships: &[u8], mounts: &[u8]) -> Result<Place, NoPlace> {
        of_memory(&parse(memberships).unwrap(), &mountinfo::parse(mounts).unwrap())
    }

    fn paths(place: &Place) -> Vec<&str> {
        place.groups.iter().map(|folder| core::str::from_utf8(&folder.path).unwrap()).collect()
    }

    #[test]
    fn memberships_are_read() {
        let found = parse(FILE).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!((found[2].tree, &found[2].path[..]), (0, &b"/a:c"[..]), "a path may have colons");
    }

    #[test]
    fn every_folder_up_to_the_root_is_found() {
        let found = place(FILE, HYBRID).unwrap();
        assert_eq!(found.version, Version::V1, "the memory controller is in one version only");
        assert_eq!(paths(&found), ["/c/memory/a/b", "/c/memory/a", "/c/memory"]);
        let names: Vec<_> = found.groups.iter().map(|folder| &folder.name[..]).collect();
        assert_eq!(names, [&b"/a/b"[..], b"/a", b"/"]);
        let found = place(b"0::/\n", V2).unwrap();
        assert_eq!((found.version, paths(&found)), (Version::V2, vec!["/sys/fs/cgroup"]));
    }

    #[test]
    fn a_part_of_the_tree_is_known_as_one() {
        let found = place(b"4:memory:/docker/7/x\n", CONTAINER).unwrap();
        assert_eq!(paths(&found), ["/c/memory/x", "/c/memory"], "the mount that shows most");
        assert!(found.is_cut && !found.top_is_root(|_| true));
        let found = place(b"0::/x\n", V2).unwrap();
        assert!(found.top_is_root(|_| false) && !found.top_is_root(|name| name == "cgroup.events"));
        let found = place(FILE, HYBRID).unwrap();
        assert!(!found.top_is_root(|_| false) && found.top_is_root(|name| name == "release_agent"));
    }

    #[test]
    fn what_cannot_be_seen_is_said() {
        for (memberships, mounts, expected) in [
            (&b""[..], V2, NoPlace::NoCgroups),
            (b"2:cpu:/\n", V2, NoPlace::NoCgroups),
            (b"4:memory:/a\n", V2, NoPlace::NotMounted(Version::V1)),
            (b"0::/a\n", CONTAINER, NoPlace::NotMounted(Version::V2)),
            (b"0::/../b\n", V2, NoPlace::OutOfSight(b"/../b".to_vec())),
            (b"4:memory:/docker/77\n", CONTAINER, NoPlace::OutOfSight(b"/docker/77".to_vec())),
            (b"0::/a\n", b"1 1 0:1 /.. /c rw - cgroup2 cgroup2 rw\n", NoPlace::OutOfSight(b"/a".to_vec())),
        ] {
            assert_eq!(place(memberships, mounts), Err(expected));
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for file in [&b"0::/\n0:/\n"[..], b"0::/\nx::/\n", b"0::/\n0::a\n"] {
            assert_eq!(parse(file).unwrap_err().offset, 5, "{file:?}");
        }
    }

    #[test]
    fn this_process_can_be_read() {
        let read = |name: &str| std::fs::read(format!("/proc/self/{name}")).unwrap();
        if let Ok(place) = place(&read("cgroup"), &read("mountinfo")) {
            assert!(std::path::Path::new(paths(&place).last().unwrap()).is_dir(), "{place:?}");
        }
    }

    refuses_only_with_a_place!(parse, FILE);
}
