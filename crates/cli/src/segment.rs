//! The segment on the tool's side: a file without a name that a process maps to show its counters.
//!
//! The process opens it through this command's entry in `/proc`, so no descriptor is passed on and nothing is
//! left behind on disk. A process that has changed its user may not open it and stays silent.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use anyhow::Context;
use mallow_trace::{Snapshot, segment};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// Shared memory that at most one process reports into.
#[derive(Debug)]
pub(crate) struct Segment {
    file: File,
}

impl Segment {
    /// Makes a segment that nobody has claimed.
    ///
    /// Its size is sealed: a process that has it mapped cannot lose it to a process that truncates it.
    pub(crate) fn create() -> anyhow::Result<Self> {
        let make = || -> io::Result<File> {
            let file =
                File::from(memfd_create("mallow-segment", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
            file.write_all_at(&segment::blank(), 0)?;
            file.set_len(segment::FILE_BYTES as u64)?;
            fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
            Ok(file)
        };
        Ok(Self { file: make().context("cannot create the shared memory for the counters")? })
    }

    /// Returns the path by which other processes of this user reach the segment while this process lives.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Reads the segment as it is now.
    pub(crate) fn read(&self) -> anyhow::Result<Snapshot> {
        let mut bytes = [0; segment::FILE_BYTES];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(Snapshot::decode(&bytes)?)
    }
}
