//! The cache of freed large blocks: a few recent ones are kept for the next request of about that size.
//!
//! Called by `large`, which holds the lock around it. How much is kept, and how long, is up to `patience`.

use mallow_sys::Os;
use mallow_trace::Counter;
use mallow_trace::segment::KEPT_PLACES;
use mallow_units::page::PAGE_BYTES;

use crate::backing::Backing;
use crate::config::{LARGE_CACHE_FLOOR_BYTES, LARGE_CACHE_SLOTS};
use crate::counters::Counters;
use crate::directory::{GRANULE_BYTES, Large};
use crate::mapping;
use crate::patience::Patience;

/// Neighbours are joined up to this part of all that may be kept, which goes as a whole when its time comes.
const JOINED_SHARE: usize = 4;

/// A freed mapping that is kept, or a part of one, or several neighbours.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    large: Large,
    freed_ms: u64,
}

/// The kept mappings.
#[derive(Debug)]
pub struct Cache {
    kept: [Option<Kept>; LARGE_CACHE_SLOTS],
    /// One bit for each slot that has changed since it was last shown.
    changed: u128,
    now_ms: u64,
    patience: Patience,
}

impl Kept {
    /// One that is not to be kept after all.
    pub const fn unkept(large: Large) -> Self {
        Self { large, freed_ms: 0 }
    }

    /// Its length.
    pub const fn bytes(&self) -> usize {
        self.large.bytes
    }

    /// Whether it can serve a request for `bytes` as it is.
    const fn fits(&self, bytes: usize) -> bool {
        self.bytes() >= bytes && self.bytes() <= 2 * bytes
    }

    /// The same for a new user, grown or cut to `bytes` if it does not fit: what is resident stays so. `None`, and it is gone, if the
    /// operating system refuses.
    pub fn fitted(self, os: &dyn Os, counters: &Counters, bytes: usize) -> Option<Large> {
        let backing = Backing { is_fresh: false, ..self.large.backing };
        let large = Large { backing, ..self.large };
        if self.fits(bytes) {
            return Some(large);
        }
        // SAFETY: exactly one mapping of ours, which nobody uses.
        let resized = unsafe { mapping::resize(os, large, bytes, false) };
        match resized {
            Ok(resized) => counters.add(Counter::PurgedBytes, large.bytes.saturating_sub(resized.bytes)),
            Err(_) => self.release(os, counters),
        }
        resized.ok()
    }

    /// Cuts it in two, of which the first fits a request for `bytes`; `None` if what is left would be too short. The operating
    /// system need not know. One that was asked for as zero is seldom touched all over: a part of it would not be like another.
    fn split(self, bytes: usize) -> Option<(Self, Self)> {
        let first_bytes = mapping::length_for(self.large.backing, bytes)?;
        if self.large.backing.is_zeroed {
            return None;
        }
        let rest_bytes = self.bytes().checked_sub(first_bytes).filter(|rest| *rest >= GRANULE_BYTES)?;
        let first = Large { bytes: first_bytes, ..self.large };
        let rest = Large { start: self.large.start + first_bytes, bytes: rest_bytes, ..self.large };
        Some((Self { large: first, ..self }, Self { large: rest, ..self }))
    }

    /// Returns it to the operating system.
    pub fn release(self, os: &dyn Os, counters: &Counters) {
        // SAFETY: a mapping of ours that was struck out: nobody uses it.
        unsafe { mapping::release(os, self.large) };
        counters.add(Counter::PurgedBytes, self.bytes());
    }
}

impl Cache {
    /// Empty.
    pub const fn new() -> Self {
        Self { kept: [None; LARGE_CACHE_SLOTS], changed: 0, now_ms: 0, patience: Patience::new() }
    }

    /// The best fit that wastes at most half of it; or else the longest that can be grown, from at least a quarter; or else one to be
    /// cut, which is last because the pages that are cut off will be missed.
    pub fn find(&mut self, bytes: usize, align: usize) -> Option<Kept> {
        let may_move = align <= PAGE_BYTES;
        let merit = |slot: &Option<Kept>| {
            let kept = (*slot)?;
            let fits = kept.fits(bytes);
            let serves = if may_move { fits || kept.bytes() >= bytes / 4 } else { fits };
            let is_aligned = kept.large.start.is_multiple_of(align);
            (serves && is_aligned).then(|| (!fits, kept.bytes() < bytes, kept.bytes().abs_diff(bytes)))
        };
        let best = (0..LARGE_CACHE_SLOTS).filter(|place| merit(&self.kept[*place]).is_some());
        let found = best.min_by_key(|place| merit(&self.kept[*place])).and_then(|place| {
            let kept = self.kept[place]?;
            let (first, rest) = kept.split(bytes).map_or((kept, None), |(first, rest)| (first, Some(rest)));
            self.put(place, rest);
            Some(first)
        });
        let missing = bytes.saturating_sub(found.map_or(0, |kept| kept.bytes()));
        self.patience.took_back(missing, self.now_ms);
        found
    }

    /// Bytes that may be kept while the program has `used` bytes: once blocks were given back in vain, what was in use lately counts, so
    /// that who frees all its blocks and makes them anew finds the last ones too.
    fn budget(&mut self, used: usize) -> usize {
        self.patience.note_used(used);
        let used = if self.patience.is_at_rest() { used } else { self.patience.lately() };
        self.patience.budget(used, LARGE_CACHE_FLOOR_BYTES)
    }

    /// Keeps `freed`; returns what has to go for it.
    pub fn keep(&mut self, freed: Large, used: usize) -> Option<Kept> {
        let budget = self.budget(used);
        if freed.bytes > budget {
            self.patience.gave(freed.bytes);
            return Some(Kept::unkept(freed));
        }
        let joined = self.joined(freed, budget / JOINED_SHARE);
        let freed = Kept { large: joined, freed_ms: self.now_ms };
        match self.kept.iter().position(Option::is_none) {
            Some(place) => {
                self.put(place, Some(freed));
                self.surplus(used)
            }
            None => self.oldest().and_then(|place| self.put(place, Some(freed))),
        }
    }

    /// The block with the kept ones that touch it, up to `most` bytes in all.
    fn joined(&mut self, freed: Large, most: usize) -> Large {
        let mut joined = freed;
        for place in 0..LARGE_CACHE_SLOTS {
            let neighbour = self.kept[place].and_then(|kept| joined_with(joined, kept.large));
            if let Some(longer) = neighbour.filter(|longer| longer.bytes <= most) {
                joined = longer;
                self.put(place, None);
            }
        }
        joined
    }

    /// The block that was kept longest, if there is more than may be kept.
    pub fn surplus(&mut self, used: usize) -> Option<Kept> {
        let kept: usize = self.kept.iter().flatten().map(|kept| kept.bytes()).sum();
        if kept <= self.budget(used) {
            return None;
        }
        let gone = self.oldest().and_then(|place| self.put(place, None));
        self.patience.gave(gone.map_or(0, |gone| gone.bytes()));
        gone
    }

    /// Where the block lies that was kept longest.
    fn oldest(&self) -> Option<usize> {
        let kept =
            self.kept.iter().enumerate().filter_map(|(place, slot)| Some((slot.as_ref()?.freed_ms, place)));
        kept.min().map(|(_, place)| place)
    }

    /// Puts a block, or none, into a slot; returns what was there.
    fn put(&mut self, place: usize, kept: Option<Kept>) -> Option<Kept> {
        self.changed |= 1 << place;
        core::mem::replace(&mut self.kept[place], kept)
    }

    /// Shows the slots that have changed since the last time.
    pub fn show(&mut self, counters: &Counters) {
        while self.changed != 0 {
            let place = self.changed.trailing_zeros() as usize;
            let kept = self.kept[place].map(|kept| (kept.large.start, kept.bytes()));
            if !counters.show_kept(place, kept) {
                return;
            }
            self.changed &= self.changed - 1;
        }
    }

    /// Notes the time, and takes out what was kept too long, or everything if `all`.
    pub fn take_aged(&mut self, now_ms: u64, all: bool) -> [Option<Kept>; LARGE_CACHE_SLOTS] {
        self.now_ms = now_ms;
        self.patience.tick(now_ms);
        let decay_ms = self.patience.decay_ms();
        let mut gone = [None; LARGE_CACHE_SLOTS];
        for (place, gone) in gone.iter_mut().enumerate() {
            let has_aged = |kept: Kept| all || now_ms.saturating_sub(kept.freed_ms) >= decay_ms;
            if self.kept[place].is_some_and(has_aged) {
                *gone = self.put(place, None);
                self.patience.gave(if all { 0 } else { gone.map_or(0, |gone| gone.bytes()) });
            }
        }
        gone
    }
}

const _: () = assert!(LARGE_CACHE_SLOTS <= KEPT_PLACES && LARGE_CACHE_SLOTS <= 128);

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

/// Two blocks as one, if they touch and are of the same kind, and filled as far as is known. To the kernel they may still be several mappings, which it refuses to
/// move as one: whoever resizes them is prepared.
fn joined_with(block: Large, other: Large) -> Option<Large> {
    let is_behind = block.start + block.bytes == other.start;
    let is_before = other.start + other.bytes == block.start;
    let start = if is_behind { block.start } else { other.start };
    let joined = Large { start, bytes: block.bytes + other.bytes, ..block };
    let (backing, of_other) = (block.backing, other.backing);
    let is_alike = backing.is_huge == of_other.is_huge && !backing.is_zeroed && !of_other.is_zeroed;
    (is_alike && (is_behind || is_before)).then_some(joined)
}
