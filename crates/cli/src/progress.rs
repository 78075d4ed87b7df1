//! Progress: a line that says that something goes on, where somebody waits for it.
//!
//! Written to standard error, only if that is a terminal, and removed at the end. Called by verbs that take longer than a second.

use core::time::Duration;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::Instant;

/// Time between two lines.
const STEP: Duration = Duration::from_millis(200);

/// Sleeps for `duration`, and says how long it is until `what`.
pub(crate) fn wait(duration: Duration, what: &str) {
    let start = Instant::now();
    let is_shown = io::stderr().is_terminal() && duration > Duration::from_secs(1);
    loop {
        let left = duration.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        if is_shown {
            // Whoever waits can do without a line that cannot be written.
            let _ = write!(io::stderr(), "\r{what} in {} s \x1b[K", left.as_secs() + 1);
        }
        thread::sleep(left.min(STEP));
    }
    if is_shown {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}
