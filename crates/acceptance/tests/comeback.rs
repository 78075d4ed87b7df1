//! Memory comes back: after bursts, from threads that ended, at the price of idle ones. See `c/comeback`.

use std::process::ExitCode;

use mallow_acceptance::suite;

fn main() -> ExitCode {
    suite::run("comeback", [])
}
