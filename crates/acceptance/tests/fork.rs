//! Processes that multiply: fork, vfork, posix_spawn, `_Fork`, daemons. The scenarios lie in `c/fork`.

use std::process::ExitCode;

use mallow_acceptance::suite;

fn main() -> ExitCode {
    suite::run("fork", [])
}
