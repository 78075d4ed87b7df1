//! A machine for tests: memory, a buddy allocator that refuses on demand, a clock, and an ear for reports.

#![allow(dead_code, reason = "each test uses a part of it")]

extern crate alloc;

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use mallow_buddy::{Layout as NodeLayout, Node, Tuning};
use mallow_frame::{Frame, FrameRun, FrameTable, Mobility, Region, Regions};
use mallow_kslab::{Corruption, Identities, NodePages, Pages};
use mallow_units::page::PAGE_BYTES;
use mallow_units::{FrameNumber, Order};

/// The first frame: not zero, and aligned to the longest run.
const FIRST: FrameNumber = FrameNumber(4096);

pub(crate) struct Ram {
    base: NonNull<u8>,
    frames: u32,
    /// Borrows what `new` leaks: a test's machine is small.
    pages: NodePages<'static>,
    reports: Mutex<Vec<Corruption>>,
    clock: AtomicU64,
    identities: Identities,
    /// Allocations until one is refused: `u64::MAX` never.
    left: AtomicU64,
    /// How often it was asked.
    asked: AtomicU64,
}

// SAFETY: the pointer is to memory that this value owns, which it hands out in disjoint runs.
unsafe impl Sync for Ram {}

impl Ram {
    /// A machine whose memory holds what memory holds: anything.
    pub(crate) fn new(frames: u32) -> Self {
        let layout = Self::layout(frames);
        // SAFETY: the layout is not empty.
        let base = NonNull::new(unsafe { alloc(layout) }).expect("memory");
        // SAFETY: allocated with this length.
        unsafe { base.write_bytes(0xd3, layout.size()) };
        let region = Region::new(FIRST, frames);
        let regions = Box::leak(Box::new(Regions::new(&[region]).expect("one region")));
        let table: &[Frame] = Box::leak((0..frames).map(|_| Frame::new()).collect());
        let table = FrameTable::new(table, regions).expect("an entry per frame");
        // Nothing is held back, so that a test can use every frame.
        let tuning = Tuning { min_free_kbytes: Some(0), lowmem_reserve_ratio: 0, ..Tuning::default() };
        let mut node = Node::new(table, NodeLayout { tuning, ..NodeLayout::default() });
        node.release(table, region).expect("fresh frames");
        Self {
            base,
            frames,
            // SAFETY: the memory was made for these frames a moment ago.
            pages: unsafe { NodePages::new(table, node, base, FIRST) }.expect("aligned"),
            reports: Mutex::new(Vec::new()),
            clock: AtomicU64::new(0),
            identities: Identities::new(),
            left: AtomicU64::new(u64::MAX),
            asked: AtomicU64::new(0),
        }
    }

    fn layout(frames: u32) -> Layout {
        let align = PAGE_BYTES << Order::MAX.get();
        Layout::from_size_align(frames as usize * PAGE_BYTES, align).expect("a small machine")
    }

    /// Grants the next `count` allocations and refuses all that follow.
    pub(crate) fn refuse_after(&self, count: u64) {
        self.left.store(count, Ordering::Relaxed);
    }

    pub(crate) fn refuse_none(&self) {
        self.refuse_after(u64::MAX);
    }

    /// How often memory was asked for.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn used_frames(&self) -> u32 {
        self.frames - self.pages.with_node(|node| node.free_frames())
    }

    pub(crate) fn reports(&self) -> MutexGuard<'_, Vec<Corruption>> {
        self.reports.lock().expect("no test panics while it reports")
    }

    pub(crate) fn take_reports(&self) -> Vec<Corruption> {
        core::mem::take(&mut self.reports())
    }
}

impl Drop for Ram {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.base.as_ptr(), Self::layout(self.frames)) };
    }
}

// SAFETY: all memory comes from `NodePages`.
unsafe impl Pages for Ram {
    fn table(&self) -> FrameTable<'_> {
        self.pages.table()
    }

    fn allocate(&self, order: Order, mobility: Mobility) -> Option<FrameRun> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let grant = |left: u64| if left == u64::MAX { Some(left) } else { left.checked_sub(1) };
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grant).ok()?;
        self.pages.allocate(order, mobility)
    }

    fn free(&self, run: FrameRun) {
        self.pages.free(run);
    }

    #[inline]
    fn base(&self, frame: FrameNumber) -> Option<NonNull<u8>> {
        self.pages.base(frame)
    }

    #[inline]
    fn frame_at(&self, address: NonNull<u8>) -> Option<FrameNumber> {
        self.pages.frame_at(address)
    }

    fn identities(&self, count: u32) -> Option<u32> {
        self.identities.take(count)
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn report(&self, corruption: &Corruption) {
        self.reports().push(*corruption);
    }
}
