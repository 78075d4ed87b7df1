//! `mallow oom`: who was killed for want of memory, and why.

mod json;
mod text;

use core::time::Duration;
use std::fs::File;
use std::io::{self, Read};

use mallow_analyze::read::counts;
use mallow_analyze::read::oom::{self, Kill};
use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::args::Oom;
use crate::child::Ending;
use crate::failure::{self, Failure};
use crate::input;
use crate::machine;
use crate::style::{self, Style};

/// Bytes; no record of the kernel's log is longer.
const LONGEST_RECORD: usize = 8 << 10;

/// What a log tells.
#[derive(Debug)]
struct Report {
    kills: Vec<Kill>,
    /// What is known of this machine, if it is its log that was read.
    here: Option<Here>,
}

/// What is known of the machine that the command runs on.
#[derive(Debug)]
struct Here {
    /// Since the start.
    uptime: Option<Duration>,
    /// How often somebody was killed since the start; the log may have lost some.
    counted: Option<u64>,
}

/// Reads the log, and prints what there is to say.
pub(crate) fn oom(options: &Oom) -> anyhow::Result<Ending> {
    let (log, here) = match options.file.as_deref() {
        None => (kernel_log()?, Some(here())),
        Some(path) => (input::read(path, "A FILE is a saved log of the kernel: dmesg > FILE")?, None),
    };
    let report = Report { kills: oom::kills(&log), here };
    if options.output.json {
        style::print_json(&json::object(&report))?;
    } else {
        style::print(&text::page(Style::of_stdout(options.output), &report, options.lines))?;
    }
    Ok(Ending::Exited(if report.kills.is_empty() { 0 } else { failure::FOUND }))
}

fn here() -> Here {
    let seconds = machine::proc_file("uptime")
        .ok()
        .and_then(|file| String::from_utf8_lossy(&file).split_whitespace().next()?.parse::<f64>().ok());
    Here {
        uptime: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        counted: machine::proc_parsed("vmstat", counts::parse).ok().and_then(|counts| counts.get("oom_kill")),
    }
}

/// The kernel's log as far as it has not been overwritten.
fn kernel_log() -> Result<Vec<u8>, Failure> {
    let failure = |error: io::Error| {
        let advice = if error.kind() == io::ErrorKind::PermissionDenied {
            "Only root may read it here. As root: mallow oom. Or read what was saved: journalctl -k | mallow oom -"
        } else {
            "Read what was saved instead: journalctl -k | mallow oom -"
        };
        Failure::new(
            failure::CANNOT_LOOK,
            format!("cannot read the kernel's log, /dev/kmsg: {error}"),
            advice,
        )
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let device = openat(CWD, "/dev/kmsg", flags, Mode::empty()).map_err(|errno| failure(errno.into()))?;
    let mut device = File::from(device);
    let (mut log, mut record) = (Vec::new(), [0; LONGEST_RECORD]);
    loop {
        // Each read gives one record.
        match device.read(&mut record) {
            Ok(0) => return Ok(log),
            Ok(length) => log.extend_from_slice(&record[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(log),
            // Overwritten while it was read: go on with the oldest that is there.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failure(error)),
        }
    }
}
