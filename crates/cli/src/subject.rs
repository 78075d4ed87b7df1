//! The operand `PID|NAME|FILE`: a process to look at now, or a recording of one.
//!
//! What is a file, and begins as a recording does, is a recording; anything else is a process, see `target`. A process may
//! be watched before it is looked at.
//!
//! Called by the verbs `why`, `diff` and `report`.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::Context;
use mallow_analyze::account::Account;
use mallow_analyze::escape;
use mallow_analyze::memory::PAGE_BYTES;
use mallow_analyze::read::statm;
use mallow_analyze::recording::Recording;
use mallow_analyze::slope::Sample;
use mallow_units::Bytes;
use signal_hook::consts::SIGINT;

use crate::failure::{self, Failure};
use crate::look::{self, Depth};
use crate::process::Process;
use crate::target;

/// How many looks there are while something is watched, unless the time between two is given.
const LOOKS: u32 = 120;
/// The shortest and the longest time between two looks, unless it is given.
const STEPS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(60));
/// The longest time in which nobody looks whether watching is to end.
const NAP: Duration = Duration::from_millis(100);

/// How long to watch, and how often to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    /// How long.
    pub(crate) time: Duration,
    /// Time between two looks.
    pub(crate) every: Option<Duration>,
}

/// Reads the recording that `operand` names, or makes one of the process that it means.
pub(crate) fn recording(operand: &OsStr, depth: Depth, watch: Option<Watch>) -> anyhow::Result<Recording> {
    if let Some(recording) = from_file(operand)? {
        if watch.is_some() {
            let sentence =
                format!("{} is a file, and only a process can be watched", escape::name(operand.as_bytes()));
            return Err(Failure::new(failure::CANNOT_LOOK, sentence, "Leave out --watch.").into());
        }
        return Ok(recording);
    }
    let process = target::find(operand)?;
    let samples = match watch {
        Some(watch) => self::watch(&process, watch)?,
        None => Vec::new(),
    };
    let mut recording = look::record(&process, depth)?;
    recording.samples = samples;
    Ok(recording)
}

/// Returns the account of a recording.
pub(crate) fn account(recording: &Recording) -> anyhow::Result<Account> {
    Account::of(recording).with_context(|| format!("process {}", recording.pid))
}

/// The recording in a file; `None` if `operand` is none and may be a process.
fn from_file(operand: &OsStr) -> anyhow::Result<Option<Recording>> {
    let path = Path::new(operand);
    let is_path = operand.as_bytes().contains(&b'/');
    let is_number = operand.as_bytes().iter().all(u8::is_ascii_digit);
    if is_number || !is_path && !path.is_file() {
        return Ok(None);
    }
    let name = escape::name(operand.as_bytes());
    let content = fs::read(path).with_context(|| format!("cannot read {name}"))?;
    if !is_path && !content.starts_with(b"{") {
        // A file that happens to be called like a process.
        return Ok(None);
    }
    let recording = Recording::from_json(&content).map_err(|error| {
        Failure::new(
            failure::CANNOT_LOOK,
            format!("{name} is {error}"),
            "Make one: mallow why --save FILE PID",
        )
    })?;
    Ok(Some(recording))
}

/// Looks at `statm`, again and again, until the time is over or somebody presses Ctrl-C.
fn watch(process: &Process, watch: Watch) -> anyhow::Result<Vec<Sample>> {
    let every = watch.every.unwrap_or_else(|| (watch.time / LOOKS).clamp(STEPS.0, STEPS.1));
    let is_over = Arc::new(AtomicBool::new(false));
    let handler =
        signal_hook::flag::register(SIGINT, Arc::clone(&is_over)).context("cannot wait for Ctrl-C")?;
    let is_shown = io::stderr().is_terminal();
    let began = Instant::now();
    let mut samples: Vec<Sample> = Vec::new();
    loop {
        let elapsed = began.elapsed();
        let resident = resident(process).map_err(|failure| ended(process, &samples, failure))?;
        samples.push(Sample { at_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX), resident });
        if is_shown {
            let left = watch.time.saturating_sub(elapsed).as_secs();
            // Whoever waits can do without a line that cannot be written.
            let _ = write!(io::stderr(), "\r{} s left, RSS {} (Ctrl-C ends it)\x1b[K", left, Bytes(resident));
        }
        // ORDERING: nothing else is published with the flag.
        while began.elapsed() < (elapsed + every).min(watch.time) && !is_over.load(Ordering::Relaxed) {
            thread::sleep(NAP.min((elapsed + every).saturating_sub(began.elapsed())));
        }
        // The last look is when the time is over.
        if elapsed >= watch.time || is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    if is_shown {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    // From here on the key ends the command again.
    signal_hook::low_level::unregister(handler);
    Ok(samples)
}

/// Bytes in memory, by the cheapest file.
fn resident(process: &Process) -> anyhow::Result<u64> {
    let file = process.read("statm").map_err(|unreadable| process.failure("statm", unreadable))?;
    let statm =
        statm::parse(&file).with_context(|| format!("cannot understand statm of process {}", process.pid))?;
    if statm.address_space == 0 {
        process.read_memory("smaps").map_err(|unreadable| process.failure("smaps", unreadable))?;
    }
    Ok(statm.resident.saturating_mul(PAGE_BYTES))
}

/// Says what was seen of a process that ended while it was watched.
fn ended(process: &Process, samples: &[Sample], failure: anyhow::Error) -> anyhow::Error {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return failure };
    let sentence = format!(
        "process {} has ended after {} s; its RSS went from {} to {}",
        process.pid,
        last.at_ms / 1000,
        Bytes(first.resident),
        Bytes(last.resident)
    );
    Failure::new(failure::CANNOT_LOOK, sentence, "Watch for a shorter time.").into()
}
