//! The kernel half beside the running kernel: random scripts, the same answers.
//!
//! `MALLOW_DIFF_SEED` and `MALLOW_DIFF_SCRIPTS` choose which scripts and how many. A difference is shrunk, and shown as a script
//! that can be kept.

#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![expect(
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "an integration test for one target, on which addresses fit a word; what it finds is for people"
)]

extern crate alloc;

mod areas;
mod compare;
mod generate;
mod known;
mod live;
mod machine;
mod pages;
mod random;
mod shrink;
mod space;
mod transcript;

use alloc::collections::BTreeMap;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use live::{Ground, Live};
use mallow_kmm::script::Script;
use transcript::Transcript;

/// Scripts unless the environment says otherwise.
const SCRIPTS: u64 = 20_000;
/// The seed unless the environment says otherwise.
const SEED: u64 = 0x6d61_6c6c_6f77;
/// How often a script is run again when what differs is a number of the whole system.
const REPEATS: usize = 12;

/// A number from the environment.
fn setting(name: &str, otherwise: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return otherwise };
    let number = text.strip_prefix("0x").map_or_else(|| text.parse(), |hex| u64::from_str_radix(hex, 16));
    number.unwrap_or_else(|_| panic!("{name} is a number, not `{text}`"))
}

/// A simulated side.
type Side = fn(&Script, &Ground) -> Transcript;

/// The first difference between the live side and another one.
fn difference(live: &mut Live, side: Side, script: &Script) -> Option<String> {
    let ground = live.ground();
    let Ok(simulated) = catch_unwind(AssertUnwindSafe(|| side(script, &ground))) else {
        return Some("the simulated side panicked".to_owned());
    };
    let mut found = None;
    for _ in 0..REPEATS {
        let transcript = live.run(script);
        found = compare::difference(script, &transcript, &simulated);
        if !found.as_deref().is_some_and(compare::may_be_noise) {
            break;
        }
    }
    found
}

#[test]
fn differential_machine_agrees_with_the_running_kernel() {
    agrees(machine::run);
}

#[test]
fn differential_areas_agree_with_the_running_kernel() {
    agrees(space::run);
}

fn agrees(side: Side) {
    let (seed, scripts) = (setting("MALLOW_DIFF_SEED", SEED), setting("MALLOW_DIFF_SCRIPTS", SCRIPTS));
    let most = setting("MALLOW_DIFF_FAILURES", 1);
    let mut live = Live::start();
    let (mut failures, mut known) = (0, BTreeMap::new());
    for index in 0..scripts {
        let script = generate::script(seed, index);
        known::rules(&script).for_each(|rule| *known.entry(rule.reason).or_insert(0) += 1);
        if difference(&mut live, side, &script).is_none() {
            continue;
        }
        let smallest = shrink::smallest(&script, |smaller| difference(&mut live, side, smaller).is_some());
        let Some(text) = difference(&mut live, side, &smallest) else { continue };
        println!("seed {seed:#x}, script {index}, shrunk:\n{smallest}{text}\n");
        failures += 1;
        if failures == most {
            break;
        }
    }
    assert_eq!(
        failures, 0,
        "scripts on which the simulated side differs; run with MALLOW_DIFF_SEED={seed:#x}"
    );
    println!("{scripts} scripts agree, seed {seed:#x}; scripts with known differences: {known:#?}");
}

#[test]
fn differential_live_side_repeats_itself() {
    let mut live = Live::start();
    let seed = setting("MALLOW_DIFF_SEED", SEED);
    for index in 0..setting("MALLOW_DIFF_SCRIPTS", SCRIPTS) / 50 {
        let script = generate::script(seed, index);
        let (first, second) = (live.run(&script), live.run(&script));
        assert_eq!(first.steps, second.steps, "script {index}:\n{script}");
        assert_eq!(first.ends, second.ends, "script {index}:\n{script}");
    }
}
