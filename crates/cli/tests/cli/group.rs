//! A group of processes with little memory, for tests that need a limit.

use core::sync::atomic::{AtomicU32, Ordering};
use std::fs;
use std::path::{Path, PathBuf};

/// A cgroup with a limit of 32 MiB, removed when dropped.
#[derive(Debug)]
pub(crate) struct Group(PathBuf);

impl Group {
    /// Makes one, or says why that cannot be.
    pub(crate) fn new() -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mallow-test-{}-{count}", std::process::id());
        let root = Path::new("/sys/fs/cgroup");
        let (folder, limit) = if root.join("memory/memory.limit_in_bytes").exists() {
            (root.join("memory").join(name), "memory.limit_in_bytes")
        } else {
            (root.join(name), "memory.max")
        };
        fs::create_dir(&folder).map_err(|error| format!("cannot make a cgroup: {error}"))?;
        let group = Self(folder);
        fs::write(group.0.join(limit), "33554432")
            .map_err(|error| format!("cannot limit a cgroup: {error}"))?;
        // Without this a machine with swap would only become slow.
        let _ = fs::write(group.0.join("memory.swap.max"), "0");
        Ok(group)
    }

    /// The file that a number is written to, to put that process into the group.
    pub(crate) fn processes(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }

    /// Its name, below the root.
    pub(crate) fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
