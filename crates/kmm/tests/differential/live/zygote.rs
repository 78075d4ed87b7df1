//! The process from which those that run scripts are forked.
//!
//! It has given back its heap, has filled every hole above the arena with mappings that merge with nothing, so that the
//! kernel places new mappings from the end of the arena downwards, and has no capability that would lift a limit.

use core::sync::atomic::Ordering;

use super::process::{self, exit};
use super::raw::{self, call};
use super::wire::{ARENA_PAGES, Wire};

const PAGE: u64 = 4096;
/// Bytes that may be locked, unless a script says less: enough for all that a process has.
const LOCKED_LIMIT: u64 = 1 << 40;
/// The end of the arena is a multiple of this, so that no alignment of huge pages depends on luck.
const GIGABYTE: u64 = 1 << 30;

/// Prepares the address space, then forks a process for each byte that comes, and answers with one byte.
pub(crate) fn serve(wire: &mut Wire, requests: u64, answers: u64) -> ! {
    call(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as u64, libc::SIGKILL as u64, 0, 0, 0, 0]);
    call(libc::SYS_prctl, [libc::PR_SET_CHILD_SUBREAPER as u64, 1, 0, 0, 0, 0]);
    call(libc::SYS_prctl, [libc::PR_SET_THP_DISABLE as u64, 1, 0, 0, 0, 0]);
    // Only who may lift the limit can: the hard one is what counts then.
    let mut limits = [LOCKED_LIMIT; 2];
    let resource = u64::from(libc::RLIMIT_MEMLOCK);
    call(libc::SYS_setrlimit, [resource, limits.as_ptr() as u64, 0, 0, 0, 0]);
    call(libc::SYS_getrlimit, [resource, (&raw mut limits) as u64, 0, 0, 0, 0]);
    (limits[0], wire.locked_limit) = (limits[1], limits[1]);
    call(libc::SYS_setrlimit, [resource, limits.as_ptr() as u64, 0, 0, 0, 0]);
    drop_capabilities();
    raw::handle_signals(&mut wire.signal_stack);
    give_back_heap(wire);
    fence(wire);
    wire.backdrop_bytes =
        u32::try_from(raw::read_file(c"/proc/self/maps", &mut wire.backdrop)).unwrap_or_default();
    let mut byte = 1u8;
    let buffer = (&raw mut byte) as u64;
    loop {
        call(libc::SYS_write, [answers, buffer, 1, 0, 0, 0]);
        if call(libc::SYS_read, [requests, buffer, 1, 0, 0, 0]) != 1 {
            exit();
        }
        wire.turn.store(0, Ordering::Release);
        wire.alive.store(1, Ordering::Release);
        wire.processes = 1;
        wire.maps_used = 0;
        match call(libc::SYS_fork, [0; 6]) {
            0 => process::run(wire),
            ..0 => exit(),
            _ => while call(libc::SYS_wait4, [u64::MAX, 0, 0, 0, 0, 0]) > 0 {},
        }
    }
}

/// Without `CAP_IPC_LOCK` the limit on locked memory counts.
fn drop_capabilities() {
    let header = [0x2008_0522u32, 0];
    let none = [0u32; 6];
    call(libc::SYS_capset, [header.as_ptr() as u64, none.as_ptr() as u64, 0, 0, 0, 0]);
}

fn give_back_heap(wire: &mut Wire) {
    let bytes = raw::read_file(c"/proc/self/maps", &mut wire.scratch);
    let is_heap = |line: &&[u8]| line.ends_with(b"[heap]");
    let start = wire.scratch[..bytes].split(|byte| *byte == b'\n').find(is_heap).map(bounds);
    let end = call(libc::SYS_brk, [start.map_or(0, |(start, _)| start), 0, 0, 0, 0, 0]);
    wire.heap = end.cast_unsigned();
}

fn fence(wire: &mut Wire) {
    let probe = |bytes: u64| {
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as u64;
        let address = call(libc::SYS_mmap, [0, bytes, 0, flags, u64::MAX, 0]).cast_unsigned();
        call(libc::SYS_munmap, [address, bytes, 0, 0, 0, 0]);
        address
    };
    // Two of them hold a whole one.
    let end = (probe(2 * GIGABYTE) + 2 * GIGABYTE) & !(GIGABYTE - 1);
    wire.arena = end - ARENA_PAGES as u64 * PAGE;
    loop {
        let page = probe(PAGE);
        if page < end {
            return;
        }
        let bytes = raw::read_file(c"/proc/self/maps", &mut wire.scratch);
        let lines = wire.scratch[..bytes].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let below = lines.map(bounds).map(|(_, end)| end).filter(|end| *end <= page).max();
        let start = below.unwrap_or(0).max(end);
        let flags = (libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED) as u64;
        let length = page + PAGE - start;
        if call(libc::SYS_mmap, [start, length, 0, flags, u64::MAX, 0]) < 0 {
            exit();
        }
    }
}

/// The two addresses with which a line of `maps` begins.
fn bounds(line: &[u8]) -> (u64, u64) {
    let hex = |digits: &[u8]| {
        digits.iter().fold(0, |number, digit| {
            number * 16 + u64::from(char::from(*digit).to_digit(16).unwrap_or_default())
        })
    };
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let middle = line[..end].iter().position(|byte| *byte == b'-').unwrap_or(end);
    (hex(&line[..middle]), hex(line.get(middle + 1..end).unwrap_or_default()))
}
