//! Caches: objects of one kind, from the arrays of processors down to the slabs.
//!
//! The path of an allocation, and of a free in parentheses:
//!
//! 1. the main magazine of this processor has an object (has room): done, a handful of instructions, nothing shared is touched;
//! 2. the spare one has (has): the two change places;
//! 3. the depot has a full (an empty) magazine: it is exchanged for an empty (a full) one, without a lock;
//! 4. under the cache's lock a magazine is filled from (emptied into) the slabs;
//! 5. the page allocator is asked for another slab (gets slabs back that became empty).
//!
//! A cache that checks goes to step 4 at once, one object at a time: `checked`. Memory for magazines comes from
//! `supply`; what is not needed goes back through `reap`. Lock order: the cache's lock, and nothing under it.

use core::fmt;
use core::ptr::NonNull;

use mallow_frame::{FrameList, Mobility};
use mallow_units::PageCount;
use mallow_units::word::to_usize;

use crate::corruption::Corruption;
use crate::cpu::CpuCache;
use crate::depot::Stack;
use crate::guard::{Damage, Guard};
use crate::layout::Layout;
use crate::lock::Lock;
use crate::magazine::Owned;
use crate::pages::Pages;
use crate::slab::{Slab, Stray};
use crate::slabs::Slabs;
use crate::spec::{Checks, Constructor, CreateError, Spec};

/// Full magazines that a depot keeps at most: a burst of this many goes between processors without touching a slab.
const FULL_MAGAZINES: u32 = 10;

/// A cache of objects.
///
/// It is a value that the kernel owns; processors share it by reference, and each has a [`CpuCache`]. `P` is the source of its pages.
pub struct Cache<P> {
    pub(crate) pages: P,
    pub(crate) name: &'static str,
    pub(crate) layout: Layout,
    pub(crate) checks: Checks,
    pub(crate) guard: Guard,
    pub(crate) constructor: Option<Constructor>,
    mobility: Mobility,
    /// The owner of its frames.
    pub(crate) identity: u32,
    /// The identity, and the address of the table that it is valid in: no two caches have the same.
    pub(crate) key: u64,
    pub(crate) full: Stack,
    pub(crate) empty: Stack,
    pub(crate) slabs: Lock<Slabs>,
}

impl<P: Pages> Cache<P> {
    /// Creates a cache. It takes its first page when the first object is asked for.
    ///
    /// # Errors
    ///
    /// [`CreateError`] says what cannot be.
    ///
    /// # Source
    ///
    /// `kmem_cache_create`.
    pub fn create(pages: P, spec: Spec) -> Result<Self, CreateError> {
        let identity = pages.identities(1).ok_or(CreateError::NoIdentity)?;
        Self::with_identity(pages, spec, identity)
    }

    /// Creates a cache whose frames carry `identity`.
    pub(crate) fn with_identity(pages: P, spec: Spec, identity: u32) -> Result<Self, CreateError> {
        if spec.name.is_empty() || spec.name.contains(char::is_whitespace) {
            return Err(CreateError::BadName);
        }
        let layout = Layout::of(&spec)?;
        let key = key(&pages, identity).ok_or(CreateError::NoIdentity)?;
        Ok(Self {
            pages,
            name: spec.name,
            layout,
            checks: spec.checks,
            guard: Guard::new(spec.checks, spec.constructor.is_some()),
            constructor: spec.constructor,
            mobility: if spec.is_reclaimable { Mobility::Reclaimable } else { Mobility::Unmovable },
            identity,
            key,
            full: Stack::new(),
            empty: Stack::new(),
            slabs: Lock::new(Slabs::new()),
        })
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How its slabs are cut.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What it verifies.
    pub const fn checks(&self) -> Checks {
        self.checks
    }

    /// Where its pages come from.
    pub const fn pages(&self) -> &P {
        &self.pages
    }

    /// Gives a processor its front of this cache. `cpu` is a number for tags; several fronts may have the same.
    pub const fn attach(&self, cpu: u32) -> CpuCache {
        CpuCache::new(self.key, cpu)
    }

    /// Hands out an object: as many bytes as the cache was made for, at a multiple of its alignment. `None` if there is no memory,
    /// or if `cpu` is a front of another cache.
    ///
    /// The bytes are in the constructed state if there is a constructor, otherwise anything.
    ///
    /// # Source
    ///
    /// `kmem_cache_alloc`.
    #[inline]
    pub fn alloc(&self, cpu: &mut CpuCache) -> Option<NonNull<u8>> {
        self.alloc_tagged(cpu, 0)
    }

    /// Like [`Cache::alloc`], and `tag` says who asked, if the cache keeps tags.
    #[inline]
    pub fn alloc_tagged(&self, cpu: &mut CpuCache, tag: u64) -> Option<NonNull<u8>> {
        if cpu.key == self.key
            && let Some(object) = cpu.main.pop()
        {
            return Some(object);
        }
        self.alloc_slow(cpu, tag)
    }

    /// Takes an object back.
    ///
    /// # Safety
    ///
    /// 1. `object` was handed out by this cache and has not been taken back since.
    /// 2. Nobody uses it from now on.
    ///
    /// If there is a constructor the object must be in the constructed state again. A cache that checks notices a breach of 1 at
    /// once, others in most cases later; [`Pages::report`] hears of it, and nothing is taken back.
    ///
    /// # Source
    ///
    /// `kmem_cache_free`.
    #[inline]
    #[expect(unsafe_code, reason = "only the caller knows that the object is his")]
    pub unsafe fn free(&self, cpu: &mut CpuCache, object: NonNull<u8>) {
        // SAFETY: passed on (1, 2).
        unsafe { self.free_tagged(cpu, object, 0) };
    }

    /// Like [`Cache::free`], and `tag` says who freed, if the cache keeps tags.
    ///
    /// # Safety
    ///
    /// As for [`Cache::free`].
    #[inline]
    #[expect(unsafe_code, reason = "only the caller knows that the object is his")]
    pub unsafe fn free_tagged(&self, cpu: &mut CpuCache, object: NonNull<u8>, tag: u64) {
        if cpu.key != self.key || !cpu.main.push(object) {
            self.free_slow(cpu, object, tag);
        }
    }

    /// Makes sure that the next `count` allocations of `cpu` succeed, if nobody else uses it and whatever it frees meanwhile.
    ///
    /// False if there is no memory, or if `count` is more than a magazine holds: 60 small objects, 4 of a page or more. Caches
    /// that check have no magazines.
    ///
    /// # Source
    ///
    /// `kmem_cache_prefill_sheaf`.
    pub fn prefill(&self, cpu: &mut CpuCache, count: u32) -> bool {
        if cpu.key != self.key || count > self.capacity() || self.checks.any() {
            return count == 0;
        }
        // A spare magazine that is not empty is full.
        if cpu.main.count() >= count || cpu.spare.count() > 0 {
            return true;
        }
        if cpu.main.is_blank() {
            cpu.main = self.empty_magazine().unwrap_or(Owned::blank());
        }
        while cpu.main.count() < count {
            let main = &mut cpu.main;
            let room = main.capacity() - main.count();
            let taken = self.take(room, |object| {
                let has_room = main.push(object);
                debug_assert!(has_room, "no more was asked for");
            });
            if taken == 0 {
                return false;
            }
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn alloc_slow(&self, cpu: &mut CpuCache, tag: u64) -> Option<NonNull<u8>> {
        if cpu.key != self.key {
            return None;
        }
        if self.checks.any() {
            return self.alloc_checked(cpu.cpu, tag);
        }
        if cpu.spare.count() > 0 {
            cpu.swap();
        } else if let Some(full) = self.take_magazine(&self.full) {
            let empty = core::mem::replace(&mut cpu.spare, core::mem::replace(&mut cpu.main, full));
            self.keep_empty(empty);
        } else {
            return self.alloc_from_slabs(cpu);
        }
        cpu.main.pop()
    }

    /// Fills the main magazine and hands out one more. Without a magazine the cache still works, one object at a time.
    fn alloc_from_slabs(&self, cpu: &mut CpuCache) -> Option<NonNull<u8>> {
        let main = &mut cpu.main;
        let mut last = None;
        self.take(main.capacity().max(1), |object| {
            if let Some(earlier) = last.replace(object) {
                main.push(earlier);
            }
        });
        // Only after the object, so that the last page is not spent on magazines.
        if last.is_some() && main.is_blank() {
            *main = self.empty_magazine().unwrap_or(Owned::blank());
        }
        last
    }

    #[cold]
    #[inline(never)]
    fn free_slow(&self, cpu: &mut CpuCache, object: NonNull<u8>, tag: u64) {
        if self.checks.any() {
            return self.free_checked(cpu.cpu, object, tag);
        }
        if cpu.key != self.key {
            return self.put_one(object);
        }
        if cpu.main.is_blank() {
            cpu.main = self.empty_magazine().unwrap_or(Owned::blank());
        } else if cpu.spare.is_blank() {
            cpu.spare = self.empty_magazine().unwrap_or(Owned::blank());
            cpu.swap();
        } else if cpu.spare.count() == 0 {
            cpu.swap();
        } else {
            self.unload_spare(cpu);
        }
        if !cpu.main.push(object) {
            self.put_one(object);
        }
    }

    /// Makes room where both magazines are full: the spare one goes to the depot, or its objects go to the slabs.
    fn unload_spare(&self, cpu: &mut CpuCache) {
        let spare = core::mem::replace(&mut cpu.spare, Owned::blank());
        match self.keep_magazine(&self.full, spare, FULL_MAGAZINES) {
            Ok(()) => cpu.spare = self.empty_magazine().unwrap_or(Owned::blank()),
            Err(mut spare) => {
                self.unload(&mut spare);
                cpu.spare = spare;
            }
        }
        if !cpu.spare.is_blank() {
            cpu.swap();
        }
    }

    /// Takes up to `want` objects from the slabs, making one more slab if there is none with room. Returns how many.
    pub(crate) fn take(&self, want: u32, mut sink: impl FnMut(NonNull<u8>)) -> u32 {
        let taken = self.slabs.lock().take(&self.pages, &self.layout, want, &mut sink);
        if taken > 0 {
            return taken;
        }
        let Some(slab) = self.new_slab() else { return 0 };
        let mut slabs = self.slabs.lock();
        slabs.add(self.pages.table(), &slab);
        slabs.take(&self.pages, &self.layout, want, &mut sink)
    }

    /// A slab with all its objects in the constructed state, which nobody else knows.
    fn new_slab(&self) -> Option<Slab<'_, P>> {
        let run = self.pages.allocate(self.layout.order, self.mobility)?;
        let mut slab = Slab::make(&self.pages, &self.layout, self.identity, run)?;
        if self.checks.any() || self.constructor.is_some() {
            self.construct(&mut slab);
        }
        Some(slab)
    }

    /// Puts all objects of a magazine back into their slabs. Returns how many pages that gave back.
    pub(crate) fn unload(&self, magazine: &mut Owned) -> PageCount {
        self.put(|| magazine.pop())
    }

    /// Puts objects back into their slabs, and gives back slabs that become empty beyond a few. Returns how many pages those are.
    pub(crate) fn put(&self, mut next: impl FnMut() -> Option<NonNull<u8>>) -> PageCount {
        let table = self.pages.table();
        let mut pages = 0;
        loop {
            let mut bad = None;
            let mut gone = FrameList::new();
            let mut slabs = self.slabs.lock();
            while let Some(object) = next() {
                let damage = match Slab::find(&self.pages, &self.layout, self.identity, object) {
                    Ok((slab, index)) if slabs.put(table, &slab, index) => continue,
                    Ok(_) => Damage::DoubleFree,
                    Err(stray) => stray.into(),
                };
                slabs.corruptions += 1;
                bad = Some((object, damage));
                break;
            }
            while let Some(head) = slabs.remove_empty(table, self.empty_limit()) {
                gone.push_back(table, head);
            }
            drop(slabs);
            pages += self.give_back(gone).0;
            let Some((object, damage)) = bad else { return PageCount(pages) };
            self.pages.report(&self.corruption(object, damage));
        }
    }

    fn put_one(&self, object: NonNull<u8>) {
        let mut one = Some(object);
        self.put(|| one.take());
    }

    /// A report without details.
    pub(crate) fn corruption(&self, object: NonNull<u8>, damage: Damage) -> Corruption {
        Corruption {
            cache: self.name,
            object: object.addr().get(),
            damage,
            spot: None,
            allocated: None,
            freed: None,
            noticed: self.pages.now(),
        }
    }

    /// Empty slabs that stay at hand: 5 to 10, more for larger objects, as Linux' `min_partial`.
    pub(crate) const fn empty_limit(&self) -> u32 {
        let by_size = self.layout.stride.ilog2() / 2;
        if by_size < 5 {
            5
        } else if by_size > 10 {
            10
        } else {
            by_size
        }
    }

    /// Objects of a magazine of this cache: many small ones, few large ones.
    pub(crate) const fn capacity(&self) -> u32 {
        match self.layout.stride {
            0..256 => 60,
            256..1024 => 26,
            1024..4096 => 12,
            _ => 4,
        }
    }
}

impl From<Stray> for Damage {
    fn from(stray: Stray) -> Self {
        match stray {
            Stray::Foreign => Self::Foreign,
            Stray::BetweenObjects => Self::NotAnObject,
        }
    }
}

/// A word that only one cache has: 42 bits for the place of its table's entries, which lie 32 bytes apart, and 22 for its identity.
fn key<P: Pages>(pages: &P, identity: u32) -> Option<u64> {
    let table = pages.table();
    let first = table.numbers().next().and_then(|frame| table.get(frame))?;
    let place = core::ptr::from_ref(first).addr() / size_of_val(first);
    Some((place as u64) << 22 | u64::from(identity))
}

impl<P> fmt::Debug for Cache<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("name", &self.name)
            .field("layout", &self.layout)
            .field("checks", &self.checks)
            .finish_non_exhaustive()
    }
}

/// Shown by name.
impl<P> fmt::Display for Cache<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const _: () = assert!(to_usize(FULL_MAGAZINES as u64) < crate::depot::MAX_DEPTH as usize);
