//! The machine around an experiment: numbers of the kernel's that are not a process's, and settings.
//!
//! Called by the experiments that need them.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use mallow_analyze::read::buddyinfo::{self, Zone};
use std::fs;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use super::{KIB, Obstacle, reason};

/// How freely the kernel promises memory: 0, 1 or 2.
pub(crate) const OVERCOMMIT_MODE: &str = "/proc/sys/vm/overcommit_memory";

/// A setting of the whole machine that is put back when this goes out of scope.
#[derive(Debug)]
pub(crate) struct Setting {
    path: &'static str,
    found: String,
}

impl Setting {
    /// Changes a setting.
    pub(crate) fn change(path: &'static str, value: &str) -> Result<Self, Obstacle> {
        let found = text_of(path)?;
        fs::write(path, value)
            .map_err(|error| Obstacle::new(format!("cannot change {path}: {}", reason(&error))))?;
        Ok(Self { path, found })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        // It could be written a moment ago; if it cannot now, nobody is left to tell.
        let _ = fs::write(self.path, &self.found);
    }
}

/// While this lives, a signal that would end the command waits, so that settings are put back, and groups removed, first.
#[derive(Debug)]
pub(crate) struct Undisturbed {
    /// Whether signals have their usual effect; they do before and after.
    is_over: Arc<AtomicBool>,
    signals: Vec<(i32, Arc<AtomicBool>)>,
}

impl Undisturbed {
    /// Begins to hold signals back.
    pub(crate) fn begin() -> Result<Self, Obstacle> {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut signals = Vec::new();
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            let has_come = Arc::default();
            flag::register_conditional_default(signal, Arc::clone(&is_over))
                .and_then(|_| flag::register(signal, Arc::clone(&has_come)))
                .map_err(|error| Obstacle::new(format!("cannot hold signals back: {}", reason(&error))))?;
            signals.push((signal, has_come));
        }
        Ok(Self { is_over, signals })
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        for (signal, has_come) in &self.signals {
            if has_come.load(Ordering::SeqCst) {
                let _ = low_level::emulate_default_handler(*signal);
            }
        }
    }
}

/// A number from a file that the kernel shows.
pub(crate) fn number_in(path: &str) -> Result<u64, Obstacle> {
    let text = text_of(path)?;
    text.parse().map_err(|_| Obstacle::new(format!("{path} holds no number: {text:?}")))
}

/// A short file that the kernel shows, without the end of its line.
pub(crate) fn text_of(path: &str) -> Result<String, Obstacle> {
    let text = fs::read_to_string(path)
        .map_err(|error| Obstacle::new(format!("cannot read {path}: {}", reason(&error))))?;
    Ok(text.trim_end().to_owned())
}

/// A line of `/proc/meminfo`, in bytes.
pub(crate) fn meminfo(key: &str) -> Result<u64, Obstacle> {
    let text = text_of("/proc/meminfo")?;
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let kib = value.and_then(|value| value.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map(|kib| kib * KIB).ok_or_else(|| Obstacle::new(format!("/proc/meminfo has no {key}")))
}

/// All of RAM and swap, in bytes.
pub(crate) fn memory() -> Result<u64, Obstacle> {
    Ok(meminfo("MemTotal")? + meminfo("SwapTotal")?)
}

/// Page frames that are free in the lists of single processors, which no other list counts.
pub(crate) fn frames_of_processors() -> Result<u64, Obstacle> {
    let text = text_of("/proc/zoneinfo")?;
    let counts =
        text.lines().filter_map(|line| line.trim_start().strip_prefix("count:")?.trim().parse::<u64>().ok());
    Ok(counts.sum())
}

/// The kernel's lists of free page frames.
pub(crate) fn buddies() -> Result<Vec<Zone>, Obstacle> {
    let text = text_of("/proc/buddyinfo")?;
    buddyinfo::parse(text.as_bytes())
        .map_err(|error| Obstacle::new(format!("cannot understand buddyinfo: {error}")))
}
