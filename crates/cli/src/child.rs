//! The child: the program as a process, from its start to its end.
//!
//! Nobody should be able to tell from outside that a process stands between the program and its parent.
//!
//! # Signals
//!
//! No handler is installed for the signals that are passed on. All are blocked before the program starts and
//! read from a descriptor, while the program gets the mask and the dispositions that this process was started
//! with, so that `nohup` still works.
//!
//! | who sent it | what happens |
//! | --- | --- |
//! | a process, to this process | the program gets it too |
//! | the program | nothing |
//! | the kernel (keys on the terminal, hang-up, window size) | nothing: the whole process group got it |
//! | an alarm that was set before this process replaced its caller | the program gets it |
//!
//! When job control stops the program, this process stops as well, so that the shell takes over; the shell
//! continues both.
//!
//! # Not here
//!
//! What the program is (`program`) and what it is given (`environment`).

use alloc::ffi::CString;
use alloc::sync::Arc;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use anyhow::Context;
use mallow_units::Bytes;
use nix::errno::Errno;
use nix::libc;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use wait4::{ResUse, try_wait4_pid};

use crate::environment::Environment;
use crate::failure::{self, Failure};
use crate::usage::{Faults, Usage};

/// Signals by which a terminal stops a process.
const JOB_CONTROL_STOPS: [Signal; 3] = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];

/// A running program.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    signals: SignalFd,
    faults_before: Faults,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It returned this status.
    Exited(u8),
    /// This signal ended it.
    Killed(i32),
}

impl Child {
    /// Starts the program in the file `executable`; the first argument is the name it is called by.
    ///
    /// Standard streams and every other descriptor that was inherited reach it untouched.
    pub(crate) fn spawn<'a>(
        executable: &Path,
        arguments: impl IntoIterator<Item = &'a OsStr>,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let arguments = arguments.into_iter().map(|argument| c_string(&[argument]));
        let arguments: Vec<CString> = arguments.collect::<io::Result<_>>()?;
        let variables = environment.variables().map(|(name, value)| c_string(&[name, "=".as_ref(), value]));
        let variables: Vec<CString> = variables.collect::<io::Result<_>>()?;
        keep_exit_statuses()?;
        let faults_before = Faults::so_far()?;
        let (signals, mask) = divert_signals().context("cannot take over the signals of the program")?;
        let spawn = || -> Result<Pid, Errno> {
            let mut attributes = PosixSpawnAttr::init()?;
            attributes.set_flags(
                PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
            )?;
            attributes.set_sigmask(&mask)?;
            // The Rust runtime ignores SIGPIPE in this process; the program is to die of it as ever.
            attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
            let actions = PosixSpawnFileActions::init()?;
            posix_spawn(executable, &actions, &attributes, &arguments, &variables)
        };
        let pid = spawn().map_err(|errno| not_started(executable, errno))?;
        Ok(Self { pid, signals, faults_before })
    }

    /// Waits for the end of the program, passing on what it is sent meanwhile.
    pub(crate) fn wait(self) -> anyhow::Result<(Ending, Usage)> {
        loop {
            if let Some(end) =
                try_wait4_pid(self.pid.as_raw().cast_unsigned()).context("cannot wait for the program")?
            {
                return self.account(end);
            }
            if let Some(stop) =
                job_control_stop(self.pid).context("cannot ask for the state of the program")?
            {
                stop_by(stop).context("cannot stop together with the program")?;
            }
            let news = self.signals.read_signal().context("cannot read a signal")?;
            if let Some(signal) = news.and_then(|news| self.meant_for_program(&news)) {
                match kill(self.pid, signal) {
                    // It has just ended; the next round of the loop says how.
                    Ok(()) | Err(Errno::ESRCH) => {}
                    Err(errno) => return Err(errno).context("cannot pass a signal on to the program"),
                }
            }
        }
    }

    fn account(&self, end: ResUse) -> anyhow::Result<(Ending, Usage)> {
        let faults = Faults::so_far()?.since(self.faults_before);
        Ok((Ending::of(end.status), Usage { peak_rss: Bytes(end.rusage.maxrss), faults }))
    }

    /// Applies the table of the module's documentation to a signal that has arrived here.
    fn meant_for_program(&self, news: &libc::signalfd_siginfo) -> Option<Signal> {
        let signal = Signal::try_from(i32::try_from(news.ssi_signo).ok()?).ok()?;
        let is_sent_by_program = i32::try_from(news.ssi_pid) == Ok(self.pid.as_raw());
        is_for_program(signal, news.ssi_code, is_sent_by_program).then_some(signal)
    }
}

/// Returns the signal by which job control has stopped a child since the last call, if it has.
fn job_control_stop(pid: Pid) -> io::Result<Option<Signal>> {
    let Some(pid) = rustix::process::Pid::from_raw(pid.as_raw()) else { return Ok(None) };
    let status = match waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG) {
        // It has ended since it was last waited for, and who has ended cannot stop.
        Err(rustix::io::Errno::CHILD) => None,
        other => other?,
    };
    let signal = status.and_then(|status| status.stopping_signal());
    let signal = signal.and_then(|signal| Signal::try_from(signal).ok());
    Ok(signal.filter(|signal| JOB_CONTROL_STOPS.contains(signal)))
}

/// Says whether a signal with this `si_code` reached this process alone and is for the program.
fn is_for_program(signal: Signal, code: i32, is_sent_by_program: bool) -> bool {
    // Codes above zero are the kernel's own.
    let is_sent_by_process = code <= 0;
    signal == Signal::SIGALRM || is_sent_by_process && !is_sent_by_program
}

impl Ending {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(u8::try_from(code).unwrap_or(failure::OURS)),
            (None, signal) => Self::Killed(signal.unwrap_or(libc::SIGKILL)),
        }
    }

    /// Ends this process in the same way, or returns the status that comes closest.
    pub(crate) fn repeat(self) -> ExitCode {
        match self {
            Self::Exited(status) => ExitCode::from(status),
            Self::Killed(signal) => {
                // One core file is enough, and it is the program's.
                let _ = prctl::set_dumpable(false);
                let _ = signal_hook::low_level::emulate_default_handler(signal);
                // Still here: a real-time signal. Shells report such an end like this.
                ExitCode::from(u8::try_from(128 + signal).unwrap_or(failure::OURS))
            }
        }
    }
}

/// Makes sure that the kernel keeps exit statuses for us.
///
/// It throws them away if this process was started with SIGCHLD ignored; with any handler it does not.
fn keep_exit_statuses() -> io::Result<()> {
    signal_hook::flag::register(libc::SIGCHLD, Arc::default()).map(|_| ())
}

/// Sends every signal to a descriptor instead; returns it and the mask of before.
///
/// A fault of this process itself still ends it: the kernel does not let a blocked signal stand in its way.
fn divert_signals() -> Result<(SignalFd, SigSet), Errno> {
    let all = SigSet::all();
    let before = all.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    Ok((SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC)?, before))
}

/// Stops this process as `signal` does; returns when it is continued.
///
/// Like any stop from a terminal this has no effect if no shell is there that could continue it.
fn stop_by(signal: Signal) -> nix::Result<()> {
    let only = SigSet::from(signal);
    only.thread_unblock()?;
    raise(signal)?;
    only.thread_block()
}

/// Explains why the kernel would not start a program that looked right.
fn not_started(executable: &Path, errno: Errno) -> Failure {
    let status = if errno == Errno::ENOENT { failure::NOT_FOUND } else { failure::NOT_EXECUTABLE };
    let sentence = format!("cannot execute {}: {}", executable.display(), errno.desc());
    Failure::new(status, sentence, "Check that it runs without mallow.")
}

fn c_string(parts: &[&OsStr]) -> io::Result<CString> {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.as_bytes()).copied().collect();
    Ok(CString::new(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_process_sends_is_passed_on() {
        assert!(is_for_program(Signal::SIGTERM, libc::SI_USER, false));
        assert!(is_for_program(Signal::SIGINT, libc::SI_USER, false));
        assert!(is_for_program(Signal::SIGUSR1, libc::SI_QUEUE, false));
    }

    #[test]
    fn what_the_terminal_sends_has_reached_the_program_already() {
        for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGHUP, Signal::SIGWINCH] {
            assert!(!is_for_program(signal, libc::SI_KERNEL, false), "{signal}");
        }
    }

    #[test]
    fn the_program_does_not_signal_itself_through_us() {
        assert!(!is_for_program(Signal::SIGTERM, libc::SI_USER, true));
        assert!(!is_for_program(Signal::SIGCHLD, libc::CLD_EXITED, true));
    }

    #[test]
    fn who_has_ended_has_not_stopped() {
        let mut child = std::process::Command::new("true").spawn().expect("true can be started");
        let pid = rustix::process::Pid::from_child(&child);
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).expect("it ends");
        let stop = job_control_stop(Pid::from_raw(child.id().cast_signed())).expect("no failure");
        assert_eq!(stop, None);
        child.wait().expect("it is still there");
    }

    #[test]
    fn an_alarm_was_meant_for_what_we_stand_in_for() {
        assert!(is_for_program(Signal::SIGALRM, libc::SI_KERNEL, false));
    }
}
