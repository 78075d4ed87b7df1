//! The lab: every experiment is made, on both allocators, and what must be seen is seen.

use core::time::Duration;
use std::env;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use libtest_mimic::{Completion, Failed, Trial};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use crate::command::{MALLOW, assert_contains, done, mallow, output, stderr, stdout};
use crate::group::Group;

/// More page faults than any experiment takes.
const TOO_MANY_FAULTS: u64 = 1_000_000;

/// Experiments that need what a machine may not have or a user may not do. All others must always be seen.
const MAY_BE_REFUSED: [&str; 8] =
    ["alloca", "arenas", "buddy", "huge-pages", "leak", "mlock", "oom", "static"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        the_list_names_every_experiment,
        a_wrong_name_is_answered_with_the_right_ones,
        the_page_shows_steps_maps_and_findings,
        explanations_are_printed_when_asked_for,
    ];
    let strict = Trial::ignorable_test(
        "strict_mode_is_shown_where_that_may_be",
        strict_mode_is_shown_where_that_may_be,
    );
    trials.push(strict.with_kind(crate::ALONE));
    let obstacle = Group::new().err();
    trials.extend(
        crate::trials![ctrl_c_leaves_no_group_behind]
            .into_iter()
            .map(|trial| crate::unless(obstacle.as_deref(), trial)),
    );
    for name in names() {
        for allocator in ["glibc", "mallow"] {
            let name = name.clone();
            trials.push(Trial::ignorable_test(format!("lab_{name}_on_{allocator}"), move || {
                is_seen(&name, allocator)
            }));
        }
    }
    trials
}

/// The experiments that the command knows.
fn names() -> Vec<String> {
    let list: Value =
        serde_json::from_slice(&output(Command::new(MALLOW).args(["lab", "list", "--json"])).stdout)
            .unwrap_or_default();
    let names = list.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str());
    names.map(str::to_owned).collect()
}

/// Makes an experiment; whatever must be seen must have been.
fn is_seen(name: &str, allocator: &str) -> Result<Completion, Failed> {
    let output = output(mallow(["lab", name, "--json", "--allocator"]).arg(allocator));
    let page: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("{error}: {output:?}"))?;
    let status = output.status.code();
    match page["outcome"].as_str() {
        Some("seen") if status == Some(0) => {
            let findings = page["findings"].as_array().map_or(0, Vec::len);
            if findings == 0 {
                return Err("an experiment that asserts nothing".into());
            }
            let steps = page["steps"].as_array().into_iter().flatten();
            let calls = steps.flat_map(|step| step["calls"].as_array().into_iter().flatten());
            match calls.filter_map(|call| call["faults"].as_u64()).find(|faults| *faults > TOO_MANY_FAULTS) {
                Some(faults) => Err(format!("a call with {faults} faults: {page:#}").into()),
                None => Ok(Completion::Completed),
            }
        }
        Some("could not look") if status == Some(2) && MAY_BE_REFUSED.contains(&name) => {
            Ok(Completion::ignored_with(page["reason"].as_str().unwrap_or_default()))
        }
        _ => Err(format!("status {status:?}: {page:#}").into()),
    }
}

/// Changes a setting of the machine, so only where that is wanted.
fn strict_mode_is_shown_where_that_may_be() -> Result<Completion, Failed> {
    if env::var_os("MALLOW_MACHINE_SETTINGS").is_none() {
        return Ok(Completion::ignored_with(
            "changes a setting of the machine: set MALLOW_MACHINE_SETTINGS=1",
        ));
    }
    let mode = || done(fs::read_to_string("/proc/sys/vm/overcommit_memory"));
    let before = mode();
    let page = stdout(&mut mallow(["lab", "strict", "--machine-settings"]));
    assert_contains(&page, "more than the limit leaves are refused");
    assert_eq!(mode(), before, "it is put back");
    Ok(Completion::Completed)
}

fn the_list_names_every_experiment() {
    let list = stdout(&mut mallow(["lab"]));
    assert_eq!(list, stdout(&mut mallow(["lab", "list"])));
    let names = names();
    assert!(names.len() >= 29, "{names:?}");
    for name in names {
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{name} in:\n{list}");
    }
}

fn a_wrong_name_is_answered_with_the_right_ones() {
    let sentence = stderr(&mut mallow(["lab", "lasy"]), 2);
    assert_contains(&sentence, "'lasy'");
    assert_contains(&sentence, "allowed are list, all, lazy, zero-page, ");
}

fn the_page_shows_steps_maps_and_findings() {
    let page = stdout(&mut mallow(["lab", "brk"]));
    for part in [
        "on glibc 2.",
        "brk(start + 4 KiB)",
        "[heap]",
        "maps after",
        "  seen      ",
        "articles  ",
        "here      ",
    ] {
        assert_contains(&page, part);
    }
    assert!(!page.contains('\x1b'), "colour without a terminal: {page:?}");
    assert!(page.lines().all(|line| line.chars().count() <= 120), "{page}");
}

fn explanations_are_printed_when_asked_for() {
    let sentence = "keeps two numbers per process";
    assert_contains(&stdout(&mut mallow(["lab", "brk", "--explain"])), sentence);
    assert!(!stdout(&mut mallow(["lab", "brk"])).contains(sentence));
}

/// As a terminal does it: all processes of the command get the signal.
fn ctrl_c_leaves_no_group_behind() {
    let mut lab = mallow(["lab", "oom"]);
    let lab = done(lab.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn());
    let pid = done(i32::try_from(lab.id()));
    let name = format!("mallow-lab-{pid}");
    let folders = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].map(|root| Path::new(root).join(&name));
    let is_there = || folders.iter().any(|folder| folder.exists());
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", lab.wait_with_output());
        thread::sleep(Duration::from_millis(1));
    }
    done(killpg(Pid::from_raw(pid), Signal::SIGINT));
    let output = done(lab.wait_with_output());
    assert_eq!(output.status.signal(), Some(Signal::SIGINT as i32), "{output:?}");
    assert!(!is_there(), "the group is still there");
}
