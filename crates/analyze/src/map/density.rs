//! Density: which pages of a mapping are there, as a strip of a few characters.
//!
//! ```text
//!  pagemap   1 0 0 1 1 1 1 1 0 0 0 0 s s ?        a word per page
//!  cells    |  1/2  |   4/4   |  0  |  s  | ?     as many as fit
//!  strip        ▒        █       ·     s    ?
//! ```
//!
//! Called by the command, which reads the words and decides where it need not.

use core::ops::Range;

use crate::memory::PAGE_BYTES;
use crate::page_map;

/// The meaning of the characters of a strip, for people.
pub const LEGEND: &str = "· nothing  ░ below a quarter  ▒ up to three quarters  ▓ more  █ all in memory  s swapped out  ? not looked at";

/// Which pages of a stretch of addresses are there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Density {
    first_page: u64,
    pages: u64,
    cells: Vec<Cell>,
}

/// What is known of some pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cell {
    /// How many pages it is about.
    pub pages: u64,
    /// Of these, how many were looked at, or are known to be empty.
    pub known: u64,
    /// Of these, how many are in memory.
    pub present: u64,
    /// And how many are swapped out.
    pub swapped: u64,
}

impl Density {
    /// The pages between two addresses, of which nothing is known yet, in `most` cells if there are so many pages.
    pub fn new(addresses: Range<u64>, most: usize) -> Self {
        let first_page = addresses.start / PAGE_BYTES;
        let pages = addresses.end.div_ceil(PAGE_BYTES).saturating_sub(first_page);
        let count = pages.min(most.max(1) as u64);
        let border = |cell: u64| border(pages, count, cell);
        let cells = (0..count).map(|cell| Cell { pages: border(cell + 1) - border(cell), ..Cell::default() });
        Self { first_page, pages, cells: cells.collect() }
    }

    /// Takes in a piece of `pagemap`, from the page with `address` on. Entries of pages that this is not about are left out.
    pub fn count(&mut self, address: u64, piece: &[u8]) {
        let Some(mut page) = (address / PAGE_BYTES).checked_sub(self.first_page) else { return };
        let mut entries = page_map::entries(piece);
        let count = self.cells.len() as u64;
        for (place, cell) in (0..).zip(&mut self.cells) {
            let end = border(self.pages, count, place + 1);
            let of_cell = end.saturating_sub(page);
            for entry in entries.by_ref().take(usize::try_from(of_cell).unwrap_or(usize::MAX)) {
                cell.known += 1;
                cell.present += u64::from(entry.is_present());
                cell.swapped += u64::from(entry.is_swapped());
            }
            page = page.max(end);
        }
    }

    /// Notes that what was not looked at is empty, because all that there is has been found.
    pub fn rest_is_empty(&mut self) {
        self.cells.iter_mut().for_each(|cell| cell.known = cell.pages);
    }

    /// The sum of all cells.
    pub fn total(&self) -> Cell {
        self.cells.iter().fold(Cell::default(), |sum, cell| Cell {
            pages: sum.pages + cell.pages,
            known: sum.known + cell.known,
            present: sum.present + cell.present,
            swapped: sum.swapped + cell.swapped,
        })
    }

    /// The cells, from the lowest address upwards.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// A character for each cell, see [`LEGEND`].
    pub fn strip(&self) -> String {
        self.cells.iter().map(Cell::character).collect()
    }
}

/// The first page of a cell, if `pages` are shared out between `count` cells as evenly as can be.
fn border(pages: u64, count: u64, cell: u64) -> u64 {
    let page = u128::from(pages) * u128::from(cell) / u128::from(count.max(1));
    u64::try_from(page).unwrap_or(u64::MAX)
}

impl Cell {
    fn character(&self) -> char {
        if self.known < self.pages && self.present == 0 && self.swapped == 0 {
            return '?';
        }
        if self.swapped > self.present {
            return 's';
        }
        match (self.present * 4).checked_div(self.pages) {
            None | Some(0) if self.present == 0 => '·',
            None | Some(0) => '░',
            Some(1 | 2) => '▒',
            Some(3) => '▓',
            Some(_) => '█',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page_map::tests::piece;
    use proptest::prelude::*;

    #[test]
    fn a_strip_shows_how_full_each_cell_is() {
        let mut density = Density::new(0x10_000..0x10_000 + 24 * PAGE_BYTES, 6);
        density.count(0x10_000, &piece("....p...pp..ppp.ppppsss."));
        assert_eq!(density.strip(), "·▒▒▓█s");
        let total = Cell { pages: 24, known: 24, present: 10, swapped: 3 };
        assert_eq!(density.total(), total);
    }

    #[test]
    fn what_was_not_looked_at_is_not_empty() {
        let mut density = Density::new(0..8 * PAGE_BYTES, 4);
        density.count(0, &piece("pp"));
        assert_eq!(density.strip(), "█???");
        density.rest_is_empty();
        assert_eq!(density.strip(), "█···");
    }

    #[test]
    fn few_pages_have_few_cells() {
        let mut density = Density::new(0..2 * PAGE_BYTES, 40);
        density.count(0, &piece("p."));
        assert_eq!(density.strip(), "█·");
        assert_eq!(Density::new(0..1 << 40, 40).cells().len(), 40);
    }

    #[test]
    fn one_page_of_many_shows() {
        let mut density = Density::new(0..100 * PAGE_BYTES, 1);
        density.count(0, &piece(&("p".to_owned() + &".".repeat(99))));
        assert_eq!(density.strip(), "░");
    }

    proptest! {
        #[test]
        fn pieces_of_any_length_make_the_same_sum(letters in "[ps.]{1,200}", cells in 1_usize..50, step in 1_usize..60) {
            let pages = letters.len() as u64;
            let mut whole = Density::new(PAGE_BYTES..(pages + 1) * PAGE_BYTES, cells);
            whole.count(PAGE_BYTES, &piece(&letters));
            let mut pieces = Density::new(PAGE_BYTES..(pages + 1) * PAGE_BYTES, cells);
            for (place, part) in piece(&letters).chunks(8 * step).enumerate() {
                pieces.count(PAGE_BYTES + (place * step) as u64 * PAGE_BYTES, part);
            }
            prop_assert_eq!(&whole, &pieces);
            let total = whole.total();
            let present = letters.matches('p').count() as u64;
            prop_assert_eq!((total.pages, total.known, total.present), (pages, pages, present));
        }
    }
}
