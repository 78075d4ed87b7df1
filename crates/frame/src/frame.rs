//! One entry of the table: 32 bytes about one frame.
//!
//! ```text
//!  byte 0      1      2           3      4           8          12     16     20      24
//!  | head | place | generation | flags | references | mappings | prev | next | owner | index   |
//! ```
//!
//! # Concurrency
//!
//! Every field is an atomic that is read and written relaxed: the table orders nothing, the locks of its users do.
//!
//! | Field | Written by |
//! | --- | --- |
//! | head | whoever owns the run; for a free one the lock of its zone, or the processor whose array holds it |
//! | place | the lock of the zone |
//! | generation, prev, next | the lock of the list that the frame is on, which follows from its state |
//! | flags, references, mappings | anybody, by one read-modify-write |
//! | owner, index | whoever owns the run |

use core::fmt;

use mallow_ds::sync::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use mallow_units::Order;

use crate::place::{Mobility, Place};
use crate::state::{FrameState, Head};

/// No frame, in a link.
pub(crate) const NOBODY: u32 = u32::MAX;

/// A fact about a frame in use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Flag {
    /// Somebody is reading or writing its content; others wait.
    Locked = 1,
    /// It differs from what its file or its slot of swap holds.
    Dirty = 2,
    /// It has been used since somebody last looked.
    Referenced = 4,
    /// It is being written to its file or slot.
    Writeback = 8,
    /// It is locked into memory, or for another reason never reclaimed.
    Unevictable = 16,
    /// One address space only maps it, so a write needs no copy.
    Exclusive = 32,
    /// It has left its list of the LRU: somebody is moving or reclaiming it.
    Isolated = 64,
    /// Of no meaning here: for the owner of the frame.
    Private = 128,
}

/// What is known about one frame. Two that are buddies share a cache line, if the table begins at one. All-zero but for the links: reserved, referenced by nobody.
#[repr(C, align(32))]
pub struct Frame {
    head: AtomicU8,
    place: AtomicU8,
    generation: AtomicU8,
    flags: AtomicU8,
    references: AtomicU32,
    mappings: AtomicU32,
    prev: AtomicU32,
    next: AtomicU32,
    owner: AtomicU32,
    index: AtomicU64,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Frame>() == 32, "0.78 % of memory");

macro_rules! const_unless_loom {
    ($(#[$doc:meta])* pub fn new() -> Self $body:block) => {
        $(#[$doc])*
        #[cfg(not(loom))]
        pub const fn new() -> Self $body
        $(#[$doc])*
        #[cfg(loom)]
        pub fn new() -> Self $body
    };
}

impl Frame {
    const_unless_loom! {
        /// A reserved frame, as every table starts.
        pub fn new() -> Self {
            Self {
                head: AtomicU8::new(0),
                place: AtomicU8::new(0),
                generation: AtomicU8::new(0),
                flags: AtomicU8::new(0),
                references: AtomicU32::new(0),
                mappings: AtomicU32::new(0),
                prev: AtomicU32::new(NOBODY),
                next: AtomicU32::new(NOBODY),
                owner: AtomicU32::new(0),
                index: AtomicU64::new(0),
            }
        }
    }

    /// What the run is used for, if this is its head.
    #[inline]
    pub fn state(&self) -> FrameState {
        self.head().state
    }

    /// How long the run is, if this is its head.
    #[inline]
    pub fn order(&self) -> Order {
        self.head().order
    }

    /// State and length together.
    #[inline]
    pub fn head(&self) -> Head {
        Head::from_byte(self.head.load(Ordering::Relaxed))
    }

    /// Whether the frame is the head of a run that is exactly this.
    #[inline]
    pub fn is(&self, head: Head) -> bool {
        self.head.load(Ordering::Relaxed) == head.to_byte()
    }

    /// Makes the frame the head of a run, or a tail: the one function that changes a state.
    ///
    /// For allocators. Who merely owns a run gives it a use with [`crate::FrameTable::set_use`].
    ///
    /// # Errors
    ///
    /// What the frame is, if that may not become `next`; nothing has changed then.
    #[inline]
    pub fn turn(&self, next: Head) -> Result<Head, Head> {
        let was = self.byte();
        if !Head::may_follow(was, next.state) {
            return Err(Head::from_byte(was));
        }
        self.store_head(next);
        Ok(Head::from_byte(was))
    }

    /// The head as it is stored.
    #[inline]
    pub(crate) fn byte(&self) -> u8 {
        self.head.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn store_head(&self, head: Head) {
        self.head.store(head.to_byte(), Ordering::Relaxed);
    }

    /// Where the frame belongs when it is free.
    #[inline]
    pub fn place(&self) -> Place {
        Place::from_byte(self.place.load(Ordering::Relaxed))
    }

    /// [`Frame::place`] as an index, see [`Place::index`]. One load.
    #[inline]
    pub fn place_index(&self) -> usize {
        self.place.load(Ordering::Relaxed).into()
    }

    /// Settles where the frame belongs. For the zone's allocator, under its lock.
    #[inline]
    pub fn set_place(&self, place: Place) {
        self.place.store(place.to_byte(), Ordering::Relaxed);
    }

    /// Changes the mobility of the frame's block as far as this frame is concerned. For the zone's allocator.
    #[inline]
    pub fn set_mobility(&self, mobility: Mobility) {
        self.set_place(Place { mobility, ..self.place() });
    }

    /// How many hold a reference; 1 in a fresh allocation, 0 in a free frame.
    #[inline]
    pub fn references(&self) -> u32 {
        self.references.load(Ordering::Relaxed)
    }

    /// Sets the count. For whoever is alone with the frame.
    #[inline]
    pub fn set_references(&self, count: u32) {
        self.references.store(count, Ordering::Relaxed);
    }

    /// Adds a reference; returns how many there are now. Saturates: a frame with 2^32 - 1 references is never freed.
    pub fn hold(&self) -> u32 {
        step(&self.references, |count| Some(count.saturating_add(1))).unwrap_or(u32::MAX)
    }

    /// Drops a reference; returns how many are left, `None` if there was none.
    ///
    /// Who gets 0 was the last and frees the run.
    pub fn let_go(&self) -> Option<u32> {
        step(&self.references, |count| if count == u32::MAX { Some(count) } else { count.checked_sub(1) })
    }

    /// How many page table entries map the frame.
    #[inline]
    pub fn mappings(&self) -> u32 {
        self.mappings.load(Ordering::Relaxed)
    }

    /// Counts one more page table entry; returns how many there are now.
    pub fn map(&self) -> u32 {
        step(&self.mappings, |count| Some(count.saturating_add(1))).unwrap_or(u32::MAX)
    }

    /// Counts one page table entry less; returns how many are left, `None` if there was none.
    pub fn unmap(&self) -> Option<u32> {
        step(&self.mappings, |count| count.checked_sub(1))
    }

    /// Whether a fact holds.
    #[inline]
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.load(Ordering::Relaxed) & flag as u8 != 0
    }

    /// Makes a fact hold; returns whether it did already.
    pub fn raise(&self, flag: Flag) -> bool {
        self.flags.fetch_or(flag as u8, Ordering::Relaxed) & flag as u8 != 0
    }

    /// Makes a fact hold no longer; returns whether it did.
    pub fn lower(&self, flag: Flag) -> bool {
        let mut seen = self.flags.load(Ordering::Relaxed);
        loop {
            let next = seen & !(flag as u8);
            match self.flags.compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return seen != next,
                Err(now) => seen = now,
            }
        }
    }

    /// The generation of the LRU that the frame belongs to.
    #[inline]
    pub fn generation(&self) -> u8 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Moves the frame to a generation; the caller moves it to that generation's list.
    #[inline]
    pub fn set_generation(&self, generation: u8) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// Who owns the run: a number of the owner's choice (an anonymous root, a file, a cache).
    #[inline]
    pub fn owner(&self) -> u32 {
        self.owner.load(Ordering::Relaxed)
    }

    /// Says who owns the run.
    #[inline]
    pub fn set_owner(&self, owner: u32) {
        self.owner.store(owner, Ordering::Relaxed);
    }

    /// Which part of its owner the frame is: a page number, a page of a file, a slot of swap.
    #[inline]
    pub fn index(&self) -> u64 {
        self.index.load(Ordering::Relaxed)
    }

    /// Says which part of its owner the frame is.
    #[inline]
    pub fn set_index(&self, index: u64) {
        self.index.store(index, Ordering::Relaxed);
    }

    /// Starts the life of an allocation: one reference, no mapping, no flag.
    ///
    /// Owner, index and generation keep what they were: their meaning is the new owner's, who sets them. Nothing is freed while it is mapped, so there
    /// is no mapping to forget.
    #[inline]
    pub fn begin(&self) {
        self.references.store(1, Ordering::Relaxed);
        self.flags.store(0, Ordering::Relaxed);
    }

    /// Ends the life of a run of `order`: its head turns to `next`, a free state or a tail. For allocators; see
    /// [`crate::FrameTable::retire`], which says why if this says no.
    #[inline]
    pub fn retire(&self, order: Order, next: FrameState) -> bool {
        let byte = self.byte();
        let is_whole = Head::may_be_freed_as(byte, next) && byte >> 4 == order.get();
        // COST: one branch for both counts.
        let is_alone = self.references() >> 1 | self.mappings() == 0;
        if !is_whole || !is_alone {
            return false;
        }
        self.store_head(Head { state: next, order });
        self.set_references(0);
        true
    }

    /// Takes over everything but state, place and links.
    pub(crate) fn take_over(&self, from: &Self) {
        self.owner.store(from.owner(), Ordering::Relaxed);
        self.index.store(from.index(), Ordering::Relaxed);
        self.generation.store(from.generation.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        self.references.store(from.references.swap(1, Ordering::Relaxed), Ordering::Relaxed);
        self.mappings.store(from.mappings.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        self.flags.store(from.flags.load(Ordering::Relaxed), Ordering::Relaxed);
        from.flags.store(0, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn prev(&self) -> u32 {
        self.prev.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn next(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_prev(&self, frame: u32) {
        self.prev.store(frame, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn set_next(&self, frame: u32) {
        self.next.store(frame, Ordering::Relaxed);
    }
}

/// Replaces a count; returns the new one, `None` if the step refuses.
fn step(word: &AtomicU32, change: impl Fn(u32) -> Option<u32>) -> Option<u32> {
    let mut seen = word.load(Ordering::Relaxed);
    loop {
        let next = change(seen)?;
        // ORDERING: AcqRel, so that who drops the last reference sees what the others did with the frame before.
        match word.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return Some(next),
            Err(now) => seen = now,
        }
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("head", &self.head())
            .field("place", &self.place())
            .field("references", &self.references())
            .field("mappings", &self.mappings())
            .field("flags", &format_args!("{:#010b}", self.flags.load(Ordering::Relaxed)))
            .field("generation", &self.generation())
            .field("owner", &self.owner())
            .field("index", &self.index())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_do_not_wrap() {
        let frame = Frame::new();
        assert_eq!(frame.let_go(), None);
        assert_eq!(frame.unmap(), None);
        assert_eq!((frame.hold(), frame.hold(), frame.let_go(), frame.let_go()), (1, 2, Some(1), Some(0)));
        frame.set_references(u32::MAX);
        assert_eq!((frame.hold(), frame.let_go()), (u32::MAX, Some(u32::MAX)));
    }

    #[test]
    fn flags_are_apart() {
        let frame = Frame::new();
        assert!(!frame.raise(Flag::Dirty) && frame.raise(Flag::Dirty));
        frame.raise(Flag::Private);
        assert!(frame.lower(Flag::Dirty) && !frame.lower(Flag::Dirty));
        assert!(frame.has(Flag::Private) && !frame.has(Flag::Dirty));
    }

    #[test]
    fn a_refused_turn_changes_nothing() {
        let frame = Frame::new();
        let slab = Head::single(FrameState::Slab);
        assert_eq!(frame.turn(slab), Err(Head::single(FrameState::Reserved)));
        assert_eq!(frame.state(), FrameState::Reserved);
    }
}
