//! Surroundings: arguments, environment, descriptors and streams reach the program as if nobody stood between.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;

use crate::command::{MALLOW, assert_contains, done, mallow, output, quiet_shell, stdout};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials![
        arguments_arrive_as_they_were_typed,
        standard_input_goes_to_the_program,
        an_inherited_descriptor_stays_open_and_none_is_added,
        other_preloaded_libraries_stay,
        options_for_the_allocator_stay,
        the_summary_stays_away_from_standard_output,
    ]
}

fn arguments_arrive_as_they_were_typed() {
    let printed =
        stdout(mallow(["run", "--quiet", "printf", "[%s]"]).args(["a b", "", "--quiet", "--", "-x"]));
    assert_eq!(printed, "[a b][][--quiet][--][-x]");
}

fn standard_input_goes_to_the_program() {
    let mut child =
        done(mallow(["run", "--quiet", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn());
    done(child.stdin.take().expect("standard input is a pipe").write_all(b"through\n"));
    assert_eq!(done(child.wait_with_output()).stdout, b"through\n");
}

fn an_inherited_descriptor_stays_open_and_none_is_added() {
    let file = done(tempfile::NamedTempFile::new());
    let script = |program: &str| {
        format!("exec {program} sh -c 'echo hello >&5; ls /proc/$$/fd' 5>{}", file.path().display())
    };
    let list = |program: &str| stdout(Command::new("sh").args(["-c", &script(program)]));
    assert_eq!(list(&format!("{MALLOW} run --quiet")), list("env"));
    assert_eq!(done(fs::read_to_string(file.path())), "hello\n");
}

fn other_preloaded_libraries_stay() {
    let printed =
        stdout(quiet_shell("printf %s \"$LD_PRELOAD\"; cat /proc/$$/maps").env("LD_PRELOAD", "libm.so.6"));
    assert_contains(&printed, ".so:libm.so.6");
    assert_contains(&printed, "/libm.so.6");
    assert_contains(&printed, "/libmallow-");
}

fn options_for_the_allocator_stay() {
    let printed = stdout(quiet_shell("echo $MALLOW").env("MALLOW", "purge=0"));
    assert_contains(&printed, "purge=0,segment=/proc/");
}

fn the_summary_stays_away_from_standard_output() {
    let output = output(&mut mallow(["run", "--", "echo", "hello"]));
    assert_eq!(output.stdout, b"hello\n");
    let summary = String::from_utf8_lossy(&output.stderr);
    assert_contains(&summary, "mallow: echo exited with status 0\n  peak RSS ");
    assert!(!summary.contains('\x1b'), "colour without a terminal: {summary:?}");
}
