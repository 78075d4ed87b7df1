//! The subject of an experiment: a process that makes one C call at a time, as it is told to.
//!
//! ```text
//!  mallow lab  ── "malloc 67108864" ──►  subject       the call, on the C library or what is preloaded in its place
//!              ◄── "= 1403... 1" ──────                its result, and how many page faults it took
//!              reads /proc/PID while the subject waits for the next line
//! ```
//!
//! It is carried by the command, written to disk and started by it; people never call it. It allocates nothing for
//! itself: until the first call that does, its heap is as the kernel made it. So `main` is C's, words are taken
//! apart in place, and all tables are static.
//!
//! # Trust
//!
//! 1. Addresses in a request are those that earlier answers gave, with lengths that were asked for; where an
//!    experiment is about a mistake, the mistake is its purpose. Whatever happens, it happens to this process alone.
//! 2. Requests are made one after the other, by whichever process reads the pipe.
//!
//! # Concurrency
//!
//! One thread reads requests. Threads that an experiment starts touch only their own blocks, see `call::thread`.

#![no_main]

mod call;
mod wire;

use core::ffi::{c_char, c_int};

use wire::{Request, Wire};

/// What a call gives: its result, or the error number.
type Answer = Result<u64, c_int>;

#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    call::process::settle();
    let mut wire = Wire::new();
    while let Some(request) = wire.next() {
        let before = call::process::faults();
        let answer = perform(&request);
        let now = call::process::faults();
        // The child of a fork begins to count anew.
        let faults = now.checked_sub(before).unwrap_or(now);
        if !wire::reply(answer, faults) {
            break;
        }
    }
    0
}

fn perform(request: &Request<'_>) -> Answer {
    let verb = request.text(0).to_bytes();
    let found = call::VERBS.iter().find(|(name, _)| name.as_bytes() == verb);
    found.map_or(Err(libc::EOPNOTSUPP), |(_, call)| call(request))
}
