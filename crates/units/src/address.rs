//! Virtual addresses, page numbers, and spans of pages: geometry without state.

use core::fmt;

use crate::page::PAGE_BYTES;

const PAGE_SHIFT: u32 = PAGE_BYTES.trailing_zeros();

/// A number of pages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PageCount(pub u64);

impl PageCount {
    /// Whole pages that hold `bytes`.
    pub const fn holding(bytes: u64) -> Self {
        Self(bytes.div_ceil(PAGE_BYTES as u64))
    }

    /// Bytes in these pages; `None` if they do not fit 64 bits.
    pub const fn bytes(self) -> Option<u64> {
        self.0.checked_mul(PAGE_BYTES as u64)
    }
}

/// An address as a program uses it. Any value is legal here; which ones a program may use is for an address space to say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VirtAddr(pub u64);

impl VirtAddr {
    /// The page that holds the address.
    pub const fn page(self) -> PageNumber {
        PageNumber(self.0 >> PAGE_SHIFT)
    }

    /// Bytes from the start of its page.
    pub const fn offset(self) -> u64 {
        self.0 % PAGE_BYTES as u64
    }
}

impl fmt::Debug for VirtAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The number of a virtual page: its address divided by the page size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PageNumber(pub u64);

impl PageNumber {
    /// The first address of the page. Pages beyond the last address wrap around.
    pub const fn start(self) -> VirtAddr {
        VirtAddr(self.0 << PAGE_SHIFT)
    }
}

impl fmt::Debug for PageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p#{:x}", self.0)
    }
}

/// Pages in a row, from `start` up to but without `end`; never empty.
///
/// # Invariants
///
/// 1. `start` is below `end`.
///
/// ```
/// use mallow_units::address::{PageNumber, PageSpan};
/// let span = PageSpan::of(PageNumber(16), 4).unwrap();
/// assert_eq!(span.end(), PageNumber(20));
/// assert!(span.holds(PageNumber(19)) && !span.holds(PageNumber(20)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageSpan {
    start: PageNumber,
    end: PageNumber,
}

impl PageSpan {
    /// The pages from `start` up to `end`; `None` if there are none.
    pub const fn new(start: PageNumber, end: PageNumber) -> Option<Self> {
        if start.0 < end.0 { Some(Self { start, end }) } else { None }
    }

    /// `pages` pages from `start`; `None` if there are none, or more than 64 bits count.
    pub const fn of(start: PageNumber, pages: u64) -> Option<Self> {
        match start.0.checked_add(pages) {
            Some(end) => Self::new(start, PageNumber(end)),
            None => None,
        }
    }

    /// The first page.
    pub const fn start(self) -> PageNumber {
        self.start
    }

    /// The page after the last.
    pub const fn end(self) -> PageNumber {
        self.end
    }

    /// How many pages.
    pub const fn pages(self) -> u64 {
        self.end.0 - self.start.0
    }

    /// Whether `page` is one of them.
    pub const fn holds(self, page: PageNumber) -> bool {
        self.start.0 <= page.0 && page.0 < self.end.0
    }

    /// Whether all of `other` lies in it.
    pub const fn covers(self, other: Self) -> bool {
        self.start.0 <= other.start.0 && other.end.0 <= self.end.0
    }

    /// The pages that both have.
    pub fn common(self, other: Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// Its pages, the lowest first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = PageNumber> {
        (self.start.0..self.end.0).map(PageNumber)
    }
}

impl fmt::Debug for PageSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p#{:x}..{:x}", self.start.0, self.end.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: u64, end: u64) -> PageSpan {
        PageSpan::new(PageNumber(start), PageNumber(end)).expect("not empty")
    }

    #[test]
    fn an_address_is_a_page_and_an_offset() {
        let address = VirtAddr(0x7fff_1234);
        assert_eq!(address.page(), PageNumber(0x7fff1));
        assert_eq!(address.page().start().0 + address.offset(), address.0);
    }

    #[test]
    fn no_span_is_empty() {
        assert_eq!(PageSpan::new(PageNumber(3), PageNumber(3)), None);
        assert_eq!(PageSpan::of(PageNumber(3), 0), None);
        assert_eq!(PageSpan::of(PageNumber(u64::MAX), 1), None);
    }

    #[test]
    fn what_two_spans_share_is_in_both() {
        assert_eq!(span(1, 5).common(span(3, 9)), Some(span(3, 5)));
        assert_eq!(span(1, 3).common(span(3, 9)), None);
        assert!(span(1, 5).covers(span(1, 5)) && !span(1, 5).covers(span(4, 6)));
        assert!(span(7, 9).iter().eq([PageNumber(7), PageNumber(8)]));
    }

    #[test]
    fn pages_hold_bytes() {
        assert_eq!(PageCount::holding(0), PageCount(0));
        assert_eq!(PageCount::holding(4097), PageCount(2));
        assert_eq!(PageCount::holding(u64::MAX).bytes(), None);
    }
}
