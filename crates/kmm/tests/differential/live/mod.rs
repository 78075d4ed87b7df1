//! The live kernel as one of the two sides: runs a script in processes made for it.
//!
//! ```text
//! test --fork--> zygote --fork--> process 0 --fork--> process 1 ...
//!                a prepared       one script
//!                address space
//! ```

mod process;
mod raw;
mod wire;
mod zygote;

use std::io::{Read, Write};
use std::os::fd::AsRawFd;

use mallow_kmm::script::Script;
use mallow_units::VirtAddr;

use crate::transcript::{self, End, Step, Transcript};
use wire::Wire;

/// The live kernel.
pub(crate) struct Live {
    wire: *mut Wire,
    requests: std::io::PipeWriter,
    answers: std::io::PipeReader,
    zygote: i32,
    ground: Option<Ground>,
}

/// Where a script runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground {
    /// The first byte of the arena.
    pub(crate) arena: u64,
    /// The byte after its last.
    pub(crate) arena_end: u64,
    /// The program break.
    pub(crate) heap: u64,
    /// Sums over the mappings outside.
    pub(crate) totals: Totals,
    /// KiB outside that each further process is charged for.
    pub(crate) charged_kib: i64,
    /// The limits at the start, in bytes.
    pub(crate) stack_limit: u64,
    /// The hard one too.
    pub(crate) locked_limit: u64,
    /// Nothing may be mapped below.
    pub(crate) lowest: VirtAddr,
    /// KiB of memory and swap.
    pub(crate) ram_kib: u64,
}

pub(crate) use wire::{ARENA_PAGES, HEAP_PAGES, Totals};

impl Live {
    /// Starts the zygote.
    pub(crate) fn start() -> Self {
        let (mut answers, answers_in) = std::io::pipe().unwrap();
        let (requests_out, requests) = std::io::pipe().unwrap();
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping overlaps nothing.
        let wire = unsafe { libc::mmap(core::ptr::null_mut(), size_of::<Wire>(), access, flags, -1, 0) };
        assert_ne!(wire, libc::MAP_FAILED, "no shared memory");
        let wire = wire.cast::<Wire>();
        // SAFETY: the child makes system calls and touches memory that is mapped; it never returns from here.
        let zygote = unsafe { libc::fork() };
        if zygote == 0 {
            // SAFETY: all zeroes is a `Wire`, the mapping is aligned to a page, and its test writes only while the
            // zygote waits for a request.
            let wire = unsafe { &mut *wire };
            let descriptor = |fd: i32| u64::try_from(fd).unwrap_or_default();
            zygote::serve(wire, descriptor(requests_out.as_raw_fd()), descriptor(answers_in.as_raw_fd()));
        }
        assert!(zygote > 0, "no process");
        drop((requests_out, answers_in));
        answers.read_exact(&mut [0]).expect("a zygote");
        let mut live = Self { wire, requests, answers, zygote, ground: None };
        live.ground();
        live
    }

    /// Runs a script.
    pub(crate) fn run(&mut self, script: &Script) -> Transcript {
        let steps = wire::steps(script);
        self.execute(&steps);
        self.transcript(steps.len())
    }

    fn execute(&mut self, steps: &[wire::Step]) {
        let wire = self.wire();
        wire.count = u32::try_from(steps.len()).unwrap();
        wire.steps[..steps.len()].copy_from_slice(steps);
        wire.reports = [wire::Report::default(); wire::MAX_STEPS];
        wire.finals.iter_mut().for_each(|end| end.is_there = 0);
        self.requests.write_all(&[1]).unwrap();
        self.answers.read_exact(&mut [0]).expect("the zygote lives");
    }

    /// Where the scripts run.
    pub(crate) fn ground(&mut self) -> Ground {
        if let Some(ground) = self.ground {
            return ground;
        }
        // The sums are read when a script begins.
        self.execute(&[]);
        let smaps = std::fs::read_to_string(format!("/proc/{}/smaps", self.zygote)).expect("it lives");
        let meminfo = std::fs::read("/proc/meminfo").expect("Linux");
        let wire = self.wire();
        let ground = Ground {
            arena: wire.arena,
            arena_end: wire.arena + 4096 * ARENA_PAGES as u64,
            heap: wire.heap,
            totals: wire.before,
            charged_kib: transcript::charged_kib(&smaps),
            stack_limit: soft_limit(libc::RLIMIT_STACK),
            locked_limit: wire.locked_limit,
            lowest: VirtAddr(transcript::number("/proc/sys/vm/mmap_min_addr")),
            ram_kib: raw::field(&meminfo, b"MemTotal:") + raw::field(&meminfo, b"SwapTotal:"),
        };
        self.ground = Some(ground);
        ground
    }

    fn transcript(&mut self, count: usize) -> Transcript {
        let ground = self.ground();
        let wire = self.wire();
        let step = |report: &wire::Report| {
            let (start, bytes) = (report.maps_start as usize, report.maps_bytes as usize);
            let text = str::from_utf8(&wire.maps[start..start + bytes]).expect("the kernel writes ASCII");
            Step { outcome: report.outcome(), maps: transcript::maps(text, &ground) }
        };
        let steps = wire.reports[..count].iter().map(step).collect();
        let end = |end: &wire::Final| {
            let text =
                str::from_utf8(&end.smaps[..end.smaps_bytes as usize]).expect("the kernel writes ASCII");
            (end.is_there != 0).then(|| End {
                areas: transcript::smaps(text, &ground),
                totals: end.totals.since(ground.totals),
                pages: transcript::pages(&end.arena_entries, ground.arena)
                    .chain(transcript::pages(&end.heap_entries, ground.heap))
                    .collect(),
            })
        };
        let ends = wire.finals.iter().map(end).collect();
        let committed = wire.committed[1].cast_signed() - wire.committed[0].cast_signed();
        Transcript { steps, ends, committed_kib: committed }
    }

    fn wire(&mut self) -> &mut Wire {
        // SAFETY: the mapping lives as long as `self`, and the zygote waits for the next request.
        unsafe { &mut *self.wire }
    }
}

fn soft_limit(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is there to be written.
    unsafe { libc::getrlimit(resource, &raw mut limits) };
    limits.rlim_cur
}

impl Drop for Live {
    fn drop(&mut self) {
        // SAFETY: the process is a child of this one that has not been waited for.
        unsafe { libc::kill(self.zygote, libc::SIGKILL) };
        // SAFETY: as above.
        unsafe { libc::waitpid(self.zygote, core::ptr::null_mut(), 0) };
        // SAFETY: it was mapped with this length, and nothing points into it any more.
        unsafe { libc::munmap(self.wire.cast(), size_of::<Wire>()) };
    }
}
