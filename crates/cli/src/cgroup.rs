//! The cgroups of a process: its own, and every one above that can be seen.
//!
//! Called by the verbs that speak of limits, and of what is charged beside RSS.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use mallow_analyze::read::cgroup::group::Group;
use mallow_analyze::read::cgroup::place::{self, Place};
use mallow_analyze::read::mountinfo::{self, Mount};

pub(crate) use mallow_analyze::read::cgroup::place::Version;

use crate::machine;
use crate::process::Process;

/// Where a process's memory is counted, and what is there.
#[derive(Debug)]
pub(crate) struct Cgroups {
    /// Which kind.
    pub(crate) version: Version,
    /// Names and contents, its own first.
    pub(crate) groups: Vec<(Vec<u8>, Group)>,
    /// Whether the topmost is the root of the machine; if not, there are groups above that cannot be seen.
    pub(crate) sees_root: bool,
    /// Whether the folder of its own group is gone, or may not be entered.
    pub(crate) is_gone: bool,
}

impl Cgroups {
    /// Reads all groups that `process` is in, or says why not.
    pub(crate) fn of(process: &Process) -> Result<Self, String> {
        Self::at(&place(process, &mounts()?)?)
    }

    pub(crate) fn at(place: &Place) -> Result<Self, String> {
        let mut groups = Vec::with_capacity(place.groups.len());
        let mut top = PathBuf::new();
        let mut is_gone = false;
        for folder in &place.groups {
            top = machine::below_sys(Path::new(OsStr::from_bytes(&folder.path)));
            is_gone |= groups.is_empty() && !top.is_dir();
            let group = Group::read(place.version, |file| fs::read(top.join(file)).ok())
                .map_err(|error| format!("{}: {error}", top.display()))?;
            groups.push((folder.name.clone(), group));
        }
        let sees_root = place.top_is_root(|file| top.join(file).exists());
        Ok(Self { version: place.version, groups, sees_root, is_gone })
    }
}

/// The file systems of cgroups, and all others, as this process sees them.
pub(crate) fn mounts() -> Result<Vec<Mount>, String> {
    machine::proc_parsed("self/mountinfo", mountinfo::parse)
}

/// Where the memory of `process` is counted, or why that cannot be seen.
pub(crate) fn place(process: &Process, mounts: &[Mount]) -> Result<Place, String> {
    let file = process.read("cgroup").map_err(|unreadable| unreadable.to_string())?;
    let memberships =
        place::parse(&file).map_err(|error| format!("its cgroup file cannot be understood {error}"))?;
    place::of_memory(&memberships, mounts).map_err(|no_place| no_place.to_string())
}
