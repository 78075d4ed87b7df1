//! `kmalloc`: memory of any size, from a cache per size class, or from the page allocator if it is large.
//!
//! ```text
//!  bytes         1 ..... 16 KiB                        above, to 4 MiB
//!                  │ the size classes of malloc          │ whole runs, 2^order pages
//!                  ▼                                     ▼
//!           kmalloc-16 .. kmalloc-16k                  Pages
//! ```
//!
//! The address says where memory came from: the record of its frame names the cache. So a free needs no size and memory has
//! no header. Called by kernels. Calls the caches, and `large` for what is above them.

#![expect(unsafe_code, reason = "memory is given back by address")]

mod large;
mod names;

use core::fmt;
use core::ptr::NonNull;

use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_frame::Frame;
use mallow_units::size_class::CLASS_COUNT;
use mallow_units::{FrameNumber, PageCount, SizeClass};

use crate::cache::Cache;
use crate::corruption::Corruption;
use crate::cpu::CpuCache;
use crate::guard::Damage;
use crate::layout::natural_align;
use crate::pages::Pages;
use crate::spec::{Checks, CreateError, Spec};

/// What a request for no bytes gets: an address that nobody may use, and that may be freed. As Linux' `ZERO_SIZE_PTR`.
pub const ZERO_SIZE: NonNull<u8> = NonNull::without_provenance(match core::num::NonZero::new(16) {
    Some(address) => address,
    None => core::num::NonZero::<usize>::MIN,
});

/// One cache for each size class, and large runs.
///
/// Memory lies at a multiple of the largest power of two that divides its size class; of a page if it is large. So a power
/// of two, rounded up to 16, lies at a multiple of itself, as Linux promises.
pub struct Kmalloc<P> {
    caches: [Cache<P>; CLASS_COUNT],
    /// The identity of the first cache; the others follow, and last that of large runs.
    first: u32,
    large_pages: AtomicU64,
}

/// A processor's fronts of all size classes.
#[derive(Debug)]
#[must_use = "fronts that are dropped and not drained leak their objects"]
pub struct KmallocCpu {
    fronts: [CpuCache; CLASS_COUNT],
}

/// Where an address leads.
enum Place<'a> {
    /// To a slab of this class.
    Class(usize),
    /// To a large run.
    Large(FrameNumber, &'a Frame),
    /// Nowhere.
    Nowhere,
}

impl<P: Pages + Clone> Kmalloc<P> {
    /// Creates the caches. They take no memory yet.
    ///
    /// # Errors
    ///
    /// [`CreateError::NoIdentity`].
    pub fn create(pages: P, checks: Checks) -> Result<Self, CreateError> {
        let classes = u32::try_from(CLASS_COUNT).unwrap_or(u32::MAX);
        let first = pages.identities(classes + 1).ok_or(CreateError::NoIdentity)?;
        let mut made = core::array::from_fn(|index| {
            let class = SizeClass::at(index).unwrap_or(SizeClass::SMALLEST);
            let bytes = class.block_bytes();
            let spec = Spec::new(names::of(class), bytes).aligned(natural_align(bytes)).checked(checks);
            let identity = first + u32::try_from(index).unwrap_or(u32::MAX);
            Some(Cache::with_identity(pages.clone(), spec, identity))
        });
        if let Some(Err(error)) =
            made.iter_mut().find(|cache| matches!(cache, Some(Err(_)))).and_then(Option::take)
        {
            return Err(error);
        }
        let caches = made.map(|cache| match cache {
            Some(Ok(cache)) => cache,
            _ => unreachable!("looked at above"),
        });
        Ok(Self { caches, first, large_pages: AtomicU64::new(0) })
    }
}

impl<P: Pages> Kmalloc<P> {
    /// Gives a processor its fronts. `cpu` is a number for tags.
    pub fn attach(&self, cpu: u32) -> KmallocCpu {
        KmallocCpu { fronts: self.caches.each_ref().map(|cache| cache.attach(cpu)) }
    }

    /// Hands out at least `bytes` bytes with any content; `None` if there is no memory, or for more than 4 MiB.
    ///
    /// # Source
    ///
    /// `kmalloc`. Nothing gets [`ZERO_SIZE`].
    #[inline]
    pub fn alloc(&self, cpu: &mut KmallocCpu, bytes: usize) -> Option<NonNull<u8>> {
        self.alloc_tagged(cpu, bytes, 0)
    }

    /// Like [`Kmalloc::alloc`], and `tag` says who asked, if the caches keep tags.
    #[inline]
    pub fn alloc_tagged(&self, cpu: &mut KmallocCpu, bytes: usize, tag: u64) -> Option<NonNull<u8>> {
        match SizeClass::for_bytes(bytes) {
            Some(_) if bytes == 0 => Some(ZERO_SIZE),
            Some(class) => self.caches[class.index()].alloc_tagged(&mut cpu.fronts[class.index()], tag),
            None => self.alloc_large(bytes),
        }
    }

    /// Hands out at least `bytes` bytes; those that were asked for are zero.
    ///
    /// # Source
    ///
    /// `kzalloc`.
    pub fn alloc_zeroed(&self, cpu: &mut KmallocCpu, bytes: usize) -> Option<NonNull<u8>> {
        let memory = self.alloc(cpu, bytes)?;
        // SAFETY: fresh memory of at least this length; of length 0 nothing is written.
        unsafe { memory.write_bytes(0, bytes) };
        Some(memory)
    }

    /// Takes memory back.
    ///
    /// # Safety
    ///
    /// 1. `memory` was handed out by this value and has not been taken back since.
    /// 2. Nobody uses it from now on.
    ///
    /// Breaches of 1 are noticed as [`Cache::free`] says, and reported.
    ///
    /// # Source
    ///
    /// `kfree`.
    #[inline]
    pub unsafe fn free(&self, cpu: &mut KmallocCpu, memory: NonNull<u8>) {
        // SAFETY: passed on (1, 2).
        unsafe { self.free_tagged(cpu, memory, 0) };
    }

    /// Like [`Kmalloc::free`], and `tag` says who freed, if the caches keep tags.
    ///
    /// # Safety
    ///
    /// As for [`Kmalloc::free`].
    #[inline]
    pub unsafe fn free_tagged(&self, cpu: &mut KmallocCpu, memory: NonNull<u8>, tag: u64) {
        match self.place(memory) {
            // SAFETY: passed on (1, 2); its frame says that this cache handed it out.
            Place::Class(class) => unsafe {
                self.caches[class].free_tagged(&mut cpu.fronts[class], memory, tag);
            },
            Place::Large(frame, record) => self.free_large(memory, frame, record),
            Place::Nowhere => self.refuse(memory),
        }
    }

    /// How many bytes of `memory` may be used: at least what was asked for. `None` if it is none of ours.
    ///
    /// # Source
    ///
    /// `ksize`.
    pub fn usable_bytes(&self, memory: NonNull<u8>) -> Option<usize> {
        match self.place(memory) {
            Place::Class(class) => SizeClass::at(class).map(SizeClass::block_bytes),
            Place::Large(_, record) => Some(large::bytes(record.order())),
            Place::Nowhere => (memory == ZERO_SIZE).then_some(0),
        }
    }

    /// Makes memory at least `bytes` long. It moves if it must; what was in it stays. `None` if there is no memory; then
    /// `memory` is what it was.
    ///
    /// # Safety
    ///
    /// 1. As for [`Kmalloc::free`], if the answer is `Some`; then the answer takes its place.
    /// 2. `memory` is initialised as far as it is to be copied: its usable bytes.
    ///
    /// # Source
    ///
    /// `krealloc`: no bytes free it and get [`ZERO_SIZE`]; it never shrinks.
    pub unsafe fn realloc(
        &self,
        cpu: &mut KmallocCpu,
        memory: NonNull<u8>,
        bytes: usize,
    ) -> Option<NonNull<u8>> {
        let usable = self.usable_bytes(memory)?;
        if bytes > 0 && bytes <= usable {
            return Some(memory);
        }
        let moved = self.alloc(cpu, bytes)?;
        // SAFETY: both are at least this long and do not overlap: one is fresh.
        unsafe { moved.copy_from_nonoverlapping(memory, usable.min(bytes)) };
        // SAFETY: passed on (1).
        unsafe { self.free(cpu, memory) };
        Some(moved)
    }

    /// The caches, by rising size.
    pub fn caches(&self) -> &[Cache<P>] {
        &self.caches
    }

    /// Pages of large memory that is handed out.
    pub fn large_pages(&self) -> PageCount {
        PageCount(self.large_pages.load(Ordering::Relaxed))
    }

    /// Brings all that is at hand on a processor back into the slabs.
    pub fn drain(&self, cpu: &mut KmallocCpu) {
        for (cache, front) in self.caches.iter().zip(&mut cpu.fronts) {
            cache.drain(front);
        }
    }

    /// Returns all memory that is not in use. Returns the number of pages.
    pub fn shrink(&self) -> PageCount {
        PageCount(self.caches.iter().map(|cache| cache.shrink().0).sum())
    }

    /// Returns what has not been needed since the last call. Returns the number of pages.
    pub fn reap(&self) -> PageCount {
        PageCount(self.caches.iter().map(|cache| cache.reap().0).sum())
    }

    /// Destroys the caches.
    ///
    /// # Errors
    ///
    /// The value itself, shrunk, if memory is still out or a processor has not been drained.
    pub fn destroy(self) -> Result<(), Self> {
        self.shrink();
        if self.large_pages() > PageCount(0) || !self.caches.iter().all(Cache::is_idle) {
            return Err(self);
        }
        for cache in self.caches {
            let destroyed = cache.destroy();
            debug_assert!(destroyed.is_ok(), "it was idle a moment ago");
        }
        Ok(())
    }

    #[inline(always)]
    fn place(&self, memory: NonNull<u8>) -> Place<'_> {
        let pages = self.caches[0].pages();
        let Some(frame) = pages.frame_at(memory) else { return Place::Nowhere };
        let Some(record) = pages.table().get(frame) else { return Place::Nowhere };
        let class = record.owner().wrapping_sub(self.first) as usize;
        match class {
            0..CLASS_COUNT => Place::Class(class),
            CLASS_COUNT => Place::Large(frame, record),
            _ => Place::Nowhere,
        }
    }

    /// Hears of an address that leads nowhere.
    #[cold]
    #[inline(never)]
    fn refuse(&self, memory: NonNull<u8>) {
        if memory != ZERO_SIZE {
            self.report(memory, Damage::Foreign);
        }
    }

    fn report(&self, memory: NonNull<u8>, damage: Damage) {
        let corruption = Corruption { cache: "kmalloc", ..self.caches[0].corruption(memory, damage) };
        self.caches[0].pages().report(&corruption);
    }
}

impl<P> fmt::Debug for Kmalloc<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kmalloc").field("large_pages", &self.large_pages).finish_non_exhaustive()
    }
}
