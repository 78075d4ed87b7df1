//! The slot map: which places in swap hold a page, and how many refer to each.
//!
//! ```text
//!  cluster: | 64 slots: a bit for each that is free, a count for each that is not |
//!  lists:   empty (all 64 are free) · part (some are) · taken (a processor fills it); full ones are in no list
//! ```
//!
//! A processor fills a cluster of its own from the lowest slot up, so that pages which leave together lie together.
//!
//! Called by the machine when a page is swapped out, when a table entry that names a slot is copied by fork or dropped, and
//! when the page comes back. Knows nothing of what is in the slots.
//!
//! Cost: all operations are constant, except that a processor that finds no cluster looks at those of the others.

use core::fmt;

use crate::lru::Shadow;

/// Slots in a cluster.
pub const CLUSTER_SLOTS: u32 = u64::BITS;

const NONE: u32 = u32::MAX;

/// The number of a place in swap that holds one page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

impl Slot {
    const fn cluster(self) -> u32 {
        self.0 / CLUSTER_SLOTS
    }

    const fn bit(self) -> u64 {
        1 << (self.0 % CLUSTER_SLOTS)
    }

    const fn offset(self) -> usize {
        (self.0 % CLUSTER_SLOTS) as usize
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s#{:x}", self.0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum List {
    #[default]
    Empty,
    Part,
    Taken,
    Full,
}

/// 64 slots in a row. An array or slice of these is what the map is made of.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// A bit for each slot that is free.
    free: u64,
    /// How many refer to each slot; 0 for those that are free.
    references: [u16; CLUSTER_SLOTS as usize],
    /// When each page was evicted.
    shadows: [Shadow; CLUSTER_SLOTS as usize],
    next: u32,
    prev: u32,
    list: List,
}

const _: () = assert!(size_of::<Cluster>() <= 408, "a slot costs less than 6.4 bytes");

impl Cluster {
    /// A cluster that is in no map yet.
    pub const fn new() -> Self {
        Self {
            free: 0,
            references: [0; CLUSTER_SLOTS as usize],
            shadows: [Shadow(0); CLUSTER_SLOTS as usize],
            next: NONE,
            prev: NONE,
            list: List::Full,
        }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self::new()
    }
}

/// The cluster that a processor fills; each has one of its own.
#[derive(Debug)]
pub struct Cursor(u32);

impl Cursor {
    /// A processor that has no cluster yet.
    pub const fn new() -> Self {
        Self(NONE)
    }
}

impl Default for Cursor {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a reference was not added or dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotError {
    /// There is no such slot, or nobody refers to it.
    Unused(Slot),
    /// As many refer to it as can be counted: 65,535.
    Saturated(Slot),
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unused(slot) => write!(f, "slot {} is not in use", slot.0),
            Self::Saturated(slot) => write!(f, "slot {} has 65535 references", slot.0),
        }
    }
}

impl core::error::Error for SlotError {}

/// The slot map of one swap area.
///
/// # Invariants
///
/// 1. A slot's bit in `free` is set if and only if its count is 0 and it is one of `len`.
/// 2. A cluster is in the list that its `list` names; `Empty` and `Part` say the truth about `free`, `Full` means that
///    no bit is set, `Taken` that some processor fills it.
/// 3. `free` is the number of bits that are set.
///
/// ```
/// use mallow_kmm::swap::{Cluster, Cursor, Slots};
///
/// let mut slots = Slots::new([const { Cluster::new() }; 2], 100).unwrap();
/// let mut cpu = Cursor::new();
/// let slot = slots.allocate(&mut cpu).unwrap();
/// slots.share(slot).unwrap(); // A child got the entry too.
/// assert_eq!(slots.release(slot), Ok(false));
/// assert_eq!(slots.release(slot), Ok(true), "nobody refers to it any more");
/// assert_eq!(slots.free(), 100);
/// ```
#[derive(Debug)]
pub struct Slots<Storage> {
    clusters: Storage,
    len: u32,
    free: u32,
    /// First clusters of the lists `Empty`, `Part`, `Taken`.
    heads: [u32; 3],
}

impl<Storage: AsRef<[Cluster]> + AsMut<[Cluster]>> Slots<Storage> {
    /// A map of `len` slots, all free; `None` if `clusters` are too few for them.
    ///
    /// Cost: linear in `len`.
    pub fn new(clusters: Storage, len: u32) -> Option<Self> {
        let count = len.div_ceil(CLUSTER_SLOTS);
        if clusters.as_ref().len() < count as usize {
            return None;
        }
        let mut map = Self { clusters, len, free: len, heads: [NONE; 3] };
        for at in (0..count).rev() {
            let slots = (len - at * CLUSTER_SLOTS).min(CLUSTER_SLOTS);
            let cluster = map.cluster_mut(at);
            *cluster = Cluster::new();
            cluster.free = u64::MAX >> (CLUSTER_SLOTS - slots);
            map.link(at);
        }
        Some(map)
    }

    /// Slots in all: `SwapTotal`.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is no swap at all.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Slots that nobody refers to: `SwapFree`.
    pub const fn free(&self) -> u32 {
        self.free
    }

    /// How many refer to `slot`; 0 if it is free or does not exist.
    pub fn references(&self, slot: Slot) -> u16 {
        let cluster = self.clusters.as_ref().get(slot.cluster() as usize);
        cluster.map_or(0, |cluster| cluster.references[slot.offset()])
    }

    /// When the page was evicted that is in `slot`; `None` if nobody refers to it.
    pub fn shadow(&self, slot: Slot) -> Option<Shadow> {
        let cluster = self.clusters.as_ref().get(slot.cluster() as usize)?;
        (cluster.references[slot.offset()] > 0).then(|| cluster.shadows[slot.offset()])
    }

    /// Says when the page was evicted that is in `slot`.
    pub fn set_shadow(&mut self, slot: Slot, shadow: Shadow) {
        if let Some(cluster) = self.clusters.as_mut().get_mut(slot.cluster() as usize) {
            cluster.shadows[slot.offset()] = shadow;
        }
    }

    /// Takes a slot, with one reference; `None` if all are taken.
    pub fn allocate(&mut self, cpu: &mut Cursor) -> Option<Slot> {
        if self.free == 0 {
            return None;
        }
        if cpu.0 == NONE || self.cluster(cpu.0).free == 0 {
            self.leave(cpu);
            cpu.0 = self.take_cluster()?;
        }
        let at = cpu.0;
        if self.cluster(at).list != List::Taken {
            // Two processors had the last room in common, and the other one left first.
            self.relink(at, true);
        }
        let cluster = self.cluster_mut(at);
        let offset = cluster.free.trailing_zeros();
        // INVARIANT: 1, the bit goes as the count comes.
        cluster.free &= cluster.free - 1;
        cluster.references[offset as usize] = 1;
        self.free -= 1;
        Some(Slot(at * CLUSTER_SLOTS + offset))
    }

    /// Gives up the cluster of a processor, when it has no room left or the processor goes.
    pub fn leave(&mut self, cpu: &mut Cursor) {
        let at = core::mem::replace(&mut cpu.0, NONE);
        if at != NONE && self.cluster(at).list == List::Taken {
            self.relink(at, false);
        }
    }

    /// Adds a reference to a slot that is in use.
    ///
    /// # Errors
    ///
    /// If it is not in use, or has as many references as can be counted.
    pub fn share(&mut self, slot: Slot) -> Result<(), SlotError> {
        let references = self.count_mut(slot)?;
        *references = references.checked_add(1).ok_or(SlotError::Saturated(slot))?;
        Ok(())
    }

    /// Drops a reference; says whether it was the last, so that the contents can be dropped too.
    ///
    /// # Errors
    ///
    /// If the slot is not in use.
    pub fn release(&mut self, slot: Slot) -> Result<bool, SlotError> {
        let references = self.count_mut(slot)?;
        *references -= 1;
        if *references > 0 {
            return Ok(false);
        }
        let at = slot.cluster();
        self.cluster_mut(at).free |= slot.bit();
        self.free += 1;
        if self.cluster(at).list != List::Taken {
            self.relink(at, false);
        }
        Ok(true)
    }

    /// The slots in use of the aligned group of `window` around `slot`, which were probably written together with it.
    ///
    /// `window` is a power of two of at most [`CLUSTER_SLOTS`]; others give only the slot itself.
    pub fn around(&self, slot: Slot, window: u32) -> impl Iterator<Item = Slot> {
        let window = if window.is_power_of_two() && window <= CLUSTER_SLOTS { window } else { 1 };
        let first = slot.0 & !(window - 1);
        (first..first.saturating_add(window).min(self.len))
            .map(Slot)
            .filter(|near| self.references(*near) > 0)
    }

    /// Whether the invariants hold.
    ///
    /// Cost: linear in the number of slots; for tests.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        let mut free = 0;
        let mut listed = [0_u32; 3];
        for at in 0..self.count() {
            let cluster = self.cluster(at);
            free += cluster.free.count_ones();
            for (offset, references) in (0..).zip(cluster.references) {
                let slot = Slot(at * CLUSTER_SLOTS + offset);
                let is_free = cluster.free & slot.bit() != 0;
                if is_free != (references == 0 && slot.0 < self.len) {
                    return Err("a free slot is counted, or an unused one is not free");
                }
            }
            let truth = match cluster.list {
                List::Empty => cluster.free == self.all_of(at),
                List::Part => cluster.free != self.all_of(at) && cluster.free != 0,
                List::Taken => true,
                List::Full => cluster.free == 0,
            };
            if !truth {
                return Err("a cluster is in the wrong list");
            }
            if let Some(count) = listed.get_mut(cluster.list as usize) {
                *count += 1;
            }
        }
        if free != self.free {
            return Err("the number of free slots is not their sum");
        }
        for (head, expected) in self.heads.iter().zip(listed) {
            let (mut at, mut prev, mut seen) = (*head, NONE, 0);
            while at != NONE && seen <= expected {
                if self.cluster(at).prev != prev {
                    return Err("a list is linked wrongly");
                }
                (prev, at, seen) = (at, self.cluster(at).next, seen + 1);
            }
            if seen != expected {
                return Err("a list does not hold what belongs there");
            }
        }
        Ok(())
    }

    /// A cluster with room, taken from its list.
    fn take_cluster(&mut self) -> Option<u32> {
        let [empty, part, taken] = self.heads;
        if empty != NONE || part != NONE {
            let at = if empty == NONE { part } else { empty };
            self.relink(at, true);
            return Some(at);
        }
        // All room that is left is in the clusters of others.
        let mut at = taken;
        while at != NONE && self.cluster(at).free == 0 {
            at = self.cluster(at).next;
        }
        (at != NONE).then_some(at)
    }

    /// Puts a cluster into the list where it belongs now.
    fn relink(&mut self, at: u32, is_taken: bool) {
        self.unlink(at);
        if is_taken {
            self.push(at, List::Taken);
        } else {
            self.link(at);
        }
    }

    fn link(&mut self, at: u32) {
        let free = self.cluster(at).free;
        let list = if free == 0 {
            List::Full
        } else if free == self.all_of(at) {
            List::Empty
        } else {
            List::Part
        };
        self.push(at, list);
    }

    fn push(&mut self, at: u32, list: List) {
        let next = match self.heads.get_mut(list as usize) {
            Some(head) => core::mem::replace(head, at),
            None => NONE,
        };
        if next != NONE {
            self.cluster_mut(next).prev = at;
        }
        let cluster = self.cluster_mut(at);
        (cluster.list, cluster.next, cluster.prev) = (list, next, NONE);
    }

    fn unlink(&mut self, at: u32) {
        let Cluster { next, prev, list, .. } = *self.cluster(at);
        if next != NONE {
            self.cluster_mut(next).prev = prev;
        }
        if prev != NONE {
            self.cluster_mut(prev).next = next;
        } else if let Some(head) = self.heads.get_mut(list as usize) {
            *head = next;
        }
    }

    /// The bits of all slots of a cluster.
    fn all_of(&self, at: u32) -> u64 {
        let slots = (self.len - at * CLUSTER_SLOTS).min(CLUSTER_SLOTS);
        u64::MAX >> (CLUSTER_SLOTS - slots)
    }

    fn count(&self) -> u32 {
        self.len.div_ceil(CLUSTER_SLOTS)
    }

    fn count_mut(&mut self, slot: Slot) -> Result<&mut u16, SlotError> {
        let cluster = self.clusters.as_mut().get_mut(slot.cluster() as usize);
        let references = cluster.map(|cluster| &mut cluster.references[slot.offset()]);
        references.filter(|count| **count > 0).ok_or(SlotError::Unused(slot))
    }

    fn cluster(&self, at: u32) -> &Cluster {
        &self.clusters.as_ref()[at as usize]
    }

    fn cluster_mut(&mut self, at: u32) -> &mut Cluster {
        &mut self.clusters.as_mut()[at as usize]
    }
}
