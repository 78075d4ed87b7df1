//! A cgroup for one experiment, with a limit on memory, gone when it ends.
//!
//! Called by the experiment about the end of memory. What is made lies at the top of the tree if that is allowed, or as
//! near to it as may be, so that no group that somebody uses gets a child that it did not ask for.

use core::time::Duration;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;

use mallow_analyze::read::cgroup::place::{self, Place, Version};
use mallow_analyze::read::mountinfo;

use super::{Obstacle, reason};

/// What else can be done.
const ELSEWHERE: &str =
    "it works as root, or in a part of the tree that is one's own: systemd-run --user --scope mallow lab oom";
/// How often removing is tried, and how long is waited in between: processes leave a group a moment after they have ended.
const TRIES: usize = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// A group of processes.
#[derive(Debug)]
pub(crate) struct Cgroup {
    version: Version,
    folder: PathBuf,
}

impl Cgroup {
    /// Makes a group without processes that may use so many bytes.
    pub(crate) fn make(limit: u64) -> Result<Self, Obstacle> {
        let place = own_place()?;
        let mut refusal = None;
        for above in place.groups.iter().rev() {
            let above = Path::new(OsStr::from_bytes(&above.path));
            match Self::make_below(above, place.version, limit) {
                Ok(group) => return Ok(group),
                // What stands in the way at the top says most.
                Err(error) => {
                    refusal.get_or_insert_with(|| format!("{}: {}", above.display(), reason(&error)));
                }
            }
        }
        let refusal = refusal.unwrap_or_else(|| "there is none to make it in".to_owned());
        Err(Obstacle::new(format!(
            "no cgroup with a limit on memory can be made here ({refusal}); {ELSEWHERE}"
        )))
    }

    fn make_below(above: &Path, version: Version, limit: u64) -> io::Result<Self> {
        if version == Version::V2 {
            let passed_on = fs::read_to_string(above.join("cgroup.subtree_control"))?;
            if !passed_on.split_whitespace().any(|controller| controller == "memory") {
                return Err(io::Error::other("the groups below it have no limit on memory"));
            }
        }
        let folder = above.join(format!("mallow-lab-{}", std::process::id())); // One of that name can only have been left behind.
        let _ = fs::remove_dir(&folder);
        fs::create_dir(&folder)?;
        let group = Self { version, folder };
        let (memory, swap, no_swap) = match version {
            Version::V1 => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", limit),
            Version::V2 => ("memory.max", "memory.swap.max", 0),
        };
        fs::write(group.folder.join(memory), limit.to_string())?;
        let swap = group.folder.join(swap);
        if swap.exists() {
            fs::write(swap, no_swap.to_string())?;
        }
        Ok(group)
    }

    /// Moves a process into the group; what it has already stays where it is counted.
    pub(crate) fn add(&self, pid: u32) -> Result<(), Obstacle> {
        let file = self.folder.join("cgroup.procs");
        fs::write(&file, pid.to_string()).map_err(|error| {
            Obstacle::new(format!("cannot write to {}: {}; {ELSEWHERE}", file.display(), reason(&error)))
        })
    }

    /// How many processes the kernel has killed in it; `None` if this kernel does not tell.
    pub(crate) fn kills(&self) -> Option<u64> {
        let file = match self.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        let text = fs::read_to_string(self.folder.join(file)).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..TRIES {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

/// The groups that this process is in, as far as memory goes.
fn own_place() -> Result<Place, Obstacle> {
    let read = |path: &str| {
        fs::read(path).map_err(|error| Obstacle::new(format!("cannot read {path}: {}", reason(&error))))
    };
    let memberships = place::parse(&read("/proc/self/cgroup")?).map_err(Obstacle::new)?;
    let mounts = mountinfo::parse(&read("/proc/self/mountinfo")?).map_err(Obstacle::new)?;
    place::of_memory(&memberships, &mounts).map_err(Obstacle::new)
}
