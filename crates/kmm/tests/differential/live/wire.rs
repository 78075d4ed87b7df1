//! What passes between the test and the processes that run scripts: one piece of shared memory.
//!
//! The test writes [`Step`]s, the processes write [`Report`]s and the texts of `/proc`. All of it is plain numbers, because
//! the processes were forked from one with several threads and may not use the heap.

use core::sync::atomic::AtomicU32;

use mallow_kmm::script::{
    Base, Call, Limit, MAX_PROCESSES, Outcome, Place, Resource, Script, Signal, Source,
};
use mallow_units::Errno;

/// Statements of one script, at most.
pub(crate) const MAX_STEPS: usize = 96;
/// Bytes for the `maps` of all steps together.
const MAPS_BYTES: usize = 1 << 20;
/// Bytes for the files of a process at the end.
pub(crate) const FINAL_BYTES: usize = 128 << 10;
/// Pages of the arena and of the heap whose page table entries are reported at the end.
pub(crate) const ARENA_PAGES: usize = 1024;
/// Pages of the heap.
pub(crate) const HEAP_PAGES: usize = 64;

pub(crate) const PROCESSES: usize = MAX_PROCESSES as usize;

/// The shared memory.
#[repr(C)]
pub(crate) struct Wire {
    /// The index of the step whose turn it is; then comes one turn for each process, to report how it ends.
    pub(crate) turn: AtomicU32,
    /// Bit for each process that lives.
    pub(crate) alive: AtomicU32,
    /// How many processes there have been.
    pub(crate) processes: u32,
    /// The process that is about to exit; 0 if there is none.
    pub(crate) leaving: u64,
    /// How many steps there are.
    pub(crate) count: u32,
    /// Where the arena starts.
    pub(crate) arena: u64,
    /// The program break at the start.
    pub(crate) heap: u64,
    /// Bytes that may be locked.
    pub(crate) locked_limit: u64,
    /// `/proc/self/maps` at the start.
    pub(crate) backdrop: [u8; 32 << 10],
    /// Bytes of it.
    pub(crate) backdrop_bytes: u32,
    /// Bytes that were promised system-wide before the first step and after the last.
    pub(crate) committed: [u64; 2],
    /// What to do.
    pub(crate) steps: [Step; MAX_STEPS],
    /// What came of it.
    pub(crate) reports: [Report; MAX_STEPS],
    /// How much of `maps` is used.
    pub(crate) maps_used: u32,
    /// The texts of `maps` after each step.
    pub(crate) maps: [u8; MAPS_BYTES],
    /// How each process ends.
    pub(crate) finals: [Final; PROCESSES],
    /// `/proc/self/status` of the first process before the first step.
    pub(crate) before: Totals,
    /// The descriptors of the files.
    pub(crate) files: [i64; MAX_STEPS],
    /// Where signals are handled.
    pub(crate) signal_stack: [u8; 32 << 10],
    /// Where texts are read.
    pub(crate) scratch: [u8; 64 << 10],
}

/// How a process ends.
#[repr(C)]
pub(crate) struct Final {
    pub(crate) is_there: u32,
    pub(crate) smaps_bytes: u32,
    pub(crate) totals: Totals,
    pub(crate) arena_entries: [u64; ARENA_PAGES],
    pub(crate) heap_entries: [u64; HEAP_PAGES],
    pub(crate) smaps: [u8; FINAL_BYTES],
}

/// Sums over the mappings of a process, in KiB.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) size: u64,
    pub(crate) locked: u64,
    pub(crate) data: u64,
    pub(crate) stack: u64,
    pub(crate) anonymous: u64,
}

impl Totals {
    /// What has been added.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            size: self.size.wrapping_sub(before.size),
            locked: self.locked.wrapping_sub(before.locked),
            data: self.data.wrapping_sub(before.data),
            stack: self.stack.wrapping_sub(before.stack),
            anonymous: 0,
        }
    }
}

/// A statement as numbers.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Step {
    pub(crate) verb: Verb,
    pub(crate) process: u32,
    pub(crate) at: Spot,
    pub(crate) to: Spot,
    pub(crate) numbers: [u64; 3],
    /// One more than the index of a file; 0 for none.
    pub(crate) file: u32,
}

/// An address as numbers.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Spot {
    /// 0: nothing, 1: the arena, 2: the heap, 3 and more: what the step three before returned.
    pub(crate) base: u32,
    pub(crate) distance: u64,
}

/// What a step does.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Verb {
    #[default]
    Nothing,
    File,
    Mmap,
    Munmap,
    Mprotect,
    Mremap,
    Brk,
    Mlock,
    Munlock,
    Mlockall,
    Munlockall,
    Madvise,
    Mincore,
    Read,
    Write,
    RlimitBytes,
    RlimitAbove,
    Fork,
    Exit,
}

/// What came of a step.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Report {
    /// 0: skipped, 1: a value, 2: an errno, 3: a signal.
    pub(crate) kind: u32,
    pub(crate) value: u64,
    pub(crate) signal: i32,
    pub(crate) code: i32,
    pub(crate) maps_start: u32,
    pub(crate) maps_bytes: u32,
}

impl Report {
    pub(crate) fn outcome(&self) -> Outcome {
        match (self.kind, self.signal, self.code) {
            (1, ..) => Outcome::Value(self.value),
            (2, ..) => Outcome::Refused(Errno(i32::try_from(self.value).unwrap_or(-1))),
            (3, libc::SIGSEGV, 1) => Outcome::Killed(self.value, Signal::NotMapped),
            (3, libc::SIGSEGV, 2) => Outcome::Killed(self.value, Signal::NotAllowed),
            (3, libc::SIGBUS, 2) => Outcome::Killed(self.value, Signal::BeyondFile),
            (3, signal, code) => Outcome::Killed(self.value, Signal::Other(signal, code)),
            _ => Outcome::Skipped,
        }
    }
}

/// The steps of a script.
pub(crate) fn steps(script: &Script) -> Vec<Step> {
    assert!(script.statements.len() <= MAX_STEPS, "a script has at most {MAX_STEPS} statements");
    (0..script.statements.len()).map(|index| step(script, index)).collect()
}

fn step(script: &Script, index: usize) -> Step {
    let spot = |place: &Place| spot(script, index, place);
    let statement = &script.statements[index];
    let mut step = Step { process: statement.process, ..Step::default() };
    let (verb, numbers) = match &statement.call {
        Call::File { bytes, .. } => (Verb::File, [*bytes, 0, 0]),
        Call::Mmap { at, bytes, protection, flags, source } => {
            step.at = spot(at);
            let (mut flags, mut offset) = (*flags, 0);
            match source {
                Source::Anonymous => flags |= libc::MAP_ANONYMOUS.cast_unsigned(),
                Source::File { name, offset: bytes } => {
                    step.file = 1 + file(script, index, name);
                    offset = *bytes;
                }
            }
            step.to.distance = offset;
            (Verb::Mmap, [*bytes, u64::from(*protection), u64::from(flags)])
        }
        Call::Munmap { at, bytes } => (Verb::Munmap, at_and(&mut step, spot(at), [*bytes, 0, 0])),
        Call::Mprotect { at, bytes, protection } => {
            (Verb::Mprotect, at_and(&mut step, spot(at), [*bytes, u64::from(*protection), 0]))
        }
        Call::Mremap { at, old_bytes, new_bytes, flags, to } => {
            step.to = to.as_ref().map(spot).unwrap_or_default();
            (Verb::Mremap, at_and(&mut step, spot(at), [*old_bytes, *new_bytes, u64::from(*flags)]))
        }
        Call::Brk { to } => (Verb::Brk, at_and(&mut step, spot(to), [0; 3])),
        Call::Mlock { at, bytes, on_fault } => {
            (Verb::Mlock, at_and(&mut step, spot(at), [*bytes, u64::from(*on_fault), 0]))
        }
        Call::Munlock { at, bytes } => (Verb::Munlock, at_and(&mut step, spot(at), [*bytes, 0, 0])),
        Call::Mlockall { flags } => (Verb::Mlockall, [u64::from(*flags), 0, 0]),
        Call::Munlockall => (Verb::Munlockall, [0; 3]),
        Call::Madvise { at, bytes, advice } => {
            (Verb::Madvise, at_and(&mut step, spot(at), [*bytes, u64::from(*advice), 0]))
        }
        Call::Mincore { at, bytes } => (Verb::Mincore, at_and(&mut step, spot(at), [*bytes, 0, 0])),
        Call::Read { at, bytes } => (Verb::Read, at_and(&mut step, spot(at), [*bytes, 0, 0])),
        Call::Write { at, bytes, value } => {
            (Verb::Write, at_and(&mut step, spot(at), [*bytes, u64::from(*value), 0]))
        }
        Call::Rlimit { resource, limit } => {
            let resource = match resource {
                Resource::AddressSpace => libc::RLIMIT_AS,
                Resource::Data => libc::RLIMIT_DATA,
                Resource::Stack => libc::RLIMIT_STACK,
                Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
            };
            let (verb, bytes) = match limit {
                Limit::Bytes(bytes) => (Verb::RlimitBytes, *bytes),
                Limit::Above(bytes) => (Verb::RlimitAbove, *bytes),
                Limit::None => (Verb::RlimitBytes, u64::MAX),
            };
            (verb, [u64::from(resource), bytes, 0])
        }
        Call::Fork => (Verb::Fork, [0; 3]),
        Call::Exit => (Verb::Exit, [0; 3]),
    };
    Step { verb, numbers, ..step }
}

fn at_and(step: &mut Step, at: Spot, numbers: [u64; 3]) -> [u64; 3] {
    step.at = at;
    numbers
}

fn spot(script: &Script, index: usize, place: &Place) -> Spot {
    let base = match &place.base {
        Base::Zero => 0,
        Base::Arena => 1,
        Base::Break => 2,
        Base::Result(name) => {
            let earlier = &script.statements[..index];
            let made = earlier.iter().rposition(|other| other.name.as_ref() == Some(name));
            3 + u32::try_from(made.expect("a name that an earlier statement gives")).unwrap()
        }
    };
    Spot { base, distance: place.distance }
}

fn file(script: &Script, index: usize, wanted: &str) -> u32 {
    let earlier = &script.statements[..index];
    let is_it = |call: &Call| matches!(call, Call::File { name, .. } if name == wanted);
    let made = earlier.iter().rposition(|other| is_it(&other.call));
    u32::try_from(made.expect("a file that an earlier statement makes")).unwrap()
}
