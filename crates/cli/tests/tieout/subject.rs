//! The process that is looked at: started, looked at, ended.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use core::time::Duration;
use libtest_mimic::Failed;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Allocator, Folder, Program};

const MALLOW: &str = env!("CARGO_BIN_EXE_mallow");
/// How long a program may take until it has its shape.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long what is behind the number that it printed may take.
const SETTLE: Duration = Duration::from_millis(150);
/// How long nothing may have changed for a program to be at rest, and how often it is looked at.
const REST: (Duration, usize) = (Duration::from_millis(100), 100);

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Subject {
    group: Child,
    /// The number of the process to look at.
    pub(crate) pid: u32,
    _folder: TempDir,
}

/// What `mallow why` says.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) rss: i64,
    pub(crate) lines: i64,
    pub(crate) residual: i64,
    pub(crate) pss: Option<i64>,
    pub(crate) uss: Option<i64>,
    pub(crate) verdict: String,
    pub(crate) text: String,
}

impl Subject {
    pub(crate) fn start(shapes: &Folder, program: &Program, allocator: Allocator) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let mut command = match allocator {
            Allocator::Libc => Command::new("sh"),
            Allocator::Mallow => {
                let mut command = Command::new(MALLOW);
                command.args(["run", "--quiet", "--", "sh"]);
                command
            }
        };
        command
            .args(["-c", program.script])
            .env("SHAPES", shapes.path("shapes"))
            .env("STATIC", shapes.path("static"))
            .env("FOLDER", folder.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut group = command.spawn()?;
        let out = group.stdout.take().ok_or("its output is piped")?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(out).read_line(&mut line);
            let _ = sender.send(read.map(|_| line));
        });
        let line = receiver.recv_timeout(PATIENCE);
        let mut subject = Self { group, pid: 0, _folder: folder };
        let line = line.map_err(|_| "it printed no number in time")??;
        subject.pid = line.trim().parse().map_err(|_| format!("it printed {line:?} and no number"))?;
        if program.waits {
            subject.settle();
        }
        thread::sleep(SETTLE);
        Ok(subject)
    }

    /// Waits until the program has nothing left to do: on a machine that does much else, what follows the number that it printed takes
    /// its time. What never comes to rest is looked at as it is.
    fn settle(&self) {
        // Words 14 and 15, behind the name in brackets: time on a processor; 24: pages in memory.
        let state = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
            let words: Vec<String> =
                stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
            [0, 11, 12, 21].map(|nth| words.get(nth).cloned())
        };
        let mut before = state();
        for _ in 0..REST.1 {
            thread::sleep(REST.0);
            let now = state();
            if now == before && now[0].as_deref() == Some("S") {
                return;
            }
            before = now;
        }
    }

    /// Asks the command why.
    pub(crate) fn why(&self, options: &[&str]) -> Result<Seen, Failed> {
        let pid = self.pid.to_string();
        let output = Command::new(MALLOW).args(["why", "--json"]).args(options).arg(pid).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        let why: Value =
            serde_json::from_str(&text).map_err(|error| format!("{error}: {text}{complaint}"))?;
        let number = |field: &str| why[field].as_i64().ok_or_else(|| format!("{field} is missing in {text}"));
        let lines = why["lines"].as_array().ok_or("there are no lines")?;
        let verdict = why["verdict"].as_str().ok_or("there is no verdict")?.to_owned();
        let is_fine = verdict == "nothing wrong";
        if output.status.code() != Some(if is_fine { 0 } else { 1 }) {
            return Err(format!("{verdict} ends with {}", output.status).into());
        }
        Ok(Seen {
            rss: number("rss_bytes")?,
            lines: lines.iter().filter_map(|line| line["bytes"].as_i64()).sum(),
            residual: number("residual_bytes")?,
            pss: why["pss_bytes"].as_i64(),
            uss: why["uss_bytes"].as_i64(),
            verdict,
            text,
        })
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // Scripts clean up when their input ends.
        drop(self.group.stdin.take());
        thread::sleep(Duration::from_millis(50));
        if let Ok(group) = i32::try_from(self.group.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.group.wait();
    }
}
