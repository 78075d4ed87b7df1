//! The counters that the allocator shows: in a private array, or in a segment that a tool made.
//!
//! Written from slow paths with relaxed ordering; see `mallow_trace` for what each means. Thread heaps count
//! privately and pass on what has come together at each tick.

use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_trace::Counter;
use mallow_trace::segment::COUNTERS_AT;
use mallow_units::word::to_usize;

const WORDS: usize = Counter::COUNT;

/// The counters of one allocator.
#[derive(Debug)]
pub struct Counters {
    own: [AtomicU64; WORDS],
    /// Address of the first counter in a mapped segment, 0 if there is none.
    shown_at: AtomicU64,
    run_bytes: AtomicU64,
    large_bytes: AtomicU64,
}

impl Counters {
    /// All zero.
    pub const fn new() -> Self {
        Self {
            own: [const { AtomicU64::new(0) }; WORDS],
            shown_at: AtomicU64::new(0),
            run_bytes: AtomicU64::new(0),
            large_bytes: AtomicU64::new(0),
        }
    }

    /// Copies all counters to `segment`, and keeps them there from now on.
    ///
    /// # Safety
    ///
    /// 1. `segment` is a mapped segment of this version, claimed by this process, and stays mapped for ever.
    pub unsafe fn show_in(&self, segment: *mut u64) {
        // SAFETY: the counters lie inside the segment (1).
        let first = unsafe { segment.add(COUNTERS_AT) };
        for (index, word) in self.own.iter().enumerate() {
            // SAFETY: the segment has a word for each counter (1).
            let shown = unsafe { first.add(index) };
            // SAFETY: mapped for ever, and shared as atomics only (1).
            let shown = unsafe { AtomicU64::from_ptr(shown) };
            shown.store(word.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        // ORDERING: Release, so that nobody adds to a counter in the segment before it has its starting value.
        self.shown_at.store(first.expose_provenance() as u64, Ordering::Release);
    }

    /// Stops showing the counters, and starts again at the values shown last: in a forked child, whose parent owns
    /// the segment.
    pub fn hide(&self) {
        for counter in Counter::ALL {
            self.own[counter as usize].store(self.get(counter), Ordering::Relaxed);
        }
        self.shown_at.store(0, Ordering::Relaxed);
    }

    fn word(&self, counter: Counter) -> &AtomicU64 {
        let index = counter as usize;
        // ORDERING: Acquire, see `show_in`.
        let shown =
            core::ptr::with_exposed_provenance_mut::<u64>(to_usize(self.shown_at.load(Ordering::Acquire)));
        if shown.is_null() {
            return &self.own[index];
        }
        // SAFETY: the segment has a word for each counter (1 of `show_in`).
        let shown = unsafe { shown.add(index) };
        // SAFETY: mapped for ever, and shared as atomics only (1 of `show_in`).
        unsafe { AtomicU64::from_ptr(shown) }
    }

    /// The value now.
    pub fn get(&self, counter: Counter) -> u64 {
        self.word(counter).load(Ordering::Relaxed)
    }

    /// Sets a level.
    pub fn set(&self, counter: Counter, value: usize) {
        self.word(counter).store(value as u64, Ordering::Relaxed);
    }

    /// Adds to a counter.
    pub fn add(&self, counter: Counter, value: usize) {
        if value != 0 {
            self.word(counter).fetch_add(value as u64, Ordering::Relaxed);
        }
    }

    /// Raises a level that never falls to at least `value`.
    pub fn raise(&self, counter: Counter, value: u64) {
        self.word(counter).fetch_max(value, Ordering::Relaxed);
    }

    /// Bytes handed out by the page heap now.
    pub fn run_bytes(&self) -> usize {
        to_usize(self.run_bytes.load(Ordering::Relaxed))
    }

    /// Bytes mapped for large blocks in use now.
    pub fn large_bytes(&self) -> usize {
        to_usize(self.large_bytes.load(Ordering::Relaxed))
    }

    /// Sets the bytes that the page heap has handed out. Under its lock.
    pub fn set_run_bytes(&self, bytes: usize) {
        self.run_bytes.store(bytes as u64, Ordering::Relaxed);
        self.set_heap_bytes();
    }

    /// Changes the bytes mapped for large blocks in use.
    pub fn change_large_bytes(&self, gone: usize, come: usize) {
        self.large_bytes.fetch_add((come as u64).wrapping_sub(gone as u64), Ordering::Relaxed);
        self.set_heap_bytes();
    }

    fn set_heap_bytes(&self) {
        let bytes = self.run_bytes() + self.large_bytes();
        self.set(Counter::HeapBytes, bytes);
        self.raise(Counter::PeakHeapBytes, bytes as u64);
    }

    /// Enters what a thread, or a large or medium block, handed out and took back since the last time.
    pub fn settle(&self, change: Change) {
        self.add(Counter::Allocations, change.allocations);
        self.add(Counter::Frees, change.frees);
        let live = self.word(Counter::LiveBytes);
        let delta = (change.allocated_bytes as u64).wrapping_sub(change.freed_bytes as u64);
        let now = live.fetch_add(delta, Ordering::Relaxed).wrapping_add(delta);
        // A free may be counted before its allocation when two threads settle: then the level is below zero for a moment.
        if now < 1 << 62 {
            self.raise(Counter::PeakLiveBytes, now);
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

/// Allocations and frees that have not been entered yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Blocks handed out.
    pub allocations: usize,
    /// Blocks that came home.
    pub frees: usize,
    /// Bytes of the blocks handed out.
    pub allocated_bytes: usize,
    /// Bytes of the blocks that came home.
    pub freed_bytes: usize,
}
