//! Walks a cache and asserts every invariant. For tests.

#![expect(unsafe_code, reason = "slabs are found by their numbers")]

use core::ptr::NonNull;

use mallow_frame::{FrameList, FrameState, Head};

use crate::cache::Cache;
use crate::cpu::CpuCache;
use crate::magazine::PER_FRAME;
use crate::pages::Pages;
use crate::slab::Slab;

impl<P: Pages> Cache<P> {
    /// Checks the cache, of which `cpus` are all the fronts.
    ///
    /// Cost: a walk over all slabs, for each object at hand a walk over the others.
    ///
    /// # Panics
    ///
    /// If an invariant is broken.
    pub fn check<'c>(&self, cpus: impl IntoIterator<Item = &'c CpuCache> + Clone) {
        let slabs = self.slabs.lock();
        let mut out = 0;
        for (list, is_right) in [
            (&slabs.empty, (|free, all| free == all) as fn(u32, u32) -> bool),
            (&slabs.partial, |free, all| 0 < free && free < all),
            (&slabs.full, |free, _| free == 0),
        ] {
            assert!(list.is_whole(self.pages.table()), "{}: a list of slabs is broken", self.name);
            out += self.check_list(list, is_right);
        }
        assert_eq!(out, slabs.out, "{}: the sum of what is out", self.name);
        drop(slabs);
        let at_hand = || cpus.clone().into_iter().flat_map(CpuCache::objects);
        for (at, object) in at_hand().enumerate() {
            assert!(self.is_out(object), "{}: a free object is at hand and in its slab", self.name);
            assert!(
                at_hand().skip(at + 1).all(|other| other != object),
                "{}: an object is at hand twice",
                self.name
            );
        }
        self.check_depot();
    }

    /// Checks the slabs of a list; returns how many of their objects are out.
    fn check_list(&self, list: &FrameList, is_right: fn(u32, u32) -> bool) -> u64 {
        let table = self.pages.table();
        let mut out = 0;
        for head in list.iter(table) {
            // SAFETY: it is on a list of this cache, and the caller holds the lock.
            let slab = unsafe { Slab::at(&self.pages, &self.layout, head) };
            let (Some(slab), Some(record)) = (slab, table.get(head)) else {
                panic!("a slab that is no memory")
            };
            assert!(record.is(Head { state: FrameState::Slab, order: self.layout.order }));
            let frames = (0..self.layout.order.frames()).map(|at| mallow_units::FrameNumber(head.0 + at));
            assert!(
                frames
                    .into_iter()
                    .all(|frame| table.get(frame).is_some_and(|one| one.owner() == self.identity)),
                "{}: a frame of a slab belongs to somebody else",
                self.name
            );
            let free = (0..self.layout.objects).filter(|index| slab.is_free(*index)).count();
            assert_eq!(free, slab.free() as usize, "{}: the map and the count of {head:?}", self.name);
            assert!(
                is_right(slab.free(), self.layout.objects),
                "{}: {head:?} is on the wrong list",
                self.name
            );
            self.check_guards(&slab);
            out += u64::from(slab.used());
        }
        out
    }

    fn check_guards(&self, slab: &Slab<'_, P>) {
        for index in (0..self.layout.objects).filter(|index| slab.is_free(*index)) {
            let found = self.inspect(slab, index);
            assert!(found.is_ok(), "{}: object {:?}: {found:?}", self.name, slab.object(index));
        }
    }

    fn is_out(&self, object: NonNull<u8>) -> bool {
        let _guard = self.slabs.lock();
        Slab::find(&self.pages, &self.layout, self.identity, object)
            .is_ok_and(|(slab, index)| !slab.is_free(index))
    }

    fn check_depot(&self) {
        let made = self.slabs.lock().magazine_frames.count() as usize * PER_FRAME;
        let kept = (self.full.depth() + self.empty.depth()) as usize;
        assert!(kept <= made, "{}: more magazines than were made", self.name);
    }
}
