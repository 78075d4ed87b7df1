//! `/proc/PID/pagemap`: a word for each page of an address space, which says where its contents are.
//!
//! ```text
//!   63       62       61            56         55          54 … 0
//!  present | swapped | of a file | exclusive | soft-dirty | frame, or where in swap
//! ```
//!
//! Called by whoever asks which pages are there: `mallow::pages`, `map::density`, and the command, which reads the file.
//!
//! # Source
//!
//! `Documentation/admin-guide/mm/pagemap.rst` in the kernel's sources.

use serde::Serialize;

use crate::memory::PAGE_BYTES;

/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 8;

/// Where the entry of the page with `address` begins in the file. No address is so high that it would not fit.
pub const fn offset(address: u64) -> u64 {
    address / PAGE_BYTES * ENTRY_BYTES as u64
}

/// The entries in a piece of the file, one page after the other; what is left behind the last whole one is not looked at.
pub fn entries(piece: &[u8]) -> impl Iterator<Item = PageEntry> + '_ {
    piece.as_chunks::<ENTRY_BYTES>().0.iter().map(|entry| PageEntry(u64::from_ne_bytes(*entry)))
}

/// Where the contents of a page are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Residence {
    /// Nowhere: it was never touched, or given back. A read finds zeros, or what the file has.
    Nowhere,
    /// In a frame.
    Memory,
    /// In swap.
    Swap {
        /// The number of the swap area.
        area: u64,
        /// The page in it.
        offset: u64,
    },
}

/// An entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageEntry(pub u64);

impl PageEntry {
    const PRESENT: u64 = 1 << 63;
    const SWAPPED: u64 = 1 << 62;
    const OF_FILE: u64 = 1 << 61;
    const EXCLUSIVE: u64 = 1 << 56;
    const SOFT_DIRTY: u64 = 1 << 55;
    const FRAME: u64 = (1 << 55) - 1;

    /// Whether the page is in memory.
    pub const fn is_present(self) -> bool {
        self.0 & Self::PRESENT != 0
    }

    /// Whether its contents are in swap.
    pub const fn is_swapped(self) -> bool {
        self.0 & Self::SWAPPED != 0
    }

    /// Whether there is anything to be read that is not a zero, or not in the file.
    pub const fn has_contents(self) -> bool {
        self.is_present() || self.is_swapped()
    }

    /// Where the contents are.
    pub const fn residence(self) -> Residence {
        if self.is_present() {
            Residence::Memory
        } else if self.is_swapped() {
            Residence::Swap { area: self.0 & 31, offset: (self.0 & Self::FRAME) >> 5 }
        } else {
            Residence::Nowhere
        }
    }

    /// The number of the frame; `None` if there is none, or the kernel does not tell: it does so for who has `CAP_SYS_ADMIN`.
    pub const fn frame(self) -> Option<u64> {
        let frame = self.0 & Self::FRAME;
        if self.is_present() && frame != 0 { Some(frame) } else { None }
    }

    /// Whether it is a page of a file, or of memory that is shared.
    pub const fn is_of_file(self) -> bool {
        self.0 & Self::OF_FILE != 0
    }

    /// Whether only this process maps it.
    pub const fn is_exclusive(self) -> bool {
        self.0 & Self::EXCLUSIVE != 0
    }

    /// Whether it was written since `clear_refs`, or since it was mapped.
    pub const fn is_soft_dirty(self) -> bool {
        self.0 & Self::SOFT_DIRTY != 0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A piece of the file from letters, one for each page: `p`resent, `s`wapped out, or neither.
    pub(crate) fn piece(letters: &str) -> Vec<u8> {
        let entry = |letter| match letter {
            'p' => PageEntry::PRESENT | 0x1234,
            's' => PageEntry::SWAPPED | 5,
            _ => 0,
        };
        letters.chars().flat_map(|letter| u64::to_ne_bytes(entry(letter))).collect()
    }

    #[test]
    fn an_entry_says_where_the_page_is() {
        assert_eq!(PageEntry(0).residence(), Residence::Nowhere);
        let present = PageEntry(1 << 63 | 1 << 56 | 0x1234);
        assert_eq!((present.residence(), present.frame()), (Residence::Memory, Some(0x1234)));
        assert!(present.is_exclusive() && !present.is_of_file() && !present.is_soft_dirty());
        assert_eq!(PageEntry(1 << 63).frame(), None, "the number is kept secret");
        assert_eq!(PageEntry(1 << 62 | 77 << 5 | 2).residence(), Residence::Swap { area: 2, offset: 77 });
        assert_eq!(PageEntry(1 << 62 | 77 << 5 | 2).frame(), None);
    }

    #[test]
    fn a_piece_has_an_entry_for_each_page() {
        let mut bytes = piece("p.s");
        bytes.push(1);
        let has_contents: Vec<_> = entries(&bytes).map(PageEntry::has_contents).collect();
        assert_eq!(has_contents, [true, false, true]);
        assert_eq!((offset(0), offset(4095), offset(4096)), (0, 0, 8));
    }
}
