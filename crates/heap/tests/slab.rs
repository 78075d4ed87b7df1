//! Slabs of every class: what is carved, freed, purged and carved again is every block exactly once.
#![cfg(not(shuttle))]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

extern crate alloc;

use alloc::collections::BTreeSet;

use mallow_heap::block::{self, Block};
use mallow_heap::config::slab_units;
use mallow_heap::region::Region;
use mallow_heap::slab::{Batch, Slab};
use mallow_sys::sim::Sim;
use mallow_units::SizeClass;
use mallow_units::bytes::{GIB, MIB};
use mallow_units::page::PAGE_BYTES;

static SIM: Sim = Sim::new(GIB);

#[test]
fn carving_hands_out_every_block_once_and_zero() {
    for class in SizeClass::all() {
        let mut slab = Fixture::new(class);
        slab.take_all();
        assert_eq!(slab.held.len(), slab.slab.capacity() as usize, "{class:?}");
    }
}

#[test]
fn purged_blocks_come_again_and_the_others_keep_their_contents() {
    for class in SizeClass::all() {
        let mut slab = Fixture::new(class);
        slab.take_all();
        // All; whole neighbourhoods; every other; few; none.
        let subsets: [fn(u32) -> bool; 5] = [
            |_| true,
            |block| block / 7 % 2 == 0,
            |block| block % 2 == 0,
            |block| block % 11 == 3,
            |_| false,
        ];
        for freed in subsets.iter().chain(&subsets) {
            slab.free(freed);
            let before = slab.slab.carved();
            let purged = slab.slab.purge_pages(&SIM, false);
            slab.slab.check();
            assert!(purged.is_multiple_of(PAGE_BYTES));
            assert!(slab.slab.carved() <= before, "purging only takes blocks from the list");
            slab.check_contents();
            slab.take_all();
            assert_eq!(slab.held.len(), slab.slab.capacity() as usize, "{class:?}");
        }
    }
}

#[test]
fn an_empty_slab_gives_up_every_page_that_holds_a_block() {
    for class in SizeClass::all() {
        let mut slab = Fixture::new(class);
        slab.take_all();
        slab.free(&|_| true);
        let covered = slab.slab.capacity() as usize * class.block_bytes();
        assert_eq!(slab.slab.purge_pages(&SIM, false), covered.next_multiple_of(PAGE_BYTES), "{class:?}");
        assert_eq!((slab.slab.carved(), slab.slab.used()), (0, 0));
    }
}

#[test]
fn pages_that_the_system_keeps_are_carved_again_all_the_same() {
    // A system of its own: what it refuses must not reach the other tests.
    static REFUSING: Sim = Sim::new(GIB);
    let mut slab = Fixture::new(SizeClass::SMALLEST);
    slab.take_all();
    slab.free(&|_| true);
    REFUSING.refuse_all(true);
    assert_eq!(slab.slab.purge_pages(&REFUSING, false), 0);
    slab.slab.check();
    slab.take_all();
    assert_eq!(slab.held.len(), slab.slab.capacity() as usize);
}

/// A slab, and the numbers of the blocks that its owner holds.
struct Fixture {
    slab: &'static Slab,
    held: BTreeSet<u32>,
}

impl Fixture {
    /// An open slab in a region of its own.
    fn new(class: SizeClass) -> Self {
        let region = Region::reserve(&SIM, 2 * MIB).expect("nothing is refused");
        let chunk = region.open_chunk(&SIM).expect("nothing is refused").expect("the first chunk");
        let slab = region.slab(0);
        slab.open(chunk.unit_start(0), slab_units(class).longest, class, 1, true);
        Self { slab, held: BTreeSet::new() }
    }

    /// Takes everything that the slab has, and writes into it.
    fn take_all(&mut self) {
        while let Some(batch) = self.slab.take_local(100).or_else(|| self.slab.carve(&SIM)) {
            self.take(batch);
            self.slab.check();
        }
        assert!(!self.slab.has_room());
    }

    fn take(&mut self, batch: Batch) {
        let mut next = batch.first;
        for _ in 0..batch.block_count {
            let block = next;
            // SAFETY: the batch is ours and this long.
            next = unsafe { block::next(block) };
            let index = self.slab.block_index(block.addr());
            assert!(self.slab.is_block_start(block.addr()));
            assert!(self.held.insert(index), "block {index} was handed out twice");
            // SAFETY: a block of the batch.
            unsafe { block::clear_mark(block) };
            let contents = self.contents(block);
            if batch.is_zero {
                assert!(
                    contents[size_of::<Block>()..].iter().all(|byte| *byte == 0),
                    "block {index} is not zero"
                );
            }
            contents.fill(pattern(index));
        }
        assert!(next.is_null(), "the batch is as long as it says");
    }

    /// Gives back the blocks that `which` names.
    fn free(&mut self, which: &dyn Fn(u32) -> bool) {
        for index in self.held.extract_if(.., |index| which(*index)) {
            let address = self.slab.start() + index as usize * self.slab.block_bytes();
            // SAFETY: a block that is held, of a slab that belongs to this thread.
            unsafe { self.slab.push_local(core::ptr::with_exposed_provenance_mut(address)) };
        }
        self.slab.check();
        assert_eq!(self.slab.used() as usize, self.held.len());
    }

    fn check_contents(&self) {
        for index in &self.held {
            let address = self.slab.start() + *index as usize * self.slab.block_bytes();
            let contents = self.contents(core::ptr::with_exposed_provenance_mut(address));
            assert!(contents.iter().all(|byte| *byte == pattern(*index)), "block {index} has changed");
        }
    }

    #[expect(clippy::mut_from_ref, reason = "the bytes are the block's, which belongs to the caller")]
    fn contents(&self, block: *mut Block) -> &mut [u8] {
        // SAFETY: a block of this slab that the fixture holds and looks at in one place at a time.
        unsafe { core::slice::from_raw_parts_mut(block.cast(), self.slab.block_bytes()) }
    }
}

/// What is written into a block: never zero.
fn pattern(index: u32) -> u8 {
    u8::try_from(index % 251 + 1).unwrap_or(u8::MAX)
}
