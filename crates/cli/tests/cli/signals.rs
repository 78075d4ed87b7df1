//! Signals: the program gets what is sent to the command, once, and is stopped and continued with it.

use core::time::Duration;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Instant;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::command::{MALLOW, done, output, quiet_shell, stdout};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        passes_on_what_it_is_sent,
        stops_and_continues_with_the_program,
        ignored_signals_stay_ignored_and_no_others,
        a_program_dies_quietly_of_a_broken_pipe,
        an_alarm_set_by_the_caller_goes_off_in_the_program,
    ];
    let no_terminal = Command::new("script").arg("--version").output().is_err();
    trials.extend(
        crate::trials![a_key_on_the_terminal_reaches_the_program_and_lets_it_finish]
            .into_iter()
            .map(|trial| crate::unless(no_terminal.then_some("the program `script` is missing"), trial)),
    );
    trials
}

/// A command in a process group of its own, which ends with this value at the latest.
struct Running {
    child: Child,
    pid: Pid,
    lines: BufReader<ChildStdout>,
}

impl Running {
    /// Starts `command` and returns when it has said that it is ready.
    fn start(mut command: Command) -> Self {
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = done(command.spawn());
        let pid = Pid::from_raw(child.id().cast_signed());
        let mut lines = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let mut line = String::new();
        done(lines.read_line(&mut line));
        assert_eq!(line, "ready\n");
        Self { child, pid, lines }
    }

    /// Waits until the command itself is stopped, for ten seconds at most.
    fn wait_for_stop(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            let flags = WaitPidFlag::WUNTRACED | WaitPidFlag::WNOHANG;
            if let WaitStatus::Stopped(..) = done(waitpid(self.pid, Some(flags))) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the command did not stop");
    }

    /// Waits for the end; returns what was printed after the first line, and the status.
    fn finish(&mut self) -> (String, Option<i32>) {
        let mut said = String::new();
        done(self.lines.read_to_string(&mut said));
        (said, done(self.child.wait()).code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing is left to kill after a test that went well.
        let _ = killpg(self.pid, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// Extends a script so that it says when it is ready, and then waits for a minute at most.
fn waiting(script: &str) -> String {
    format!("{script}; echo ready; i=0; while [ $((i += 1)) -lt 3000 ]; do sleep 0.02; done")
}

fn passes_on_what_it_is_sent() {
    for signal in
        ["HUP", "INT", "QUIT", "ABRT", "TERM", "USR1", "USR2", "ALRM", "WINCH", "CONT", "TSTP", "PIPE"]
    {
        let script = waiting(&format!("trap 'echo got {signal}; exit 7' {signal}"));
        let mut running = Running::start(quiet_shell(&script));
        done(kill(running.pid, done(format!("SIG{signal}").parse::<Signal>())));
        assert_eq!(running.finish(), (format!("got {signal}\n"), Some(7)));
    }
}

fn stops_and_continues_with_the_program() {
    let script = waiting("trap 'kill -TSTP $$; echo continued; exit 3' USR1");
    let mut running = Running::start(quiet_shell(&script));
    done(kill(running.pid, Signal::SIGUSR1));
    running.wait_for_stop();
    done(killpg(running.pid, Signal::SIGCONT));
    assert_eq!(running.finish(), ("continued\n".to_owned(), Some(3)));
}

/// Compares what the kernel says about a program with and without the command in front of it.
fn ignored_signals_stay_ignored_and_no_others() {
    let script =
        |program: &str| format!("trap '' HUP INT USR2; exec {program} grep '^Sig[BCI]' /proc/self/status");
    let status = |program: &str| stdout(Command::new("sh").args(["-c", &script(program)]));
    assert_eq!(status(&format!("{MALLOW} run --quiet")), status("env"));
}

fn a_program_dies_quietly_of_a_broken_pipe() {
    let output = output(&mut quiet_shell("yes | head -n 1"));
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"y\n"[..], &b""[..]), "{output:?}");
}

fn an_alarm_set_by_the_caller_goes_off_in_the_program() {
    let script = format!(
        "alarm 1; exec '{MALLOW}', qw(run --quiet sh -c), 'trap \"exit 5\" ALRM; while :; do sleep 0.1; done'"
    );
    let output = output(Command::new("perl").args(["-e", &script]));
    assert_eq!(output.status.code(), Some(5), "{output:?}");
}

fn a_key_on_the_terminal_reaches_the_program_and_lets_it_finish() {
    let program = "trap \"echo interrupted; exit 4\" INT; echo ready; while :; do sleep 0.02; done";
    let line = format!("exec {MALLOW} run --quiet -- sh -c '{program}'");
    let mut terminal = done(
        // Without `exec`, some shells stay in between and end of the key themselves.
        Command::new("script")
            .env("SHELL", "/bin/sh")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn(),
    );
    let mut keys = terminal.stdin.take().expect("standard input is a pipe");
    let mut screen = BufReader::new(terminal.stdout.take().expect("standard output is a pipe"));
    let mut line = String::new();
    done(screen.read_line(&mut line));
    assert_eq!(line.trim_end(), "ready");
    done(keys.write_all(b"\x03"));
    let mut said = String::new();
    done(screen.read_to_string(&mut said));
    assert!(said.contains("interrupted"), "{said:?}");
    assert_eq!(done(terminal.wait()).code(), Some(4));
}
