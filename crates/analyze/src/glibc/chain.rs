//! The chain of blocks in one heap of glibc, from the first to the top.
//!
//! ```text
//!  chunk ──► | size of the chunk before, if that is free | size of this one | A | M | P |
//!            | what the program has                                                     |
//!  chunk + size ──► the next one, whose P says whether this one is used
//! ```
//!
//! Called by `glibc`.
//!
//! # Source
//!
//! "Boundary tags" in glibc's `malloc/malloc.c`, 2.26 to 2.41.

use super::Seen;
use crate::memory::{Memory, PAGE_BYTES};

/// Bytes in front of what the program has: two words.
const HEADER: u64 = 16;
/// Bytes of the smallest chunk.
const SMALLEST: u64 = 32;
/// Bytes to which chunks are aligned.
const ALIGNMENT: u64 = 16;
/// The chunk before is used.
const PREVIOUS_IN_USE: u64 = 1;
/// The chunk is a mapping of its own: never seen in a heap.
const IS_MAPPED: u64 = 2;
/// Set in no size.
const RESERVED: u64 = 8;
/// Bytes behind a heap's start within which its first chunk begins: behind the headers of heap and arena.
const LONGEST_HEADERS: u64 = 4096;
/// Chunks that must follow each other for a place to be believed.
const PROOF: usize = 4;
/// Bytes that are read at once, at first and at most.
const BLOCK_BYTES: (u64, u64) = (4 << 10, 256 << 10);

/// Where a chain of chunks begins and ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    first: u64,
    end: u64,
}

/// The two words in front of a chunk.
#[derive(Clone, Copy, Debug)]
struct Header {
    size_before: u64,
    word: u64,
}

impl Header {
    fn size(self) -> u64 {
        self.word & !(ALIGNMENT - 1)
    }

    /// Whether a chunk at `address` in a heap that ends at `end` may have it.
    fn is_sound(self, address: u64, end: u64) -> bool {
        self.word & (IS_MAPPED | RESERVED) == 0
            && self.size() >= SMALLEST
            && address.checked_add(self.size()).is_some_and(|next| next <= end)
    }

    fn says_before_is_free(self) -> bool {
        self.word & PREVIOUS_IN_USE == 0
    }
}

impl Chain {
    /// Finds the first chunk of the heap up to `end`, at or soon behind `from`; `None` if there is no chain.
    pub(super) fn find(memory: &mut impl Memory, start: u64, end: u64, from: u64) -> Option<Self> {
        let limit = end.min(start + LONGEST_HEADERS);
        let mut reader = Reader::new(end);
        let places = (from.next_multiple_of(ALIGNMENT)..limit).step_by(16);
        let mut chains = places.map(|first| Self { first, end });
        chains.find(|chain| chain.is_believable(memory, &mut reader))
    }

    /// Whether the first chunks follow each other, or reach the end.
    fn is_believable(self, memory: &mut impl Memory, reader: &mut Reader) -> bool {
        let mut address = self.first;
        let mut before: Option<Header> = None;
        for _ in 0..PROOF {
            let Some(header) = reader.header(memory, address) else { return false };
            let is_linked = match before {
                Some(before) => !header.says_before_is_free() || header.size_before == before.size(),
                // Nothing is in front of the first one, which therefore counts as used.
                None => !header.says_before_is_free(),
            };
            if !is_linked || !header.is_sound(address, self.end) {
                return false;
            }
            address += header.size();
            if address == self.end {
                return true;
            }
            before = Some(header);
        }
        true
    }

    /// Goes through the chain until it ends, breaks, or has cost `budget` bytes of reading.
    pub(super) fn walk(self, memory: &mut impl Memory, budget: u64) -> Seen {
        let mut reader = Reader::new(self.end);
        let mut seen = Seen::default();
        let mut address = self.first;
        let mut header = reader.header(memory, address);
        while let Some(this) = header.filter(|header| header.is_sound(address, self.end)) {
            let next = address + this.size();
            if next == self.end {
                // The top: free up to the end of the heap.
                let free = free_of(memory, address, this.size());
                seen.top = free.0;
                seen.count_free(free);
                seen.is_whole = true;
                address = next;
                break;
            }
            let behind = reader.header(memory, next);
            match behind {
                Some(behind) if behind.says_before_is_free() => {
                    seen.count_free(free_of(memory, address, this.size()));
                }
                _ => {
                    seen.used += this.size();
                    seen.used_blocks += 1;
                }
            }
            (address, header) = (next, behind);
            if reader.cost > budget {
                break;
            }
        }
        seen.walked = address - self.first;
        seen
    }
}

impl Seen {
    fn count_free(&mut self, (free, trimmable): (u64, u64)) {
        self.free += free;
        self.trimmable += trimmable;
        self.free_blocks += 1;
    }
}

/// Of a free chunk, the bytes that are in memory, and those of them that are whole pages.
fn free_of(memory: &mut impl Memory, address: u64, size: u64) -> (u64, u64) {
    // The list of free chunks is kept in the first words.
    let first = (address + 3 * HEADER).next_multiple_of(PAGE_BYTES);
    let last = (address + size) / PAGE_BYTES * PAGE_BYTES;
    let Some(pages) = last.checked_sub(first).map(|bytes| bytes / PAGE_BYTES).filter(|pages| *pages > 0)
    else {
        return (size, 0);
    };
    let whole = memory.present(first, pages).unwrap_or(pages) * PAGE_BYTES;
    (size - pages * PAGE_BYTES + whole, whole)
}

/// Reads headers out of blocks, which are the longer the more of the last one was of use.
#[derive(Debug)]
struct Reader {
    end: u64,
    start: u64,
    block: Vec<u8>,
    /// Bytes that the next block has.
    next: u64,
    /// Bytes that were read so far.
    cost: u64,
}

impl Reader {
    const fn new(end: u64) -> Self {
        Self { end, start: 0, block: Vec::new(), next: BLOCK_BYTES.0, cost: 0 }
    }

    /// The header at `address`; `None` if it is not in memory, or may not be read.
    fn header(&mut self, memory: &mut impl Memory, address: u64) -> Option<Header> {
        if self.place(address).is_none() {
            self.fill(memory, address)?;
        }
        let place = self.place(address)?;
        Some(Header { size_before: word(&self.block[place..]), word: word(&self.block[place + 8..]) })
    }

    fn place(&self, address: u64) -> Option<usize> {
        let place = usize::try_from(address.checked_sub(self.start)?).ok()?;
        (place + 16 <= self.block.len()).then_some(place)
    }

    /// Reads from `address` on, as far as pages are in memory.
    fn fill(&mut self, memory: &mut impl Memory, address: u64) -> Option<()> {
        let is_near = address < self.start + 2 * self.block.len() as u64;
        self.next = if is_near { (self.next * 2).min(BLOCK_BYTES.1) } else { BLOCK_BYTES.0 };
        let wanted = self.next.min(self.end.checked_sub(address)?);
        let last = address + wanted.max(HEADER);
        let pages = last.div_ceil(PAGE_BYTES) - address / PAGE_BYTES;
        let present = memory.present_run(address, pages).unwrap_or(pages);
        let until = last.min((address / PAGE_BYTES + present) * PAGE_BYTES);
        let bytes = usize::try_from(until.checked_sub(address)?).ok()?;
        self.block.resize(bytes, 0);
        self.start = address;
        self.cost += bytes as u64;
        if bytes < 16 || !memory.read(address, &mut self.block) {
            self.block.clear();
            return None;
        }
        Some(())
    }
}

/// The word at the start of `bytes`.
pub(super) fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::tests::Pages;
    use proptest::prelude::*;

    const START: u64 = 0x1000_0000;

    /// A heap of chunks with these sizes, each used or free; returns the memory and its end.
    fn heap(chunks: &[(u64, bool)]) -> (Pages, u64) {
        let mut pages = Pages::default();
        let mut address = START;
        let mut before = (0, true);
        for &(size, is_used) in chunks {
            pages.word(address, if before.1 { 0x4141_4141 } else { before.0 });
            pages.word(address + 8, size | u64::from(before.1));
            address += size;
            before = (size, is_used);
        }
        (pages, address)
    }

    fn seen(pages: &mut Pages, end: u64) -> Option<Seen> {
        Chain::find(pages, START, end, START).map(|chain| chain.walk(pages, u64::MAX))
    }

    #[test]
    fn used_and_free_blocks_are_told_apart() {
        let (mut pages, end) = heap(&[(0x290, true), (0x100, false), (0x40, true), (0x1000 - 0x3d0, true)]);
        let found = seen(&mut pages, end).unwrap();
        assert_eq!((found.used, found.used_blocks), (0x2d0, 2));
        assert_eq!((found.free, found.free_blocks, found.trimmable), (0x100 + 0xc30, 2, 0));
        assert_eq!((found.top, found.is_whole, found.walked), (0xc30, true, 0x1000));
    }

    #[test]
    fn free_pages_count_only_where_they_are_in_memory() {
        // A free chunk of 16 pages of which two were touched behind its header, and one used above it.
        let (mut pages, end) = heap(&[(0x20, true), (0x10000, false), (0x100, true), (0xee0, true)]);
        pages.write(START + 0x4000, b"x");
        pages.write(START + 0x5000, b"x");
        let found = seen(&mut pages, end).unwrap();
        assert_eq!(found.trimmable, 0x2000);
        // What is left of it is in the pages at its two ends.
        assert_eq!(found.free, 0x2000 + 0xfe0 + 0x20 + 0xee0);
        assert_eq!(found.used, 0x120);
    }

    #[test]
    fn what_is_no_chain_is_not_believed() {
        let mut pages = Pages::default();
        pages.write(START, &[0x55; 8192]);
        assert_eq!(seen(&mut pages, START + 8192), None);
        assert_eq!(seen(&mut Pages::default(), START + 8192), None, "nothing is in memory");
    }

    #[test]
    fn a_broken_chain_ends_the_walk_there() {
        let mut chunks = vec![(0x40, true); 100];
        chunks.push((0x1000, true));
        let (mut pages, end) = heap(&chunks);
        pages.word(START + 50 * 0x40 + 8, u64::MAX);
        let found = seen(&mut pages, end).unwrap();
        assert_eq!((found.used_blocks, found.is_whole, found.walked), (50, false, 50 * 0x40));
    }

    #[test]
    fn a_budget_ends_the_walk_early() {
        let (mut pages, end) = heap(&vec![(0x40, true); 100_000]);
        let chain = Chain::find(&mut pages, START, end, START).unwrap();
        let found = chain.walk(&mut pages, 64 << 10);
        assert!(!found.is_whole && found.walked > 16 << 10 && found.walked < 1 << 20, "{found:?}");
    }

    proptest! {
        #[test]
        fn any_memory_is_walked_or_refused(words in prop::collection::vec(any::<u64>(), 1..600), mask in 0..5) {
            let mut pages = Pages::default();
            for (place, word) in words.iter().enumerate() {
                // Small numbers are sizes more often.
                let word = if mask > 0 { word & 0xff1 } else { *word };
                pages.word(START + place as u64 * 8, word);
            }
            let end = START + 8192;
            if let Some(found) = seen(&mut pages, end) {
                prop_assert!(found.walked <= 8192);
                prop_assert!(found.used + found.free <= found.walked);
            }
        }
    }
}
