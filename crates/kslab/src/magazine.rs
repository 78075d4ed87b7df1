//! Magazines: arrays of object pointers, loaded and unloaded whole.
//!
//! ```text
//!  | count | capacity | link | object | object | ...          | object |    512 bytes, eight to a frame
//! ```
//!
//! A magazine belongs to one processor, or lies in the depot, where only its link is touched. A processor without magazines
//! points to [`BLANK`], which is both full and empty, so that the fast path needs no test for "none".
//!
//! Called by `cpu` and `supply`. The link is the only field that two processors may look at, see `depot`.

#![expect(unsafe_code, reason = "magazines are reached by pointer: they lie in frames")]

use core::ptr::{self, NonNull};

use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_units::page::PAGE_BYTES;

/// Bytes of a magazine.
pub(crate) const MAGAZINE_BYTES: usize = 512;
/// Magazines that one frame holds.
pub(crate) const PER_FRAME: usize = PAGE_BYTES / MAGAZINE_BYTES;
/// The most objects of a magazine: what its bytes leave.
pub(crate) const MAX_CAPACITY: u32 = 62;
const HEADER_BYTES: usize = 16;

/// An array of objects.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Magazine {
    count: u32,
    capacity: u32,
    link: AtomicU64,
    objects: [*mut u8; MAX_CAPACITY as usize],
}

#[cfg(not(loom))]
const _: () = assert!(
    size_of::<Magazine>() == MAGAZINE_BYTES && core::mem::offset_of!(Magazine, objects) == HEADER_BYTES
);

/// The magazine that nobody owns: it is empty and has no room, so nothing is ever written to it.
#[repr(transparent)]
struct Blank(Header);

#[repr(C)]
struct Header {
    count: u32,
    capacity: u32,
}

static BLANK: Blank = Blank(Header { count: 0, capacity: 0 });

/// A magazine as its owner sees it.
///
/// # Invariants
///
/// 1. It points to `BLANK`, or to the 512 bytes of a magazine that nobody else owns.
/// 2. `count <= capacity <= MAX_CAPACITY`, and the first `count` objects are free objects of the cache that nobody else has.
#[derive(Debug)]
pub(crate) struct Owned(NonNull<Magazine>);

// SAFETY: the pointer blocks the automatic impl; what it points to is exclusively owned (1).
unsafe impl Send for Owned {}

impl Owned {
    /// No magazine.
    pub(crate) const fn blank() -> Self {
        Self(NonNull::from_ref(&BLANK).cast())
    }

    /// Whether there is none.
    pub(crate) fn is_blank(&self) -> bool {
        self.0 == NonNull::from_ref(&BLANK).cast()
    }

    /// Makes an empty magazine of `capacity` objects, at most [`MAX_CAPACITY`], in fresh memory.
    ///
    /// # Safety
    ///
    /// 1. `place` has [`MAGAZINE_BYTES`] bytes of a frame, aligned to them, that nobody else uses from now on.
    pub(crate) unsafe fn make(place: NonNull<u8>, capacity: u32) -> Self {
        let magazine = place.cast::<Magazine>();
        let capacity = capacity.min(MAX_CAPACITY);
        let fresh = Magazine {
            count: 0,
            capacity,
            link: AtomicU64::new(0),
            objects: [ptr::null_mut(); MAX_CAPACITY as usize],
        };
        // SAFETY: the memory is ours, long enough and aligned (1).
        unsafe { magazine.write(fresh) };
        Self(magazine)
    }

    /// Takes over a magazine that was given up with [`Owned::leave`].
    ///
    /// # Safety
    ///
    /// 1. `place` is what `leave` returned, and nobody else has taken it over since.
    pub(crate) const unsafe fn adopt(place: NonNull<u8>) -> Self {
        Self(place.cast())
    }

    /// Gives up ownership; the memory stays what it is.
    pub(crate) fn leave(self) -> NonNull<u8> {
        self.0.cast()
    }

    /// How many objects it holds.
    #[inline(always)]
    pub(crate) fn count(&self) -> u32 {
        // SAFETY: both `BLANK` and a magazine begin with a count (1).
        unsafe { (*self.0.as_ptr()).count }
    }

    /// How many it can hold.
    #[inline(always)]
    pub(crate) fn capacity(&self) -> u32 {
        // SAFETY: the second word of both (1).
        unsafe { (*self.0.as_ptr()).capacity }
    }

    /// The place of an object.
    ///
    /// # Safety
    ///
    /// 1. `at` is below the capacity.
    #[inline(always)]
    const unsafe fn place(&self, at: u32) -> NonNull<*mut u8> {
        // SAFETY: the array begins after two words, and `at` is within it (1); a capacity above 0 means that this is no blank (2).
        unsafe { self.0.cast::<*mut u8>().add(HEADER_BYTES / size_of::<*mut u8>() + at as usize) }
    }

    #[inline(always)]
    fn set_count(&mut self, count: u32) {
        // SAFETY: called for magazines that have room or an object, so not for the blank; and it is ours (1).
        unsafe { (*self.0.as_ptr()).count = count };
    }

    /// Takes the object that was put in last.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<NonNull<u8>> {
        let top = self.count().checked_sub(1)?;
        self.set_count(top);
        // SAFETY: it was below the count, so it is below the capacity (2).
        let place = unsafe { self.place(top) };
        // SAFETY: `push` wrote a pointer there.
        let object = unsafe { place.read() };
        // SAFETY: the one that it wrote is not null.
        Some(unsafe { NonNull::new_unchecked(object) })
    }

    /// Puts an object on top; false, and nothing changes, if there is no room.
    #[inline(always)]
    pub(crate) fn push(&mut self, object: NonNull<u8>) -> bool {
        let top = self.count();
        if top == self.capacity() {
            return false;
        }
        // SAFETY: the count is below the capacity.
        let place = unsafe { self.place(top) };
        // SAFETY: within the array, which is ours (1).
        unsafe { place.write(object.as_ptr()) };
        // INVARIANT: (2) the object is in place and `top` was below the capacity.
        self.set_count(top + 1);
        true
    }

    /// The objects, without taking them.
    pub(crate) fn objects(&self) -> impl Iterator<Item = NonNull<u8>> + '_ {
        (0..self.count()).filter_map(|at| {
            // SAFETY: below the count, so below the capacity (2).
            let place = unsafe { self.place(at) };
            // SAFETY: `push` wrote a pointer there.
            NonNull::new(unsafe { place.read() })
        })
    }
}

/// The link of the magazine at `place`, which may belong to anybody.
///
/// # Safety
///
/// 1. `place` was returned by [`Owned::leave`], of a magazine whose memory has not been given back.
pub(crate) unsafe fn link<'a>(place: NonNull<u8>) -> &'a AtomicU64 {
    let magazine = place.cast::<Magazine>().as_ptr();
    // SAFETY: a magazine lies there (1), and nobody refers to its link but as an atomic.
    unsafe { &(*magazine).link }
}

/// Reads a link.
///
/// # Safety
///
/// 1. As for [`link`].
pub(crate) unsafe fn read_link(place: NonNull<u8>) -> u64 {
    // SAFETY: passed on (1).
    let link = unsafe { link(place) };
    // ORDERING: the stack's own word publishes links.
    link.load(Ordering::Relaxed)
}

/// Writes a link.
///
/// # Safety
///
/// 1. As for [`link`].
pub(crate) unsafe fn write_link(place: NonNull<u8>, value: u64) {
    // SAFETY: passed on (1).
    let link = unsafe { link(place) };
    // ORDERING: the stack's own word publishes links.
    link.store(value, Ordering::Relaxed);
}
