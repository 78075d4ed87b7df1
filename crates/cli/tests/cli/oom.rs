//! `mallow oom`: kills are told as logs of several kernels have them, and a real one is.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::Trial;

use crate::command::{assert_contains, done, mallow, output, stderr, stdout};
use crate::golden::assert_golden;
use crate::group::Group;

/// Logs of several kernels, which the parsers' tests read too.
const LOGS: [&str; 7] = [
    "2.6.32-cgroup.log",
    "3.16-machine.log",
    "4.15-cgroup.log",
    "5.4-group.log",
    "5.15-nobody.log",
    "6.16-machine.log",
    "6.18-cgroup-v1.kmsg",
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        logs_of_every_kernel_are_explained,
        lines_are_explained_when_asked_for,
        standard_input_is_a_log,
        a_log_without_kills_is_fine,
        hostile_names_in_a_log_are_escaped,
        a_log_that_is_not_there_is_named,
        the_kernels_own_log_is_read_or_refused,
    ];
    let obstacle = no_group().err();
    trials.extend(
        crate::trials![a_real_kill_is_told]
            .into_iter()
            .map(|trial| crate::unless(obstacle.as_deref(), trial)),
    );
    trials
}

fn log(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../analyze/tests/kernel-logs").join(name)
}

/// What the command says of a log in which somebody was killed.
fn found(arguments: &[&str], log: &Path) -> String {
    let output = output(mallow(arguments).arg(log));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn logs_of_every_kernel_are_explained() {
    for name in LOGS {
        assert_golden(&format!("oom-{name}.txt"), &found(&["oom"], &log(name)));
        let object = found(&["oom", "--json"], &log(name));
        assert_eq!(object.lines().count(), 1, "{object}");
        assert_contains(&object, "{\"counted_by_kernel\":null,\"kills\":[{\"asker\":{");
    }
}

fn lines_are_explained_when_asked_for() {
    assert_golden("oom-lines.txt", &found(&["oom", "--lines", "--bytes"], &log("5.4-group.log")));
}

fn standard_input_is_a_log() {
    let file = done(File::open(log("3.16-machine.log")));
    let output = output(mallow(["oom", "-"]).stdin(Stdio::from(file)));
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_contains(&text, "killed   pg (main) (4082): 341.7 MiB anonymous, 9.7 MiB of files");
    assert_contains(&text, "its parent pg (main) (4001) had the most points");
}

fn a_log_without_kills_is_fine() {
    let text = stdout(mallow(["oom", "-"]).stdin(Stdio::null()));
    assert_eq!(text, "The log tells of nobody who was killed for want of memory.\n");
    assert_eq!(
        stdout(mallow(["oom", "--json", "/dev/null"]).stdin(Stdio::null())).matches("\"kills\":[]").count(),
        1
    );
}

fn hostile_names_in_a_log_are_escaped() {
    let folder = done(tempfile::tempdir());
    let file = folder.path().join("log");
    done(fs::write(&file, b"Out of memory: Killed process 7 (\x1b[2J\xff) total-vm:1kB, anon-rss:1kB\n"));
    for options in [&["oom"][..], &["oom", "--lines"], &["oom", "--json"]] {
        let text = found(options, &file);
        assert!(!text.contains('\x1b'), "{text:?}");
        assert!(text.contains(r"\u{1b}[2J\xff") || text.contains(r"\\u{1b}[2J\\xff"), "{text}");
    }
}

fn a_log_that_is_not_there_is_named() {
    let said = stderr(&mut mallow(["oom", "/no/such"]), 2);
    assert_contains(&said, "mallow: cannot read /no/such: No such file or directory");
    assert_contains(&said, "A FILE is a saved log of the kernel: dmesg > FILE\n");
    assert_contains(&stderr(&mut mallow(["oom", "/"]), 2), "cannot read /: Is a directory");
    assert_contains(
        &stderr(&mut mallow(["oom", "a", "b"]), 2),
        "'b' is too much: `mallow oom` takes one FILE",
    );
}

fn the_kernels_own_log_is_read_or_refused() {
    let output = output(&mut mallow(["oom"]));
    match output.status.code() {
        Some(0 | 1) => assert_contains(&String::from_utf8_lossy(&output.stdout), "The log tells of "),
        Some(2) => assert_contains(
            &String::from_utf8_lossy(&output.stderr),
            "cannot read the kernel's log, /dev/kmsg",
        ),
        _ => panic!("{output:?}"),
    }
}

/// Why nobody can be killed here for a test.
fn no_group() -> Result<(), String> {
    File::open("/dev/kmsg").map_err(|error| format!("cannot read /dev/kmsg: {error}"))?;
    if Command::new("python3").arg("-V").stdout(Stdio::null()).status().is_err() {
        return Err("python3 is not installed".to_owned());
    }
    Group::new().map(drop)
}

fn a_real_kill_is_told() {
    let group = done(Group::new());
    let script = "import os,sys\nopen(sys.argv[1],'w').write(str(os.getpid()))\n\
                  open('/proc/self/comm','w').write('a (b) c')\nkept=[]\n\
                  while True: kept.append(bytearray(os.urandom(1)*1048576))";
    let mut eater = done(Command::new("python3").args(["-c", script]).arg(group.processes()).spawn());
    let pid = eater.id();
    let ending = done(eater.wait());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ending), Some(9), "{ending:?}");
    let output = output(&mut mallow(["oom"]));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_contains(&text, &format!("killed   a (b) c ({pid}) of user "));
    let name = group.name();
    assert_contains(&text, &format!("the cgroup /{name}: 32.0 MiB of 32.0 MiB used"));
    assert_contains(&text, "it had the most points");
}
