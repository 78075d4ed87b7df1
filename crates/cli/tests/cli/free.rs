//! `mallow free`: the numbers are those of `free`, and the lines add up.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use rustix::process::geteuid;

use crate::command::{MALLOW, assert_contains, done, mallow, output, stderr, stdout};
use crate::elf;
use crate::golden::assert_golden;
use crate::tree::Tree;

const V2: &str = include_str!("../trees/v2.tree");

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        a_recorded_machine_is_accounted_for,
        lines_and_residual_add_up_to_the_whole,
        a_machine_that_tells_less_is_looked_at,
        a_machine_that_is_short_is_found,
        a_limited_group_is_pointed_out,
        without_meminfo_it_says_so,
    ];
    let no_free = Command::new("free").arg("-b").output().is_err().then_some("free is not installed");
    trials.extend(
        crate::trials![the_numbers_are_those_of_free].into_iter().map(|trial| crate::unless(no_free, trial)),
    );
    let not_root = (!geteuid().is_root()).then_some("needs root to become somebody else");
    trials.extend(
        crate::trials![what_needs_root_is_said].into_iter().map(|trial| crate::unless(not_root, trial)),
    );
    trials
}

/// The number of a name in an object on one line.
fn number(object: &str, name: &str) -> i128 {
    let (_, rest) =
        object.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name} in {object}"));
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    done(rest[..end].parse())
}

fn a_recorded_machine_is_accounted_for() {
    let text = stdout(&mut Tree::new(V2).mallow(&["free"]));
    assert_golden("free-v2.txt", &text);
}

fn lines_and_residual_add_up_to_the_whole() {
    for object in [stdout(&mut Tree::new(V2).mallow(&["free", "--json"])), any(&["free", "--json"])] {
        let (_, lines) = object.split_once("\"lines\":[").unwrap_or_default();
        let (lines, _) = lines.split_once(']').unwrap_or_default();
        let sum: i128 = lines.split("{").skip(1).map(|line| number(line, "bytes")).sum();
        assert_eq!(sum + number(&object, "residual_bytes"), number(&object, "total_bytes"), "{object}");
    }
}

/// What the command prints of this machine, in whichever state that is.
fn any(arguments: &[&str]) -> String {
    let output = output(&mut mallow(arguments));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn the_numbers_are_those_of_free() {
    let theirs = stdout(Command::new("free").arg("-b").env("LC_ALL", "C"));
    let object = any(&["free", "--json"]);
    let row = |name: &str| -> Vec<i128> {
        let line = theirs.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().skip(1).map(|word| done(word.parse())).collect()
    };
    let (memory, swap) = (row("Mem:"), row("Swap:"));
    assert_eq!((memory[0], swap[0]), (number(&object, "total_bytes"), number(&object, "swap_total_bytes")));
    // Other programs go on between the two looks.
    for (place, name) in [(2, "free_bytes"), (3, "shared_bytes"), (4, "cache_bytes"), (5, "available_bytes")]
    {
        let difference = (memory[place] - number(&object, name)).abs();
        assert!(difference * 20 < memory[0], "{name}: {} and {}", memory[place], number(&object, name));
    }
}

fn a_machine_that_tells_less_is_looked_at() {
    let tree = Tree::new("== proc/meminfo\nMemTotal: 1000 kB\nMemFree: 500 kB\n");
    let text = stdout(&mut tree.mallow(&["free"]));
    assert_contains(&text, "n/a (this kernel does not tell) of 1000.0 KiB are available to programs");
    assert_contains(&text, "Pressure: n/a (this kernel has no such file).");
    assert_contains(&text, "the mode is n/a (this kernel has no such file)");
    let object = stdout(&mut tree.mallow(&["free", "--json"]));
    assert_contains(&object, "\"available_bytes\":null");
    assert_contains(&object, "\"slab_caches\":\"this kernel has no such file\"");
    tree.write("proc/buddyinfo", "Node 0\n");
    assert_contains(
        &stdout(&mut tree.mallow(&["free"])),
        "n/a (buddyinfo cannot be understood at byte 0: expected `Node N,",
    );
}

fn a_machine_that_is_short_is_found() {
    let tree = Tree::new("== proc/meminfo\nMemTotal: 1000 kB\nMemFree: 5 kB\nMemAvailable: 99 kB\n");
    assert_eq!(output(&mut tree.mallow(&["free"])).status.code(), Some(1));
    tree.write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 5 kB\nMemAvailable: 100 kB\n");
    assert_eq!(output(&mut tree.mallow(&["free"])).status.code(), Some(0));
    tree.write("proc/pressure/memory", "full avg10=5.00 avg60=0.00 avg300=0.00 total=12\n");
    assert_eq!(output(&mut tree.mallow(&["free"])).status.code(), Some(1));
}

fn a_limited_group_is_pointed_out() {
    let tree = Tree::new(V2);
    // The command itself, as that machine would see it. A shell becomes it, so that its number is known before.
    let script = "\
                  mkdir \"$HOST_PROC/$$\" && cp \"$HOST_PROC/40/cgroup\" \"$HOST_PROC/$$/cgroup\" && \
                  sed \"s/\\t40$/\\t$$/\" \"$HOST_PROC/40/status\" > \"$HOST_PROC/$$/status\"; exec \"$0\" free";
    let found = tree.mallow(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", script, MALLOW]);
    shell.envs(found.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert_contains(
        &stdout(&mut shell),
        "Programs in /app.slice may use 1.1 GiB of it, and use 1.0 GiB: see mallow limits.\n",
    );
}

fn without_meminfo_it_says_so() {
    let said = stderr(&mut Tree::new("").mallow(&["free"]), 2);
    assert_contains(&said, "mallow: cannot read ");
    assert_contains(&said, "proc/meminfo: ");
    assert_contains(
        &stderr(&mut mallow(["free", "x"]), 2),
        "'x' is too much: `mallow free` takes options only",
    );
}

fn what_needs_root_is_said() {
    let folder = done(
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir(),
    );
    let copy = folder.path().join("mallow");
    elf::copy_executable(Path::new(MALLOW), &copy);
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let output = output(Command::new("setpriv").args(nobody).arg(&copy).arg("free"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_contains(&text, "(slab)\n  n/a (needs root)\n");
}
