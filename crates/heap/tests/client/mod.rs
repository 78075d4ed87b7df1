//! A client of an allocator: carries out operations through a few heaps, as one thread, and lets the oracle judge.
//!
//! Used by every test of this folder that runs whole sequences. The allocator is one of the test's own; the process-wide one is
//! not touched.

use core::ptr::with_exposed_provenance_mut;

use mallow_heap::allocator::Allocator;
use mallow_heap::heap::Heap;
use mallow_heap::shared::Found;
use mallow_sys::Os;
use mallow_sys::sim::Sim;
use mallow_testkit::ops::{HEAPS, Op};
use mallow_testkit::oracle::{Live, Oracle};
use mallow_trace::Counter;
use mallow_units::Align;

/// Operations between two walks through all structures.
const CHECK_INTERVAL: u32 = if cfg!(tiny) { 1 } else { 64 };

/// What became of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "only a failing operating system may refuse"]
pub(crate) enum Answer {
    Done,
    /// There was no memory, and everything is as it was.
    Refused,
}

/// One thread of a program.
#[derive(Debug)]
pub(crate) struct Client {
    allocator: &'static Allocator,
    clock: Option<&'static Sim>,
    heaps: [Option<&'static Heap>; HEAPS],
    current: usize,
    /// What it was promised.
    pub(crate) oracle: Oracle,
    steps: u32,
    /// Whether it has no heaps of its own: each operation visits a shared one, if there is one.
    pub(crate) is_sharing: bool,
}

/// An allocator on `os` that lives for ever.
pub(crate) fn allocator_on(os: &'static dyn Os) -> &'static Allocator {
    Box::leak(Box::new(Allocator::new(os)))
}

impl Client {
    /// A client without a heap; `seed` makes what it writes differ from what others write.
    pub(crate) fn new(allocator: &'static Allocator, clock: Option<&'static Sim>, seed: u64) -> Self {
        Self {
            allocator,
            clock,
            heaps: [None; HEAPS],
            current: 0,
            oracle: Oracle::new(seed),
            steps: 0,
            is_sharing: false,
        }
    }

    /// Carries out `op`; panics if a promise is broken.
    pub(crate) fn step(&mut self, op: Op) -> Answer {
        let answer = match op {
            Op::Allocate { bytes, align_log2 } => self.allocate(bytes, 1 << align_log2),
            Op::AllocateMany { bytes, count } => self.repeat(count, |client, _| client.allocate(bytes, 1)),
            Op::AllocateZeroed { bytes } => self.allocate_zeroed(bytes),
            Op::Free { nth } => self.free_nth(nth),
            Op::FreeMany { nth, count } => {
                self.repeat(count, |client, time| client.free_nth(nth.rotate_left(time)))
            }
            Op::Reallocate { nth, bytes } => self.reallocate(nth, bytes),
            Op::Tick { ms } => self.tick(ms),
            Op::Trim { keep } => self.trim(keep),
            Op::Switch { heap } => {
                self.current = heap;
                Answer::Done
            }
            Op::Leave { heap } => {
                self.leave(heap);
                Answer::Done
            }
        };
        if self.is_sharing {
            (0..HEAPS).for_each(|heap| self.leave(heap));
        }
        self.steps += 1;
        if self.steps.is_multiple_of(CHECK_INTERVAL) {
            self.check();
        }
        answer
    }

    /// Walks through all structures that are this client's.
    pub(crate) fn check(&self) {
        for heap in self.heaps.iter().flatten() {
            self.allocator.check(heap);
        }
    }

    /// Gives everything back and leaves all heaps.
    pub(crate) fn finish(mut self) {
        self.oracle.live().for_each(check_contents);
        while !self.oracle.is_empty() {
            assert_eq!(self.free_nth(0), Answer::Done);
        }
        self.check();
        for heap in 0..HEAPS {
            self.leave(heap);
        }
    }

    /// The current heap, made or adopted if there is none yet.
    fn heap(&mut self) -> Option<&'static Heap> {
        let slot = &mut self.heaps[self.current];
        if slot.is_none() {
            *slot = if self.is_sharing {
                self.allocator.find_heap(1).map(Found::heap)
            } else {
                self.allocator.attach()
            };
        }
        *slot
    }

    /// Does the same `count` times, or until it is refused.
    fn repeat(&mut self, count: u32, mut once: impl FnMut(&mut Self, u32) -> Answer) -> Answer {
        let refused = (0..count).any(|time| once(self, time) == Answer::Refused);
        if refused { Answer::Refused } else { Answer::Done }
    }

    fn allocate(&mut self, bytes: usize, align: usize) -> Answer {
        let Some(heap) = self.heap() else { return Answer::Refused };
        let align = Align::new(align).expect("a power of two");
        let block = if align <= Align::BLOCK {
            let fast = self.allocator.allocate_fast(heap, bytes);
            if fast.is_null() { self.allocator.allocate(heap, bytes) } else { fast }
        } else {
            self.allocator.allocate_aligned(heap, bytes, align)
        };
        self.enter(block, bytes, align.bytes())
    }

    fn allocate_zeroed(&mut self, bytes: usize) -> Answer {
        let Some(heap) = self.heap() else { return Answer::Refused };
        let block = self.allocator.allocate_zeroed(heap, bytes);
        if !block.is_null() {
            // SAFETY: a new block of at least this many bytes, nobody else's.
            let contents = unsafe { core::slice::from_raw_parts(block, bytes) };
            assert!(contents.iter().all(|byte| *byte == 0), "a zeroed block of {bytes} bytes is not zero");
        }
        self.enter(block, bytes, 1)
    }

    /// Shows a new block to the oracle.
    fn enter(&mut self, block: *mut u8, bytes: usize, align: usize) -> Answer {
        if block.is_null() {
            return Answer::Refused;
        }
        let usable = self.allocator.usable_bytes("test", block).expect("a block of this allocator");
        // SAFETY: a live block of this client, this long.
        let contents = unsafe { core::slice::from_raw_parts_mut(block, usable) };
        self.oracle.enter(contents, bytes, align);
        Answer::Done
    }

    fn free_nth(&mut self, nth: usize) -> Answer {
        if let Some(live) = self.oracle.leave(nth) {
            check_contents(&live);
            let heap = self.heap().unwrap_or(&self.allocator.empty);
            let block = pointer(&live);
            // SAFETY: a live block that is not used any more; the heap is ours.
            let freed = unsafe { self.allocator.free(heap, block) };
            assert_eq!(freed, Ok(()), "a block of this allocator");
        }
        Answer::Done
    }

    fn reallocate(&mut self, nth: usize, bytes: usize) -> Answer {
        let Some(heap) = self.heap() else { return Answer::Refused };
        let Some(live) = self.oracle.leave(nth) else { return Answer::Done };
        check_contents(&live);
        // SAFETY: a live block; this client's heap.
        let moved = unsafe { self.allocator.reallocate(heap, pointer(&live), bytes) };
        let block = moved.expect("a block of this allocator");
        if block.is_null() {
            check_contents(&live);
            self.oracle.accept(live);
            return Answer::Refused;
        }
        // SAFETY: a live block of this client with at least this many bytes.
        live.check(unsafe { core::slice::from_raw_parts(block, live.usable.min(bytes)) });
        self.enter(block, bytes, 1)
    }

    fn tick(&mut self, ms: u64) -> Answer {
        if let Some(clock) = self.clock {
            clock.advance_ms(ms);
        }
        let Some(heap) = self.heap() else { return Answer::Refused };
        self.allocator.tick(heap);
        Answer::Done
    }

    fn trim(&mut self, keep: usize) -> Answer {
        let Some(heap) = self.heap() else { return Answer::Refused };
        self.allocator.trim(heap, keep);
        Answer::Done
    }

    fn leave(&mut self, heap: usize) {
        if let Some(heap) = self.heaps[heap].take() {
            if heap.is_shared() {
                self.allocator.leave(heap);
                return;
            }
            self.allocator.detach(heap);
            self.allocator.purge_after_exit();
        }
    }
}

/// Says that nothing is left of a program that has given everything back: all clients have finished.
pub(crate) fn assert_all_returned(allocator: &'static Allocator) {
    let heap = allocator.attach().expect("a heap that was left");
    allocator.trim(heap, 0);
    allocator.check(heap);
    allocator.detach(heap);
    let counter = |counter| allocator.counters.get(counter);
    assert_eq!(counter(Counter::Frees), counter(Counter::Allocations), "every block was freed once");
    assert_eq!(counter(Counter::LiveBytes), 0, "bytes live");
    assert_eq!(counter(Counter::HeapBytes), 0, "bytes handed out by the page heap or as large blocks");
    assert_eq!(counter(Counter::DirtyBytes), 0, "bytes free and resident");
}

fn pointer(live: &Live) -> *mut u8 {
    with_exposed_provenance_mut(live.start)
}

/// Checks what is in a block that this client holds.
fn check_contents(live: &Live) {
    // SAFETY: a live block, this long.
    live.check(unsafe { core::slice::from_raw_parts(pointer(live), live.usable) });
}
