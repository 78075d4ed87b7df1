//! A simulated operating system for tests: real memory, strict rules, failures on demand.
//!
//! - Reserved memory faults until it is committed, and decommitted memory faults until [`Os::reuse`] announces the
//!   next use (Linux would quietly hand out zeros): a forgotten announcement or a stale pointer stops the test.
//! - A mapping that may move does move, so that the old place faults.
//! - The calls that can fail are counted, and any range of them can be refused.
//! - The clock stands still until the test advances it, and the address space is as small as the test likes.
//!
//! The calls take turns under a lock, as those of a kernel do: whoever is handed an address comes after whoever gave it
//! back. Called by tests only. Calls [`crate::linux`].

use core::ops::Range;
use core::ptr::NonNull;

use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_units::page::PAGE_BYTES;

use crate::linux::{LINUX, call};
use crate::lock::{Guard, Lock};
use crate::os::{HugePages, Os, OsError};

/// A simulated operating system.
#[derive(Debug)]
pub struct Sim {
    address_space_bytes: usize,
    huge_pages: HugePages,
    /// Bytes for which huge pages were asked for.
    advised_bytes: AtomicU64,
    now_ms: AtomicU64,
    kernel: Lock<Calls>,
}

/// The calls that can fail, counted from 0.
#[derive(Debug)]
struct Calls {
    count: u64,
    refused: Range<u64>,
}

impl Sim {
    /// A system that refuses nothing and claims a limit of `address_space_bytes`.
    pub const fn new(address_space_bytes: usize) -> Self {
        let calls = Calls { count: 0, refused: 0..0 };
        Self {
            address_space_bytes,
            huge_pages: HugePages::Never,
            advised_bytes: AtomicU64::new(0),
            now_ms: AtomicU64::new(0),
            kernel: Lock::new(calls),
        }
    }

    /// The same, with huge pages for those.
    pub const fn with_huge_pages(self, huge_pages: HugePages) -> Self {
        Self { huge_pages, ..self }
    }

    /// Bytes for which huge pages were asked for so far. Nobody gets them.
    pub fn advised_bytes(&self) -> u64 {
        self.advised_bytes.load(Ordering::Relaxed)
    }

    /// Moves the clock on.
    pub fn advance_ms(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// How many calls were made that can fail, refused ones included.
    pub fn call_count(&self) -> u64 {
        self.kernel.lock().count
    }

    /// Refuses the calls with these numbers, instead of those named before.
    pub fn refuse(&self, calls: Range<u64>) {
        self.kernel.lock().refused = calls;
    }

    /// Refuses every call from now on, or none.
    pub fn refuse_all(&self, refused: bool) {
        self.refuse(if refused { 0..u64::MAX } else { 0..0 });
    }

    /// Waits for its turn, and counts the call.
    fn admit(&self) -> Result<Guard<'_, Calls>, OsError> {
        let mut calls = self.kernel.lock();
        let number = calls.count;
        calls.count += 1;
        if calls.refused.contains(&number) { Err(OsError::NO_MEMORY) } else { Ok(calls) }
    }
}

// SAFETY: memory comes from Linux, and every verb does what the trait says.
unsafe impl Os for Sim {
    fn reserve(&self, bytes: usize, align: usize) -> Result<NonNull<u8>, OsError> {
        let _turn = self.admit()?;
        LINUX.reserve(bytes, align)
    }

    unsafe fn commit(&self, start: NonNull<u8>, bytes: usize) -> Result<(), OsError> {
        let _turn = self.admit()?;
        // SAFETY: the caller's promise, passed on.
        unsafe { LINUX.commit(start, bytes) }
    }

    fn map(&self, bytes: usize, align: usize) -> Result<NonNull<u8>, OsError> {
        let _turn = self.admit()?;
        LINUX.map(bytes, align)
    }

    unsafe fn decommit(&self, start: NonNull<u8>, bytes: usize) -> Result<(), OsError> {
        let _turn = self.admit()?;
        // SAFETY: nothing needs the contents (1), and the next use is announced.
        unsafe { call::protect_none(start, bytes) }?;
        // SAFETY: as above.
        unsafe { LINUX.decommit(start, bytes) }
    }

    unsafe fn reuse(&self, start: NonNull<u8>, bytes: usize) {
        let _turn = self.kernel.lock();
        // SAFETY: committed (1), so nobody relies on it being inaccessible.
        let usable = unsafe { call::protect_read_write(start, bytes) };
        assert!(
            usable.is_ok(),
            "memory that was committed could not be made usable again: too many mappings"
        );
    }

    unsafe fn release(&self, start: NonNull<u8>, bytes: usize) {
        let _turn = self.kernel.lock();
        // SAFETY: the caller's promise, passed on.
        unsafe { LINUX.release(start, bytes) };
    }

    unsafe fn remap(
        &self,
        start: NonNull<u8>,
        old_bytes: usize,
        new_bytes: usize,
        may_move: bool,
    ) -> Result<NonNull<u8>, OsError> {
        let _turn = self.admit()?;
        if !may_move {
            // Something always lies behind it.
            let grows = new_bytes > old_bytes;
            // SAFETY: the caller's promise, passed on.
            let cut = || unsafe { LINUX.remap(start, old_bytes, new_bytes, false) };
            return if grows { Err(OsError::NO_MEMORY) } else { cut() };
        }
        let moved = LINUX.map(new_bytes, PAGE_BYTES)?;
        // SAFETY: two mappings, both at least this long, of which one was made just now.
        unsafe { moved.copy_from_nonoverlapping(start, old_bytes.min(new_bytes)) };
        // SAFETY: exactly one mapping (1), and its old place is not used afterwards (2).
        unsafe { LINUX.release(start, old_bytes) };
        Ok(moved)
    }

    unsafe fn remap_to(
        &self,
        start: NonNull<u8>,
        old_bytes: usize,
        new_bytes: usize,
        room: NonNull<u8>,
    ) -> Result<(), OsError> {
        let _turn = self.admit()?;
        // SAFETY: the caller's promise, passed on.
        unsafe { LINUX.remap_to(start, old_bytes, new_bytes, room) }
    }

    fn resident_pages(&self, start: NonNull<u8>, bytes: usize) -> Option<usize> {
        let _turn = self.admit().ok()?;
        LINUX.resident_pages(start, bytes)
    }

    fn visit_contents(
        &self,
        start: NonNull<u8>,
        bytes: usize,
        visit: &mut dyn FnMut(NonNull<u8>, usize) -> bool,
    ) -> Option<()> {
        let turn = self.admit().ok()?;
        drop(turn);
        for at in (0..bytes).step_by(PAGE_BYTES) {
            // SAFETY: inside the span.
            let page = unsafe { start.byte_add(at) };
            // SAFETY: committed, a whole page, and written by nobody in the meantime.
            let contents = unsafe { page.cast::<[u8; PAGE_BYTES]>().as_ref() };
            if contents.iter().any(|byte| *byte != 0) && !visit(page, PAGE_BYTES) {
                break;
            }
        }
        Some(())
    }

    fn huge_pages(&self) -> HugePages {
        self.huge_pages
    }

    unsafe fn advise_huge(&self, _start: NonNull<u8>, bytes: usize, wanted: bool) {
        if wanted {
            self.advised_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    fn address_space_limit(&self) -> Option<usize> {
        Some(self.address_space_bytes)
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 1 << 16;

    #[test]
    fn only_the_calls_that_are_named_are_refused() {
        let sim = Sim::new(1 << 30);
        sim.refuse(1..2);
        let answers = [0; 3].map(|_| sim.map(BYTES, 4096));
        assert_eq!(answers.map(|answer| answer.is_ok()), [true, false, true]);
        assert_eq!(sim.call_count(), 3);
        for mapped in answers.into_iter().flatten() {
            // SAFETY: mapped above and not used.
            unsafe { sim.release(mapped, BYTES) };
        }
    }

    #[test]
    fn a_mapping_that_may_move_moves_with_its_contents() {
        let sim = Sim::new(1 << 30);
        let old = sim.map(BYTES, 4096).expect("mapped");
        // SAFETY: mapped just now.
        unsafe { old.write(7) };
        // SAFETY: one mapping, and `old` is only compared afterwards.
        let new = unsafe { sim.remap(old, BYTES, 2 * BYTES, true) }.expect("moved");
        assert_ne!(old, new);
        // SAFETY: mapped, and twice this long.
        assert_eq!(unsafe { new.read() }, 7);
        // SAFETY: mapped above and not used any more.
        unsafe { sim.release(new, 2 * BYTES) };
    }
}
