//! The slabs of a cache: which have room, which are full, which are empty.
//!
//! Objects are taken from a slab that is partly used before an empty one is touched. A full slab that gets an object back joins at
//! the end of the line, so that it gathers more before its turn. A few empty slabs stay at hand; the others go back to
//! the page allocator. Every method is called under the cache's lock, or by who has the cache alone. Called by `cache`, `checked`, `reap`.

#![expect(unsafe_code, reason = "lists hold the numbers of slabs, which are views of memory")]

use core::ptr::NonNull;

use mallow_frame::{FrameList, FrameTable};
use mallow_units::FrameNumber;

use crate::layout::Layout;
use crate::pages::Pages;
use crate::slab::Slab;

/// The lists and the sums over them.
///
/// # Invariants
///
/// 1. Each slab of the cache is on exactly one list: `empty` if all its objects are in it, `full` if none is, else `partial`.
/// 2. `out` is the sum of the objects that are out of their slabs.
#[derive(Debug)]
pub(crate) struct Slabs {
    pub(crate) partial: FrameList,
    pub(crate) full: FrameList,
    pub(crate) empty: FrameList,
    /// Objects out of their slabs: with clients, in magazines, and lost.
    pub(crate) out: u64,
    /// Objects that were found damaged, and are out for ever.
    pub(crate) lost: u64,
    /// The fewest empty slabs since the last reap.
    pub(crate) least_empty: u32,
    /// Frames of magazines.
    pub(crate) magazine_frames: FrameList,
    /// Corruptions that were reported.
    pub(crate) corruptions: u64,
}

impl Slabs {
    pub(crate) const fn new() -> Self {
        Self {
            partial: FrameList::new(),
            full: FrameList::new(),
            empty: FrameList::new(),
            out: 0,
            lost: 0,
            least_empty: 0,
            magazine_frames: FrameList::new(),
            corruptions: 0,
        }
    }

    /// How many slabs there are.
    pub(crate) const fn count(&self) -> u64 {
        self.partial.count() as u64 + self.full.count() as u64 + self.empty.count() as u64
    }

    /// Takes up to `want` objects from slabs that are there, and gives each to `sink`. Returns how many.
    pub(crate) fn take<P: Pages>(
        &mut self,
        pages: &P,
        layout: &Layout,
        want: u32,
        mut sink: impl FnMut(NonNull<u8>),
    ) -> u32 {
        let mut taken = 0;
        while taken < want {
            let from = if self.partial.is_empty() { &mut self.empty } else { &mut self.partial };
            let Some(head) = from.pop_front(pages.table()) else { break };
            self.least_empty = self.least_empty.min(self.empty.count());
            // SAFETY: only slabs of this cache are on its lists (1), and the lock is held.
            let Some(slab) = (unsafe { Slab::at(pages, layout, head) }) else { break };
            taken += slab.take(want - taken, &mut sink);
            self.file(pages.table(), &slab);
        }
        // INVARIANT: (2) these objects have left their slabs.
        self.out += u64::from(taken);
        taken
    }

    /// Puts the object of slot `index` back into `slab`; false if it was there already.
    #[inline(always)]
    pub(crate) fn put(&mut self, table: FrameTable<'_>, slab: &Slab<'_, impl Pages>, index: u32) -> bool {
        let Some(used_before) = slab.put(index) else { return false };
        // INVARIANT: (2) one object has come home.
        self.out -= 1;
        if used_before == slab.objects() || used_before == 1 {
            self.move_home(table, slab.head(), used_before, slab.objects());
        }
        true
    }

    /// Moves a slab that was full, or is now empty, to the list where it belongs.
    #[inline(never)]
    fn move_home(&mut self, table: FrameTable<'_>, head: FrameNumber, used_before: u32, objects: u32) {
        let from = if used_before == objects { &mut self.full } else { &mut self.partial };
        from.remove(table, head);
        if used_before == 1 {
            self.empty.push_front(table, head);
        } else {
            self.partial.push_back(table, head);
        }
    }

    /// Adds a slab that is new.
    pub(crate) fn add(&mut self, table: FrameTable<'_>, slab: &Slab<'_, impl Pages>) {
        self.file(table, slab);
    }

    /// Puts a slab that is on no list on the one where it belongs.
    fn file(&mut self, table: FrameTable<'_>, slab: &Slab<'_, impl Pages>) {
        // INVARIANT: (1) the list follows from the counts.
        if slab.used() == 0 {
            self.empty.push_front(table, slab.head());
        } else if slab.free() == 0 {
            self.full.push_front(table, slab.head());
        } else {
            self.partial.push_back(table, slab.head());
        }
    }

    /// Takes away the empty slab that has been so for longest, if there are more than `keep`.
    pub(crate) fn remove_empty(&mut self, table: FrameTable<'_>, keep: u32) -> Option<FrameNumber> {
        if self.empty.count() <= keep {
            return None;
        }
        let head = self.empty.pop_back(table)?;
        self.least_empty = self.least_empty.min(self.empty.count());
        Some(head)
    }

    /// Sorts the partial slabs, the fullest first, so that the emptiest get the time to become empty.
    ///
    /// Cost: a few walks over the list.
    pub(crate) fn sort(&mut self, table: FrameTable<'_>, layout: &Layout) {
        const STEPS: u32 = 32;
        let mut sorted = FrameList::new();
        let mut rest = core::mem::take(&mut self.partial);
        // A bucket for each share of free slots, as Linux does it; what is fuller than the bucket's share is taken.
        for step in 1..=STEPS {
            let mut left = FrameList::new();
            while let Some(head) = rest.pop_front(table) {
                let used = table.get(head).map_or(0, |record| record.references() - 1);
                let free = layout.objects - used.min(layout.objects);
                let is_turn =
                    u64::from(free) * u64::from(STEPS) <= u64::from(layout.objects) * u64::from(step);
                let list = if is_turn { &mut sorted } else { &mut left };
                list.push_back(table, head);
            }
            rest = left;
        }
        sorted.append(table, &mut rest);
        self.partial = sorted;
    }
}
