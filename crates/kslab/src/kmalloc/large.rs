//! Memory above the size classes: a run of pages each.

use core::ptr::NonNull;

use mallow_ds::sync::Ordering;
use mallow_frame::{Frame, FrameState, Mobility};
use mallow_units::page::{self, PAGE_BYTES};
use mallow_units::size_class::CLASS_COUNT;
use mallow_units::{FrameNumber, Order};

use super::Kmalloc;
use crate::guard::Damage;
use crate::pages::Pages;

/// Bytes of a run.
pub(super) const fn bytes(order: Order) -> usize {
    PAGE_BYTES << order.get()
}

impl<P: Pages> Kmalloc<P> {
    #[cold]
    #[inline(never)]
    pub(super) fn alloc_large(&self, bytes: usize) -> Option<NonNull<u8>> {
        let frames = u32::try_from(page::round_up(bytes)? / PAGE_BYTES).ok()?;
        let order = Order::holding(frames)?;
        let pages = self.caches[0].pages();
        let run = pages.allocate(order, Mobility::Unmovable)?;
        let head = run.first();
        let (Some(base), Some(record)) = (pages.base(head), pages.table().get(head)) else {
            pages.free(run);
            return None;
        };
        record.set_owner(self.large_identity());
        run.into_first();
        self.large_pages.fetch_add(u64::from(order.frames()), Ordering::Relaxed);
        Some(base)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn free_large(&self, memory: NonNull<u8>, frame: FrameNumber, record: &Frame) {
        let pages = self.caches[0].pages();
        if record.state() != FrameState::Kernel {
            return self.report(memory, Damage::Foreign);
        }
        if pages.base(frame) != Some(memory) {
            return self.report(memory, Damage::NotAnObject);
        }
        let Ok(run) = pages.table().run(frame) else { return };
        record.set_owner(0);
        self.large_pages.fetch_sub(u64::from(run.frame_count()), Ordering::Relaxed);
        pages.free(run);
    }

    /// What the first frame of a large run is owned by: the number after those of the caches.
    fn large_identity(&self) -> u32 {
        self.first + u32::try_from(CLASS_COUNT).unwrap_or(0)
    }
}
