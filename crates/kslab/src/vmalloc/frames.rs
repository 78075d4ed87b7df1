//! The frames of an area: single ones, from anywhere.

#![expect(unsafe_code, reason = "fresh frames are cleared")]

use mallow_frame::{FrameList, FrameState, Mobility};
use mallow_units::page::PAGE_BYTES;
use mallow_units::{FrameNumber, Order};

use crate::pages::Pages;

/// Takes `count` frames, with `prepare` done to each; all of them or none.
pub(super) fn take<P: Pages>(
    pages: &P,
    count: u64,
    frames: &mut FrameList,
    prepare: fn(&P, FrameNumber),
) -> bool {
    let table = pages.table();
    for _ in 0..count {
        let Some(run) = pages.allocate(Order::ZERO, Mobility::Unmovable) else {
            give_back(pages, frames);
            return false;
        };
        let frame = run.into_first();
        let changed = table.set_use(frame, FrameState::Vmalloc);
        debug_assert!(changed.is_ok(), "a fresh run may become anything: {changed:?}");
        prepare(pages, frame);
        frames.push_back(table, frame);
    }
    true
}

/// Gives all frames back.
pub(super) fn give_back<P: Pages>(pages: &P, frames: &mut FrameList) {
    let table = pages.table();
    while let Some(frame) = frames.pop_front(table) {
        if let Ok(run) = table.run(frame) {
            pages.free(run);
        }
    }
}

/// Clears a frame that was taken a moment ago.
pub(super) fn zero<P: Pages>(pages: &P, frame: FrameNumber) {
    if let Some(base) = pages.base(frame) {
        // SAFETY: the frame is allocated and ours alone, so these bytes are (`Pages`, 1 and 2).
        unsafe { base.write_bytes(0, PAGE_BYTES) };
    }
}
