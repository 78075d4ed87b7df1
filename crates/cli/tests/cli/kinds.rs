//! Processes of every kind: what each verb says of them, compared with what it said when somebody looked at it.
//!
//! The processes were recorded on Linux 6.18: perl with two thirds of a table deleted, on glibc (4121) and on mallow (4122);
//! 32 threads with arenas of their own (4123); a static program whose heap is a comb (4124); a zombie (4125); a thread of the kernel
//! (2). Their groups are laid out as the kernel documents them for cgroup v2. A recorded `/proc` has no memory to look into; what is seen
//! there is in the two snapshots.

use std::fs;

use libtest_mimic::Trial;

use crate::command::{done, mallow, output};
use crate::golden::{assert_golden, recorded};
use crate::tree::Tree;

/// The machine, and its processes.
const TREE: [&str; 2] = [include_str!("../trees/machine.tree"), include_str!("../trees/processes.tree")];

/// A process of each kind, with its name in the golden files, and an address of its stack or heap, if it has any.
const KINDS: [(&str, &str, &str); 6] = [
    ("glibc", "4121", "0x7fff1008b010"),
    ("mallow", "4122", "0x7ffd2d33c010"),
    ("arenas", "4123", "0x560de0900010"),
    ("static", "4124", "0x27dbf010"),
    ("zombie", "4125", "0x27dbf010"),
    ("kernel-thread", "2", "0x27dbf010"),
];

/// A script that all parts of a page are about: a child, swap, and who is killed.
const SCRIPT: &str = "a = mmap @ 12M rw- private anon\nwrite a 12M 7\nmprotect a 4p r--\nfork\n1: write a+16K 64K 9\n\
    b = mmap 0 24M rw- private anon\nwrite b 24M 5\nread a 8K\n";

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials![
        every_kind_of_process_is_told_as_it_was,
        snapshots_are_told_as_they_were,
        the_recorded_machine_is_told_as_it_was,
        a_script_is_told_as_it_was,
    ]
}

/// Everything that somebody at a terminal gets to see, and the status.
fn told(tree: &Tree, arguments: &[&str]) -> String {
    let output = output(&mut tree.mallow(arguments));
    let status = output.status.code();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let prompt = format!("$ mallow {}\n", arguments.join(" "));
    format!("{prompt}{}{}\nstatus {status:?}\n", text(&output.stdout), text(&output.stderr))
}

fn every_kind_of_process_is_told_as_it_was() {
    let tree = Tree::new(&TREE.concat());
    for (name, pid, address) in KINDS {
        let verbs = [
            &["why", pid][..],
            &["why", "--json", pid],
            &["map", pid],
            &["limits", "--watch", "0", pid],
            &["explain-address", pid, address],
            &["trim", pid],
        ];
        let pages: Vec<String> =
            verbs.iter().map(|arguments| without_time(&told(&tree, arguments))).collect();
        assert_golden(&format!("kind-{name}.txt"), &pages.join("\n"));
    }
}

fn snapshots_are_told_as_they_were() {
    for name in ["mallow", "arenas"] {
        let file = recorded(&format!("{name}.json"));
        let page = |arguments: &[&str]| {
            let output = output(mallow(arguments).arg(&file).env_remove("COLUMNS"));
            assert!(output.stderr.is_empty(), "{output:?}");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        assert_golden(&format!("snapshot-{name}.txt"), &page(&["why"]));
        assert_golden(&format!("snapshot-{name}.json"), &page(&["why", "--json"]));
        if name == "mallow" {
            assert_golden(&format!("snapshot-{name}.html"), &page(&["report"]));
        }
    }
    let [before, after] = ["mallow", "arenas"].map(|name| recorded(&format!("{name}.json")));
    let output = output(mallow(["diff"]).arg(before).arg(after).env_remove("COLUMNS"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_golden("diff.txt", &String::from_utf8_lossy(&output.stdout));
}

fn the_recorded_machine_is_told_as_it_was() {
    let tree = Tree::new(&TREE.concat());
    assert_golden("free-machine.txt", &told(&tree, &["free"]));
    assert_golden("top-machine.txt", &told(&tree, &["top", "--once"]));
}

/// When it was looked at is another time each time.
fn without_time(text: &str) -> String {
    match text.split_once("\"unix_ms\":") {
        None => text.to_owned(),
        Some((before, rest)) => {
            format!("{before}\"unix_ms\":0{}", rest.trim_start_matches(|digit: char| digit.is_ascii_digit()))
        }
    }
}

fn a_script_is_told_as_it_was() {
    let folder = done(tempfile::tempdir());
    let file = folder.path().join("script");
    done(fs::write(&file, SCRIPT));
    for (name, options, status) in
        [("sim-swap", &["--swap", "8M", "--trace"][..], 0), ("sim-kill", &["--json"], 1)]
    {
        let output = output(mallow(["sim", "--ram", "32M"]).args(options).arg(&file).env_remove("COLUMNS"));
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert_golden(&format!("{name}.txt"), &String::from_utf8_lossy(&output.stdout));
    }
}
