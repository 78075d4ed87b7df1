//! The n-th frame is refused, for every n: in the middle of reclaim, while a page comes back from swap, while pages move.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_buddy::{Mark, Request};
use mallow_frame::{FrameRun, FrameState};
use mallow_kmm::absent::Absent;
use mallow_kmm::machine::{Config, Machine};
use mallow_kmm::mm::Pid;
use mallow_kmm::pressure::SwapConfig;
use mallow_units::page::PAGE_BYTES;
use mallow_units::{Bytes, Order, VirtAddr};
use mallow_vma::fault::Access;
use mallow_vma::{Advice, FileId, MapFlags, MapRequest, OpenFile, Prot, RemapFlags};

const PAGE: u64 = PAGE_BYTES as u64;
const READ_WRITE: Prot = Prot::READ.with(Prot::WRITE);
/// Frames of the machine; the pages of its processes are more than twice as many.
const FRAMES: u64 = 192;
const PRIVATE: u64 = 220;
const SHARED: u64 = 40;
const FILE: u64 = 40;
/// Private pages of which the child has a copy of its own.
const OWN: u64 = 40;
/// More refusals in a row than any operation here needs frames.
const MOST: u64 = 2000;

fn page(start: VirtAddr, number: u64) -> VirtAddr {
    VirtAddr(start.0 + number * PAGE)
}

/// The bytes of a page, of which a seed says everything: half noise, so that it becomes shorter, but not by much.
fn contents(seed: u64) -> [u8; PAGE_BYTES] {
    let mut bytes = [0; PAGE_BYTES];
    for (word, nth) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(0_u64..) {
        let noise = (seed << 10 | nth).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
        *word = if nth % 2 == 0 { noise.wrapping_mul(noise | 1).to_le_bytes() } else { seed.to_le_bytes() };
    }
    bytes
}

/// A machine whose memory does not suffice: a process and its child, most of whose pages are in swap.
struct Short {
    machine: Machine,
    parent: Pid,
    child: Pid,
    private: VirtAddr,
    shared: VirtAddr,
    shown: VirtAddr,
    /// Mapped, and never touched.
    fresh: VirtAddr,
    file: FileId,
    /// What somebody else has, so that every further frame must be made free first.
    taken: Vec<FrameRun>,
}

impl Short {
    fn new() -> Self {
        let swap = SwapConfig { pool_percent: 20, ..SwapConfig::of_pages(4096) };
        let config = Config { swap, ..Config::new(Bytes(FRAMES * PAGE)) };
        let mut machine = Machine::boot(config).expect("it boots");
        let parent = machine.spawn("parent").expect("there is memory");
        let bytes: Vec<u8> = (0..FILE).flat_map(|number| contents(3 << 32 | number)).collect();
        let file = machine.create_file("/data", &bytes).expect("there is room");
        let mut map = |pages: u64, flags, file| {
            let request = MapRequest { flags, file, ..MapRequest::anonymous(pages * PAGE, READ_WRITE) };
            machine.mmap(parent, &request).expect("there is room")
        };
        let private = map(PRIVATE, MapFlags::PRIVATE.with(MapFlags::ANONYMOUS), None);
        let shared = map(SHARED, MapFlags::SHARED.with(MapFlags::ANONYMOUS), None);
        let shown = map(FILE, MapFlags::SHARED, Some(OpenFile::read_write(file)));
        let fresh = map(2048, MapFlags::PRIVATE.with(MapFlags::ANONYMOUS).with(MapFlags::NO_RESERVE), None);
        for number in 0..SHARED {
            machine.write(parent, page(shared, number), &contents(2 << 32 | number)).expect("writable");
            machine.touch(parent, page(shown, number), Access::Read).expect("readable");
        }
        for number in 0..PRIVATE {
            machine.write(parent, page(private, number), &contents(1 << 32 | number)).expect("writable");
        }
        let child = machine.fork(parent).expect("there is memory");
        for number in 0..OWN {
            machine.write(child, page(private, number), &contents(1 << 32 | number)).expect("writable");
        }
        let taken = Vec::new();
        let mut short = Self { machine, parent, child, private, shared, shown, fresh, file, taken };
        short.verify("at the beginning");
        for number in 0..OWN {
            short.machine.touch(child, page(private, number), Access::Read).expect("readable");
        }
        short.take_what_is_free();
        short
    }

    fn take_what_is_free(&mut self) {
        let physical = &mut self.machine.world.physical;
        let (table, node, cpus) = physical.node_mut();
        cpus.iter_mut().for_each(|cpu| _ = cpu.drain(table, node));
        let request = Request::kernel(Order::ZERO);
        self.taken.extend(core::iter::from_fn(|| physical.attempt(Mark::Min, &request)));
    }

    /// Reads everything, which brings much of it in and drives the rest out again.
    fn verify(&mut self, what: &str) {
        self.check(what);
        for who in [self.parent, self.child] {
            let kinds = [(self.shared, SHARED, 2_u64), (self.shown, FILE, 3), (self.private, PRIVATE, 1)];
            for (start, pages, kind) in kinds {
                for number in 0..pages {
                    let mut bytes = [0; PAGE_BYTES];
                    let read = self.machine.read(who, page(start, number), &mut bytes);
                    assert_eq!(read, Ok(()), "{what}: page {number} of kind {kind}");
                    assert!(
                        bytes == contents(kind << 32 | number),
                        "{what}: page {number} of kind {kind} differs"
                    );
                }
            }
        }
        self.check(what);
    }

    /// Every invariant, and that no frame is lost.
    fn check(&self, what: &str) {
        if let Err(broken) = self.machine.check() {
            panic!("{what}: {broken}");
        }
        let kernel = self.machine.world.physical.count_by_state(FrameState::Kernel);
        let pool = u64::from(self.machine.world.pressure.swap.compressed().frames);
        assert_eq!(kernel, pool + self.taken.len() as u64, "{what}");
        assert!(self.machine.kills().is_empty(), "{what}: somebody was killed");
    }

    /// What each process has, wherever it is, and what it was promised.
    fn sums(&self) -> (Vec<(Pid, u64, String)>, u64) {
        let one = |pid| {
            let has = self.machine.resident(pid).expect("it lives");
            (pid, has.anon + has.swap, self.machine.maps(pid).expect("it lives").to_string())
        };
        let pids = self.machine.processes().map(|(pid, _)| one(pid)).collect();
        (pids, self.machine.world.committed.pages().0)
    }

    /// The first of some pages that is not in memory.
    fn away(&self, start: VirtAddr, pages: u64) -> VirtAddr {
        let is_away = |at: &VirtAddr| {
            let (_, entry) = self.machine.world.entry(self.parent, at.page());
            let is_swapped = entry
                .payload()
                .is_some_and(|payload| matches!(Absent::of_payload(payload), Absent::Swapped { .. }));
            let number = (at.0 - start.0) / PAGE;
            let file = self.machine.world.files.get(self.file).expect("it is open");
            is_swapped || entry.is_empty() && (start != self.shown || !file.pages.contains_key(&number))
        };
        (0..pages).map(|number| page(start, number)).find(is_away).expect("memory does not suffice for all")
    }
}

/// An operation; what it answers if there is no memory is of no importance here.
type Operation = fn(&mut Short) -> Result<(), String>;

fn told<T, E: core::fmt::Debug>(outcome: Result<T, E>) -> Result<(), String> {
    outcome.map(drop).map_err(|error| format!("{error:?}"))
}

/// It is advice.
const NEVER_FAILS: &str = "pages that are to go";

const OPERATIONS: [(&str, Operation); 10] = [
    ("a new page", |short| told(short.machine.touch(short.parent, short.fresh, Access::Write))),
    ("a page from swap", |short| {
        told(short.machine.touch(short.parent, short.away(short.private, PRIVATE), Access::Read))
    }),
    ("a copy of a page in swap", |short| {
        let at = short.away(short.private, PRIVATE);
        let number = (at.0 - short.private.0) / PAGE;
        told(short.machine.write(short.parent, at, &contents(1 << 32 | number)))
    }),
    ("shared memory from swap", |short| {
        told(short.machine.touch(short.parent, short.away(short.shared, SHARED), Access::Write))
    }),
    ("a page of a file", |short| {
        told(short.machine.touch(short.parent, short.away(short.shown, FILE), Access::Read))
    }),
    ("fork", |short| {
        let grandchild = short.machine.fork(short.child).map_err(|errno| format!("{errno:?}"))?;
        told(short.machine.exit(grandchild))
    }),
    ("locking", |short| {
        let locked = told(short.machine.mlock(short.parent, page(short.private, 100), 12 * PAGE, false));
        short.machine.munlock(short.parent, short.private, PRIVATE * PAGE).expect("mapped");
        locked
    }),
    ("guards", |short| {
        let (at, bytes) = (page(short.fresh, 1), 2000 * PAGE);
        let done = told(short.machine.madvise(short.parent, at, bytes, Advice::GUARD_INSTALL));
        short.machine.madvise(short.parent, at, bytes, Advice::GUARD_REMOVE).expect("mapped");
        done
    }),
    (NEVER_FAILS, |short| {
        told(short.machine.madvise(short.child, short.private, OWN * PAGE, Advice::PAGE_OUT))
    }),
    ("moving", |short| {
        let bytes = PRIVATE * PAGE;
        let flags = RemapFlags::MAY_MOVE.with(RemapFlags::FIXED);
        let to = VirtAddr(short.private.0 - (1 << 32));
        let moved = told(short.machine.mremap(short.parent, short.private, bytes, bytes, flags, to));
        if moved.is_ok() {
            let back = short.machine.mremap(short.parent, to, bytes, bytes, flags, short.private);
            assert!(back.is_ok() || short.machine.world.physical.is_refusing(), "{back:?}");
            if back.is_err() {
                short.machine.world.physical.refuse_after(None);
                told(short.machine.mremap(short.parent, to, bytes, bytes, flags, short.private))?;
            }
        }
        moved
    }),
];

#[test]
fn whichever_frame_is_refused_from_then_on_nothing_is_lost() {
    for (name, operation) in OPERATIONS {
        let mut failures = 0;
        for granted in 0..MOST {
            let mut short = Short::new();
            let before = short.sums();
            let what = format!("{name} with {granted} frames");
            short.machine.world.physical.refuse_after(Some(granted));
            let outcome = operation(&mut short);
            let left = short.machine.world.physical.until_refusal();
            short.machine.world.physical.refuse_after(None);
            short.check(&what);
            if let Err(error) = &outcome {
                assert!(["NoMemory", "ENOMEM", "EAGAIN"].contains(&error.as_str()), "{what}: {error}");
                assert_eq!(short.sums(), before, "{what}");
                failures += 1;
            }
            short.verify(&what);
            if left.is_some_and(|left| left > 0) {
                assert_eq!(outcome, Ok(()), "{what}");
                break;
            }
            assert_eq!(operation(&mut short), Ok(()), "{what}, and then as many as there are");
            short.check(&what);
        }
        assert!(failures > 10 || name == NEVER_FAILS && failures == 0, "{name}: {failures} failures");
    }
}

#[test]
fn one_refusal_is_made_good() {
    for (name, operation) in OPERATIONS {
        for granted in 0..MOST {
            let mut short = Short::new();
            let what = format!("{name}, refused once after {granted} frames");
            short.machine.world.physical.refuse_once_after(granted);
            assert_eq!(operation(&mut short), Ok(()), "{what}");
            let is_over = short.machine.world.physical.until_refusal().is_some();
            short.machine.world.physical.refuse_after(None);
            short.verify(&what);
            if is_over {
                assert!(granted > 10, "{name} takes {granted} frames, so nobody reclaims");
                break;
            }
        }
    }
}
