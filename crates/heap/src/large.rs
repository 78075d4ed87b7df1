//! Large blocks: each has a mapping of its own.
//!
//! Found through the `directory`, grown in place or moved by the kernel without copying, and given back to the kernel at
//! once, but for a few recent ones that the `large_cache` keeps for the next request of about that size. Where programs fill
//! large blocks densely, as `density` learns when they are freed and as growth shows, they get huge pages.
//!
//! Called by `allocator` and `realloc`. One lock around the cache, what is learnt, and the entries of the directory.

use core::ptr::NonNull;

use mallow_sys::lock::Lock;
use mallow_sys::{HugePages, Os};
use mallow_trace::Counter;
use mallow_units::page;

use crate::clearing;
use crate::config::{HUGE_BLOCK_BYTES, HUGE_FROM_BYTES};
use crate::counters::Counters;
use crate::density::Density;
use crate::directory::{Directory, GRANULE_BYTES, Large};
use crate::large_cache::{Cache, Kept};
use crate::mapping;

/// The large blocks of one allocator.
#[derive(Debug)]
pub struct LargeBlocks {
    pub(crate) state: Lock<State>,
    /// Where they are.
    pub(crate) directory: Directory,
}

/// What the lock protects.
#[derive(Debug)]
pub struct State {
    cache: Cache,
    density: Density,
    /// The last block that was made of fresh pages, if it still lives: until one was freed, it shows how the program fills them.
    last_fresh: Option<Large>,
    /// Who gets huge pages; unknown until somebody may want them.
    huge_pages: Option<HugePages>,
}

/// A large block that was handed out.
#[derive(Clone, Copy, Debug)]
pub struct Mapped {
    /// Its first byte.
    pub start: NonNull<u8>,
    /// Its length.
    pub bytes: usize,
}

impl LargeBlocks {
    /// None yet.
    pub const fn new() -> Self {
        let state =
            State { cache: Cache::new(), density: Density::new(), last_fresh: None, huge_pages: None };
        Self { state: Lock::new(state), directory: Directory::new() }
    }

    /// Hands out a block of at least `bytes` at a multiple of `align`, of which the first `zero_bytes` read as zero; `None` if
    /// the operating system refuses.
    pub fn allocate(
        &self,
        os: &dyn Os,
        counters: &Counters,
        bytes: usize,
        align: usize,
        zero_bytes: usize,
    ) -> Option<Mapped> {
        let bytes = page::round_up(bytes)?.max(GRANULE_BYTES);
        let kept = self.change(counters, |state| state.cache.find(bytes, align));
        let mut large = match kept.and_then(|kept| kept.fitted(os, counters, bytes)) {
            Some(large) => self.reuse(os, large, page::round_up(zero_bytes)?),
            None => {
                let wants_huge = self.state.lock().choose_huge(os, used_bytes(counters), bytes);
                mapping::take(os, bytes, align, wants_huge).ok()?
            }
        };
        large.backing.is_zeroed = zero_bytes > 0;
        let mut state = self.state.lock();
        let prepared = self.directory.prepare(os);
        if prepared.is_ok() {
            self.directory.enter_large(large);
            if large.backing.is_fresh {
                state.last_fresh = Some(large);
            }
        }
        drop(state);
        if prepared.is_err() {
            // SAFETY: a mapping of ours that nobody has seen.
            unsafe { mapping::release(os, large) };
            return None;
        }
        counters.change_large_bytes(0, large.bytes);
        Some(Mapped { start: large.pointer(), bytes: large.bytes })
    }

    /// A block out of the cache, cleared as far as its new user needs it.
    fn reuse(&self, os: &dyn Os, large: Large, zero_bytes: usize) -> Large {
        if zero_bytes == 0 {
            return large;
        }
        // SAFETY: whole pages of a block that nobody has seen yet.
        let backing = unsafe { clearing::clear(os, large, zero_bytes.min(large.bytes)) };
        Large { backing, ..large }
    }

    /// Takes a block back; false if it was struck out already, by another thread that freed it too. Out of line, so that frees of
    /// smaller blocks do not pay for it.
    #[inline(never)]
    pub fn free(&self, os: &dyn Os, counters: &Counters, large: Large) -> bool {
        if !self.directory.strike(large) {
            return false;
        }
        let touched = is_lesson(large).then(|| mapping::touched(os, large));
        let (mut next, used) = self.change(counters, |state| {
            if let Some(touched) = touched {
                state.density.learn(touched);
            }
            state.forget(large);
            // With this one: who has a single block, again and again, is to be recognised.
            let used = used_bytes(counters);
            // The next one of its size will be huge instead.
            let is_outdated = state.would_be_huge(os, used, large);
            counters.change_large_bytes(large.bytes, 0);
            (if is_outdated { Some(Kept::unkept(large)) } else { state.cache.keep(large, used) }, used)
        });
        while let Some(gone) = next {
            gone.release(os, counters);
            next = self.change(counters, |state| state.cache.surplus(used));
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
        let mut state = self.state.lock();
        self.directory.prepare(os).ok()?;
        // Struck out first: the kernel may give the old place to another thread as soon as the block has moved.
        if !self.directory.strike(large) {
            return None;
        }
        state.forget(large);
        let wants_huge = state.grows_huge(os, used_bytes(counters), large, bytes);
        // SAFETY: exactly one mapping made by `allocate`, and the caller lets go of old pointers (1).
        let resized = unsafe { mapping::resize(os, large, bytes, wants_huge) };
        self.directory.enter_large(resized.unwrap_or(large));
        let now = resized.ok()?;
        counters.change_large_bytes(large.bytes, now.bytes);
        counters.add(Counter::PurgedBytes, large.bytes.saturating_sub(now.bytes));
        Some(now)
    }

    /// Notes the time and gives back what was kept too long, or everything if `all`; returns the bytes.
    pub fn purge(&self, os: &dyn Os, counters: &Counters, now_ms: u64, all: bool) -> usize {
        let mut bytes = 0;
        let aged = self.change(counters, |state| state.cache.take_aged(now_ms, all));
        for gone in aged.into_iter().flatten() {
            bytes += gone.bytes();
            gone.release(os, counters);
        }
        bytes
    }

    /// Does `step` under the lock, and shows what the cache keeps then.
    fn change<T>(&self, counters: &Counters, step: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let result = step(&mut state);
        state.cache.show(counters);
        result
    }
}

impl Default for LargeBlocks {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// Whether the system gives huge pages at all, and so much is in use that the untouched part of the last one does not count.
    fn has_huge_pages(&mut self, os: &dyn Os, used: usize) -> bool {
        used >= HUGE_FROM_BYTES && *self.huge_pages.get_or_insert_with(|| os.huge_pages()) != HugePages::Never
    }

    /// Whether a new block of `bytes` is to have huge pages; `None` leaves that to the system.
    fn choose_huge(&mut self, os: &dyn Os, used: usize, bytes: usize) -> Option<bool> {
        if bytes < HUGE_BLOCK_BYTES || !self.has_huge_pages(os, used + bytes) {
            return None;
        }
        if self.density.is_dense().is_none()
            && let Some(last) = self.last_fresh.take()
        {
            self.density.learn(mapping::touched(os, last));
        }
        // Small pages are what one gets without a word, or else by refusing the others.
        let is_dense = self.density.is_next_dense()?;
        (is_dense || self.huge_pages == Some(HugePages::Always)).then_some(is_dense)
    }

    /// Notes that `large` lives no more, or not there.
    fn forget(&mut self, large: Large) {
        if self.last_fresh.is_some_and(|last| last.start == large.start) {
            self.last_fresh = None;
        }
    }

    /// Whether a block in small pages would get huge ones if it were new.
    fn would_be_huge(&mut self, os: &dyn Os, used: usize, large: Large) -> bool {
        large.bytes >= HUGE_BLOCK_BYTES
            && !large.backing.is_huge
            && self.has_huge_pages(os, used)
            && self.density.is_dense() == Some(true)
    }

    /// Whether a block that grows to `bytes` gets huge pages from now on: if it is as large as that, and what it has is filled. Looks once
    /// each time that it has doubled.
    fn grows_huge(&mut self, os: &dyn Os, used: usize, large: Large, bytes: usize) -> bool {
        bytes >= HUGE_BLOCK_BYTES
            && bytes.ilog2() > large.bytes.ilog2()
            && !large.backing.is_huge
            && self.has_huge_pages(os, used)
            && mapping::touched(os, large).is_dense()
    }
}

/// Whether it shows how densely the program fills large blocks.
const fn is_lesson(large: Large) -> bool {
    large.backing.is_fresh && large.bytes >= HUGE_BLOCK_BYTES
}

/// Bytes of memory that the program has.
fn used_bytes(counters: &Counters) -> usize {
    counters.run_bytes() + counters.large_bytes()
}
