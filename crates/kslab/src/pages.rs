//! What lies below: a source of pages, and of a few numbers.

#![expect(unsafe_code, reason = "an implementor promises that there is memory at these addresses")]

use core::ptr::NonNull;

use mallow_frame::{FrameRun, FrameTable, Mobility};
use mallow_units::{FrameNumber, Order};

use crate::corruption::Corruption;

/// Where the memory of caches comes from.
///
/// A kernel implements it by its zones and its direct map. A cache keeps a value of this type, so it is best something small: a
/// reference, or a name for what is global anyway. All methods may be called from several processors at once. A cache calls them
/// without holding a lock of its own, so an allocation may reclaim memory by asking any cache to shrink.
///
/// # Safety
///
/// 1. A run that `allocate` returned has the asked order, is allocated in `table`, and belongs to the caller alone until it is
///    given to `free`.
/// 2. The bytes of such a run begin at `base` of its first frame and lie in a row. They are initialised, may be read and written
///    through that pointer, and begin at a multiple of their length.
/// 3. `frame_at` of an address within these bytes is the frame that holds it.
/// 4. `table`, `base` and `frame_at` answer the same each time, for as long as any cache uses the source.
/// 5. No two ranges of `identities` overlap, for sources with the same table.
pub unsafe trait Pages {
    /// The frames, with what they are used for.
    fn table(&self) -> FrameTable<'_>;

    /// Takes a run, with whatever it held before; `None` if there is no memory. `mobility` says whether what it is for can be
    /// dropped under pressure.
    fn allocate(&self, order: Order, mobility: Mobility) -> Option<FrameRun>;

    /// Gives a run back.
    fn free(&self, run: FrameRun);

    /// The first byte of `frame`; `None` if there is no such frame.
    fn base(&self, frame: FrameNumber) -> Option<NonNull<u8>>;

    /// The frame that holds the byte at `address`. For other addresses than those of memory any answer will do, also a frame
    /// that does not exist: what it says is compared with the table.
    fn frame_at(&self, address: NonNull<u8>) -> Option<FrameNumber>;

    /// Hands out `count` numbers in a row, from the one returned, by which frames name the cache that they belong to; `None` if
    /// there are none left below 2^22. Zero is never among them: it means no cache.
    fn identities(&self, count: u32) -> Option<u32>;

    /// The time, in a unit of the implementor's choice. It stands in tags.
    fn now(&self) -> u64 {
        0
    }

    /// Hears of each corruption. It may print it and stop the machine, or go on: the object is out of use for ever.
    fn report(&self, corruption: &Corruption) {
        let _ = corruption;
    }
}

// SAFETY: every method is passed on, so what holds for the source holds for a reference to it.
unsafe impl<P: Pages + ?Sized> Pages for &P {
    fn table(&self) -> FrameTable<'_> {
        (**self).table()
    }
    fn allocate(&self, order: Order, mobility: Mobility) -> Option<FrameRun> {
        (**self).allocate(order, mobility)
    }
    fn free(&self, run: FrameRun) {
        (**self).free(run);
    }
    #[inline]
    fn base(&self, frame: FrameNumber) -> Option<NonNull<u8>> {
        (**self).base(frame)
    }
    #[inline]
    fn frame_at(&self, address: NonNull<u8>) -> Option<FrameNumber> {
        (**self).frame_at(address)
    }
    fn identities(&self, count: u32) -> Option<u32> {
        (**self).identities(count)
    }
    fn now(&self) -> u64 {
        (**self).now()
    }
    fn report(&self, corruption: &Corruption) {
        (**self).report(corruption);
    }
}

/// Identities are below this: 22 bits, so that they and the address of a table fit a word.
pub const MAX_IDENTITY: u32 = 1 << 22;

/// A counter that hands out identities.
#[derive(Debug)]
pub struct Identities {
    next: mallow_ds::sync::AtomicU32,
}

impl Identities {
    /// From the first on.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { next: mallow_ds::sync::AtomicU32::new(1) }
    }

    /// From the first on.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { next: mallow_ds::sync::AtomicU32::new(1) }
    }

    /// What [`Pages::identities`] asks for.
    pub fn take(&self, count: u32) -> Option<u32> {
        use mallow_ds::sync::Ordering::Relaxed;
        let mut first = self.next.load(Relaxed);
        loop {
            let next = first.checked_add(count).filter(|next| *next <= MAX_IDENTITY)?;
            match self.next.compare_exchange(first, next, Relaxed, Relaxed) {
                Ok(_) => return Some(first),
                Err(now) => first = now,
            }
        }
    }
}

impl Default for Identities {
    fn default() -> Self {
        Self::new()
    }
}
