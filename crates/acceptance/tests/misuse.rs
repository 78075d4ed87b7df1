//! Mistakes that can be seen for free end in one line on stderr. The scenarios lie in `c/misuse`.

use std::process::ExitCode;

use mallow_acceptance::suite;

fn main() -> ExitCode {
    suite::run("misuse", [])
}
