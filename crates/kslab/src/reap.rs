//! Giving back: shrinking, reaping by the working set, destroying with a check for leaks.
//!
//! *Shrink* returns all that is not in use. *Reap*, called at intervals or under pressure, returns only what has not been in use since the
//! call before: the least depth of the depot and the fewest empty slabs in between are what the working set does not need
//! (Bonwick and Adams 2001, §3). What lies in the arrays of processors is theirs; [`Cache::drain`] brings it in.

#![expect(unsafe_code, reason = "slabs are found by their numbers")]

use core::fmt;
use core::ptr::NonNull;

use mallow_frame::FrameList;
use mallow_units::{FrameNumber, PageCount};

use crate::cache::Cache;
use crate::cpu::CpuCache;
use crate::depot::Stack;
use crate::guard::{Event, Track};
use crate::magazine::{Owned, PER_FRAME};
use crate::pages::Pages;
use crate::slab::Slab;

impl<P: Pages> Cache<P> {
    /// Brings the objects of a processor's front back into the slabs, and its magazines into the depot.
    ///
    /// A front of another cache stays as it is.
    pub fn drain(&self, cpu: &mut CpuCache) {
        if cpu.key != self.key {
            return;
        }
        for magazine in [&mut cpu.main, &mut cpu.spare] {
            self.unload(magazine);
            self.keep_empty(core::mem::replace(magazine, Owned::blank()));
        }
    }

    /// Takes a processor's front back.
    ///
    /// # Errors
    ///
    /// The front, unchanged, if it is one of another cache.
    pub fn detach(&self, mut cpu: CpuCache) -> Result<(), CpuCache> {
        if cpu.key != self.key {
            return Err(cpu);
        }
        self.drain(&mut cpu);
        Ok(())
    }

    /// Returns all memory that is not in use, and sorts what is partly used by how full it is. Returns the number of pages.
    ///
    /// # Source
    ///
    /// `kmem_cache_shrink`.
    pub fn shrink(&self) -> PageCount {
        let unloaded = self.unload_depot(u32::MAX);
        let mut slabs = self.slabs.lock();
        slabs.sort(self.pages.table(), &self.layout);
        drop(slabs);
        PageCount(unloaded.0 + self.return_empty(u32::MAX).0)
    }

    /// Returns what has not been needed since the last call. Returns the number of pages.
    ///
    /// The first call returns nothing: there is no working set yet.
    pub fn reap(&self) -> PageCount {
        let unloaded = self.unload_depot(self.full.take_least());
        let mut slabs = self.slabs.lock();
        let unneeded = slabs.least_empty;
        drop(slabs);
        let returned = self.return_empty(unneeded);
        slabs = self.slabs.lock();
        slabs.least_empty = slabs.empty.count();
        PageCount(unloaded.0 + returned.0)
    }

    /// Empties up to `most` full magazines of the depot.
    fn unload_depot(&self, most: u32) -> PageCount {
        let mut pages = 0;
        for _ in 0..most {
            let Some(mut magazine) = self.take_magazine(&self.full) else { break };
            pages += self.unload(&mut magazine).0;
            self.keep_empty(magazine);
        }
        PageCount(pages)
    }

    /// Returns up to `most` empty slabs.
    fn return_empty(&self, most: u32) -> PageCount {
        let table = self.pages.table();
        let mut gone = FrameList::new();
        let mut slabs = self.slabs.lock();
        for _ in 0..most {
            let Some(head) = slabs.remove_empty(table, 0) else { break };
            gone.push_back(table, head);
        }
        drop(slabs);
        self.give_back(gone)
    }

    /// Returns slabs that are on no list of the cache any more.
    pub(crate) fn give_back(&self, mut gone: FrameList) -> PageCount {
        let table = self.pages.table();
        let mut pages = 0;
        while let Some(head) = gone.pop_front(table) {
            // SAFETY: it was on the list of empty slabs until a moment ago, so nobody but us knows it.
            let slab = unsafe { Slab::at(&self.pages, &self.layout, head) };
            if let Some(run) = slab.and_then(Slab::unmake) {
                pages += u64::from(run.frame_count());
                self.pages.free(run);
            }
        }
        PageCount(pages)
    }

    /// Destroys the cache.
    ///
    /// # Errors
    ///
    /// [`Leak`] if objects are still out, or a processor has not been detached. The cache lives on in it.
    ///
    /// # Source
    ///
    /// `kmem_cache_destroy`, which prints the objects that remain.
    #[expect(clippy::result_large_err, reason = "the cache itself, once in its life")]
    pub fn destroy(mut self) -> Result<(), Leak<P>> {
        if self.empty() { Ok(()) } else { Err(Leak { cache: self }) }
    }

    /// Returns all memory, that of magazines included, if nothing is out; whether that is so. The cache starts anew.
    pub(crate) fn empty(&mut self) -> bool {
        self.unload_depot(u32::MAX);
        self.return_empty(u32::MAX);
        if !self.is_idle() {
            return false;
        }
        self.empty = Stack::new();
        let mut frames = core::mem::take(&mut self.slabs.get_mut().magazine_frames);
        let table = self.pages.table();
        while let Some(frame) = frames.pop_front(table) {
            if let Ok(run) = table.run(frame) {
                self.pages.free(run);
            }
        }
        true
    }

    /// Whether all objects are in their slabs, and all magazines in the depot.
    pub(crate) fn is_idle(&self) -> bool {
        let slabs = self.slabs.lock();
        let made = slabs.magazine_frames.count() as usize * PER_FRAME;
        slabs.out == 0 && self.empty.depth() as usize == made
    }

    /// Every object that is out of its slab: with a client, or in an array of a processor, or lost because it was damaged.
    ///
    /// Calls `each` with its address and its last allocation, if the cache keeps tags. For a cache that is not in use meanwhile: the
    /// lock is held throughout, so `each` may not call back.
    pub fn for_each_out(&self, mut each: impl FnMut(NonNull<u8>, Option<Track>)) {
        let slabs = self.slabs.lock();
        let table = self.pages.table();
        for list in [&slabs.full, &slabs.partial] {
            for head in list.iter(table) {
                self.for_each_out_of(head, &mut each);
            }
        }
    }

    fn for_each_out_of(&self, head: FrameNumber, each: &mut impl FnMut(NonNull<u8>, Option<Track>)) {
        // SAFETY: the caller found it on a list of this cache, whose lock he holds.
        let Some(slab) = (unsafe { Slab::at(&self.pages, &self.layout, head) }) else { return };
        for index in (0..self.layout.objects).filter(|index| !slab.is_free(*index)) {
            let track = self.track_in_place(&slab, index, Event::Allocated);
            each(slab.object(index), track);
        }
    }
}

/// A cache that could not be destroyed, because something of it is still out.
///
/// It prints as Linux does: a line, and one for each object.
pub struct Leak<P> {
    cache: Cache<P>,
}

impl<P> fmt::Debug for Leak<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leak").field("cache", &self.cache).finish()
    }
}

impl<P: Pages> Leak<P> {
    /// Objects that are out.
    pub fn count(&self) -> u64 {
        self.cache.slabs.lock().out
    }

    /// The cache, which is as usable as before.
    pub fn into_cache(self) -> Cache<P> {
        self.cache
    }

    /// The cache, to look at its objects.
    pub const fn cache(&self) -> &Cache<P> {
        &self.cache
    }
}

impl<P: Pages> fmt::Display for Leak<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count();
        if count == 0 {
            return write!(f, "{}: a processor is still attached", self.cache.name);
        }
        write!(f, "{}: {count} objects remaining", self.cache.name)?;
        let mut outcome = Ok(());
        self.cache.for_each_out(|object, track| {
            if outcome.is_ok() {
                outcome = write!(f, "\nobject {:#x}", object.addr());
            }
            if let (Ok(()), Some(Track { tag, when, cpu })) = (outcome, track) {
                outcome = write!(f, " allocated in {tag:#x} at {when} cpu={cpu}");
            }
        });
        outcome
    }
}

impl<P: Pages> core::error::Error for Leak<P> {}
