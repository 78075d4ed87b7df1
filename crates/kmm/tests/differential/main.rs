//! The kernel half beside the running kernel: random scripts, the same answers.
//!
//! Each script runs in processes on Linux, on a machine, and on address spaces above pages that are as simple as they get. After
//! every statement the outcome and the areas are compared; at the end what `smaps`, `pagemap` and `status` say of each process,
//! and what was promised system-wide.
//!
//! `MALLOW_DIFF_SEED` and `MALLOW_DIFF_SCRIPTS` choose which scripts and how many, `MALLOW_DIFF_FAILURES` after how many
//! differences to stop. A difference is shrunk, and shown as a script that can be kept in `found.txt`.

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
use core::sync::atomic::{AtomicU64, Ordering};
use std::panic::catch_unwind;
use std::sync::{Mutex, RwLock};
use std::thread;

use live::{Ground, Live};
use mallow_kmm::script::Script;
use transcript::Transcript;

/// Scripts unless the environment says otherwise.
const SCRIPTS: u64 = 20_000;
/// The seed unless the environment says otherwise.
const SEED: u64 = 0x6d61_6c6c_6f77;
/// How often a script is run again when what differs is a number of the whole system, which others change too.
const REPEATS: usize = 100;
/// A number that comes out so often without being the right one is wrong.
const CONVINCING: usize = 6;
/// Threads, at most: each has its own processes on the live side.
const THREADS: usize = 4;

/// A number from the environment.
fn setting(name: &str, otherwise: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return otherwise };
    let number = text.strip_prefix("0x").map_or_else(|| text.parse(), |hex| u64::from_str_radix(hex, 16));
    number.unwrap_or_else(|_| panic!("{name} is a number, not `{text}`"))
}

/// A simulated side and what it is called.
type Side = (&'static str, fn(&Script, &Ground) -> Transcript);

const SIDES: [Side; 2] = [("the machine", machine::run), ("the simple side", space::run)];

/// Scripts run side by side on the live side, unless one has to be alone.
static ALONE: RwLock<()> = RwLock::new(());

/// The first difference between the live side and another one.
fn difference(live: &mut Live, script: &Script) -> Option<String> {
    let ground = live.ground();
    let mut simulated = Vec::new();
    for (name, run) in SIDES {
        match catch_unwind(AssertUnwindSafe(|| run(script, &ground))) {
            Ok(transcript) => simulated.push((name, transcript)),
            Err(_) => return Some(format!("{name} panicked")),
        }
    }
    let among = |transcript: &Transcript| {
        simulated.iter().find_map(|(name, side)| {
            let text = compare::difference(script, transcript, side)?;
            Some((compare::may_be_noise(&text), format!("{name}: {text}")))
        })
    };
    let first = {
        let _side_by_side = ALONE.read().unwrap();
        live.run(script)
    };
    let (may_be_noise, text) = among(&first)?;
    if !may_be_noise {
        return Some(text);
    }
    let _alone = ALONE.write().unwrap();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..REPEATS {
        let (_, text) = among(&live.run(script))?;
        let times = seen.entry(text.clone()).or_default();
        *times += 1;
        if *times == CONVINCING {
            return Some(text);
        }
        thread::yield_now();
    }
    None
}

/// What all threads have found so far.
#[derive(Default)]
struct Found {
    next: AtomicU64,
    failures: AtomicU64,
    known: Mutex<BTreeMap<&'static str, u64>>,
}

fn work(found: &Found, seed: u64, scripts: u64, most: u64) {
    let mut live = Live::start();
    while found.failures.load(Ordering::Relaxed) < most {
        let index = found.next.fetch_add(1, Ordering::Relaxed);
        if index >= scripts {
            return;
        }
        let script = generate::script(seed, index);
        for rule in known::rules(&script) {
            *found.known.lock().unwrap().entry(rule.reason).or_insert(0) += 1;
        }
        if difference(&mut live, &script).is_none() {
            continue;
        }
        let smallest = shrink::smallest(&script, |smaller| difference(&mut live, smaller).is_some());
        // What others do at the same time may have made the difference.
        let Some(text) = difference(&mut live, &smallest) else { continue };
        println!("seed {seed:#x}, script {index}, shrunk:\n{smallest}{text}\n");
        found.failures.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn differential_scripts_agree_with_the_running_kernel() {
    let (seed, scripts) = (setting("MALLOW_DIFF_SEED", SEED), setting("MALLOW_DIFF_SCRIPTS", SCRIPTS));
    let most = setting("MALLOW_DIFF_FAILURES", 1);
    let found = Found::default();
    let threads = thread::available_parallelism().map_or(1, |count| count.get().min(THREADS));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&found, seed, scripts, most));
        }
    });
    let failures = found.failures.into_inner();
    assert_eq!(failures, 0, "scripts on which a simulated side differs; run with MALLOW_DIFF_SEED={seed:#x}");
    let known = found.known.into_inner().unwrap();
    println!("{scripts} scripts agree, seed {seed:#x}; scripts with known differences: {known:#?}");
}

/// Scripts on which the sides once differed.
#[test]
fn differential_scripts_that_once_differed_agree() {
    let mut live = Live::start();
    for text in include_str!("found.txt").split("\n\n") {
        let script: Script = text.parse().unwrap_or_else(|error| panic!("{error} in\n{text}"));
        if let Some(difference) = difference(&mut live, &script) {
            panic!("{difference}\nin\n{text}");
        }
    }
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
