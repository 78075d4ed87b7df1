//! Poisoning: new and freed blocks are filled with a pattern (`MALLOC_PERTURB_`).
//!
//! While a pattern is set, every request takes the slow path: lists are handed out one block at a time, and no heap's tag
//! matches its page map entries. So the fast paths need not know.
//!
//! Called by `allocate`, `free` and `process`.

use crate::allocator::Allocator;
use crate::heap::Heap;
use crate::options::Key;

impl Allocator {
    /// Whether blocks are to be filled, so that every request has to take the slow path.
    pub(crate) fn is_slow_mode(&self) -> bool {
        self.options.get(Key::Perturb) != 0
    }

    /// Sets the fill pattern, and makes the caller's heap take notice.
    pub fn set_perturb(&'static self, heap: &'static Heap, pattern: u8) {
        // Every pattern is in the option's range.
        let _ = self.options.set(Key::Perturb, u64::from(pattern));
        self.return_lists(heap);
        heap.set_frees_fast(pattern == 0);
    }

    pub(crate) fn perturb_new(&self, block: *mut u8, bytes: usize) {
        self.fill(block, bytes, |pattern| !pattern);
    }

    pub(crate) fn perturb_freed(&self, block: *mut u8, bytes: usize) {
        self.fill(block, bytes, |pattern| pattern);
    }

    fn fill(&self, block: *mut u8, bytes: usize, byte: impl FnOnce(u8) -> u8) {
        if let Ok(pattern @ 1..) = u8::try_from(self.options.get(Key::Perturb))
            && !block.is_null()
        {
            // SAFETY: the block is ours: not handed out yet, or just given up; and at least `bytes` long.
            unsafe { block.write_bytes(byte(pattern), bytes) };
        }
    }
}
