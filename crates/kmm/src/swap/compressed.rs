//! The compressed store: pages that are swapped out and still in memory, in less room.
//!
//! What is kept for a slot is one word: a pattern if the page repeats four bytes, which most do that do not differ from
//! zero; else a block of the pool and how many bytes of it.
//!
//! Called by the swap area. Its pool takes frames while memory is short, which is why it has a limit.

use super::class::BLOCK_BYTES_MAX;
use super::codec::{self, PageBytes, Workspace};
use super::pool::{Block, Frames, Pool, Slab};
use super::slots::Slot;

/// What is known about one slot. An array or slice of these, one for each slot, is part of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Entry(u64);

/// What is kept for a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kept {
    Nothing,
    /// Four bytes that the page repeats.
    Pattern(u32),
    /// A block of the pool, of which `len` bytes are the page.
    Packed {
        block: Block,
        len: u16,
    },
}

/// Says which kind it is.
const KIND_BITS: u32 = 2;
const LEN_BITS: u32 = 12;
const INDEX_BITS: u32 = 6;

const _: () = assert!(BLOCK_BYTES_MAX < 1 << LEN_BITS && KIND_BITS + LEN_BITS + INDEX_BITS + 32 <= 64);

impl Entry {
    /// A slot for which nothing is kept.
    pub const NOTHING: Self = Self(0);

    const fn of(kept: Kept) -> Self {
        match kept {
            Kept::Nothing => Self::NOTHING,
            Kept::Pattern(word) => Self((word as u64) << KIND_BITS | 1),
            Kept::Packed { block, len } => {
                let place = (block.slab as u64) << INDEX_BITS | block.index as u64;
                Self((place << LEN_BITS | len as u64) << KIND_BITS | 2)
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "each field has its bits")]
    const fn kept(self) -> Kept {
        let rest = self.0 >> KIND_BITS;
        match self.0 & ((1 << KIND_BITS) - 1) {
            0 => Kept::Nothing,
            1 => Kept::Pattern(rest as u32),
            _ => {
                let place = rest >> LEN_BITS;
                let block = Block {
                    slab: (place >> INDEX_BITS) as u32,
                    index: (place & ((1 << INDEX_BITS) - 1)) as u8,
                };
                Kept::Packed { block, len: (rest & ((1 << LEN_BITS) - 1)) as u16 }
            }
        }
    }
}

/// How much the store keeps, and in how much room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CompressedUse {
    /// Pages that repeat four bytes and take no room.
    pub patterns: u32,
    /// Pages that are compressed.
    pub packed: u32,
    /// Bytes that these were compressed to.
    pub packed_bytes: u64,
    /// Frames of the pool.
    pub frames: u32,
    /// Pages that were refused because they did not become shorter than 3,264 bytes.
    pub incompressible: u64,
    /// Pages that were refused because the pool had no room.
    pub no_room: u64,
}

/// Compressed pages by slot.
///
/// # Invariants
///
/// 1. Each block of the pool that is in use is named by exactly one entry.
#[derive(Debug)]
pub(super) struct Compressed<Entries, Slabs> {
    entries: Entries,
    pool: Pool<Slabs>,
    workspace: Workspace,
    usage: CompressedUse,
}

impl<Entries, Slabs> Compressed<Entries, Slabs>
where
    Entries: AsRef<[Entry]> + AsMut<[Entry]>,
    Slabs: AsRef<[Slab]> + AsMut<[Slab]>,
{
    /// An empty store whose pool takes at most `frames_max` frames.
    pub(super) fn new(mut entries: Entries, slabs: Slabs, frames_max: u32) -> Self {
        entries.as_mut().fill(Entry::NOTHING);
        let pool = Pool::new(slabs, frames_max);
        Self { entries, pool, workspace: Workspace::new(), usage: CompressedUse::default() }
    }

    pub(super) const fn usage(&self) -> CompressedUse {
        CompressedUse { frames: self.pool.frame_count(), ..self.usage }
    }

    /// Keeps `page` for `slot`, for which nothing is kept yet; whether it is kept.
    pub(super) fn put(&mut self, slot: Slot, page: &PageBytes, frames: &mut impl Frames) -> bool {
        let kept = match pattern(page) {
            Some(word) => {
                self.usage.patterns += 1;
                Kept::Pattern(word)
            }
            None => {
                let mut packed = [0; BLOCK_BYTES_MAX];
                let Some(len) = codec::compress(page, &mut packed, &mut self.workspace) else {
                    self.usage.incompressible += 1;
                    return false;
                };
                let Some(block) = self.pool.store(&packed[..len], frames) else {
                    self.usage.no_room += 1;
                    return false;
                };
                self.usage.packed += 1;
                self.usage.packed_bytes += len as u64;
                #[expect(clippy::cast_possible_truncation, reason = "at most 3,264")]
                let len = len as u16;
                Kept::Packed { block, len }
            }
        };
        let Some(entry) = self.entries.as_mut().get_mut(slot.0 as usize) else { return false };
        debug_assert!(entry.kept() == Kept::Nothing, "something is kept for the slot");
        *entry = Entry::of(kept);
        true
    }

    /// Whether something is kept for `slot`.
    pub(super) fn has(&self, slot: Slot) -> bool {
        self.entries.as_ref().get(slot.0 as usize).is_some_and(|entry| *entry != Entry::NOTHING)
    }

    /// Whether what is kept for `slot` takes room in the pool.
    pub(super) fn takes_room(&self, slot: Slot) -> bool {
        let entry = self.entries.as_ref().get(slot.0 as usize);
        entry.is_some_and(|entry| matches!(entry.kept(), Kept::Packed { .. }))
    }

    /// Fills `page` with what is kept for `slot`; `Ok(false)` if nothing is.
    ///
    /// # Errors
    ///
    /// [`codec::Corrupt`] if the frames of the pool have been overwritten.
    pub(super) fn get(
        &self,
        slot: Slot,
        page: &mut PageBytes,
        frames: &impl Frames,
    ) -> Result<bool, codec::Corrupt> {
        let entry = self.entries.as_ref().get(slot.0 as usize).copied().unwrap_or(Entry::NOTHING);
        match entry.kept() {
            Kept::Nothing => return Ok(false),
            Kept::Pattern(word) => {
                page.as_chunks_mut().0.fill(word.to_le_bytes());
            }
            Kept::Packed { block, len } => {
                let mut packed = [0; BLOCK_BYTES_MAX];
                let packed = &mut packed[..usize::from(len)];
                self.pool.load(block, packed, frames);
                codec::decompress(packed, page)?;
            }
        }
        Ok(true)
    }

    /// Drops what is kept for `slot`.
    pub(super) fn discard(&mut self, slot: Slot, frames: &mut impl Frames) {
        let Some(entry) = self.entries.as_mut().get_mut(slot.0 as usize) else { return };
        match core::mem::take(entry).kept() {
            Kept::Nothing => {}
            Kept::Pattern(_) => self.usage.patterns -= 1,
            Kept::Packed { block, len } => {
                self.usage.packed -= 1;
                self.usage.packed_bytes -= u64::from(len);
                self.pool.free(block, frames);
            }
        }
    }

    /// Whether the invariants hold.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let kept =
            |is: fn(&Kept) -> bool| self.entries.as_ref().iter().map(|entry| entry.kept()).filter(is).count();
        let packed = kept(|kept| matches!(kept, Kept::Packed { .. }));
        if packed != self.usage.packed as usize
            || kept(|kept| matches!(kept, Kept::Pattern(_))) != self.usage.patterns as usize
        {
            return Err("the compressed store counts other pages than it keeps");
        }
        self.pool.check(packed)
    }
}

/// The four bytes that the page repeats, if it does.
fn pattern(page: &PageBytes) -> Option<u32> {
    let (words, _) = page.as_chunks::<4>();
    let first = words.first()?;
    words.iter().all(|word| word == first).then(|| u32::from_le_bytes(*first))
}
