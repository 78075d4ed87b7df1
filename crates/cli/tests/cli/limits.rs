//! `mallow limits`: every limit above a process is found, and what cannot be seen is said.

use std::fs;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;

use crate::command::{assert_contains, done, mallow, output, stderr, stdout};
use crate::golden::assert_golden;
use crate::group::Group;
use crate::tree::Tree;

const V2: &str = include_str!("../trees/v2.tree");

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        the_limits_of_a_recorded_machine_are_told,
        the_object_for_programs_holds_the_same,
        version_1_is_told_in_the_same_words,
        a_container_that_sees_its_own_root_only_is_told,
        without_cgroups_the_machine_is_the_limit,
        a_process_in_another_container_is_told,
        strict_promises_are_a_limit,
        this_machine_is_looked_at,
        wrong_options_are_refused,
    ];
    let obstacle = Group::new().err();
    trials.extend(
        crate::trials![a_real_limit_is_found]
            .into_iter()
            .map(|trial| crate::unless(obstacle.as_deref(), trial)),
    );
    trials
}

fn page(tree: &Tree, arguments: &[&str]) -> (Option<i32>, String) {
    let output = output(&mut tree.mallow(arguments));
    assert!(output.stderr.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn the_limits_of_a_recorded_machine_are_told() {
    let (status, text) = page(&Tree::new(V2), &["limits", "--watch", "0", "40"]);
    assert_golden("limits-v2.txt", &text);
    assert_eq!(status, Some(1), "less than a tenth is left");
}

fn the_object_for_programs_holds_the_same() {
    let (_, text) = page(&Tree::new(V2), &["limits", "--watch", "0", "--json", "40"]);
    assert_eq!(text.lines().count(), 1);
    for part in [
        r#""pid":40"#,
        r#""name":"web\\u{1b}[31m""#,
        r#""nearest":{"effect":"kill","group":"/app.slice","headroom":100000000,"in_force":true,"is_close":true,"limit":1200000000,"name":"cgroup max""#,
        r#""killable":2,"killed_before":1"#,
        r#""oom_kill":1"#,
        r#""sees_root":true"#,
        r#""avg10":1.5"#,
    ] {
        assert_contains(&text, part);
    }
}

fn version_1_is_told_in_the_same_words() {
    let tree = Tree::new(V2);
    tree.write("proc/self/mountinfo", "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
    tree.write("proc/40/cgroup", "4:memory:/batch\n1:name=systemd:/\n0::/\n");
    let group = |file: &str, text: &str| tree.write(&format!("sys/fs/cgroup/memory/{file}"), text);
    group("release_agent", "\n");
    group("memory.limit_in_bytes", "9223372036854771712\n");
    group("memory.usage_in_bytes", "3000000000\n");
    group("batch/memory.limit_in_bytes", "2000000000\n");
    group("batch/memory.usage_in_bytes", "1000000000\n");
    group("batch/memory.failcnt", "7\n");
    group("batch/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    let (status, text) = page(&tree, &["limits", "--bytes", "--watch", "0", "40"]);
    assert_contains(&text, "Nearest: cgroup max of /batch, with 1000000000 left of 2000000000 (50.0 %).");
    assert_contains(&text, "cgroup v1: /batch below /.\n");
    assert_contains(
        &text,
        "Events of /batch: failcnt 7 (at its limit); oom_kill 3 (processes killed for want of memory).\n",
    );
    assert_eq!(status, Some(0), "there is room");
}

fn a_container_that_sees_its_own_root_only_is_told() {
    let tree = Tree::new(V2);
    tree.write("proc/40/cgroup", "0::/\n");
    tree.write("sys/fs/cgroup/cgroup.events", "populated 1\n");
    tree.write("sys/fs/cgroup/memory.max", "3000000000\n");
    tree.write("sys/fs/cgroup/memory.current", "1000000000\n");
    let (_, text) = page(&tree, &["limits", "--watch", "0", "40"]);
    assert_contains(&text, "Nearest: cgroup max of /, with ");
    assert_contains(&text, "this is the view of a container: groups above the last one may have limits");
}

fn without_cgroups_the_machine_is_the_limit() {
    for (path, text, reason) in [
        ("proc/40/cgroup", "", "the process is in no cgroup that counts memory"),
        ("proc/self/mountinfo", "22 27 0:21 / /proc rw - proc proc rw\n", "cgroup v2 is not mounted here"),
        (
            "proc/40/cgroup",
            "x\n",
            "its cgroup file cannot be understood at byte 0: expected `TREE:CONTROLLERS:PATH`",
        ),
    ] {
        let tree = Tree::new(V2);
        tree.write(path, text);
        let (_, page) = page(&tree, &["limits", "--watch", "0", "40"]);
        assert_contains(&page, "Nearest: memory of the machine, with 5.7 GiB left of 7.6 GiB (75.0 %).");
        assert_contains(&page, &format!("cgroup: n/a ({reason}).\n"));
    }
}

fn a_process_in_another_container_is_told() {
    let tree = Tree::new(V2);
    tree.write("proc/40/cgroup", "0::/../other\n");
    tree.remove("proc/pressure/memory");
    let (_, text) = page(&tree, &["limits", "--watch", "0", "40"]);
    assert_contains(
        &text,
        "cgroup: n/a (the process is in a cgroup that cannot be seen from this container).\n",
    );
    assert_contains(&text, "Pressure of the machine: n/a (this kernel has no such file).\n");
}

fn strict_promises_are_a_limit() {
    let tree = Tree::new(V2);
    tree.write("proc/sys/vm/overcommit_memory", "2\n");
    tree.write("proc/40/cgroup", "0::/\n");
    let (_, text) = page(&tree, &["limits", "--watch", "0", "40"]);
    assert_contains(&text, "Nearest: commit limit, with 976.5 MiB left of 3.8 GiB (25.0 %).");
}

fn this_machine_is_looked_at() {
    let pid = std::process::id().to_string();
    let output = output(&mut mallow(["limits", "--watch", "1", &pid]));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    for part in
        ["Nearest: ", "RLIMIT_STACK", "vm.max_map_count", "If the machine runs out of memory, ", "oom_score"]
    {
        assert_contains(&text, part);
    }
    assert_contains(&stdout(&mut mallow(["help", "limits"])), "mallow limits --watch 60 postgres");
}

fn a_real_limit_is_found() {
    let group = done(Group::new());
    let mut cat = done(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn());
    let pid = cat.id().to_string();
    done(fs::write(group.processes(), &pid));
    let output = output(&mut mallow(["limits", "--watch", "0", &pid]));
    let _ = cat.kill();
    done(cat.wait());
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_contains(&text, &format!("Nearest: cgroup max of /{}, with ", group.name()));
    assert_contains(&text, " left of 32.0 MiB (");
    assert_contains(
        &text,
        &format!("If /{} reaches its limit, it is this process that is killed, out of 1:", group.name()),
    );
}

fn wrong_options_are_refused() {
    for (arguments, sentence) in [
        (&["limits"][..], "`mallow limits` needs a PID|NAME"),
        (&["limits", "--watch", "soon", "1"], "'soon' is wrong for --watch <SECONDS>"),
        (&["limits", "--watch", "86401", "1"], "0..=86400"),
        (&["limits", "--slow", "1"], "unknown option '--slow'; allowed are --watch, --json, --bytes"),
        (&["limits", "1", "2"], "'2' is too much: `mallow limits` takes one PID|NAME"),
    ] {
        assert_contains(&stderr(&mut mallow(arguments), 2), sentence);
    }
}
