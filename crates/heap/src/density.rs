//! Density: what large blocks would take in huge pages, learnt from those that were freed.
//!
//! A huge page is there as a whole as soon as one byte of it is touched. So of blocks in small pages the touched pages are
//! counted, and the pages that would have been there if every range of 2 MiB that was touched at all were a huge page.
//! Where the second is hardly more than the first, huge pages cost nothing, and save 511 of 512 faults.
//!
//! Called by `large`, under its lock.

/// Pages; what is older than this counts half, a quarter, ...: 128 MiB.
const FADE_PAGES: usize = 32 << 10;
/// Huge pages may take this much for every 4 that are touched.
const DENSE_IN_QUARTERS: usize = 6;
/// One of so many new blocks gets small pages in any case, so that a change of habits shows.
const TRIAL_EVERY: u32 = 16;

/// Pages that were touched, and that would have been there if they were huge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Pages that were touched.
    pub pages: usize,
    /// Pages that would have been taken.
    pub if_huge: usize,
}

impl Touched {
    /// Whether huge pages take hardly more than what is touched. False if nothing is.
    pub const fn is_dense(self) -> bool {
        self.pages > 0 && 4 * self.if_huge <= DENSE_IN_QUARTERS * self.pages
    }
}

/// What was seen lately.
#[derive(Clone, Copy, Debug, Default)]
pub struct Density {
    seen: Touched,
    asked: u32,
}

impl Density {
    /// Nothing seen yet.
    pub const fn new() -> Self {
        Self { seen: Touched { pages: 0, if_huge: 0 }, asked: 0 }
    }

    /// Notes what was touched of a block.
    pub const fn learn(&mut self, touched: Touched) {
        if self.seen.if_huge > FADE_PAGES {
            self.seen = Touched { pages: self.seen.pages / 2, if_huge: self.seen.if_huge / 2 };
        }
        self.seen.pages += touched.pages;
        self.seen.if_huge += touched.if_huge;
    }

    /// Whether blocks are filled densely, as far as is known; `None` if nothing is.
    pub const fn is_dense(&self) -> Option<bool> {
        if self.seen.if_huge == 0 { None } else { Some(self.seen.is_dense()) }
    }

    /// As [`Density::is_dense`], for one new block: false for a trial.
    pub const fn is_next_dense(&mut self) -> Option<bool> {
        self.asked = self.asked.wrapping_add(1);
        if self.asked.is_multiple_of(TRIAL_EVERY) { Some(false) } else { self.is_dense() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Touched = Touched { pages: 1024, if_huge: 1024 };
    const SPARSE: Touched = Touched { pages: 8, if_huge: 1024 };

    #[test]
    fn nothing_seen_is_nothing_known() {
        assert_eq!(Density::new().is_dense(), None);
        let mut density = Density::new();
        density.learn(Touched::default());
        assert_eq!(density.is_dense(), None, "a block that was never touched");
    }

    #[test]
    fn half_as_much_again_is_dense_and_the_rest_is_not() {
        let mut density = Density::new();
        density.learn(Touched { pages: 400, if_huge: 600 });
        assert_eq!(density.is_dense(), Some(true));
        density.learn(Touched { pages: 0, if_huge: 1 });
        assert_eq!(density.is_dense(), Some(false));
    }

    #[test]
    fn habits_change_both_ways() {
        let mut density = Density::new();
        for (touched, expected) in [(FULL, true), (SPARSE, false), (FULL, true)] {
            (0..500).for_each(|_| density.learn(touched));
            assert_eq!(density.is_dense(), Some(expected));
        }
    }

    #[test]
    fn one_in_sixteen_is_a_trial() {
        let mut density = Density::new();
        density.learn(FULL);
        let trials = (0..160).filter(|_| density.is_next_dense() == Some(false)).count();
        assert_eq!(trials, 10);
    }
}
