//! Memory for magazines: frames cut into eight, and the way between a magazine and its number.
//!
//! The number of a magazine is that of its frame times eight plus its place there. Magazines stay what they are until the cache is destroyed, which is what makes
//! the depot's stale reads harmless. Called by `cache` and `reap`.

#![expect(unsafe_code, reason = "magazines lie in frames")]

use core::ptr::NonNull;

use mallow_frame::Mobility;
use mallow_units::{FrameNumber, Order};

use crate::cache::Cache;
use crate::depot::{MAX_DEPTH, Stack};
use crate::magazine::{self, MAGAZINE_BYTES, Owned, PER_FRAME};
use crate::pages::Pages;

impl<P: Pages> Cache<P> {
    /// Takes a magazine of the depot, full or empty as the stack is.
    pub(crate) fn take_magazine(&self, stack: &Stack) -> Option<Owned> {
        // SAFETY: only magazines of this cache are on its stacks, and their memory is not given back before it is destroyed.
        let read = |number| self.place(number).map_or(0, |place| unsafe { magazine::read_link(place) });
        let place = self.place(stack.pop(read)?)?;
        // SAFETY: `keep_magazine` put it there after `leave`, and `pop` handed it to us alone.
        Some(unsafe { Owned::adopt(place) })
    }

    /// Puts a magazine into the depot; gives it back if there are `limit` already.
    pub(crate) fn keep_magazine(&self, stack: &Stack, magazine: Owned, limit: u32) -> Result<(), Owned> {
        let place = magazine.leave();
        let kept = self.number(place).is_some_and(|number| {
            // SAFETY: a magazine that was left a moment ago.
            stack.push(number, limit, |link| unsafe { magazine::write_link(place, link) })
        });
        if kept {
            return Ok(());
        }
        // SAFETY: it was left a moment ago, and the stack did not take it.
        Err(unsafe { Owned::adopt(place) })
    }

    /// Puts an empty magazine into the depot. Blank ones are not magazines.
    pub(crate) fn keep_empty(&self, magazine: Owned) {
        if !magazine.is_blank() {
            let kept = self.keep_magazine(&self.empty, magazine, MAX_DEPTH);
            debug_assert!(kept.is_ok(), "no more magazines are made than the stack holds");
        }
    }

    /// An empty magazine; `None` if there is no memory for one.
    pub(crate) fn empty_magazine(&self) -> Option<Owned> {
        self.take_magazine(&self.empty).or_else(|| self.make_magazines())
    }

    /// Cuts a frame into magazines, keeps all but one.
    fn make_magazines(&self) -> Option<Owned> {
        let run = self.pages.allocate(Order::ZERO, Mobility::Unmovable)?;
        let frame = run.first();
        let table = self.pages.table();
        let (Some(base), Some(record)) = (self.pages.base(frame), table.get(frame)) else {
            self.pages.free(run);
            return None;
        };
        {
            let mut slabs = self.slabs.lock();
            if (slabs.magazine_frames.count() as usize + 1) * PER_FRAME > MAX_DEPTH as usize {
                drop(slabs);
                self.pages.free(run);
                return None;
            }
            slabs.magazine_frames.push_back(table, frame);
        }
        // Whoever frees an address in here by mistake is told that it belongs to nobody.
        record.set_owner(0);
        run.into_first();
        let mut one = None;
        for at in 0..PER_FRAME {
            // SAFETY: eight magazines are one frame, whose bytes are ours and in a row (`Pages`, 1 and 2).
            let place = unsafe { base.add(at * MAGAZINE_BYTES) };
            // SAFETY: as above; nobody has seen this memory.
            let magazine = unsafe { Owned::make(place, self.capacity()) };
            if let Some(another) = one.replace(magazine) {
                self.keep_empty(another);
            }
        }
        one
    }

    fn number(&self, place: NonNull<u8>) -> Option<u64> {
        let frame = self.pages.frame_at(place)?;
        let offset = place.addr().get() % mallow_units::page::PAGE_BYTES;
        Some(u64::from(frame.0) * PER_FRAME as u64 + (offset / MAGAZINE_BYTES) as u64)
    }

    fn place(&self, number: u64) -> Option<NonNull<u8>> {
        let frame = u32::try_from(number / PER_FRAME as u64).ok()?;
        let base = self.pages.base(FrameNumber(frame))?;
        let at = mallow_units::word::to_usize(number % PER_FRAME as u64);
        // SAFETY: numbers are made from places in frames of magazines, see `number`.
        Some(unsafe { base.add(at * MAGAZINE_BYTES) })
    }
}
