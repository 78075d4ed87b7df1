//! A process as `/proc` shows it: its files, and the reasons why one cannot be read.
//!
//! ```text
//!  operand ──► target ──► Process ── read("smaps") ──► bytes, for the parsers of `mallow-analyze`
//!                                └─► Failure: ended, zombie, of the kernel, not permitted, hidden
//! ```
//!
//! The directory of the process is opened once and everything is read below it: if the process ends and its number is
//! given to another one, reading fails and never tells of the other.
//!
//! `HOST_PROC` and `HOST_SYS` name other places for `/proc` and `/sys`, as in other tools: those of the host in a container,
//! or a recorded one.

use core::fmt;
use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use anyhow::Context;
use mallow_analyze::escape;
use mallow_analyze::read::status::{self, Status};
use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

use crate::failure::{self, Failure};

/// Where the kernel shows processes.
pub(crate) fn proc_root() -> PathBuf {
    root("HOST_PROC", "/proc")
}

/// Where the kernel shows devices, control groups and settings.
pub(crate) fn sys_root() -> PathBuf {
    root("HOST_SYS", "/sys")
}

fn root(variable: &str, default: &str) -> PathBuf {
    env::var_os(variable).filter(|path| !path.is_empty()).map_or_else(|| default.into(), PathBuf::from)
}

/// A process that was there when it was opened.
#[derive(Debug)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    directory: OwnedFd,
}

/// Why a file of a process cannot be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// The process has ended, and is gone.
    Vanished,
    /// The process has ended, and its parent has not asked how.
    Zombie,
    /// It is a thread of the kernel.
    KernelThread,
    /// It belongs to somebody else, or protects itself.
    NotPermitted,
    /// Anything else.
    Failed(io::Error),
}

impl Process {
    /// Opens the process with the number `pid`; a number of a thread means the process that the thread is of.
    pub(crate) fn open(pid: u32) -> Result<Self, Failure> {
        let process = Self::open_number(pid)?;
        match process.plain_status() {
            // A thread has a directory of its own, which is not listed.
            Ok(Status { group: Some(group), .. }) if group != u64::from(pid) => {
                Self::open_number(u32::try_from(group).unwrap_or(pid))
            }
            // With hidepid the directory can be opened, and is empty.
            Err(error) if is_gone(&error) && is_hidden(pid) => Err(no_process(pid, Errno::NOENT)),
            _ => Ok(process),
        }
    }

    fn open_number(pid: u32) -> Result<Self, Failure> {
        let path = proc_root().join(pid.to_string());
        match openat(
            rustix::fs::CWD,
            &path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Ok(directory) => Ok(Self { pid, directory }),
            Err(errno) => Err(no_process(pid, errno)),
        }
    }

    /// Returns one of its files as it is now.
    ///
    /// # Errors
    ///
    /// Why not; what is empty because the process has no memory is an error too where that makes a difference, see
    /// [`Process::read_memory`].
    pub(crate) fn read(&self, file: &str) -> Result<Vec<u8>, Unreadable> {
        let read = || -> io::Result<Vec<u8>> {
            let file = openat(&self.directory, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            let mut bytes = Vec::new();
            File::from(file).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| self.obstacle(error))
    }

    /// Opens one of its files, to read it in pieces.
    pub(crate) fn open_file(&self, file: &str) -> Result<File, Unreadable> {
        let opened = openat(&self.directory, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        opened.map(File::from).map_err(|errno| self.obstacle(errno.into()))
    }

    /// Opens one of its files for reading and writing.
    pub(crate) fn open_writable(&self, file: &str) -> Result<File, Unreadable> {
        let opened = openat(&self.directory, file, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
        opened.map(File::from).map_err(|errno| self.obstacle(errno.into()))
    }

    /// Returns one of its files that are empty in a process without memory; then the reason is the error.
    pub(crate) fn read_memory(&self, file: &str) -> Result<Vec<u8>, Unreadable> {
        let bytes = self.read(file)?;
        if bytes.is_empty() { Err(self.state_obstacle().unwrap_or(Unreadable::Vanished)) } else { Ok(bytes) }
    }

    /// Returns where one of its links leads.
    pub(crate) fn read_link(&self, link: &str) -> Result<OsString, Unreadable> {
        match readlinkat(&self.directory, link, Vec::new()) {
            Ok(path) => Ok(OsString::from_vec(path.into_bytes())),
            Err(errno) => Err(self.obstacle(errno.into())),
        }
    }

    /// Returns its status, which everybody may read.
    pub(crate) fn status(&self) -> anyhow::Result<Status> {
        let bytes = self.read("status").map_err(|unreadable| self.failure("status", unreadable))?;
        status::parse(&bytes).with_context(|| format!("cannot understand status of process {}", self.pid))
    }

    /// Returns its name, safe to print; empty if it has just ended.
    pub(crate) fn name(&self) -> String {
        let comm = self.read("comm").unwrap_or_default();
        escape::name(comm.strip_suffix(b"\n").unwrap_or(&comm))
    }

    /// Turns the reason why `file` cannot be read into a sentence, with what to do about it.
    pub(crate) fn failure(&self, file: &str, unreadable: Unreadable) -> Failure {
        let pid = self.pid;
        let name = self.name();
        let who = if name.is_empty() { format!("process {pid}") } else { format!("process {pid} ({name})") };
        let (sentence, advice) = match unreadable {
            Unreadable::Vanished => {
                (format!("process {pid} has ended while it was looked at"), SEE_WHAT_RUNS.to_owned())
            }
            Unreadable::Zombie => (
                format!("{who} has ended, and its parent has not asked how: it has no memory any more"),
                match self.plain_status() {
                    Ok(status) => format!("Its parent is process {}.", status.parent_pid),
                    Err(_) => SEE_WHAT_RUNS.to_owned(),
                },
            ),
            Unreadable::KernelThread => (
                format!("{who} is a thread of the kernel: it has no memory of its own"),
                "The kernel's memory is in: mallow free".to_owned(),
            ),
            Unreadable::NotPermitted => (
                format!("{who} belongs to another user or protects itself: its {file} may not be read"),
                "Look at it as its user or as root, with sudo or doas in front of the command.".to_owned(),
            ),
            Unreadable::Failed(error) => (
                format!("cannot read {file} of {who}: {error}"),
                "See what may be read: mallow doctor".to_owned(),
            ),
        };
        Failure::new(failure::CANNOT_LOOK, sentence, advice)
    }

    fn obstacle(&self, error: io::Error) -> Unreadable {
        match Errno::from_io_error(&error) {
            // A kernel may lack a file that others have.
            Some(Errno::NOENT) if self.plain_status().is_ok() => {
                self.state_obstacle().unwrap_or(Unreadable::Failed(error))
            }
            Some(Errno::NOENT | Errno::SRCH) => self.state_obstacle().unwrap_or(Unreadable::Vanished),
            Some(Errno::ACCESS | Errno::PERM) => self.state_obstacle().unwrap_or(Unreadable::NotPermitted),
            _ => Unreadable::Failed(error),
        }
    }

    /// The reason that lies in the state of the process, if one does.
    fn state_obstacle(&self) -> Option<Unreadable> {
        let status = self.plain_status().ok()?;
        match status.state {
            b'Z' | b'X' => Some(Unreadable::Zombie),
            _ if status.has_no_memory() => Some(Unreadable::KernelThread),
            _ => None,
        }
    }

    /// Returns its status, or the error as it is: those who explain errors need it themselves.
    fn plain_status(&self) -> io::Result<Status> {
        let file = openat(&self.directory, "status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut bytes = Vec::new();
        File::from(file).read_to_end(&mut bytes)?;
        status::parse(&bytes).map_err(io::Error::other)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vanished => f.write_str("the process has ended"),
            Self::Zombie => f.write_str("the process has ended and is a zombie"),
            Self::KernelThread => f.write_str("a thread of the kernel has none"),
            Self::NotPermitted => f.write_str("not permitted"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// What to do when there is no such process.
pub(crate) const SEE_WHAT_RUNS: &str = "See what runs: mallow top --once";

/// Says why a process has no directory, which may also be because it is hidden.
fn no_process(pid: u32, errno: Errno) -> Failure {
    let (sentence, advice) = if is_hidden(pid) {
        (
            format!("process {pid} is there, and /proc does not show it: it is mounted with hidepid"),
            "Look at it as its user or as root.".to_owned(),
        )
    } else if matches!(errno, Errno::NOENT | Errno::SRCH) {
        (format!("there is no process {pid}"), SEE_WHAT_RUNS.to_owned())
    } else {
        let path = proc_root().join(pid.to_string());
        (format!("cannot open {}: {errno}", path.display()), "Check that /proc is mounted.".to_owned())
    };
    Failure::new(failure::CANNOT_LOOK, sentence, advice)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::SRCH))
}

/// Whether a process that `/proc` does not show is there.
fn is_hidden(pid: u32) -> bool {
    env::var_os("HOST_PROC").is_none() && is_alive(pid)
}

/// Whether a signal could be sent, or may not be sent, to a process of this number.
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| !matches!(rustix::process::test_kill_process(pid), Err(Errno::SRCH)))
}
