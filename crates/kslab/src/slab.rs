//! One slab: a run of frames cut into slots, with a map of the free ones.
//!
//! ```text
//!  frame records   | head: Slab, order, owner, references, index | tail: owner, index | tail ..
//!                                     │              │                          │
//!                        objects out + 1     map, bits 0-63              map, bits 64-127
//!  bytes           | (map of a slab of tiny objects) | slot 0 | slot 1 | ..
//! ```
//!
//! Everything about a slab lies in the records of its frames, 32 bytes each that are there anyway; a free touches no
//! memory of its object. Only objects below 64 bytes have more slots in a page than a record has bits; there the map is in the slab.
//!
//! Each object that is out of the slab holds a reference to it, beside the cache's own. Everything here happens under the lock of the
//! cache, or before the slab is on a list. Called by `slabs` and `checked`. Calls nothing.

#![expect(unsafe_code, reason = "maps of tiny objects and the bytes of slots lie in the slab")]

use core::ptr::NonNull;

use mallow_frame::{Frame, FrameRun, FrameState, FrameTable, Head};
use mallow_units::FrameNumber;

use crate::layout::{Layout, wide};
use crate::pages::Pages;

/// A slab of a cache with this layout.
///
/// # Invariants
///
/// 1. `head` is the first frame of a run of the layout's order that the cache owns.
/// 2. The caller holds the lock of the cache, or nobody else knows the slab.
pub(crate) struct Slab<'a, P> {
    pages: &'a P,
    table: FrameTable<'a>,
    layout: &'a Layout,
    head: FrameNumber,
    record: &'a Frame,
}

/// Why an address is not that of an object of a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stray {
    /// Not in a slab of this cache.
    Foreign,
    /// In such a slab, but no object begins there.
    BetweenObjects,
}

impl<'a, P: Pages> Slab<'a, P> {
    /// Makes a slab of `identity` from a run, all slots free.
    ///
    /// `None` if the frames are not in the table; then they are lost, but [`Pages`] promises otherwise.
    pub(crate) fn make(pages: &'a P, layout: &'a Layout, identity: u32, run: FrameRun) -> Option<Self> {
        let table = pages.table();
        let head = run.first();
        table.set_use(head, FrameState::Slab).ok()?;
        let slab = Self { pages, table, layout, head, record: table.get(head)? };
        for frame in run.frames() {
            table.get(frame)?.set_owner(identity);
        }
        for word in 0..layout.map_words() {
            slab.set_word(word, layout.map_mask(word));
        }
        run.into_first();
        Some(slab)
    }

    /// The slab at `head`.
    ///
    /// # Safety
    ///
    /// 1. A slab of a cache with this layout and source begins there.
    /// 2. The caller holds the lock of that cache.
    pub(crate) unsafe fn at(pages: &'a P, layout: &'a Layout, head: FrameNumber) -> Option<Self> {
        let table = pages.table();
        // INVARIANT: both hold by what the caller promises.
        Some(Self { pages, table, layout, head, record: table.get(head)? })
    }

    /// The slab and the slot of an object, from its address.
    ///
    /// The caller holds the lock of the cache.
    ///
    /// # Errors
    ///
    /// [`Stray`] if it is no object of this cache.
    #[inline(always)]
    pub(crate) fn find(
        pages: &'a P,
        layout: &'a Layout,
        identity: u32,
        object: NonNull<u8>,
    ) -> Result<(Self, u32), Stray> {
        let table = pages.table();
        let head = pages.frame_at(object).ok_or(Stray::Foreign)?.aligned_to(layout.order);
        let record = table.get(head).ok_or(Stray::Foreign)?;
        if !record.is(Head { state: FrameState::Slab, order: layout.order }) || record.owner() != identity {
            return Err(Stray::Foreign);
        }
        // A slab begins at a multiple of its length (`Pages`, 2).
        let offset = object.addr().get() % layout.slab_bytes();
        let index = layout.index_of(head, offset).ok_or(Stray::BetweenObjects)?;
        Ok((Self { pages, table, layout, head, record }, index))
    }

    /// The first frame.
    pub(crate) fn head(&self) -> FrameNumber {
        self.head
    }

    /// Objects that are out of the slab.
    #[inline]
    pub(crate) fn used(&self) -> u32 {
        self.record.references() - 1
    }

    /// Slots of the slab.
    #[inline(always)]
    pub(crate) fn objects(&self) -> u32 {
        self.layout.objects
    }

    /// Objects that are in the slab.
    pub(crate) fn free(&self) -> u32 {
        self.layout.objects - self.used()
    }

    /// Takes up to `want` objects, the lowest first, and gives each to `sink`. Returns how many.
    #[inline]
    pub(crate) fn take(&self, want: u32, mut sink: impl FnMut(NonNull<u8>)) -> u32 {
        let mut taken = 0;
        for word in 0..self.layout.map_words() {
            let mut map = self.word(word);
            while map != 0 && taken < want {
                sink(self.object(word * u64::BITS + map.trailing_zeros()));
                map &= map - 1;
                taken += 1;
            }
            self.set_word(word, map);
            if taken == want {
                break;
            }
        }
        self.record.set_references(self.record.references() + taken);
        taken
    }

    /// Puts an object back; returns how many were out before, `None` and nothing changes if it was in the slab already.
    #[inline(always)]
    pub(crate) fn put(&self, index: u32) -> Option<u32> {
        let (word, bit) = (index / u64::BITS, 1 << (index % u64::BITS));
        let map = self.word(word);
        if map & bit != 0 {
            return None;
        }
        self.set_word(word, map | bit);
        let references = self.record.references();
        self.record.set_references(references - 1);
        Some(references - 1)
    }

    /// Whether an object is in the slab.
    pub(crate) fn is_free(&self, index: u32) -> bool {
        self.word(index / u64::BITS) & 1 << (index % u64::BITS) != 0
    }

    /// The object in a slot.
    #[inline]
    pub(crate) fn object(&self, index: u32) -> NonNull<u8> {
        self.at_offset(self.layout.object(self.head, index))
    }

    /// The object in slot `index` of the slab at `head`, whether it is free or not; `None` if there is no such slab.
    #[inline]
    pub(crate) fn object_at(
        pages: &'a P,
        layout: &'a Layout,
        identity: u32,
        head: FrameNumber,
        index: u32,
    ) -> Option<NonNull<u8>> {
        let table = pages.table();
        let record = table.get(head)?;
        let is_ours =
            record.is(Head { state: FrameState::Slab, order: layout.order }) && record.owner() == identity;
        if !is_ours || index >= layout.objects {
            return None;
        }
        Some(Self { pages, table, layout, head, record }.object(index))
    }

    /// The bytes of a slot, object and guards.
    ///
    /// # Safety
    ///
    /// 1. `index` is that of a slot, whose object nobody uses while the slice lives.
    pub(crate) unsafe fn slot(&mut self, index: u32) -> &mut [u8] {
        let start = self.at_offset(self.layout.slot(self.head, index));
        // SAFETY: the slot lies within the slab (`Layout`, 1), whose bytes are initialised (`Pages`, 2), and nobody else
        // uses them (1).
        unsafe { NonNull::slice_from_raw_parts(start, wide(self.layout.stride)).as_mut() }
    }

    /// Bytes of a slot, from `start`.
    ///
    /// # Safety
    ///
    /// 1. `index` is that of a slot, and `start + length` at most its length.
    /// 2. Nobody writes these bytes while the slice lives.
    pub(crate) unsafe fn part(&self, index: u32, start: u32, length: u32) -> &[u8] {
        let place = self.at_offset(self.layout.slot(self.head, index) + start);
        // SAFETY: within the slot (1), whose bytes are initialised (`Pages`, 2); nobody writes them (2).
        unsafe { NonNull::slice_from_raw_parts(place, wide(length)).as_ref() }
    }

    /// The first byte.
    fn base(&self) -> NonNull<u8> {
        // The frames of an allocated run have an address (`Pages`, 2).
        self.pages.base(self.head).unwrap_or(NonNull::dangling())
    }

    fn at_offset(&self, offset: u32) -> NonNull<u8> {
        // SAFETY: offsets come from the layout and lie within the run (`Layout`, 1), whose bytes are in a row (`Pages`, 2).
        unsafe { self.base().add(wide(offset)) }
    }

    #[inline(always)]
    fn word(&self, word: u32) -> u64 {
        if self.layout.map_on_slab {
            // SAFETY: the map lies at the start of the slab, which is aligned to a page, and is as long as the layout says.
            let place = unsafe { self.base().cast::<u64>().add(wide(word)) };
            // SAFETY: as above, and nobody writes it meanwhile (2).
            return unsafe { place.read() };
        }
        if word == 0 {
            return self.record.index();
        }
        self.table.get(FrameNumber(self.head.0 + word)).map_or(0, Frame::index)
    }

    #[inline(always)]
    fn set_word(&self, word: u32, map: u64) {
        if self.layout.map_on_slab {
            // SAFETY: as in `word`.
            let place = unsafe { self.base().cast::<u64>().add(wide(word)) };
            // SAFETY: as in `word`; nobody reads it meanwhile (2).
            return unsafe { place.write(map) };
        }
        if word == 0 {
            self.record.set_index(map);
        } else if let Some(frame) = self.table.get(FrameNumber(self.head.0 + word)) {
            frame.set_index(map);
        }
    }

    /// Makes the slab a run again. All objects are in it, and it is on no list.
    pub(crate) fn unmake(self) -> Option<FrameRun> {
        let run = self.table.run(self.head).ok()?;
        for frame in run.frames() {
            if let Some(record) = self.table.get(frame) {
                record.set_owner(0);
                record.set_index(0);
            }
        }
        Some(run)
    }
}
