//! Endings: however the program ends, the command ends in the same way.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use libtest_mimic::Trial;

use crate::command::{MALLOW, done, output, quiet_shell, stderr};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials![
        every_exit_status_is_passed_through,
        a_signal_that_ends_the_program_ends_the_command,
        a_real_time_signal_is_reported_as_shells_do,
        only_the_program_leaves_a_core_file,
        an_exit_status_survives_a_parent_that_ignores_children,
    ]
}

fn every_exit_status_is_passed_through() {
    for status in 0..=255 {
        assert_eq!(stderr(&mut quiet_shell(&format!("exit {status}")), status), "");
    }
}

fn a_signal_that_ends_the_program_ends_the_command() {
    for (name, number) in
        [("HUP", 1), ("INT", 2), ("ABRT", 6), ("KILL", 9), ("SEGV", 11), ("PIPE", 13), ("TERM", 15)]
    {
        let output = output(&mut quiet_shell(&format!("ulimit -c 0; kill -{name} $$")));
        assert_eq!(output.status.signal(), Some(number), "SIG{name}: {output:?}");
    }
}

fn a_real_time_signal_is_reported_as_shells_do() {
    assert_eq!(stderr(&mut quiet_shell("kill -40 $$"), 128 + 40), "");
}

fn only_the_program_leaves_a_core_file() {
    let folder = done(tempfile::tempdir());
    let script = format!("ulimit -c unlimited; exec {MALLOW} run --quiet sh -c 'ulimit -c 0; kill -SEGV $$'");
    let output = output(Command::new("sh").args(["-c", &script]).current_dir(&folder));
    assert_eq!(output.status.signal(), Some(11), "{output:?}");
    assert!(!output.status.core_dumped(), "{output:?}");
}

fn an_exit_status_survives_a_parent_that_ignores_children() {
    let script = format!("$SIG{{CHLD}} = 'IGNORE'; exec '{MALLOW}', qw(run --quiet sh -c), 'exit 9'");
    assert_eq!(stderr(Command::new("perl").args(["-e", &script]), 9), "");
}
