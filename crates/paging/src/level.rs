//! The four levels of a page table.

use mallow_units::{FrameNumber, PageNumber};

/// Entries in a table.
pub const ENTRIES: usize = 512;

/// Bits of a page number that index one level.
const INDEX_BITS: u32 = ENTRIES.trailing_zeros();

/// Bits of a page number that four levels translate: 48 bits of address.
const PAGE_BITS: u32 = 4 * INDEX_BITS;

/// The level of a table, named after what one of its entries reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// An entry is a page of 4 KiB. The manual: page table.
    Page,
    /// An entry reaches 2 MiB. The manual: page directory.
    Huge,
    /// An entry reaches 1 GiB. The manual: page directory pointer table.
    Giant,
    /// An entry reaches 512 GiB. The manual: PML4.
    Top,
}

impl Level {
    /// All levels, from the root down.
    pub const DOWN: [Self; 4] = [Self::Top, Self::Giant, Self::Huge, Self::Page];

    const fn shift(self) -> u32 {
        match self {
            Self::Page => 0,
            Self::Huge => INDEX_BITS,
            Self::Giant => 2 * INDEX_BITS,
            Self::Top => 3 * INDEX_BITS,
        }
    }

    /// Pages that one entry reaches.
    pub const fn pages(self) -> u64 {
        1 << self.shift()
    }

    /// Which entry of a table of this level `page` goes through.
    #[inline]
    pub const fn index(self, page: PageNumber) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "9 bits")]
        let index = (page.0 >> self.shift() & (ENTRIES as u64 - 1)) as usize;
        index
    }

    /// The level below; `None` below pages.
    pub const fn below(self) -> Option<Self> {
        match self {
            Self::Top => Some(Self::Giant),
            Self::Giant => Some(Self::Huge),
            Self::Huge => Some(Self::Page),
            Self::Page => None,
        }
    }

    /// The level above; `None` above the root.
    pub const fn above(self) -> Option<Self> {
        match self {
            Self::Page => Some(Self::Huge),
            Self::Huge => Some(Self::Giant),
            Self::Giant => Some(Self::Top),
            Self::Top => None,
        }
    }

    /// Whether an entry of this level may reach frames, rather than a table.
    pub const fn may_be_leaf(self) -> bool {
        !matches!(self, Self::Top)
    }

    /// The first page that an entry reaches which reaches `page`.
    #[must_use]
    pub const fn aligned(self, page: PageNumber) -> PageNumber {
        PageNumber(page.0 & !(self.pages() - 1))
    }

    /// Whether `frame` can be the first of an entry of this level.
    pub const fn fits(self, frame: FrameNumber) -> bool {
        frame.0 as u64 & (self.pages() - 1) == 0
    }
}

/// Whether four levels translate `page`: the upper 17 bits of its address are alike.
pub const fn is_canonical(page: PageNumber) -> bool {
    let upper = page.0 >> (PAGE_BITS - 1);
    upper == 0 || upper == (1 << (64 - 12 - PAGE_BITS + 1)) - 1
}

const _: () = {
    assert!(Level::Top.pages() * ENTRIES as u64 == 1 << PAGE_BITS);
    assert!(is_canonical(PageNumber(0x7_ffff_ffff)));
    assert!(!is_canonical(PageNumber(0x8_0000_0000)));
    assert!(!is_canonical(PageNumber(0xf_fff7_ffff_ffff)));
    assert!(is_canonical(PageNumber(0xf_fff8_0000_0000)));
    assert!(is_canonical(PageNumber(0xf_ffff_ffff_ffff)));
    assert!(!is_canonical(PageNumber(u64::MAX)));
};
