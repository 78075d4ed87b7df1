//! The runner on programs whose behaviour is known: what it keeps, what it ends, and what it does not wait for.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use core::time::Duration;
use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

use mallow_testkit::preload::{Failure, Run};

fn shell(script: &str) -> Run {
    Run::new("sh").args(["-c", script]).without_library()
}

#[test]
fn keeps_everything_that_a_program_leaves() {
    let outcome = shell("cat; echo oops >&2; exit 7").stdin("in").finish().unwrap();
    assert_eq!((outcome.stdout().as_ref(), outcome.stderr().as_ref()), ("in", "oops\n"));
    assert_eq!(outcome.status.code(), Some(7));
    assert!(outcome.peak_rss_bytes > 100_000, "{outcome}");
}

#[test]
fn tells_a_signal_from_a_status() {
    assert_eq!(shell("kill -TERM $$").finish().unwrap().status.signal(), Some(15));
}

#[test]
fn success_is_status_0_and_nothing_else() {
    assert!(shell("true").finish().unwrap().success().is_ok());
    let failure = shell("echo said; exit 1").finish().unwrap().success().unwrap_err();
    assert!(failure.to_string().contains("said"), "{failure}");
}

#[test]
fn kills_the_whole_group_at_the_limit_and_tells_what_it_had_printed() {
    let started = Instant::now();
    let late = shell("echo begun; sleep 50 & sleep 50").limit(Duration::from_millis(200)).finish();
    assert!(started.elapsed() < Duration::from_secs(20));
    match late {
        Err(Failure::TookTooLong { outcome, .. }) => assert_eq!(outcome.stdout(), "begun\n"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn does_not_wait_for_what_stays_behind() {
    let started = Instant::now();
    let outcome = shell("setsid sleep 3 & echo begun").finish().unwrap();
    assert_eq!(outcome.stdout(), "begun\n");
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn names_a_program_that_cannot_be_started() {
    let failure = Run::new("/no/such/program").without_library().finish().unwrap_err();
    assert!(failure.to_string().contains("/no/such/program"), "{failure}");
}
