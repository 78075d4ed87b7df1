//! Padding of huge pages: what is in memory only because the kernel gives it 2 MiB at a time.
//!
//! A page of 4 KiB inside a huge page that holds nothing but zeros was most likely never written to: the kernel's own
//! reclaim takes it for that, too. A few huge pages of a process are looked at, spread evenly, and stand for all.
//!
//! Called by the command, which can look into memory; `verdict` judges by it.

use serde::{Deserialize, Serialize};

use crate::memory::{Memory, PAGE_BYTES};
use crate::read::smaps::{Amount, Mapping};

/// Bytes of a huge page.
pub const HUGE_BYTES: u64 = 2 << 20;
/// How many huge pages are looked at. About 10 ms.
const SAMPLES: u64 = 16;

/// What huge pages hold, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Padding {
    /// In huge pages, as `smaps` has it.
    pub huge: u64,
    /// Of that, what was looked at.
    pub seen: u64,
    /// Of [`Padding::seen`], in pages without anything but zeros.
    pub zero: u64,
}

impl Padding {
    /// What is padding, if the rest is like what was seen; `None` if nothing was.
    pub fn estimate(&self) -> Option<u64> {
        let share = u128::from(self.huge) * u128::from(self.zero) / u128::from(self.seen).max(1);
        (self.seen > 0).then(|| u64::try_from(share).unwrap_or(u64::MAX))
    }
}

/// Looks at some huge pages of a process. `None` if it has none without a file.
pub fn look(mappings: &[Mapping], memory: &mut impl Memory) -> Option<Padding> {
    let huge_of = |mapping: &Mapping| mapping.amounts.get(Amount::AnonHugePages).unwrap_or(0);
    let huge: u64 = mappings.iter().map(huge_of).sum();
    let mut padding = Padding { huge, ..Padding::default() };
    let mut buffer = vec![0; usize::try_from(HUGE_BYTES).unwrap_or_default()];
    for mapping in mappings.iter().filter(|mapping| huge_of(mapping) > 0) {
        let share = u128::from(SAMPLES) * u128::from(huge_of(mapping)) / u128::from(huge.max(1));
        for place in places(mapping, u64::try_from(share).unwrap_or(SAMPLES).max(1)) {
            if padding.seen >= SAMPLES * HUGE_BYTES {
                return Some(padding);
            }
            let pages = HUGE_BYTES / PAGE_BYTES;
            // A huge page is there as a whole; what is there in part is made of small pages.
            if memory.present(place, pages) == Some(pages) && memory.read(place, &mut buffer) {
                padding.seen += HUGE_BYTES;
                padding.zero += zero_bytes(&buffer);
            }
        }
    }
    (huge > 0).then_some(padding)
}

/// Addresses of up to `count` aligned pieces of 2 MiB, spread evenly.
fn places(mapping: &Mapping, count: u64) -> impl Iterator<Item = u64> {
    let first = mapping.start.next_multiple_of(HUGE_BYTES);
    let there = mapping.end.saturating_sub(first) / HUGE_BYTES;
    let count = count.min(there);
    (0..count).map(move |nth| first + nth * there / count * HUGE_BYTES)
}

/// Bytes in those pages of `bytes` that hold only zeros.
fn zero_bytes(bytes: &[u8]) -> u64 {
    let page = usize::try_from(PAGE_BYTES).unwrap_or(4096);
    let is_zero = |page: &&[u8]| page.iter().all(|byte| *byte == 0);
    bytes.chunks(page).filter(is_zero).map(|page| page.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::tests::Pages;
    use crate::read::smaps;

    fn mappings() -> Vec<Mapping> {
        smaps::parse(b"200000-a00000 rw-p 0 00:00 0 \nRss: 6144 kB\nAnonHugePages: 4096 kB\n").unwrap()
    }

    #[test]
    fn pages_of_zeros_in_huge_pages_are_padding() {
        let mut pages = Pages::default();
        for start in [0x20_0000_u64, 0x40_0000] {
            for page in 0..512 {
                pages.write(start + page * PAGE_BYTES, &[u8::from(page < 128)]);
            }
        }
        let found = look(&mappings(), &mut pages).unwrap();
        assert_eq!(found, Padding { huge: 4 << 20, seen: 4 << 20, zero: 3 << 20 });
        assert_eq!(found.estimate(), Some(3 << 20));
    }

    #[test]
    fn what_cannot_be_seen_is_not_known() {
        let found = look(&mappings(), &mut Pages::default()).unwrap();
        assert_eq!((found.huge, found.estimate()), (4 << 20, None));
        let none = smaps::parse(b"200000-a00000 rw-p 0 00:00 0 \nRss: 6144 kB\n").unwrap();
        assert_eq!(look(&none, &mut Pages::default()), None);
    }

    #[test]
    fn places_are_spread_over_the_mapping() {
        let found: Vec<_> = places(&mappings()[0], 2).collect();
        assert_eq!(found, [0x20_0000, 0x60_0000]);
        assert_eq!(places(&mappings()[0], 99).count(), 4);
    }
}
