//! One program to run: a description that can be run again, with and without the library.
//!
//! Input and output travel through unlinked files rather than pipes, so that a program that leaves a daemon
//! behind, or writes more than a pipe holds, cannot block its test.

use core::time::Duration;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use wait4::Wait4;

use super::failure::Failure;
use super::library::library;
use super::outcome::Outcome;

/// A program, its surroundings and how long it may take.
///
/// Unless told otherwise: the environment of the test, no input, one minute, on the library under test.
#[derive(Clone, Debug)]
pub struct Run {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    stdin: Vec<u8>,
    folder: Option<PathBuf>,
    limit: Duration,
    has_library: bool,
    loaded_before: Vec<PathBuf>,
    loaded_after: Vec<PathBuf>,
}

impl Run {
    /// Describes a run of `program`, a path or a name in `PATH`.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().into(),
            args: Vec::new(),
            env: Vec::new(),
            stdin: Vec::new(),
            folder: None,
            limit: Duration::from_mins(1),
            has_library: true,
            loaded_before: Vec::new(),
            loaded_after: Vec::new(),
        }
    }

    /// Appends one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().into());
        self
    }

    /// Appends arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().into()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().into(), Some(value.as_ref().into())));
        self
    }

    /// Takes a variable out of the environment.
    #[must_use]
    pub fn without_env(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().into(), None));
        self
    }

    /// Gives the program something to read.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Starts the program in `folder`.
    #[must_use]
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().into());
        self
    }

    /// Allows the program this much time; then its whole process group is killed and the run has failed.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs on the libc that the program finds by itself.
    #[must_use]
    pub fn without_library(mut self) -> Self {
        self.has_library = false;
        self
    }

    /// Preloads `library` too, ahead of the library under test.
    #[must_use]
    pub fn loaded_before(mut self, library: impl AsRef<Path>) -> Self {
        self.loaded_before.push(library.as_ref().into());
        self
    }

    /// Preloads `library` too, behind the library under test.
    #[must_use]
    pub fn loaded_after(mut self, library: impl AsRef<Path>) -> Self {
        self.loaded_after.push(library.as_ref().into());
        self
    }

    /// Returns the command that is run, for tests that start a server and end it themselves.
    ///
    /// # Panics
    ///
    /// If the library does not build.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let ours = if self.has_library { library() } else { None };
        let loaded = self.loaded_before.iter().map(PathBuf::as_path);
        let loaded = loaded.chain(ours).chain(self.loaded_after.iter().map(PathBuf::as_path));
        match env::join_paths(loaded) {
            Ok(list) if !list.is_empty() => command.env("LD_PRELOAD", list),
            _ => command.env_remove("LD_PRELOAD"),
        };
        command
    }

    /// Runs the program to its end. A failing status is an outcome; only a run that could not start or took
    /// too long is an error.
    ///
    /// # Panics
    ///
    /// If the library does not build.
    pub fn finish(&self) -> Result<Outcome, Failure> {
        let command = self.command();
        let shown = format!("{command:?}");
        match self.carry_out(command) {
            Ok((outcome, false)) => Ok(outcome),
            Ok((outcome, true)) => {
                Err(Failure::TookTooLong { limit: self.limit, outcome: Box::new(outcome) })
            }
            Err(error) => Err(Failure::DidNotStart { command: shown, error }),
        }
    }

    /// Starts `command`, waits, and collects what it left; also tells whether it had to be killed.
    fn carry_out(&self, mut command: Command) -> io::Result<(Outcome, bool)> {
        let shown = format!("{command:?}");
        let mut stdin = tempfile::tempfile()?;
        stdin.write_all(&self.stdin)?;
        stdin.rewind()?;
        let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
        command.stdin(stdin).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?).process_group(0);
        let started = Instant::now();
        let child = command.spawn()?;
        let is_late = wait_or_kill(&child, self.limit)?;
        let used = child.wait4()?;
        let outcome = Outcome {
            command: shown,
            status: used.status,
            stdout: read_back(stdout)?,
            stderr: read_back(stderr)?,
            peak_rss_bytes: used.rusage.maxrss,
            elapsed: started.elapsed(),
        };
        Ok((outcome, is_late))
    }
}

/// Waits for the leader of a process group and then kills what is left of the group; tells whether the leader
/// itself had to be killed at `limit`.
///
/// The leader stays a zombie until the caller reaps it, so its number cannot name another group meanwhile.
fn wait_or_kill(leader: &Child, limit: Duration) -> io::Result<bool> {
    let group = Pid::from_child(leader);
    let (ended, end) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let watch = scope.spawn(move || {
            let is_late = end.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            // Fails only if nobody of the group is left.
            let _gone = kill_process_group(group, Signal::KILL);
            is_late
        });
        let waited = loop {
            match waitid(WaitId::Pid(group), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other,
            }
        };
        drop(ended);
        let is_late = watch.join().expect("the watch does not panic");
        waited.map(|_| is_late).map_err(io::Error::from)
    })
}

fn read_back(mut file: File) -> io::Result<Vec<u8>> {
    file.rewind()?;
    let mut bytes = Vec::new();
    io::copy(&mut file, &mut bytes)?;
    Ok(bytes)
}
