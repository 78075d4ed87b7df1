//! A source of pages for those who have a buddy [`Node`] and a direct map, and no slow path of their own.
//!
//! Used by the examples, the tests and the benches; a kernel with reclaim implements [`Pages`] itself, because only it knows
//! whom to ask for memory.

#![expect(unsafe_code, reason = "it is made with the promise that the memory is there")]

use core::ptr::NonNull;

use mallow_buddy::{Mark, Node, Request};
use mallow_frame::{FrameRun, FrameTable, Mobility};
use mallow_units::page::PAGE_BYTES;
use mallow_units::{FrameNumber, Order};

use crate::lock::Lock;
use crate::pages::{Identities, Pages};

/// A node behind a lock, and where its memory is mapped.
///
/// # Invariants
///
/// 1. Frame `f` of the table lies at `base + (f - first) * 4096`, initialised, and is used by nobody who did not get it from the node.
#[derive(Debug)]
pub struct NodePages<'t> {
    table: FrameTable<'t>,
    node: Lock<Node>,
    base: NonNull<u8>,
    first: FrameNumber,
    identities: Identities,
}

// SAFETY: the pointer blocks the automatic impl; what it points to is handed out in disjoint runs.
unsafe impl Send for NodePages<'_> {}
// SAFETY: as above; the node is behind a lock.
unsafe impl Sync for NodePages<'_> {}

impl<'t> NodePages<'t> {
    /// Takes over `node`, all of whose frames are mapped in a row. `None` if the address of a run would not be a multiple of its
    /// length, because `base` is not aligned as frame `first` is.
    ///
    /// # Safety
    ///
    /// 1. For every frame `f` of `table` the 4096 bytes at `base + (f - first) * 4096` are initialised memory within one
    ///    allocation, and stay it.
    /// 2. `node` is a node of `table`, and nobody uses memory of its frames who did not get it from this value.
    #[cfg(not(loom))]
    pub unsafe fn new(
        table: FrameTable<'t>,
        node: Node,
        base: NonNull<u8>,
        first: FrameNumber,
    ) -> Option<Self> {
        let longest = PAGE_BYTES << Order::MAX.get();
        let place_of_first = first.0 as usize * PAGE_BYTES % longest;
        if base.addr().get() % longest != place_of_first {
            return None;
        }
        Some(Self { table, node: Lock::new(node), base, first, identities: Identities::new() })
    }

    /// Does something with the node, under its lock.
    pub fn with_node<T>(&self, action: impl FnOnce(&mut Node) -> T) -> T {
        action(&mut self.node.lock())
    }
}

// SAFETY: the node hands out disjoint runs of its table; the map is as `new` was promised, and never changes.
unsafe impl Pages for NodePages<'_> {
    fn table(&self) -> FrameTable<'_> {
        self.table
    }

    fn allocate(&self, order: Order, mobility: Mobility) -> Option<FrameRun> {
        let request = Request { mobility, ..Request::kernel(order) };
        self.node.lock().allocate_above(self.table, Mark::Min, &request)
    }

    fn free(&self, run: FrameRun) {
        let freed = self.node.lock().free(self.table, run);
        debug_assert!(freed.is_ok(), "a run of this node, freed once: {freed:?}");
    }

    #[inline]
    fn base(&self, frame: FrameNumber) -> Option<NonNull<u8>> {
        self.table.get(frame)?;
        let bytes = (frame.0 as usize).wrapping_sub(self.first.0 as usize).wrapping_mul(PAGE_BYTES);
        // SAFETY: the frame is one of the table, so the place is within the memory (1).
        Some(unsafe { self.base.offset(bytes.cast_signed()) })
    }

    #[inline]
    fn frame_at(&self, address: NonNull<u8>) -> Option<FrameNumber> {
        let bytes = address.addr().get().wrapping_sub(self.base.addr().get()).cast_signed();
        let frame = (bytes as i64 >> PAGE_BYTES.trailing_zeros()) + i64::from(self.first.0);
        u32::try_from(frame).ok().map(FrameNumber)
    }

    fn identities(&self, count: u32) -> Option<u32> {
        self.identities.take(count)
    }
}
