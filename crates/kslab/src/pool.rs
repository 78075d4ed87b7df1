//! A cache as a [`Pool`]: values under numbers, for trees and tables that must not take memory by themselves.
//!
//! Every object holds a value at all times, a blank one if it is free, so whatever number is asked for, there is a value under
//! it. Used by `vmalloc` for the nodes of its map, and by whoever keeps areas or nodes in a slab.

#![expect(unsafe_code, reason = "values lie in objects of a cache")]

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use mallow_ds::pool::{Blank, Pool};
use mallow_units::{FrameNumber, PageCount};

use crate::cache::Cache;
use crate::cpu::CpuCache;
use crate::info::Info;
use crate::pages::Pages;
use crate::spec::{CreateError, Spec};

/// Values of one type in a cache of their own, which one owner uses.
///
/// # Invariants
///
/// 1. Every object of the cache holds an initialised `T`, in use or not.
pub struct CachePool<T, P: Pages> {
    cache: Cache<P>,
    cpu: CpuCache,
    /// The first frame of memory, at the start of a slab.
    first: FrameNumber,
    /// Bits of a number that say which object of a slab it is.
    index_bits: u32,
    values: PhantomData<T>,
}

// SAFETY: `PhantomData` speaks for the values in the cache, which are owned by this value like those of a vector.
unsafe impl<T: Send, P: Pages + Send> Send for CachePool<T, P> {}

impl<T: Blank, P: Pages> CachePool<T, P> {
    /// A pool whose memory comes from `pages`. It takes its first page with its first value.
    ///
    /// # Errors
    ///
    /// [`CreateError`] as for [`Cache::create`].
    pub fn create(pages: P, name: &'static str) -> Result<Self, CreateError> {
        let cache = Cache::create(pages, Spec::of::<T>(name).constructed_by(make_blank::<T>))?;
        let layout = cache.layout();
        let index_bits = u32::BITS - (layout.objects - 1).leading_zeros();
        let first = cache.pages().table().numbers().next().unwrap_or_default().aligned_to(layout.order);
        let cpu = cache.attach(0);
        Ok(Self { cache, cpu, first, index_bits, values: PhantomData })
    }

    /// The figures of its cache.
    pub fn info(&self) -> Info {
        self.cache.info()
    }

    /// Returns all memory that is not in use. Returns the number of pages.
    pub fn shrink(&mut self) -> PageCount {
        self.cache.drain(&mut self.cpu);
        self.cache.shrink()
    }

    /// The number of an object; `None` if it lies beyond what numbers reach: 2^32 objects.
    fn number(&self, object: NonNull<u8>) -> Option<u32> {
        let layout = self.cache.layout();
        let head = self.cache.pages().frame_at(object)?.aligned_to(layout.order);
        let index = layout.index_of(head, object.addr().get() % layout.slab_bytes())?;
        let slab = (head.0 - self.first.0) >> layout.order.get();
        (slab.leading_zeros() >= self.index_bits).then_some(slab << self.index_bits | index)
    }

    /// The object under a number.
    ///
    /// # Panics
    ///
    /// If no slab of the cache has it.
    #[inline]
    fn object(&self, number: u32) -> NonNull<T> {
        let layout = self.cache.layout();
        let head = FrameNumber(self.first.0 + ((number >> self.index_bits) << layout.order.get()));
        let index = number & ((1 << self.index_bits) - 1);
        match self.cache.object_at(head, index) {
            Some(object) => object.cast(),
            None => panic!("no value was ever stored under {number}"),
        }
    }
}

/// What a free object holds.
fn make_blank<T: Blank>(object: &mut [MaybeUninit<u8>]) {
    // SAFETY: an object of the cache is as long as `T` and aligned for it, by its specification.
    unsafe { object.as_mut_ptr().cast::<T>().write(T::BLANK) };
}

impl<T: Blank, P: Pages> Pool<T> for CachePool<T, P> {
    fn reserve(&mut self, count: usize) -> bool {
        u32::try_from(count).is_ok_and(|count| self.cache.prefill(&mut self.cpu, count))
    }

    fn take(&mut self, value: T) -> Option<u32> {
        let object = self.cache.alloc(&mut self.cpu)?;
        let Some(number) = self.number(object) else {
            // SAFETY: it was handed out a moment ago, and still holds a value (1).
            unsafe { self.cache.free(&mut self.cpu, object) };
            return None;
        };
        // SAFETY: the object is ours and holds a value (1), which is replaced.
        unsafe { *object.cast::<T>().as_mut() = value };
        Some(number)
    }

    fn give_back(&mut self, at: u32) {
        let object = self.object(at);
        // SAFETY: it was taken, and the caller forgets it. The value in it stays one (1).
        unsafe { self.cache.free(&mut self.cpu, object.cast()) };
    }

    #[inline]
    fn get(&self, at: u32) -> &T {
        let object = self.object(at);
        // SAFETY: every object holds a value (1); values change only through `&mut self`.
        unsafe { object.as_ref() }
    }

    #[inline]
    fn get_mut(&mut self, at: u32) -> &mut T {
        let mut object = self.object(at);
        // SAFETY: as in `get`, and we are borrowed mutably.
        unsafe { object.as_mut() }
    }
}

impl<T, P: Pages> Drop for CachePool<T, P> {
    /// Returns the memory, if all values have been given back; what has not is leaked.
    fn drop(&mut self) {
        self.cache.drain(&mut self.cpu);
        self.cache.empty();
    }
}

impl<T, P: Pages> fmt::Debug for CachePool<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachePool").field("cache", &self.cache).finish_non_exhaustive()
    }
}
