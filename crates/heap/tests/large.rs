//! Large blocks on the simulated system: who gets huge pages, and that what was asked for as zero is zero.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_heap::allocator::Allocator;
use mallow_heap::heap::Heap;
use mallow_sys::HugePages;
use mallow_sys::sim::Sim;
use mallow_units::bytes::{GIB, MIB};
use mallow_units::page::PAGE_BYTES;

/// Blocks that live at a time, enough for huge pages to be considered.
const LIVE: usize = 8;
const BYTES: usize = 8 * MIB;

/// A program with one thread.
struct Program {
    sim: &'static Sim,
    allocator: &'static Allocator,
    heap: &'static Heap,
}

impl Program {
    fn start(huge_pages: HugePages) -> Self {
        let sim: &'static Sim = Box::leak(Box::new(Sim::new(64 * GIB).with_huge_pages(huge_pages)));
        let allocator: &'static Allocator = Box::leak(Box::new(Allocator::new(sim)));
        let heap = allocator.attach().expect("a heap");
        Self { sim, allocator, heap }
    }

    fn allocate(&self, bytes: usize) -> *mut u8 {
        let block = self.allocator.allocate(self.heap, bytes);
        assert!(!block.is_null());
        block
    }

    fn free(&self, block: *mut u8) {
        // SAFETY: a live block of this program.
        unsafe { self.allocator.free(self.heap, block) }.expect("not foreign");
    }

    fn resize(&self, block: *mut u8, bytes: usize) -> *mut u8 {
        // SAFETY: a live block of this program, which forgets it.
        let resized = unsafe { self.allocator.reallocate(self.heap, block, bytes) }.expect("not foreign");
        assert!(!resized.is_null());
        resized
    }

    /// Has blocks come and go, and a byte of each written at every `step`.
    fn use_blocks(&self, count: usize, step: usize) {
        let mut live = Vec::new();
        for _ in 0..count {
            let block = self.allocate(BYTES);
            write(block, 0, BYTES, step);
            live.push(block);
            if live.len() == LIVE {
                live.drain(..LIVE / 2).for_each(|block| self.free(block));
                // What was freed is not kept.
                self.allocator.trim(self.heap, 0);
            }
        }
        live.into_iter().for_each(|block| self.free(block));
    }

    fn end(self) {
        self.allocator.trim(self.heap, 0);
        self.allocator.check(self.heap);
        self.allocator.detach(self.heap);
        assert_eq!(self.allocator.counters.large_bytes(), 0, "bytes of large blocks that nobody freed");
    }
}

/// Writes a byte at every `step` from `first` on.
fn write(block: *mut u8, first: usize, end: usize, step: usize) {
    for at in (first..end).step_by(step) {
        // SAFETY: inside a live block of the caller's.
        let byte = unsafe { block.add(at) };
        // SAFETY: as above, and nobody else's.
        unsafe { byte.write(7) };
    }
}

/// Grows one block to 64 MiB, a byte written at every `step`.
fn grow(program: &Program, step: usize) {
    let mut block = program.allocate(2 * MIB);
    let mut bytes = 2 * MIB;
    write(block, 0, bytes, step);
    while bytes < 64 * MIB {
        block = program.resize(block, 2 * bytes);
        write(block, bytes, 2 * bytes, step);
        bytes *= 2;
    }
    program.free(block);
}

#[test]
fn sparse_blocks_never_get_huge_pages() {
    for huge_pages in [HugePages::Never, HugePages::Advised, HugePages::Always] {
        let program = Program::start(huge_pages);
        program.use_blocks(100, MIB);
        grow(&program, MIB);
        assert_eq!(program.sim.advised_bytes(), 0, "{huge_pages:?}");
        program.end();
    }
}

#[test]
fn dense_blocks_get_huge_pages_once_that_is_known() {
    let program = Program::start(HugePages::Advised);
    program.use_blocks(1, PAGE_BYTES);
    assert_eq!(program.sim.advised_bytes(), 0, "nothing was known, or little in use");
    program.use_blocks(LIVE, PAGE_BYTES);
    assert!(program.sim.advised_bytes() > 0);
    program.end();
}

#[test]
fn blocks_that_live_are_a_lesson_too() {
    for (step, is_huge) in [(PAGE_BYTES, true), (MIB, false)] {
        let program = Program::start(HugePages::Advised);
        let blocks: Vec<_> = (0..LIVE).map(|_| program.allocate(BYTES)).collect();
        assert_eq!(program.sim.advised_bytes(), 0, "nothing was written to");
        blocks.iter().for_each(|block| write(*block, 0, BYTES, step));
        let next = program.allocate(BYTES);
        assert_eq!(program.sim.advised_bytes() > 0, is_huge);
        blocks.into_iter().chain([next]).for_each(|block| program.free(block));
        program.end();
    }
}

#[test]
fn a_table_that_doubles_is_a_lesson_before_it_is_large() {
    let program = Program::start(HugePages::Advised);
    let small: Vec<_> = (0..32).map(|_| program.allocate(MIB)).collect();
    let table = program.allocate(MIB + MIB / 2);
    write(table, 0, MIB + MIB / 2, PAGE_BYTES);
    let next = program.allocate(3 * MIB);
    assert!(program.sim.advised_bytes() > 0);
    small.into_iter().chain([table, next]).for_each(|block| program.free(block));
    program.end();
}

#[test]
fn blocks_that_grow_and_are_filled_get_huge_pages_unless_nobody_does() {
    for huge_pages in [HugePages::Never, HugePages::Advised] {
        let program = Program::start(huge_pages);
        grow(&program, PAGE_BYTES);
        assert_eq!(program.sim.advised_bytes() > 0, huge_pages == HugePages::Advised);
        program.end();
    }
}

#[test]
fn a_program_that_turns_sparse_gets_small_pages_again() {
    let program = Program::start(HugePages::Advised);
    program.use_blocks(2 * LIVE, PAGE_BYTES);
    program.use_blocks(500, MIB);
    let advised = program.sim.advised_bytes();
    program.use_blocks(15, MIB);
    assert_eq!(program.sim.advised_bytes(), advised);
    program.end();
}

/// Whatever was written to a block before, and whichever calls the system refuses, a zeroed one is zero.
#[test]
fn what_is_asked_for_as_zero_is_zero() {
    let program = Program::start(HugePages::Never);
    for (round, step) in [PAGE_BYTES, MIB, 10_007, 3 * PAGE_BYTES, 100].iter().enumerate() {
        for bytes in [MIB + 1, 3 * MIB, 4 * MIB, 5 * MIB + 5, 6 * MIB] {
            let dirty = program.allocate(bytes);
            write(dirty, 0, bytes, *step);
            program.free(dirty);
            for time in 0..6 {
                let calls = program.sim.call_count();
                program.sim.refuse(calls + round as u64..calls + round as u64 + time);
                let block = program.allocator.allocate_zeroed(program.heap, bytes);
                program.sim.refuse_all(false);
                if block.is_null() {
                    continue;
                }
                // SAFETY: a live block, at least this long.
                let contents = unsafe { core::slice::from_raw_parts(block, bytes) };
                assert!(contents.iter().all(|byte| *byte == 0), "{bytes} bytes after {step}, time {time}");
                write(block, usize::try_from(time).expect("small") * 4096, bytes, 3 * step);
                program.free(block);
            }
        }
    }
    program.end();
}
