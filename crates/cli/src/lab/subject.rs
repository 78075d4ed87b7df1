//! A running subject: the process that an experiment is made with.
//!
//! Called by the experiments, by way of [`Lab::start`](super::Lab::start). Everything that is sent is kept, to be
//! shown beside what `/proc` says afterwards.

use core::fmt;
use core::time::Duration;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, poll};

use super::call::{Call, Place};
use super::{Obstacle, reason};

/// How long a call may take. Only a machine that has no memory left, or a mistake of ours, takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Variables that change what an allocator or the loader does: an experiment sets those that it is about.
const CHANGES_ALLOCATORS: [&str; 4] = ["GLIBC_TUNABLES", "MALLOW", "LD_PRELOAD", "LD_AUDIT"];

/// What a subject is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    variables: Vec<(OsString, OsString)>,
    preloads: Vec<OsString>,
}

/// A process that does as it is told.
#[derive(Debug)]
pub(crate) struct Subject {
    process: Child,
    received: Vec<u8>,
    /// What was called since the last look, with the page faults of each.
    pub(crate) done: Vec<Done>,
}

/// A call that was made.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// As C writes it, with its result where that says something.
    pub(crate) shown: String,
    /// Page faults that it took; `None` if the process did not live to tell.
    pub(crate) faults: Option<u64>,
}

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Its result.
    Gave(u64),
    /// It failed.
    Refused(Errno),
    /// The process ended in the middle of it.
    Ended(End),
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Exited(i32),
    Killed(i32),
}

impl Surroundings {
    /// Sets a variable.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().into()));
        self
    }

    /// Has the loader preload a library in front of others.
    pub(crate) fn preloading_first(mut self, library: impl AsRef<OsStr>) -> Self {
        self.preloads.insert(0, library.as_ref().into());
        self
    }

    /// Has the loader preload a library.
    pub(crate) fn preloading(mut self, library: impl AsRef<OsStr>) -> Self {
        self.preloads.push(library.as_ref().into());
        self
    }
}

impl Subject {
    /// Starts the program in `file`.
    pub(crate) fn start(file: &Path, surroundings: &Surroundings) -> Result<Self, Obstacle> {
        let mut command = Command::new(file);
        for (name, _) in std::env::vars_os() {
            let is_malloc = name.as_encoded_bytes().starts_with(b"MALLOC_");
            if is_malloc || CHANGES_ALLOCATORS.iter().any(|other| *other == name) {
                command.env_remove(name);
            }
        }
        if !surroundings.preloads.is_empty() {
            command.env("LD_PRELOAD", surroundings.preloads.join(OsStr::new(":")));
        }
        command.envs(surroundings.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = command
            .spawn()
            .map_err(|error| Obstacle::new(format!("cannot start {}: {}", file.display(), reason(&error))))?;
        Ok(Self { process, received: Vec::new(), done: Vec::new() })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Makes a call that must succeed; its result.
    pub(crate) fn call(&mut self, call: &Call) -> Result<u64, Obstacle> {
        match self.attempt(call)? {
            Outcome::Gave(result) => Ok(result),
            Outcome::Refused(errno) => Err(Obstacle::new(format!("{} failed: {errno}", call.shown))),
            Outcome::Ended(end) => Err(Obstacle::new(format!("the program {end} in {}", call.shown))),
        }
    }

    /// Makes a call that gives memory.
    pub(crate) fn place(&mut self, name: &'static str, call: &Call) -> Result<Place, Obstacle> {
        Ok(Place { name, address: self.call(call)? })
    }

    /// Makes a call that must succeed and is not shown.
    pub(crate) fn ask(&mut self, call: &Call) -> Result<u64, Obstacle> {
        let result = self.call(call);
        self.done.pop();
        result
    }

    /// Waits until a program that takes no calls says that it is there.
    pub(crate) fn wait_for_sign(&mut self) -> Result<(), Obstacle> {
        match self.answer()? {
            Some(_) => Ok(()),
            None => Err(Obstacle::new(format!("the program {}", self.end()?))),
        }
    }

    /// Page faults of the last call.
    pub(crate) fn faults(&self) -> u64 {
        self.done.last().and_then(|done| done.faults).unwrap_or(0)
    }

    /// Makes a call, whatever becomes of it.
    pub(crate) fn attempt(&mut self, call: &Call) -> Result<Outcome, Obstacle> {
        let is_sent = self
            .send(&format!("{}\n", call.words))
            .map_err(|error| Obstacle::new(format!("cannot send a call: {}", reason(&error))))?;
        let answer = if is_sent { self.answer()? } else { None };
        let (outcome, faults) = match answer {
            Some((outcome, faults)) => (outcome, Some(faults)),
            None => (Outcome::Ended(self.end()?), None),
        };
        let shown = match outcome {
            Outcome::Gave(u64::MAX) if call.has_result => format!("{} = unlimited", call.shown),
            Outcome::Gave(result) if call.has_result => format!("{} = {result}", call.shown),
            Outcome::Gave(_) => call.shown.clone(),
            Outcome::Refused(errno) => format!("{}   fails: {errno:?}", call.shown),
            Outcome::Ended(end) => format!("{}   the program {end}", call.shown),
        };
        self.done.push(Done { shown, faults });
        Ok(outcome)
    }

    /// Waits for the end of the process; how it ended.
    pub(crate) fn end(&mut self) -> Result<End, Obstacle> {
        // It reads until its input ends.
        drop(self.process.stdin.take());
        let status =
            self.process.wait().map_err(|error| Obstacle::new(format!("cannot wait: {}", reason(&error))))?;
        Ok(match (status.code(), status.signal()) {
            (Some(status), _) => End::Exited(status),
            (None, signal) => End::Killed(signal.unwrap_or(0)),
        })
    }

    /// What it has written to standard error; it must have ended.
    pub(crate) fn complaint(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Some(mut stream) = self.process.stderr.take() {
            // What cannot be read was not said.
            let _ = stream.read_to_end(&mut bytes);
        }
        mallow_analyze::escape::name(bytes.trim_ascii())
    }
    /// Sends a line; false if nobody is there any more.
    fn send(&self, line: &str) -> io::Result<bool> {
        let Some(mut stdin) = self.process.stdin.as_ref() else { return Ok(false) };
        match stdin.write_all(line.as_bytes()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits for an answer; `None` if there will be none.
    fn answer(&mut self) -> Result<Option<(Outcome, u64)>, Obstacle> {
        let Some(line) = self.line()? else { return Ok(None) };
        let mut words = line.split(' ');
        let mut next = || words.next().unwrap_or_default();
        let (sign, result, faults) = (next(), next().parse::<u64>(), next().parse());
        let (Ok(result), Ok(faults)) = (result, faults) else {
            return Err(Obstacle::new(format!("the program gave an answer that is none: {line:?}")));
        };
        let errno = || i32::try_from(result).map_or(Errno::UnknownErrno, Errno::from_raw);
        let outcome = if sign == "=" { Outcome::Gave(result) } else { Outcome::Refused(errno()) };
        Ok(Some((outcome, faults)))
    }

    fn line(&mut self) -> Result<Option<String>, Obstacle> {
        let stdout = self.process.stdout.as_mut().expect("standard output is a pipe");
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            let limit = PATIENCE.try_into().expect("a minute is a time that the kernel can wait");
            let ready = poll(&mut [PollFd::new(&*stdout, PollFlags::IN)], Some(&limit));
            if ready.map_err(|error| {
                Obstacle::new(format!("cannot wait for an answer: {}", reason(&error.into())))
            })? == 0
            {
                return Err(Obstacle::new(format!(
                    "the program gave no answer for {} s",
                    PATIENCE.as_secs()
                )));
            }
            let mut bytes = [0; 256];
            match stdout.read(&mut bytes) {
                Ok(0) => return Ok(None),
                Ok(count) => self.received.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(Obstacle::new(format!("cannot read an answer: {}", reason(&error))));
                }
            }
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl End {
    /// Whether this signal ended it.
    pub(crate) fn is(self, signal: Signal) -> bool {
        self == Self::Killed(signal as i32)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "ends with status {status}"),
            Self::Killed(signal) => match Signal::try_from(*signal) {
                Ok(signal) => write!(f, "is ended by {signal}"),
                Err(_) => write!(f, "is ended by signal {signal}"),
            },
        }
    }
}
