//! One of the processes that run a script.
//!
//! All of them walk through the steps; each carries out those that are its own and waits for the others'. Nothing here may
//! use the heap, which belongs to the script, or panic.

use core::sync::atomic::Ordering;

use mallow_kmm::script::Outcome;

use super::raw::{self, call, load, store};
use super::wire::{ARENA_PAGES, HEAP_PAGES, PROCESSES, Report, Spot, Step, Totals, Verb, Wire};

const PAGE: u64 = 4096;
/// After so long a process gives up.
const PATIENCE_SECONDS: u64 = 20;

/// Runs the script as its first process.
pub(crate) fn run(wire: &mut Wire) -> ! {
    wire.before = totals(wire);
    wire.committed[0] = committed(wire);
    walk(wire, 0, 0)
}

fn walk(wire: &mut Wire, mut me: u32, first: u32) -> ! {
    call(libc::SYS_alarm, [PATIENCE_SECONDS, 0, 0, 0, 0, 0]);
    let mut index = first;
    while index < wire.count {
        let step = wire.steps[index as usize];
        wait_for(wire, index);
        if step.process == me && wire.turn.load(Ordering::Acquire) == index {
            wait_for_exit(wire);
            if step.verb == Verb::Exit {
                wire.alive.fetch_and(!(1 << me), Ordering::AcqRel);
                wire.leaving = call(libc::SYS_getpid, [0; 6]).unsigned_abs();
                wire.reports[index as usize] = Report { kind: 1, ..Report::default() };
                pass_on(wire, index + 1);
                exit();
            }
            let child = wire.processes;
            let mut report = perform(wire, &step, index);
            if step.verb == Verb::Fork && report.kind == 1 {
                if report.value == 0 {
                    me = child;
                    call(libc::SYS_alarm, [PATIENCE_SECONDS, 0, 0, 0, 0, 0]);
                    index += 1;
                    continue;
                }
                report.value = u64::from(child);
                wire.processes = child + 1;
                wire.alive.fetch_or(1 << child, Ordering::AcqRel);
            }
            keep_maps(wire, &mut report);
            wire.reports[index as usize] = report;
            pass_on(wire, index + 1);
        }
        index += 1;
    }
    for other in 0..PROCESSES as u32 {
        let turn = wire.count + other;
        wait_for(wire, turn);
        if other == me {
            wait_for_exit(wire);
            if wire.alive.load(Ordering::Acquire).trailing_zeros() == me {
                wire.committed[1] = committed(wire);
            }
            finish(wire, me);
            pass_on(wire, turn + 1);
        }
    }
    exit()
}

/// Waits until the turn is `index` or later.
fn wait_for(wire: &Wire, index: u32) {
    loop {
        let turn = wire.turn.load(Ordering::Acquire);
        if turn >= index {
            return;
        }
        let address = (&raw const wire.turn) as u64;
        call(libc::SYS_futex, [address, libc::FUTEX_WAIT as u64, u64::from(turn), 0, 0, 0]);
    }
}

/// Waits until a process that has exited has given its memory back.
fn wait_for_exit(wire: &mut Wire) {
    let mut path = *b"/proc/0000000000/stat\0";
    let mut number = core::mem::take(&mut wire.leaving);
    if number == 0 {
        return;
    }
    // Leading zeroes name no process: the digits stand at the front, and slashes fill the rest.
    let digits = number.ilog10() as usize + 1;
    path[6..16].fill(b'/');
    for at in (6..6 + digits).rev() {
        path[at] = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
    }
    let Ok(path) = core::ffi::CStr::from_bytes_with_nul(&path) else { return };
    loop {
        let bytes = raw::read_file(path, &mut wire.scratch);
        let text = &wire.scratch[..bytes];
        let state = text.iter().rposition(|byte| *byte == b')').and_then(|at| text.get(at + 2));
        if state.is_none_or(|state| *state == b'Z') {
            return;
        }
        call(libc::SYS_sched_yield, [0; 6]);
    }
}

/// Gives the turn to the next step whose process lives.
fn pass_on(wire: &mut Wire, mut next: u32) {
    let alive = wire.alive.load(Ordering::Acquire);
    loop {
        let process = match next.checked_sub(wire.count) {
            None => wire.steps[next as usize].process,
            Some(process) if process < PROCESSES as u32 => process,
            Some(_) => break,
        };
        if alive & 1 << process != 0 {
            break;
        }
        next += 1;
    }
    wire.turn.store(next, Ordering::Release);
    wake(wire);
}

fn wake(wire: &Wire) {
    if wire.processes > 1 {
        let address = (&raw const wire.turn) as u64;
        call(libc::SYS_futex, [address, libc::FUTEX_WAKE as u64, 64, 0, 0, 0]);
    }
}

pub(crate) fn exit() -> ! {
    loop {
        call(libc::SYS_exit_group, [0; 6]);
    }
}

fn perform(wire: &mut Wire, step: &Step, index: u32) -> Report {
    let [a, b, c] = step.numbers;
    let at = address(wire, step.at);
    let returned = match step.verb {
        Verb::Nothing | Verb::Exit => return Report::default(),
        Verb::File => {
            let file = call(libc::SYS_memfd_create, [c"script".as_ptr() as u64, 0, 0, 0, 0, 0]);
            wire.files[index as usize] = file;
            call(libc::SYS_ftruncate, [file.cast_unsigned(), a, 0, 0, 0, 0])
        }
        Verb::Mmap => {
            let file = match step.file {
                0 => -1,
                file => wire.files[file as usize - 1],
            };
            call(libc::SYS_mmap, [at, a, b, c, file.cast_unsigned(), step.to.distance])
        }
        Verb::Munmap => call(libc::SYS_munmap, [at, a, 0, 0, 0, 0]),
        Verb::Mprotect => call(libc::SYS_mprotect, [at, a, b, 0, 0, 0]),
        Verb::Mremap => call(libc::SYS_mremap, [at, a, b, c, address(wire, step.to), 0]),
        Verb::Brk => call(libc::SYS_brk, [at, 0, 0, 0, 0, 0]),
        Verb::Mlock if b == 0 => call(libc::SYS_mlock, [at, a, 0, 0, 0, 0]),
        Verb::Mlock => call(libc::SYS_mlock2, [at, a, b, 0, 0, 0]),
        Verb::Munlock => call(libc::SYS_munlock, [at, a, 0, 0, 0, 0]),
        Verb::Mlockall => call(libc::SYS_mlockall, [a, 0, 0, 0, 0, 0]),
        Verb::Munlockall => call(libc::SYS_munlockall, [0; 6]),
        Verb::Madvise => call(libc::SYS_madvise, [at, a, b, 0, 0, 0]),
        Verb::Mincore => return mincore(wire, at, a),
        Verb::Read => return touch(at, a, load),
        Verb::Write => {
            let byte = b.to_le_bytes()[0];
            return touch(at, a, |address| store(address, byte).map(|()| byte));
        }
        Verb::RlimitBytes | Verb::RlimitAbove => {
            let resource = u32::try_from(a).unwrap_or_default();
            let used = if step.verb == Verb::RlimitAbove { in_use(wire, resource) } else { 0 };
            // The hard limit stays; the soft one of a resource without any may be set to anything.
            let mut limits = [0u64; 2];
            let old = (&raw mut limits) as u64;
            call(libc::SYS_getrlimit, [a, old, 0, 0, 0, 0]);
            limits[0] = used.saturating_add(b).min(limits[1]);
            call(libc::SYS_setrlimit, [a, (&raw const limits) as u64, 0, 0, 0, 0])
        }
        Verb::Fork => call(libc::SYS_fork, [0; 6]),
    };
    match u64::try_from(returned) {
        Ok(value) => Report { kind: 1, value, ..Report::default() },
        Err(_) => Report { kind: 2, value: returned.unsigned_abs(), ..Report::default() },
    }
}

fn address(wire: &Wire, spot: Spot) -> u64 {
    let base = match spot.base {
        0 => 0,
        1 => wire.arena,
        2 => wire.heap,
        step => match wire.reports[step as usize - 3] {
            Report { kind: 1, value, .. } => value,
            _ => 0,
        },
    };
    base.wrapping_add(spot.distance)
}

/// Touches the first byte and every one that lies whole pages behind it.
fn touch(at: u64, bytes: u64, access: impl Fn(u64) -> Result<u8, (i32, i32)>) -> Report {
    let mut digest = Outcome::EMPTY_DIGEST;
    for page in 0..bytes.div_ceil(PAGE) {
        match access(at.wrapping_add(page * PAGE)) {
            Ok(byte) => digest = Outcome::digest(digest, byte),
            Err((signal, code)) => return Report { kind: 3, value: page, signal, code, ..Report::default() },
        }
    }
    Report { kind: 1, value: digest, ..Report::default() }
}

fn mincore(wire: &mut Wire, at: u64, bytes: u64) -> Report {
    let vector = wire.scratch.as_mut_ptr() as u64;
    let returned = call(libc::SYS_mincore, [at, bytes, vector, 0, 0, 0]);
    if returned < 0 {
        return Report { kind: 2, value: returned.unsigned_abs(), ..Report::default() };
    }
    let pages = usize::try_from(bytes.div_ceil(PAGE)).unwrap_or(0).min(wire.scratch.len());
    let bits = wire.scratch[..pages].iter().map(|byte| byte & 1);
    Report { kind: 1, value: bits.fold(Outcome::EMPTY_DIGEST, Outcome::digest), ..Report::default() }
}

/// Bytes of a resource that are in use.
fn in_use(wire: &mut Wire, resource: u32) -> u64 {
    let totals = totals(wire);
    1024 * match resource {
        libc::RLIMIT_AS => totals.size,
        libc::RLIMIT_DATA => totals.data,
        libc::RLIMIT_MEMLOCK => totals.locked,
        _ => 0,
    }
}

fn totals(wire: &mut Wire) -> Totals {
    let bytes = raw::read_file(c"/proc/self/status", &mut wire.scratch);
    let text = &wire.scratch[..bytes];
    Totals {
        size: raw::field(text, b"VmSize:"),
        locked: raw::field(text, b"VmLck:"),
        data: raw::field(text, b"VmData:"),
        stack: raw::field(text, b"VmStk:"),
        anonymous: raw::field(text, b"RssAnon:"),
    }
}

fn committed(wire: &mut Wire) -> u64 {
    let bytes = raw::read_file(c"/proc/meminfo", &mut wire.scratch);
    raw::field(&wire.scratch[..bytes], b"Committed_AS:")
}

fn keep_maps(wire: &mut Wire, report: &mut Report) {
    let start = wire.maps_used;
    let bytes = raw::read_file(c"/proc/self/maps", &mut wire.maps[start as usize..]);
    report.maps_start = start;
    report.maps_bytes = u32::try_from(bytes).unwrap_or_default();
    wire.maps_used = start + report.maps_bytes;
}

fn finish(wire: &mut Wire, me: u32) {
    let totals = totals(wire);
    let (arena, heap) = (wire.arena, wire.heap);
    let end = &mut wire.finals[me as usize];
    end.totals = totals;
    end.smaps_bytes = u32::try_from(raw::read_file(c"/proc/self/smaps", &mut end.smaps)).unwrap_or_default();
    let pagemap = c"/proc/self/pagemap".as_ptr() as u64;
    let file = call(libc::SYS_open, [pagemap, 0, 0, 0, 0, 0]).cast_unsigned();
    let entries = |buffer: u64, count: usize, address: u64| {
        call(libc::SYS_pread64, [file, buffer, count as u64 * 8, address / PAGE * 8, 0, 0]);
    };
    entries((&raw mut end.arena_entries) as u64, ARENA_PAGES, arena);
    entries((&raw mut end.heap_entries) as u64, HEAP_PAGES, heap);
    call(libc::SYS_close, [file, 0, 0, 0, 0, 0]);
    end.is_there = 1;
}
