//! The slow and suspicious way: every operation looks at the object and its guards.
//!
//! An object that is found damaged is reported and stays out of use, so that the damage does not spread and a dump still
//! shows it. Called by `cache` instead of the arrays if the cache checks anything, and to construct new slabs.

#![expect(unsafe_code, reason = "checks look into slots")]

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use mallow_units::FrameNumber;

use crate::cache::Cache;
use crate::corruption::Corruption;
use crate::guard::{Damage, Event, Spot, TRACK_BYTES, Track, Use};
use crate::layout::wide;
use crate::pages::Pages;
use crate::slab::Slab;

impl<P: Pages> Cache<P> {
    pub(crate) fn alloc_checked(&self, cpu: u32, tag: u64) -> Option<NonNull<u8>> {
        loop {
            let mut got = None;
            self.take(1, |object| got = Some(object));
            let object = got?;
            let Ok((mut slab, index)) = Slab::find(&self.pages, &self.layout, self.identity, object) else {
                return None;
            };
            // SAFETY: the object was taken out of the slab for us alone a moment ago.
            let slot = unsafe { slab.slot(index) };
            match self.guard.inspect(&self.layout, slot, Use::Free) {
                Ok(()) => {
                    self.guard.arm(&self.layout, slot, Use::InUse);
                    self.note(slot, Event::Allocated, cpu, tag);
                    return Some(object);
                }
                Err(spot) => {
                    let corruption = self.describe(object, spot.damage, Some(spot), slot);
                    // It stays out, so its zones say so; damaged ones stay as they are.
                    if spot.damage == Damage::Poison {
                        self.guard.arm_zones(&self.layout, slot, Use::InUse);
                    }
                    self.lose();
                    self.pages.report(&corruption);
                }
            }
        }
    }

    pub(crate) fn free_checked(&self, cpu: u32, object: NonNull<u8>, tag: u64) {
        if let Err(corruption) = self.try_free(cpu, object, tag) {
            self.pages.report(&corruption);
        } else {
            // Nothing more to put; this returns slabs that are empty.
            self.put(|| None);
        }
    }

    fn try_free(&self, cpu: u32, object: NonNull<u8>, tag: u64) -> Result<(), Corruption> {
        let mut slabs = self.slabs.lock();
        let (mut slab, index) =
            Slab::find(&self.pages, &self.layout, self.identity, object).map_err(|stray| {
                slabs.corruptions += 1;
                self.corruption(object, stray.into())
            })?;
        let is_free = slab.is_free(index);
        // SAFETY: the caller of `free` gave up the object; if it is free already the lock keeps others from it.
        let slot = unsafe { slab.slot(index) };
        if is_free {
            slabs.corruptions += 1;
            return Err(self.describe(object, Damage::DoubleFree, None, slot));
        }
        if let Err(spot) = self.guard.inspect(&self.layout, slot, Use::InUse) {
            slabs.corruptions += 1;
            slabs.lost += 1;
            return Err(self.describe(object, spot.damage, Some(spot), slot));
        }
        self.guard.arm(&self.layout, slot, Use::Free);
        self.note(slot, Event::Freed, cpu, tag);
        slabs.put(self.pages.table(), &slab, index);
        Ok(())
    }

    /// Makes every slot of a new slab what a free one is.
    pub(crate) fn construct(&self, slab: &mut Slab<'_, P>) {
        for index in 0..self.layout.objects {
            // SAFETY: nobody else knows the slab yet.
            let slot = unsafe { slab.slot(index) };
            self.guard.arm(&self.layout, slot, Use::Free);
            self.guard.forget(&self.layout, slot);
            if let Some(constructor) = self.constructor {
                constructor(self.object_bytes(slot));
            }
        }
    }

    /// The object of a slot, as a constructor sees it.
    fn object_bytes<'s>(&self, slot: &'s mut [u8]) -> &'s mut [MaybeUninit<u8>] {
        let start = wide(self.layout.left);
        let object = &mut slot[start..start + wide(self.layout.bytes)];
        // SAFETY: the bytes of the slot, as bytes that need not be initialised. A constructor that leaves some uninitialised could only do so by
        // writing `MaybeUninit::uninit`, which leaves what is there.
        unsafe { &mut *(core::ptr::from_mut(object) as *mut [MaybeUninit<u8>]) }
    }

    /// The object in slot `index` of the slab at `head`, whether it is free or not; `None` if there is no such slab.
    #[inline]
    pub(crate) fn object_at(&self, head: FrameNumber, index: u32) -> Option<NonNull<u8>> {
        Slab::object_at(&self.pages, &self.layout, self.identity, head, index)
    }

    fn note(&self, slot: &mut [u8], event: Event, cpu: u32, tag: u64) {
        self.guard.note(&self.layout, slot, event, Track { tag, when: self.pages.now(), cpu });
    }

    /// Looks at the guards of all objects, free, in use or lost, and reports every one that is damaged. Returns how many are.
    ///
    /// Cost: a walk over all slabs under the lock; the reports follow one by one after it. Free objects that lie in magazines are in
    /// use as far as this is concerned, but caches that check have none.
    ///
    /// # Source
    ///
    /// `echo 1 >/sys/kernel/slab/NAME/validate`.
    pub fn validate(&self) -> u64 {
        let mut damaged = 0;
        while let Some(corruption) = self.nth_damaged(damaged) {
            damaged += 1;
            self.pages.report(&corruption);
        }
        damaged
    }

    /// The damaged object after `skip` others.
    fn nth_damaged(&self, skip: u64) -> Option<Corruption> {
        let slabs = self.slabs.lock();
        let table = self.pages.table();
        let mut left = skip;
        for list in [&slabs.full, &slabs.partial, &slabs.empty] {
            for head in list.iter(table) {
                // SAFETY: it is on a list of this cache, whose lock is held.
                let slab = unsafe { Slab::at(&self.pages, &self.layout, head) }?;
                for index in 0..self.layout.objects {
                    let Err(spot) = self.inspect(&slab, index) else { continue };
                    if left == 0 {
                        return Some(self.describe_in_place(&slab, index, spot));
                    }
                    left -= 1;
                }
            }
        }
        None
    }

    /// Looks at the guards of an object where it is. Of one in use only the zones are read.
    pub(crate) fn inspect(&self, slab: &Slab<'_, P>, index: u32) -> Result<(), Spot> {
        let state = if slab.is_free(index) { Use::Free } else { Use::InUse };
        let layout = &self.layout;
        let object = layout.left + layout.bytes;
        if self.guard.has_zones() {
            // SAFETY: zones are no client's business; the lock keeps us from changing them ourselves.
            let left = unsafe { slab.part(index, 0, layout.left) };
            self.guard.inspect_left(left, state)?;
            // SAFETY: as above.
            let right = unsafe { slab.part(index, object, layout.right) };
            self.guard.inspect_right(layout, right, state)?;
        }
        if state == Use::Free {
            // SAFETY: the object is free, and the lock keeps it so.
            let content = unsafe { slab.part(index, layout.left, layout.bytes) };
            self.guard.inspect_content(content)?;
        }
        Ok(())
    }

    fn describe_in_place(&self, slab: &Slab<'_, P>, index: u32, spot: Spot) -> Corruption {
        Corruption {
            spot: Some(spot),
            allocated: self.track_in_place(slab, index, Event::Allocated),
            freed: self.track_in_place(slab, index, Event::Freed),
            ..self.corruption(slab.object(index), spot.damage)
        }
    }

    /// Reads a tag of an object where it is.
    pub(crate) fn track_in_place(&self, slab: &Slab<'_, P>, index: u32, event: Event) -> Option<Track> {
        if self.layout.tags_at == 0 {
            return None;
        }
        // SAFETY: the tags end where the slot does or before, are no client's business, and the caller has the lock.
        let tags = unsafe { slab.part(index, self.layout.tags_at, 2 * TRACK_BYTES) };
        self.guard.track_in(tags, event)
    }

    fn lose(&self) {
        let mut slabs = self.slabs.lock();
        slabs.corruptions += 1;
        slabs.lost += 1;
    }

    fn describe(&self, object: NonNull<u8>, damage: Damage, spot: Option<Spot>, slot: &[u8]) -> Corruption {
        Corruption {
            spot,
            allocated: self.guard.track(&self.layout, slot, Event::Allocated),
            freed: self.guard.track(&self.layout, slot, Event::Freed),
            ..self.corruption(object, damage)
        }
    }
}
