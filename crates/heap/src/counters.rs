//! The counters that the allocator shows: in the process's own segment, or in one that a tool made.
//!
//! ```text
//!  before there is a heap   own ──┐
//!  from then on             home ─┼─► what was counted moves on, and a forked child takes it back home
//!  if a tool has made one   file ─┘
//! ```
//!
//! Written from slow paths with relaxed ordering; see `mallow_trace` for what each means. Thread heaps count
//! privately and pass on what has come together at each tick. What else a segment says goes through here too.

use core::ptr::{self, NonNull};

use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_trace::segment::{
    self, CLASS_COUNT_AT, CLASS_COUNTERS_AT, COUNTERS_AT, KEPT_AT, LANDMARK_COUNT_AT, MAGIC_AT,
    TRIM_ASKED_AT, TRIM_BYTES_AT, TRIM_DONE_AT, TRIM_TAKEN_AT, VERSION_AT, VERSION_WORD, WORDS,
};
use mallow_trace::{Counter, Landmark};
use mallow_units::SizeClass;
use mallow_units::size_class::CLASS_COUNT;
use mallow_units::word::{low_half, to_usize};

/// The counters of one allocator.
#[derive(Debug)]
pub struct Counters {
    own: [AtomicU64; Counter::COUNT],
    /// Address of the process's own segment, 0 while there is none.
    home_at: AtomicU64,
    /// Address of the segment that is in use, 0 if there is none.
    shown_at: AtomicU64,
    run_bytes: AtomicU64,
    large_bytes: AtomicU64,
    /// Address of the counters of size classes in a tool's file, 0 if there is none.
    file_classes_at: AtomicU64,
    /// Not 0 until it is known whether there is such a file.
    is_waiting: AtomicU64,
}

/// A mapped segment.
///
/// # Invariants
///
/// 1. It is as long as a segment, and mapped for ever.
#[derive(Clone, Copy, Debug)]
struct Mapped(NonNull<u64>);

impl Mapped {
    /// The one whose address is in `word`; `None` if that is 0.
    fn at(word: &AtomicU64) -> Option<Self> {
        // ORDERING: Acquire pairs with the Release in `move_to`.
        let address = to_usize(word.load(Ordering::Acquire));
        // INVARIANT: 1, such a word is 0, or was set from a `Mapped`.
        NonNull::new(ptr::with_exposed_provenance_mut(address)).map(Self)
    }

    fn address(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        debug_assert!(index < WORDS, "a word of the segment");
        // SAFETY: inside the segment (1).
        let word = unsafe { self.0.add(index) };
        // SAFETY: mapped for ever, aligned, and shared as atomics only (1).
        unsafe { AtomicU64::from_ptr(word.as_ptr()) }
    }

    /// Its counters.
    fn counters<'a>(self) -> &'a [AtomicU64; Counter::COUNT] {
        // SAFETY: inside the segment (1).
        let first = unsafe { self.0.add(COUNTERS_AT) };
        // SAFETY: that many words, mapped for ever, aligned, and shared as atomics only (1).
        unsafe { first.cast().as_ref() }
    }

    fn set(self, index: usize, value: u64) {
        self.word(index).store(value, Ordering::Relaxed);
    }

    fn get(self, index: usize) -> u64 {
        self.word(index).load(Ordering::Relaxed)
    }
}

/// Counters of size classes: blocks handed out, and given back.
type Classes = [[AtomicU64; 2]; CLASS_COUNT];

/// Those in a tool's file.
///
/// # Invariants
///
/// 1. They are mapped for ever.
#[derive(Clone, Copy, Debug)]
struct FileClasses(NonNull<Classes>);

impl FileClasses {
    /// Those whose address is in `word`; `None` if that is 0.
    fn at(word: &AtomicU64) -> Option<Self> {
        // ORDERING: Acquire pairs with the Release in `show_in`.
        let address = to_usize(word.load(Ordering::Acquire));
        // INVARIANT: 1, such a word is 0, or was set in `show_in`.
        NonNull::new(ptr::with_exposed_provenance_mut(address)).map(Self)
    }

    fn counters<'a>(self) -> &'a Classes {
        // SAFETY: mapped for ever, aligned, and shared as atomics only (1).
        unsafe { self.0.as_ref() }
    }
}

impl Counters {
    /// All zero.
    pub const fn new() -> Self {
        Self {
            own: [const { AtomicU64::new(0) }; Counter::COUNT],
            home_at: AtomicU64::new(0),
            shown_at: AtomicU64::new(0),
            run_bytes: AtomicU64::new(0),
            large_bytes: AtomicU64::new(0),
            file_classes_at: AtomicU64::new(0),
            is_waiting: AtomicU64::new(0),
        }
    }

    /// The same for a process that will say at its start whether a tool has made a file: what is of a size class stays with the heaps until
    /// then.
    pub(crate) const fn before_start() -> Self {
        Self { is_waiting: AtomicU64::new(1), ..Self::new() }
    }

    /// It is known now.
    pub(crate) fn start(&self) {
        self.is_waiting.store(0, Ordering::Relaxed);
    }

    /// Whether it is not known yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed) != 0
    }

    /// Makes `segment`, zeroed memory, the process's own, with these landmarks, and counts in it from now on, if not in a tool's.
    ///
    /// # Safety
    ///
    /// 1. `segment` is as long as a segment, aligned to 8, used by nobody else, and stays mapped for ever.
    pub unsafe fn settle_in(&self, segment: NonNull<u64>, value_of: impl Fn(Landmark) -> usize) {
        // INVARIANT: 1, by (1).
        let home = Mapped(segment);
        home.set(VERSION_AT, VERSION_WORD);
        let shown = Mapped::at(&self.shown_at);
        let set_landmarks = |segment: Mapped| {
            for landmark in Landmark::ALL {
                segment.set(landmark.word(), value_of(landmark) as u64);
            }
            segment.set(Landmark::Segment.word(), home.address());
            segment.set(Landmark::Shown.word(), shown.unwrap_or(home).address());
            segment.set(LANDMARK_COUNT_AT, Landmark::COUNT as u64);
        };
        set_landmarks(home);
        match shown {
            Some(shown) => set_landmarks(shown),
            None => self.move_to(home),
        }
        self.home_at.store(home.address(), Ordering::Release);
        // Last, so that whoever sees it sees the rest.
        home.word(MAGIC_AT).store(segment::MAGIC, Ordering::Release);
    }

    /// Copies all that is shown to `file`, and counts in it from now on.
    ///
    /// # Safety
    ///
    /// 1. `file` is a mapped segment of this version, with room for the counters of size classes behind it (`FILE_BYTES`), claimed by this
    ///    process, and stays mapped for ever.
    pub unsafe fn show_in(&self, file: NonNull<u64>) {
        // INVARIANT: 1, by (1).
        let segment = Mapped(file);
        self.move_to(segment);
        // SAFETY: there is room behind the segment (1).
        let classes = unsafe { file.add(CLASS_COUNTERS_AT) }.cast();
        // INVARIANT: 1, by (1).
        // What a program counted that this process has replaced.
        FileClasses(classes).counters().iter().flatten().for_each(|word| word.store(0, Ordering::Relaxed));
        segment.set(CLASS_COUNT_AT, CLASS_COUNT as u64);
        // ORDERING: Release, as in `move_to`.
        self.file_classes_at.store(classes.as_ptr().expose_provenance() as u64, Ordering::Release);
    }

    /// Counts in the process's own segment again: in a forked child, whose parent owns the tool's.
    pub fn hide(&self) {
        self.file_classes_at.store(0, Ordering::Relaxed);
        let home = Mapped::at(&self.home_at);
        if let Some(home) = home {
            if Mapped::at(&self.shown_at).is_some_and(|shown| shown.address() != home.address()) {
                self.move_to(home);
            }
            return;
        }
        for counter in Counter::ALL {
            self.own[counter as usize].store(self.get(counter), Ordering::Relaxed);
        }
        self.shown_at.store(0, Ordering::Relaxed);
    }

    fn move_to(&self, segment: Mapped) {
        if let Some(shown) = Mapped::at(&self.shown_at) {
            for index in COUNTERS_AT + Counter::COUNT..CLASS_COUNT_AT {
                segment.set(index, shown.get(index));
            }
            segment.set(LANDMARK_COUNT_AT, shown.get(LANDMARK_COUNT_AT));
        }
        for counter in Counter::ALL {
            segment.set(counter.word(), self.get(counter));
        }
        for trim in TRIM_ASKED_AT..=TRIM_BYTES_AT {
            segment.set(trim, 0);
        }
        for place in [Some(segment), Mapped::at(&self.home_at)].into_iter().flatten() {
            place.set(Landmark::Shown.word(), segment.address());
        }
        // ORDERING: Release, so that nobody adds to a counter in the segment before it has its starting value.
        self.shown_at.store(segment.address(), Ordering::Release);
    }

    /// Shows the sizes of blocks, also in the process's own segment: who looks for a tool's begins there.
    pub(crate) fn show_classes(&self, packed: impl Iterator<Item = u64>) {
        let [shown, home] = [&self.shown_at, &self.home_at].map(Mapped::at);
        for (index, word) in (segment::CLASSES_AT..KEPT_AT).zip(packed) {
            for segment in [shown, home].into_iter().flatten() {
                segment.set(index, word);
            }
        }
    }

    /// Shows what large block is kept in `place`, if any; false if there is nothing to show it in yet.
    pub(crate) fn show_kept(&self, place: usize, kept: Option<(usize, usize)>) -> bool {
        let Some(shown) = Mapped::at(&self.shown_at) else { return false };
        let (start, bytes) = kept.unwrap_or_default();
        let index = KEPT_AT + 2 * place;
        if index + 1 < WORDS {
            shown.set(index, start as u64);
            shown.set(index + 1, bytes as u64);
        }
        true
    }

    /// Whether a tool has asked for a trim that nobody has taken up; the caller has done so now.
    pub(crate) fn take_up_trim(&self) -> Option<u64> {
        let shown = Mapped::at(&self.shown_at)?;
        let (asked, taken) = (shown.get(TRIM_ASKED_AT), shown.get(TRIM_TAKEN_AT));
        if asked == taken {
            return None;
        }
        let taken_up =
            shown.word(TRIM_TAKEN_AT).compare_exchange(taken, asked, Ordering::Relaxed, Ordering::Relaxed);
        taken_up.ok().map(|_| asked)
    }

    /// Tells the tool that the trim it asked for is done.
    pub(crate) fn trim_is_done(&self, asked: u64, bytes: usize) {
        if let Some(shown) = Mapped::at(&self.shown_at) {
            shown.set(TRIM_BYTES_AT, bytes as u64);
            // ORDERING: Release, so that the tool finds the bytes of this trim.
            shown.word(TRIM_DONE_AT).store(asked, Ordering::Release);
        }
    }

    /// The value now.
    pub fn get(&self, counter: Counter) -> u64 {
        self.all()[counter as usize].load(Ordering::Relaxed)
    }

    /// The counters where they are counted now.
    fn all(&self) -> &[AtomicU64; Counter::COUNT] {
        Mapped::at(&self.shown_at).map_or(&self.own, Mapped::counters)
    }

    /// Sets a level.
    pub fn set(&self, counter: Counter, value: usize) {
        self.all()[counter as usize].store(value as u64, Ordering::Relaxed);
    }

    /// Adds to a counter.
    pub fn add(&self, counter: Counter, value: usize) {
        if value != 0 {
            self.all()[counter as usize].fetch_add(value as u64, Ordering::Relaxed);
        }
    }

    /// Raises a level that never falls to at least `value`.
    pub fn raise(&self, counter: Counter, value: u64) {
        self.all()[counter as usize].fetch_max(value, Ordering::Relaxed);
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

    /// Enters what a thread handed out and took back of a size class since the last time.
    pub(crate) fn settle_class(&self, class: SizeClass, change: Change) {
        let Some(file) = FileClasses::at(&self.file_classes_at) else { return };
        let [allocations, frees] = &file.counters()[class.index()];
        allocations.fetch_add(change.allocations as u64, Ordering::Relaxed);
        frees.fetch_add(change.frees as u64, Ordering::Relaxed);
    }

    /// Enters what a thread, or a large or medium block, handed out and took back since the last time.
    pub fn settle(&self, change: Change) {
        self.add(Counter::Allocations, change.allocations);
        self.add(Counter::Frees, change.frees);
        let counters = self.all();
        let delta = (change.allocated_bytes as u64).wrapping_sub(change.freed_bytes as u64);
        let before = counters[Counter::LiveBytes as usize].fetch_add(delta, Ordering::Relaxed);
        let now = before.wrapping_add(delta);
        // A free may be counted before its allocation when two threads settle: then the level is below zero for a moment.
        if now < 1 << 62 {
            counters[Counter::PeakLiveBytes as usize].fetch_max(now, Ordering::Relaxed);
        }
    }
}

/// Blocks of one size class that went out to the program and came home since the last time that this was entered, in one word: those that
/// went out, and 2³² times those that came home. A heap ticks long before there are 2³¹ of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed(i64);

impl Passed {
    pub(crate) const NOTHING: Self = Self(0);

    /// So many blocks went out, and so many came home.
    #[inline(always)]
    pub(crate) const fn new(out: u32, home: u32) -> Self {
        Self((home as i64) << u32::BITS | out as i64)
    }

    /// So many blocks that are said to have gone out never did.
    pub(crate) const fn unused(out: u32) -> Self {
        Self(-(out as i64))
    }

    /// Both together.
    #[inline(always)]
    pub(crate) const fn and(self, more: Self) -> Self {
        Self(self.0.wrapping_add(more.0))
    }

    /// The same in blocks and bytes of `class`.
    pub(crate) fn change(self, class: SizeClass) -> Change {
        let out = i64::from(low_half(self.0.cast_unsigned()).cast_signed());
        let home = self.0.wrapping_sub(out) >> u32::BITS;
        let [allocations, frees] = [out, home].map(|blocks| to_usize(blocks.cast_unsigned()));
        let bytes = |blocks: usize| blocks.wrapping_mul(class.block_bytes());
        Change { allocations, frees, allocated_bytes: bytes(allocations), freed_bytes: bytes(frees) }
    }
}

impl Change {
    /// Adds another one. What was handed out and never reached the program is taken off, so single numbers may be below zero.
    pub(crate) fn add(&mut self, more: Self) {
        self.allocations = self.allocations.wrapping_add(more.allocations);
        self.frees = self.frees.wrapping_add(more.frees);
        self.allocated_bytes = self.allocated_bytes.wrapping_add(more.allocated_bytes);
        self.freed_bytes = self.freed_bytes.wrapping_add(more.freed_bytes);
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
