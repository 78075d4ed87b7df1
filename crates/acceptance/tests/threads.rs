//! Many threads, threads that come and go, and blocks that travel between them. The scenarios lie in `c/threads`.

use std::process::ExitCode;

use mallow_acceptance::suite;

fn main() -> ExitCode {
    suite::run("threads", [])
}
