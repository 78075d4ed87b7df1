//! Large blocks: each has a mapping of its own.
//!
//! Found through the `directory`, grown in place or moved by the kernel without copying, and given back to the kernel at
//! once, but for a few recent ones that are kept for the next request of about that size.
//!
//! Called by `allocator` and `realloc`. One lock around the cache and the entries of the directory.

use core::ptr::NonNull;

use mallow_sys::Os;
use mallow_sys::lock::Lock;
use mallow_trace::Counter;
use mallow_units::page::{self, PAGE_BYTES};

use crate::config::{DECAY_MS, LARGE_CACHE_FLOOR_BYTES, LARGE_CACHE_SLOTS};
use crate::counters::Counters;
use crate::directory::{Directory, GRANULE_BYTES, Large};

/// A freed mapping that is kept.
#[derive(Clone, Copy, Debug)]
struct Kept {
    start: NonNull<u8>,
    bytes: usize,
    freed_ms: u64,
}

/// What the lock protects.
#[derive(Debug)]
pub struct Cache {
    kept: [Option<Kept>; LARGE_CACHE_SLOTS],
    now_ms: u64,
}

// SAFETY: the mappings in it belong to the cache alone.
unsafe impl Send for Cache {}

/// The large blocks of one allocator.
#[derive(Debug)]
pub struct LargeBlocks {
    pub(crate) cache: Lock<Cache>,
    /// Where they are.
    pub(crate) directory: Directory,
}

/// A large block that was handed out.
#[derive(Clone, Copy, Debug)]
pub struct Mapped {
    /// Its first byte.
    pub start: NonNull<u8>,
    /// Its length.
    pub bytes: usize,
    /// Whether it reads as zero.
    pub is_zero: bool,
}

impl LargeBlocks {
    /// None yet.
    pub const fn new() -> Self {
        let cache = Cache { kept: [None; LARGE_CACHE_SLOTS], now_ms: 0 };
        Self { cache: Lock::new(cache), directory: Directory::new() }
    }

    /// Hands out a block of at least `bytes` at a multiple of `align`; `None` if the operating system refuses.
    pub fn allocate(&self, os: &dyn Os, counters: &Counters, bytes: usize, align: usize) -> Option<Mapped> {
        let bytes = page::round_up(bytes)?.max(GRANULE_BYTES);
        let kept = self.cache.lock().find(bytes, align);
        let (start, bytes, is_zero) = match kept {
            Some(kept) => (kept.start, kept.bytes, false),
            None => (os.map(bytes, align.max(PAGE_BYTES)).ok()?, bytes, true),
        };
        let cache = self.cache.lock();
        let prepared = self.directory.prepare(os);
        if prepared.is_ok() {
            self.directory.enter_large(Large { start: start.as_ptr().expose_provenance(), bytes });
        }
        drop(cache);
        if prepared.is_err() {
            // SAFETY: a mapping of ours that nobody has seen.
            unsafe { os.release(start, bytes) };
            return None;
        }
        counters.change_large_bytes(0, bytes);
        Some(Mapped { start, bytes, is_zero })
    }

    /// Takes a block back; false if it was struck out already, by another thread that freed it too.
    pub fn free(&self, os: &dyn Os, counters: &Counters, large: Large) -> bool {
        if !self.directory.strike(large) {
            return false;
        }
        counters.change_large_bytes(large.bytes, 0);
        let limit = LARGE_CACHE_FLOOR_BYTES.max((counters.run_bytes() + counters.large_bytes()) / 8);
        let freed = Kept { start: pointer(large.start), bytes: large.bytes, freed_ms: 0 };
        let refused = self.cache.lock().keep(freed, limit);
        if let Some(gone) = refused {
            release(os, counters, gone);
        }
        true
    }

    /// Resizes a block to at least `bytes` by remapping; returns what it is now, `None` if it stays as it was.
    ///
    /// # Safety
    ///
    /// 1. `large` is in the directory, and if it moves, nobody uses the old place any more.
    pub unsafe fn resize(
        &self,
        os: &dyn Os,
        counters: &Counters,
        large: Large,
        bytes: usize,
    ) -> Option<Large> {
        let bytes = page::round_up(bytes)?.max(GRANULE_BYTES);
        let _cache = self.cache.lock();
        self.directory.prepare(os).ok()?;
        // Struck out first: the kernel may give the old place to another thread as soon as the block has moved.
        if !self.directory.strike(large) {
            return None;
        }
        // SAFETY: exactly one mapping made by `allocate`, and the caller lets go of old pointers (1).
        let moved = unsafe { os.remap(pointer(large.start), large.bytes, bytes, true) };
        let now = match moved {
            Ok(start) => Large { start: start.as_ptr().expose_provenance(), bytes },
            Err(_) => large,
        };
        self.directory.enter_large(now);
        moved.ok()?;
        counters.change_large_bytes(large.bytes, bytes);
        counters.add(Counter::PurgedBytes, large.bytes.saturating_sub(bytes));
        Some(now)
    }

    /// Notes the time and gives back what was kept too long, or everything if `all`; returns the bytes.
    pub fn purge(&self, os: &dyn Os, counters: &Counters, now_ms: u64, all: bool) -> usize {
        let mut bytes = 0;
        let aged = self.cache.lock().take_aged(now_ms, all);
        for gone in aged.into_iter().flatten() {
            bytes += gone.bytes;
            release(os, counters, gone);
        }
        bytes
    }
}

impl Default for LargeBlocks {
    fn default() -> Self {
        Self::new()
    }
}

impl Cache {
    /// The best fit that wastes at most a quarter.
    fn find(&mut self, bytes: usize, align: usize) -> Option<Kept> {
        let fits = |kept: &Kept| {
            kept.bytes >= bytes
                && kept.bytes <= bytes + bytes / 4
                && kept.start.addr().get().is_multiple_of(align)
        };
        let slot = self
            .kept
            .iter_mut()
            .filter(|slot| slot.as_ref().is_some_and(fits))
            .min_by_key(|slot| slot.map_or(0, |kept| kept.bytes))?;
        slot.take()
    }

    /// Keeps `freed` if all that is kept stays below `limit` bytes; returns what has to go instead.
    fn keep(&mut self, freed: Kept, limit: usize) -> Option<Kept> {
        let kept: usize = self.kept.iter().flatten().map(|kept| kept.bytes).sum();
        if kept + freed.bytes > limit {
            return Some(freed);
        }
        let freed = Kept { freed_ms: self.now_ms, ..freed };
        let slot = self.kept.iter_mut().min_by_key(|slot| slot.map_or(0, |kept| kept.freed_ms + 1));
        slot.and_then(|slot| slot.replace(freed))
    }

    fn take_aged(&mut self, now_ms: u64, all: bool) -> [Option<Kept>; LARGE_CACHE_SLOTS] {
        self.now_ms = now_ms;
        let mut gone = [None; LARGE_CACHE_SLOTS];
        for (slot, gone) in self.kept.iter_mut().zip(&mut gone) {
            if all || slot.is_some_and(|kept| now_ms.saturating_sub(kept.freed_ms) >= DECAY_MS) {
                *gone = slot.take();
            }
        }
        gone
    }
}

fn release(os: &dyn Os, counters: &Counters, gone: Kept) {
    // SAFETY: a mapping of ours that was struck out: nobody uses it.
    unsafe { os.release(gone.start, gone.bytes) };
    counters.add(Counter::PurgedBytes, gone.bytes);
}

fn pointer(address: usize) -> NonNull<u8> {
    NonNull::new(core::ptr::with_exposed_provenance_mut(address)).unwrap_or(NonNull::dangling())
}
