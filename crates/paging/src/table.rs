//! Where tables come from.

use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_units::FrameNumber;

use crate::entry::Entry;
use crate::level::ENTRIES;

/// The entries of one table.
pub type Words = [AtomicU64; ENTRIES];

/// Tables, by the number of the frame that holds each.
///
/// A kernel implements it over its frame table and its mapping of physical memory; [`ArrayTables`] over an array.
pub trait Tables {
    /// Whether a processor may walk the tables while they are changed, and set accessed and dirty bits.
    ///
    /// If so, an entry is replaced by an atomic exchange. If not, by a read and a write, which costs a tenth of that.
    const WALKED_BY_PROCESSOR: bool = true;

    /// Takes a table whose entries are all empty; `None` if there is no memory.
    fn allocate(&mut self) -> Option<FrameNumber>;

    /// Takes such a table to put in the place of a block that is split. A kernel that sets one aside for each block takes that.
    fn allocate_for_split(&mut self) -> Option<FrameNumber> {
        self.allocate()
    }

    /// Gives a table back, whose entries are all empty. A kernel whose processors may still walk it frees it after the flush.
    fn free(&mut self, table: FrameNumber);

    /// The entries of a table that was allocated and not freed.
    fn words(&self, table: FrameNumber) -> &Words;

    /// How many entries of the table are not empty, as last set; 0 in a new one.
    fn used(&self, table: FrameNumber) -> u32;

    /// Notes how many entries of the table are not empty.
    fn set_used(&mut self, table: FrameNumber, used: u32);
}

/// The entry in a word.
#[inline]
pub(crate) fn load(word: &AtomicU64) -> Entry {
    // ORDERING: the owner wrote it, or the processor set a bit that publishes nothing.
    Entry::of_bits(word.load(Ordering::Relaxed))
}

/// Puts an entry where only the owner looked so far, or where nothing can be lost.
#[inline]
pub(crate) fn store(word: &AtomicU64, entry: Entry) {
    // ORDERING: release publishes the frame's or table's contents to whoever walks here.
    word.store(entry.bits(), Ordering::Release);
}

/// Replaces an entry, and returns the old one with the last bits that a processor set.
#[inline]
pub(crate) fn replace<T: Tables>(word: &AtomicU64, entry: Entry) -> Entry {
    if T::WALKED_BY_PROCESSOR {
        // ORDERING: release as in `store`; the old value publishes nothing.
        Entry::of_bits(word.swap(entry.bits(), Ordering::Release))
    } else {
        let old = load(word);
        store(word, entry);
        old
    }
}

/// Changes an entry by `change`, which may run more than once if a processor interferes; returns the old one.
#[inline]
pub(crate) fn update<T: Tables>(word: &AtomicU64, mut change: impl FnMut(Entry) -> Entry) -> Entry {
    let mut old = load(word);
    if T::WALKED_BY_PROCESSOR {
        loop {
            let new = change(old).bits();
            // ORDERING: release as in `store`.
            match word.compare_exchange_weak(old.bits(), new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return old,
                Err(now) => old = Entry::of_bits(now),
            }
        }
    }
    store(word, change(old));
    old
}

/// `N` tables in an array, numbered from 0: for tests, for examples, and for the first tables of a kernel.
#[derive(Debug)]
pub struct ArrayTables<const N: usize> {
    tables: [Words; N],
    used: [u32; N],
    /// The next free table after each, by number; the taken ones point at themselves.
    next_free: [usize; N],
    first_free: usize,
    taken: usize,
    /// Allocations until one is refused.
    until_refusal: Option<usize>,
}

impl<const N: usize> ArrayTables<N> {
    /// All tables free.
    pub fn new() -> Self {
        Self {
            tables: core::array::from_fn(|_| core::array::from_fn(|_| AtomicU64::new(0))),
            used: [0; N],
            next_free: core::array::from_fn(|i| i + 1),
            first_free: 0,
            taken: 0,
            until_refusal: None,
        }
    }

    /// How many tables are taken.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Refuses every allocation after the next `granted`; none if `None`.
    pub fn refuse_after(&mut self, granted: Option<usize>) {
        self.until_refusal = granted;
    }
}

impl<const N: usize> Default for ArrayTables<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Tables for ArrayTables<N> {
    const WALKED_BY_PROCESSOR: bool = false;

    fn allocate(&mut self) -> Option<FrameNumber> {
        if let Some(granted) = &mut self.until_refusal {
            *granted = granted.checked_sub(1)?;
        }
        let table = self.first_free;
        let next = self.next_free.get_mut(table)?;
        self.first_free = core::mem::replace(next, table);
        self.taken += 1;
        u32::try_from(table).ok().map(FrameNumber)
    }

    fn free(&mut self, table: FrameNumber) {
        let table = table.0 as usize;
        self.next_free[table] = self.first_free;
        self.first_free = table;
        self.taken -= 1;
    }

    #[inline]
    fn words(&self, table: FrameNumber) -> &Words {
        &self.tables[table.0 as usize]
    }

    #[inline]
    fn used(&self, table: FrameNumber) -> u32 {
        self.used[table.0 as usize]
    }

    #[inline]
    fn set_used(&mut self, table: FrameNumber, used: u32) {
        self.used[table.0 as usize] = used;
    }
}
