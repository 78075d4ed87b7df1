//! `mallow doctor`: what is tried is tried, and what is in the way is said.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use rustix::process::geteuid;

use crate::command::{MALLOW, assert_contains, done, mallow, output, stderr};
use crate::elf;
use crate::tree::Tree;

const V2: &str = include_str!("../trees/v2.tree");

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        every_probe_says_what_it_means,
        the_object_for_programs_has_every_probe,
        hidepid_is_found,
        yama_is_said_to_stand_in_the_way_of_heaps,
        a_machine_without_anything_is_looked_at,
        too_many_words_are_refused,
    ];
    let not_root = (!geteuid().is_root()).then_some("needs root to become somebody else");
    trials.extend(
        crate::trials![what_stands_in_the_way_of_others_is_said]
            .into_iter()
            .map(|trial| crate::unless(not_root, trial)),
    );
    trials
}

/// What the command prints, in whichever state the machine is.
fn any(command: &mut Command) -> String {
    let output = output(command);
    assert!(matches!(output.status.code(), Some(0 | 1)) && output.stderr.is_empty(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const PROBES: [&str; 21] = [
    "rights",
    "smaps of others",
    "all processes shown",
    "page map",
    "kernel log",
    "ptrace scope",
    "kernel's own memory",
    "version",
    "PAGEMAP_SCAN",
    "guard pages",
    "names of mappings",
    "soft-dirty marks",
    "userfaultfd",
    "cgroups",
    "pressure",
    "zswap",
    "huge pages",
    "overcommit",
    "mappings",
    "swap",
    "the allocator",
];

fn every_probe_says_what_it_means() {
    let text = any(&mut mallow(["doctor"]));
    for name in PROBES {
        assert_contains(&text, &format!("  {name} "));
    }
    assert_contains(&text, "why, map and report need smaps");
}

fn the_object_for_programs_has_every_probe() {
    let object = any(&mut mallow(["doctor", "--json"]));
    assert_eq!(object.matches("\"meaning\":\"").count(), PROBES.len(), "{object}");
    for name in PROBES {
        assert_contains(&object, &format!("\"name\":\"{name}\""));
    }
}

fn hidepid_is_found() {
    let tree = Tree::new(V2);
    let proc = tree.proc();
    tree.write(
        "proc/self/mountinfo",
        &format!("22 27 0:21 / {} rw - proc proc rw,hidepid=invisible\n", proc.display()),
    );
    let text = any(&mut tree.mallow(&["doctor"]));
    assert_contains(&text, "/proc is mounted with hidepid=invisible");
    assert_contains(&text, "limited  all processes shown");
}

fn yama_is_said_to_stand_in_the_way_of_heaps() {
    for (scope, capabilities, state) in [
        (0, 0_u64, "yes"),
        (1, 0, "limited"),
        (1, 1 << 19, "yes"),
        (2, 1 << 19, "yes"),
        (3, 1 << 19, "limited"),
    ] {
        let tree = Tree::new(V2);
        tree.write("proc/sys/kernel/yama/ptrace_scope", &format!("{scope}\n"));
        tree.write(
            "proc/self/status",
            &format!("Name:\tmallow\nPid:\t7\nUid:\t1 1 1 1\nCapEff:\t{capabilities:x}\n"),
        );
        let object = any(&mut tree.mallow(&["doctor", "--json"]));
        assert_contains(&object, &format!("\"name\":\"ptrace scope\",\"state\":\"{state}\""));
    }
}

fn a_machine_without_anything_is_looked_at() {
    let object = any(&mut Tree::new("").mallow(&["doctor", "--json"]));
    for (name, state) in [
        ("rights", "unknown"),
        ("version", "unknown"),
        ("overcommit", "unknown"),
        ("swap", "unknown"),
        ("page map", "limited"),
        ("pressure", "limited"),
    ] {
        assert_contains(&object, &format!("\"name\":\"{name}\",\"state\":\"{state}\""));
    }
}

fn too_many_words_are_refused() {
    assert_contains(
        &stderr(&mut mallow(["doctor", "1"]), 2),
        "'1' is too much: `mallow doctor` takes options only",
    );
}

fn what_stands_in_the_way_of_others_is_said() {
    let folder = done(
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir(),
    );
    let copy = folder.path().join("mallow");
    elf::copy_executable(Path::new(MALLOW), &copy);
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let output = output(Command::new("setpriv").args(nobody).arg(&copy).arg("doctor"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_contains(&text, "limited  rights               user 65534, CAP_SYS_PTRACE no");
    assert_contains(&text, "limited  smaps of others");
    assert_contains(&text, "limited  kernel's own memory  slabinfo: needs root, vmallocinfo: needs root");
}
