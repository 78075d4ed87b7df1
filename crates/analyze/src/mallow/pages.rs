//! Pages: which parts of the mappings are in memory, and reading only those.
//!
//! To read a page that is not there would make the kernel put one there. So whoever reads memory asks here, and gets zeros for what is
//! not there. Each mapping is looked up once, when it is first asked for.

use core::cell::OnceCell;

use super::reader::{Reader, number};
use crate::memory::PAGE_BYTES;
use crate::page_map::{self, ENTRY_BYTES, PageEntry};
use crate::read::smaps::{Amount, Mapping};

/// Entries that are read at a time.
const STEP: usize = 1 << 15;
/// Bytes; what is longer and hardly in memory is not looked at page by page.
const LONG: u64 = 16 << 30;
/// Hardly in memory is less than this part.
const SPARSE: u64 = 64;

/// The pages of a process.
pub(super) struct Pages<'a, M> {
    memory: &'a M,
    mappings: &'a [Mapping],
    maps: Vec<OnceCell<PageMap>>,
}

/// What is known of the pages of a mapping.
enum PageMap {
    /// None is in memory.
    Empty,
    /// One bit for each page: in memory, and in memory or swapped out.
    Known { present: Bits, has_contents: Bits },
    /// This part of 1,024 is in memory.
    Estimated(u64),
}

impl<'a, M: Reader> Pages<'a, M> {
    pub(super) fn new(memory: &'a M, mappings: &'a [Mapping]) -> Self {
        Self { memory, mappings, maps: mappings.iter().map(|_| OnceCell::new()).collect() }
    }

    /// The mappings.
    pub(super) fn mappings(&self) -> &'a [Mapping] {
        self.mappings
    }

    /// The number of the mapping that `address` is in.
    pub(super) fn mapping_of(&self, address: u64) -> Option<usize> {
        let place = self.mappings.partition_point(|mapping| mapping.end <= address);
        (self.mappings.get(place)?.start <= address).then_some(place)
    }

    /// Whether `address` is in a mapping of which something is in memory or swapped out.
    pub(super) fn is_in_use(&self, address: u64) -> bool {
        let mapping = self.mapping_of(address).map(|place| &self.mappings[place]);
        mapping.is_some_and(may_have_contents)
    }

    /// Bytes in memory between two addresses, with the number of the mapping that they are in, for each mapping there.
    pub(super) fn resident(&self, start: u64, end: u64) -> impl Iterator<Item = (usize, u64)> + '_ {
        let first = self.mappings.partition_point(|mapping| mapping.end <= start);
        let touched = self.mappings.iter().enumerate().skip(first);
        touched.take_while(move |(_, mapping)| mapping.start < end).map(move |(place, mapping)| {
            (place, self.resident_in(place, start.max(mapping.start), end.min(mapping.end)))
        })
    }

    /// Bytes in memory between two addresses.
    pub(super) fn resident_bytes(&self, start: u64, end: u64) -> u64 {
        self.resident(start, end).map(|(_, bytes)| bytes).sum()
    }

    fn resident_in(&self, place: usize, start: u64, end: u64) -> u64 {
        let mapping = &self.mappings[place];
        if start == mapping.start && end == mapping.end {
            return mapping.resident_bytes();
        }
        match self.map(place) {
            PageMap::Empty => 0,
            PageMap::Known { present, .. } => {
                let page = |address: u64| index((address - mapping.start) / PAGE_BYTES);
                present.count(page(start), page(end.next_multiple_of(PAGE_BYTES))) * PAGE_BYTES
            }
            PageMap::Estimated(part) => (end - start) / 1024 * part,
        }
    }

    /// Fills `into` from `address` on: with zeros where there is nothing. False if something cannot be read.
    pub(super) fn read(&self, address: u64, into: &mut [u8]) -> bool {
        into.fill(0);
        let mut done = 0;
        while done < into.len() {
            let Some(at) = address.checked_add(done as u64) else { return false };
            let Some(place) = self.mapping_of(at) else { return false };
            let mapping = &self.mappings[place];
            let in_mapping = usize::try_from(mapping.end - at).unwrap_or(usize::MAX);
            let until = done + in_mapping.min(into.len() - done);
            if !self.read_in(place, at, &mut into[done..until]) {
                return false;
            }
            done = until;
        }
        true
    }

    fn read_in(&self, place: usize, address: u64, into: &mut [u8]) -> bool {
        let bits = match self.map(place) {
            PageMap::Empty => return true,
            PageMap::Estimated(_) => None,
            PageMap::Known { has_contents, .. } => Some(has_contents),
        };
        let start = self.mappings[place].start;
        let is_there = |address: u64| match bits {
            Some(bits) => bits.has(index((address - start) / PAGE_BYTES)),
            None => self.has_contents(address),
        };
        let end = address + into.len() as u64;
        let mut at = address;
        while at < end {
            let has_contents = is_there(at);
            let mut until = (at / PAGE_BYTES + 1) * PAGE_BYTES;
            while until < end && is_there(until) == has_contents {
                until += PAGE_BYTES;
            }
            let until = until.min(end);
            if has_contents && !self.memory.read(at, &mut into[index(at - address)..index(until - address)]) {
                return false;
            }
            at = until;
        }
        true
    }

    /// Asks the page map about one page. Where it does not tell, the page is taken to be there.
    fn has_contents(&self, address: u64) -> bool {
        let mut entry = [0; ENTRY_BYTES];
        let is_told = self.memory.page_map(page_map::offset(address), &mut entry);
        !is_told || PageEntry(u64::from_ne_bytes(entry)).has_contents()
    }

    /// The word at `address`, without a look at other pages: for who asks for a word here and there. `address` is a multiple of 8.
    pub(super) fn lone_word(&self, address: u64) -> Option<u64> {
        if !self.is_in_use(address) {
            return None;
        }
        let mut bytes = [0; 8];
        let is_read = !self.has_contents(address) || self.memory.read(address, &mut bytes);
        is_read.then(|| number(&bytes))
    }

    /// The number of `len` bytes at `address`.
    pub(super) fn number(&self, address: u64, len: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        let bytes = bytes.get_mut(..len)?;
        self.read(address, bytes).then(|| number(bytes))
    }

    /// The word at `address`.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        self.number(address, 8)
    }

    fn map(&self, place: usize) -> &PageMap {
        self.maps[place].get_or_init(|| {
            let mapping = &self.mappings[place];
            if !may_have_contents(mapping) {
                return PageMap::Empty;
            }
            let share = mapping.resident_bytes() / (mapping.bytes() / 1024).max(1);
            if mapping.bytes() > LONG && mapping.resident_bytes() < mapping.bytes() / SPARSE {
                return PageMap::Estimated(share);
            }
            self.look_up(mapping).unwrap_or(PageMap::Estimated(share.min(1024)))
        })
    }

    fn look_up(&self, mapping: &Mapping) -> Option<PageMap> {
        let pages = index(mapping.bytes() / PAGE_BYTES);
        let (mut present, mut has_contents) = (Bits::none(pages), Bits::none(pages));
        let mut buffer = vec![0; STEP.min(pages) * ENTRY_BYTES];
        let mut page = 0;
        while page < pages {
            let count = STEP.min(pages - page);
            let piece = &mut buffer[..count * ENTRY_BYTES];
            let address = mapping.start + page as u64 * PAGE_BYTES;
            if !self.memory.page_map(page_map::offset(address), piece) {
                return None;
            }
            for (nth, entry) in page_map::entries(piece).enumerate() {
                if entry.has_contents() {
                    has_contents.set(page + nth);
                }
                if entry.is_present() {
                    present.set(page + nth);
                }
            }
            page += count;
        }
        Some(PageMap::Known { present, has_contents })
    }
}

/// Whether something of it may be in memory or swapped out; everything, if only `maps` was read.
fn may_have_contents(mapping: &Mapping) -> bool {
    let is_none = |amount| mapping.amounts.get(amount) == Some(0);
    !is_none(Amount::Rss) || mapping.amounts.get(Amount::Swap).is_some_and(|bytes| bytes > 0)
}

/// A number of pages or bytes as an index. What does not fit is no memory of this machine.
pub(super) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A set of page numbers.
struct Bits(Vec<u64>);

impl Bits {
    fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn set(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// How many there are from `from` to before `to`.
    fn count(&self, from: usize, to: usize) -> u64 {
        if from >= to {
            return 0;
        }
        let (first, last) = (from / 64, (to - 1) / 64);
        let words = self.0.get(first..(last + 1).min(self.0.len())).unwrap_or_default();
        let mut count = 0;
        for (nth, word) in words.iter().enumerate() {
            let mut word = *word;
            if nth == 0 {
                word &= u64::MAX << (from % 64);
            }
            if first + nth == last {
                word &= u64::MAX >> (63 - (to - 1) % 64);
            }
            count += u64::from(word.count_ones());
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::smaps;
    use proptest::prelude::*;

    /// A process of which one page is in memory.
    struct OnePage(u64);

    impl Reader for OnePage {
        fn read(&self, address: u64, into: &mut [u8]) -> bool {
            assert_eq!(
                address / PAGE_BYTES * PAGE_BYTES,
                self.0,
                "a page that is not there would come to be"
            );
            into.fill(7);
            true
        }

        fn page_map(&self, offset: u64, into: &mut [u8]) -> bool {
            into.copy_from_slice(&page_map::tests::piece(if offset == page_map::offset(self.0) {
                "p"
            } else {
                "."
            }));
            true
        }
    }

    #[test]
    fn what_is_long_and_hardly_in_memory_stays_so() {
        let smaps = b"7f0000000000-7f1000000000 rw-p 00000000 00:00 0 \nSize: 67108864 kB\nRss: 4 kB\n";
        let mappings = smaps::parse(smaps).expect("as the kernel writes it");
        let start = mappings[0].start;
        let memory = OnePage(start + 3 * PAGE_BYTES);
        let pages = Pages::new(&memory, &mappings);
        assert_eq!(pages.word(start), Some(0));
        assert_eq!(pages.word(start + 3 * PAGE_BYTES), Some(0x0707_0707_0707_0707));
        let mut bytes = [1; 16];
        assert!(pages.read(start + 4 * PAGE_BYTES - 8, &mut bytes));
        assert_eq!(bytes, [7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn bits_are_counted_between_any_two(set in proptest::collection::vec(0..300_usize, 0..60), from in 0..310_usize, to in 0..310_usize) {
            let mut bits = Bits::none(300);
            set.iter().for_each(|place| bits.set(*place));
            let expected = (from..to).filter(|place| set.contains(place)).count();
            prop_assert_eq!(bits.count(from, to), expected as u64);
        }
    }
}
