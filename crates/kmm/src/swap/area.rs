//! A swap area: slots and what is in them.
//!
//! ```text
//!  put: slot ──► compressed store ──(does not compress, no room)──► backing
//!                      └──(no room: the oldest pages go)──────────────┘
//! ```
//!
//! Called by the machine's reclaim and by its fault handler.

use mallow_units::errno::Errno;

use crate::lru::Shadow;

use super::backing::Backing;
use super::codec::PageBytes;
use super::compressed::{Compressed, CompressedUse, Entry};
use super::pool::{Frames, Slab};
use super::slots::{Cluster, Cursor, Slot, SlotError, Slots};

/// Pages that move to the backing at once when the pool is full. As many as Linux reclaims at once.
const WRITE_BACK: u32 = 32;

/// How often pages went where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SwapCounts {
    /// Pages that were swapped out: `pswpout` of `/proc/vmstat`, with those that only went to the compressed store.
    pub out: u64,
    /// Pages that were swapped in.
    pub back: u64,
    /// Pages that were written to the backing.
    pub written: u64,
    /// Pages that were read from the backing.
    pub read: u64,
    /// Those of the written ones that had been compressed before.
    pub written_back: u64,
}

/// Memory for a [`Swap`] of some number of slots.
#[derive(Debug)]
pub struct SwapStorage<Clusters, Entries, Slabs> {
    /// One for 64 slots.
    pub clusters: Clusters,
    /// One for each slot.
    pub entries: Entries,
    /// One for each frame that the pool may take.
    pub slabs: Slabs,
}

/// Slots, the compressed store, and what is behind it.
///
/// ```
/// use mallow_kmm::swap::{Cluster, Cursor, Entry, Frames, NoBacking, Slab, Swap, SwapStorage};
/// use mallow_units::FrameNumber;
///
/// /// Two frames.
/// struct Few([Vec<u8>; 2], Vec<FrameNumber>);
///
/// impl Frames for Few {
///     fn take(&mut self) -> Option<FrameNumber> {
///         self.1.pop()
///     }
///     fn give(&mut self, frame: FrameNumber) {
///         self.1.push(frame);
///     }
///     fn read(&self, frame: FrameNumber, offset: usize, bytes: &mut [u8]) {
///         bytes.copy_from_slice(&self.0[frame.0 as usize][offset..][..bytes.len()]);
///     }
///     fn write(&mut self, frame: FrameNumber, offset: usize, bytes: &[u8]) {
///         self.0[frame.0 as usize][offset..][..bytes.len()].copy_from_slice(bytes);
///     }
/// }
///
/// let mut frames = Few([vec![0; 4096], vec![0; 4096]], vec![FrameNumber(0), FrameNumber(1)]);
/// let storage =
///     SwapStorage { clusters: [Cluster::new()], entries: [Entry::NOTHING; 64], slabs: [const { Slab::new() }; 2] };
/// let mut swap = Swap::new(storage, 64, 2, NoBacking).unwrap();
///
/// let page = core::array::from_fn(|at| (at % 13) as u8);
/// let slot = swap.put(&mut Cursor::new(), &page, &mut frames).unwrap();
/// let mut back = [0; 4096];
/// swap.get(slot, &mut back, &frames).unwrap();
/// assert_eq!(back, page);
/// swap.release(slot, &mut frames).unwrap();
/// assert_eq!((swap.free(), frames.1.len()), (64, 2));
/// ```
#[derive(Debug)]
pub struct Swap<Clusters, Entries, Slabs, Back> {
    slots: Slots<Clusters>,
    compressed: Compressed<Entries, Slabs>,
    backing: Back,
    counts: SwapCounts,
    /// The slot at which the next page to be written back is looked for.
    hand: u32,
}

impl<Clusters, Entries, Slabs, Back> Swap<Clusters, Entries, Slabs, Back>
where
    Clusters: AsRef<[Cluster]> + AsMut<[Cluster]>,
    Entries: AsRef<[Entry]> + AsMut<[Entry]>,
    Slabs: AsRef<[Slab]> + AsMut<[Slab]>,
    Back: Backing,
{
    /// An area of `slots` slots, whose pool takes at most `pool_frames` frames; `None` if `storage` is too small.
    pub fn new(
        storage: SwapStorage<Clusters, Entries, Slabs>,
        slots: u32,
        pool_frames: u32,
        backing: Back,
    ) -> Option<Self> {
        let SwapStorage { clusters, entries, slabs } = storage;
        if entries.as_ref().len() < slots as usize {
            return None;
        }
        let slots = Slots::new(clusters, slots)?;
        let compressed = Compressed::new(entries, slabs, pool_frames);
        Some(Self { slots, compressed, backing, counts: SwapCounts::default(), hand: 0 })
    }

    /// Slots in all: `SwapTotal`.
    pub const fn len(&self) -> u32 {
        self.slots.len()
    }

    /// Whether there is no swap at all.
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Slots that nobody refers to: `SwapFree`.
    pub const fn free(&self) -> u32 {
        self.slots.free()
    }

    /// How many refer to `slot`.
    pub fn references(&self, slot: Slot) -> u16 {
        self.slots.references(slot)
    }

    /// When the page was evicted that is in `slot`; `None` if nobody refers to it.
    pub fn shadow(&self, slot: Slot) -> Option<Shadow> {
        self.slots.shadow(slot)
    }

    /// Says when the page was evicted that is in `slot`.
    pub fn set_shadow(&mut self, slot: Slot, shadow: Shadow) {
        self.slots.set_shadow(slot, shadow);
    }

    /// What went where.
    pub const fn counts(&self) -> SwapCounts {
        self.counts
    }

    /// What the compressed store holds.
    pub const fn compressed(&self) -> CompressedUse {
        self.compressed.usage()
    }

    /// What is behind the compressed store.
    pub const fn backing(&self) -> &Back {
        &self.backing
    }

    /// The same, to be changed.
    pub const fn backing_mut(&mut self) -> &mut Back {
        &mut self.backing
    }

    /// Swaps a page out: keeps it under a slot with one reference.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if all slots are taken or there is no room, `EIO` from the backing. Nothing has changed then.
    pub fn put(
        &mut self,
        cpu: &mut Cursor,
        page: &PageBytes,
        frames: &mut impl Frames,
    ) -> Result<Slot, Errno> {
        let slot = self.slots.allocate(cpu).ok_or(Errno::ENOSPC)?;
        if let Err(errno) = self.keep(slot, page, frames) {
            let freed = self.slots.release(slot);
            debug_assert_eq!(freed, Ok(true), "it was allocated just now");
            return Err(errno);
        }
        self.counts.out += 1;
        Ok(slot)
    }

    fn keep(&mut self, slot: Slot, page: &PageBytes, frames: &mut impl Frames) -> Result<(), Errno> {
        let refused = self.compressed.usage().no_room;
        if self.compressed.put(slot, page, frames) {
            return Ok(());
        }
        let is_full = self.compressed.usage().no_room > refused;
        // What was swapped out first is wanted back last: it makes room for this page, which may be wanted sooner.
        if is_full && self.write_back(WRITE_BACK, frames) > 0 && self.compressed.put(slot, page, frames) {
            return Ok(());
        }
        self.backing.write(slot, page)?;
        self.counts.written += 1;
        Ok(())
    }

    /// Moves up to `count` compressed pages to the backing; returns how many have moved.
    ///
    /// The hand goes around the slots, so it meets about first what was swapped out first. It stops at the first page that
    /// the backing refuses.
    pub fn write_back(&mut self, count: u32, frames: &mut impl Frames) -> u32 {
        let mut moved = 0;
        let mut page = [0; _];
        for _ in 0..self.slots.len() {
            if moved == count {
                break;
            }
            let slot = Slot(self.hand);
            self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
            if !self.compressed.takes_room(slot) {
                continue;
            }
            // Corrupt contents stay where they are; who swaps them in is told.
            if self.compressed.get(slot, &mut page, frames) != Ok(true) {
                continue;
            }
            if self.backing.write(slot, &page).is_err() {
                break;
            }
            self.compressed.discard(slot, frames);
            self.counts.written += 1;
            self.counts.written_back += 1;
            moved += 1;
        }
        moved
    }

    /// Fills `page` with what was swapped out to `slot`, which stays as it is.
    ///
    /// # Errors
    ///
    /// `EINVAL` if nobody refers to the slot; `EIO` if the contents are lost.
    pub fn get(&mut self, slot: Slot, page: &mut PageBytes, frames: &impl Frames) -> Result<(), Errno> {
        if self.slots.references(slot) == 0 {
            return Err(Errno::EINVAL);
        }
        let was_compressed = self.compressed.get(slot, page, frames).map_err(|_| Errno::EIO)?;
        if !was_compressed {
            self.backing.read(slot, page)?;
            self.counts.read += 1;
        }
        self.counts.back += 1;
        Ok(())
    }

    /// Adds a reference to a slot: a table entry that names it has been copied.
    ///
    /// # Errors
    ///
    /// As for [`Slots::share`].
    pub fn share(&mut self, slot: Slot) -> Result<(), SlotError> {
        self.slots.share(slot)
    }

    /// Drops a reference to a slot, and the contents with the last one; says whether it was the last.
    ///
    /// # Errors
    ///
    /// If nobody refers to the slot.
    pub fn release(&mut self, slot: Slot, frames: &mut impl Frames) -> Result<bool, SlotError> {
        let was_last = self.slots.release(slot)?;
        if was_last {
            if self.compressed.has(slot) {
                self.compressed.discard(slot, frames);
            } else {
                self.backing.discard(slot);
            }
        }
        Ok(was_last)
    }

    /// The slots in use near `slot`, for swapping in ahead of time.
    pub fn around(&self, slot: Slot, window: u32) -> impl Iterator<Item = Slot> {
        self.slots.around(slot, window)
    }

    /// Gives up the cluster that a processor fills.
    pub fn leave(&mut self, cpu: &mut Cursor) {
        self.slots.leave(cpu);
    }

    /// Whether the invariants hold.
    ///
    /// Cost: linear in the number of slots; for tests.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        self.slots.check()?;
        self.compressed.check()?;
        let kept_for_free = (0..self.slots.len())
            .any(|slot| self.slots.references(Slot(slot)) == 0 && self.compressed.has(Slot(slot)));
        if kept_for_free { Err("contents are kept for a free slot") } else { Ok(()) }
    }
}
