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

use crate::config::{LARGE_CACHE_FLOOR_BYTES, LARGE_CACHE_SLOTS};
use crate::counters::Counters;
use crate::directory::{Directory, GRANULE_BYTES, Large};
use crate::patience::Patience;

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
    patience: Patience,
}

// SAFETY: the mappings in it belong to the cache alone.
unsafe impl Send for Cache {}

impl Kept {
    /// Whether it can serve a request for `bytes` as it is.
    const fn fits(&self, bytes: usize) -> bool {
        self.bytes >= bytes && self.bytes <= 2 * bytes
    }

    /// The same, grown or cut to `bytes` if it does not fit: what is resident stays so. `None`, and it is gone, if the operating
    /// system refuses.
    fn fitted(self, os: &dyn Os, counters: &Counters, bytes: usize) -> Option<Self> {
        if self.fits(bytes) {
            return Some(self);
        }
        // SAFETY: exactly one mapping of ours, which nobody uses.
        match unsafe { os.remap(self.start, self.bytes, bytes, true) } {
            Ok(start) => {
                counters.add(Counter::PurgedBytes, self.bytes.saturating_sub(bytes));
                Some(Self { start, bytes, ..self })
            }
            Err(_) => {
                release(os, counters, self);
                None
            }
        }
    }
}

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
        let cache = Cache { kept: [None; LARGE_CACHE_SLOTS], now_ms: 0, patience: Patience::new() };
        Self { cache: Lock::new(cache), directory: Directory::new() }
    }

    /// Hands out a block of at least `bytes` at a multiple of `align`; `None` if the operating system refuses.
    pub fn allocate(&self, os: &dyn Os, counters: &Counters, bytes: usize, align: usize) -> Option<Mapped> {
        let bytes = page::round_up(bytes)?.max(GRANULE_BYTES);
        let kept = self.cache.lock().find(bytes, align);
        let (start, bytes, is_zero) = match kept.and_then(|kept| kept.fitted(os, counters, bytes)) {
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
        let used = counters.run_bytes() + counters.large_bytes();
        let freed = Kept { start: pointer(large.start), bytes: large.bytes, freed_ms: 0 };
        let mut next = self.cache.lock().keep(freed, used);
        while let Some(gone) = next {
            release(os, counters, gone);
            next = self.cache.lock().surplus(used);
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
    /// The best fit that wastes at most half of it; or else the longest that can be grown, from at least a quarter; or else one to be
    /// cut, which is last because the pages that are cut off will be missed.
    fn find(&mut self, bytes: usize, align: usize) -> Option<Kept> {
        let may_move = align <= PAGE_BYTES;
        let merit = |slot: &Option<Kept>| {
            let kept = (*slot)?;
            let fits = kept.fits(bytes);
            let serves = if may_move { fits || kept.bytes >= bytes / 4 } else { fits };
            let is_aligned = kept.start.addr().get().is_multiple_of(align);
            (serves && is_aligned).then(|| (!fits, kept.bytes > bytes, kept.bytes.abs_diff(bytes)))
        };
        let best = self.kept.iter_mut().filter(|slot| merit(slot).is_some()).min_by_key(|slot| merit(slot));
        let found = best.and_then(Option::take);
        let missing = bytes.saturating_sub(found.map_or(0, |kept| kept.bytes));
        self.patience.took_back(missing, self.now_ms);
        found
    }

    /// Keeps `freed`; returns what has to go for it.
    fn keep(&mut self, freed: Kept, used: usize) -> Option<Kept> {
        if freed.bytes > self.patience.budget(used, LARGE_CACHE_FLOOR_BYTES) {
            self.patience.gave(freed.bytes);
            return Some(freed);
        }
        let freed = Kept { freed_ms: self.now_ms, ..freed };
        match self.kept.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => {
                *slot = Some(freed);
                self.surplus(used)
            }
            None => self.oldest().and_then(|slot| slot.replace(freed)),
        }
    }

    /// The block that was kept longest, if there is more than may be kept.
    fn surplus(&mut self, used: usize) -> Option<Kept> {
        let kept: usize = self.kept.iter().flatten().map(|kept| kept.bytes).sum();
        if kept <= self.patience.budget(used, LARGE_CACHE_FLOOR_BYTES) {
            return None;
        }
        let gone = self.oldest().and_then(Option::take);
        self.patience.gave(gone.map_or(0, |gone| gone.bytes));
        gone
    }

    fn oldest(&mut self) -> Option<&mut Option<Kept>> {
        let kept = self.kept.iter_mut().filter(|slot| slot.is_some());
        kept.min_by_key(|slot| slot.map_or(0, |kept| kept.freed_ms))
    }

    fn take_aged(&mut self, now_ms: u64, all: bool) -> [Option<Kept>; LARGE_CACHE_SLOTS] {
        self.now_ms = now_ms;
        self.patience.tick(now_ms);
        let decay_ms = self.patience.decay_ms();
        let mut gone = [None; LARGE_CACHE_SLOTS];
        for (slot, gone) in self.kept.iter_mut().zip(&mut gone) {
            if all || slot.is_some_and(|kept| now_ms.saturating_sub(kept.freed_ms) >= decay_ms) {
                *gone = slot.take();
                self.patience.gave(if all { 0 } else { gone.map_or(0, |gone| gone.bytes) });
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
