//! Which pages have not been used for the longest time: four generations of frames.
//!
//! ```text
//!  seq:      8          9          10         11
//!         oldest ─────────────────────► youngest        one list per generation and kind
//!           │  ▲            used again ────────▲
//!           ▼  └── kept                        └── new, faulted back soon
//!         evicted
//! ```
//!
//! The tables say which pages have been used; asking them is expensive, so it is done for all pages at once, when the
//! generations that may be evicted have run dry: what was used joins the youngest one, then a new one begins. A page
//! in the oldest generation has not been used during two such rounds at least.
//!
//! What is evicted leaves a [`Shadow`] behind, the time measured in evictions. If the page comes back before as many others
//! have been evicted as there are pages, it would have stayed in a slightly larger memory: it belongs to the working set.
//!
//! Called by the machine when a page gets or loses its frame, and by `reclaim`. The links are those of the frame table.

use mallow_frame::{Flag, FrameList, FrameTable};
use mallow_units::FrameNumber;

/// Generations at most.
pub const GENERATIONS: usize = 4;

/// Generations that are not evicted from: a page shall be looked at in one full round before it goes.
const PROTECTED: u64 = 2;

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Memory of a process, which goes to swap.
    Anon,
    /// A page of a file, which can be read again.
    File,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Anon, Self::File];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Anon => Self::File,
            Self::File => Self::Anon,
        }
    }
}

/// Where a page joins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Age {
    /// It is in use.
    Youngest,
    /// It was used once: it stays if it is used again before the next round.
    Second,
    /// Nobody has used it, or somebody says that nobody will.
    Oldest,
}

/// When a page was evicted. Unit: evicted pages of its kind, modulo 2^32.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shadow(pub u32);

/// What has happened so far, by kind. Unit: pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LruCounts {
    /// Evicted.
    pub evicted: [u64; 2],
    /// Came back: `workingset_refault_*` of `/proc/vmstat`.
    pub refaulted: [u64; 2],
    /// Came back soon, so that they belong to the working set: `workingset_activate_*`.
    pub activated: [u64; 2],
    /// Rounds of looking at all tables.
    pub rounds: u64,
}

/// All pages that may be reclaimed, by how long ago they were used.
///
/// # Invariants
///
/// 1. A frame is on the list that its `generation` names; 0 stands for none.
/// 2. `pages` counts the pages on each list, those of huge pages too.
/// 3. The youngest generation and the oldest of each kind are less than [`GENERATIONS`] apart.
/// 4. No frame on a list is [`Flag::Unevictable`].
#[derive(Debug)]
pub struct Lru {
    lists: [[FrameList; GENERATIONS]; 2],
    pages: [[u64; GENERATIONS]; 2],
    unevictable: u64,
    youngest: u64,
    oldest: [u64; 2],
    counts: LruCounts,
}

impl Default for Lru {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "below 4")]
const fn place(seq: u64) -> usize {
    (seq % GENERATIONS as u64) as usize
}

/// What the frame table stores as the generation of a frame.
///
/// ```text
///  7..5   4        3      2..0
/// |  0  | pinned | file | place of the generation + 1 |    0: not here
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark(u8);

impl Mark {
    const NONE: Self = Self(0);
    const FILE: u8 = 1 << 3;
    const PINNED: u8 = 1 << 4;

    #[expect(clippy::cast_possible_truncation, reason = "at most 4")]
    const fn of(kind: Kind, seq: u64) -> Self {
        Self((place(seq) as u8 + 1) | Self::kind_bit(kind))
    }

    const fn pinned(kind: Kind) -> Self {
        Self(Self::PINNED | Self::kind_bit(kind))
    }

    const fn kind_bit(kind: Kind) -> u8 {
        match kind {
            Kind::Anon => 0,
            Kind::File => Self::FILE,
        }
    }

    const fn kind(self) -> Kind {
        if self.0 & Self::FILE == 0 { Kind::Anon } else { Kind::File }
    }

    const fn is_pinned(self) -> bool {
        self.0 & Self::PINNED != 0
    }

    /// The place of the generation, if it is on a list.
    fn place(self) -> Option<usize> {
        usize::from(self.0 & 7).checked_sub(1).filter(|at| *at < GENERATIONS)
    }
}

fn pages_of(table: FrameTable<'_>, frame: FrameNumber) -> u64 {
    table.get(frame).map_or(0, |entry| u64::from(entry.order().frames()))
}

impl Lru {
    /// No pages.
    pub const fn new() -> Self {
        Self {
            lists: [const { [const { FrameList::new() }; GENERATIONS] }; 2],
            pages: [[0; GENERATIONS]; 2],
            unevictable: 0,
            youngest: GENERATIONS as u64 - 1,
            oldest: [0; 2],
            counts: LruCounts { evicted: [0; 2], refaulted: [0; 2], activated: [0; 2], rounds: 0 },
        }
    }

    /// What has happened so far.
    pub const fn counts(&self) -> LruCounts {
        self.counts
    }

    /// Pages of a kind that may be evicted one day.
    pub fn pages(&self, kind: Kind) -> u64 {
        self.pages[kind as usize].iter().sum()
    }

    /// Pages of a kind in the two youngest generations: `Active(anon)` of `/proc/meminfo`.
    pub fn active(&self, kind: Kind) -> u64 {
        let pages = &self.pages[kind as usize];
        pages[place(self.youngest)] + pages[place(self.youngest - 1)]
    }

    /// Pages of a kind in the older ones: `Inactive(anon)`.
    pub fn inactive(&self, kind: Kind) -> u64 {
        self.pages(kind) - self.active(kind)
    }

    /// Pages that are locked: `Unevictable`.
    pub const fn unevictable(&self) -> u64 {
        self.unevictable
    }

    /// Whether the frame is on one of the lists, or counted as locked.
    pub fn holds(&self, table: FrameTable<'_>, frame: FrameNumber) -> bool {
        table.get(frame).is_some_and(|entry| entry.generation() != 0)
    }

    /// A frame that is not here joins. One that is [`Flag::Unevictable`] is only counted.
    pub fn add(&mut self, table: FrameTable<'_>, frame: FrameNumber, kind: Kind, age: Age) {
        let Some(entry) = table.get(frame) else { return };
        debug_assert_eq!(entry.generation(), 0, "{frame:?} is here already");
        if entry.has(Flag::Unevictable) {
            entry.set_generation(Mark::pinned(kind).0);
            self.unevictable += pages_of(table, frame);
            return;
        }
        let seq = match age {
            Age::Youngest => self.youngest,
            Age::Second => self.youngest - 1,
            Age::Oldest => self.oldest[kind as usize],
        };
        self.link(table, frame, kind, seq.max(self.oldest[kind as usize]));
    }

    /// A frame goes: it is freed, or somebody else takes care of it.
    pub fn remove(&mut self, table: FrameTable<'_>, frame: FrameNumber) {
        let Some(entry) = table.get(frame) else { return };
        if Mark(entry.generation()).is_pinned() {
            self.unevictable = self.unevictable.saturating_sub(pages_of(table, frame));
            entry.set_generation(Mark::NONE.0);
        } else {
            self.unlink(table, frame);
        }
    }

    /// A frame has been used.
    pub fn touch(&mut self, table: FrameTable<'_>, frame: FrameNumber) {
        let Some(mark) = table.get(frame).map(|entry| Mark(entry.generation())) else { return };
        if mark != Mark::of(mark.kind(), self.youngest)
            && let Some(kind) = self.unlink(table, frame)
        {
            self.link(table, frame, kind, self.youngest);
        }
    }

    /// A frame will not be used soon: `MADV_COLD`.
    pub fn cool(&mut self, table: FrameTable<'_>, frame: FrameNumber) {
        if let Some(kind) = self.unlink(table, frame) {
            self.link(table, frame, kind, self.oldest[kind as usize]);
        }
    }

    /// A frame must stay: it has been locked. Sets [`Flag::Unevictable`].
    pub fn pin(&mut self, table: FrameTable<'_>, frame: FrameNumber) {
        let Some(entry) = table.get(frame) else { return };
        entry.raise(Flag::Unevictable);
        if let Some(kind) = self.unlink(table, frame) {
            entry.set_generation(Mark::pinned(kind).0);
            self.unevictable += pages_of(table, frame);
        }
    }

    /// A frame may go again. Clears [`Flag::Unevictable`].
    pub fn unpin(&mut self, table: FrameTable<'_>, frame: FrameNumber) {
        let Some(entry) = table.get(frame) else { return };
        entry.lower(Flag::Unevictable);
        let mark = Mark(entry.generation());
        if mark.is_pinned() {
            self.remove(table, frame);
            self.add(table, frame, mark.kind(), Age::Second);
        }
    }

    /// Whether a round is needed before pages of this kind can be evicted.
    pub fn is_dry(&self, kind: Kind) -> bool {
        let oldest = self.oldest[kind as usize];
        (oldest..=self.youngest.saturating_sub(PROTECTED))
            .all(|seq| self.lists[kind as usize][place(seq)].is_empty())
    }

    /// Begins a new generation, after a round: what has been used since the last one has been told by [`Lru::touch`].
    ///
    /// Cost: constant, unless a kind has not been evicted from for so long that its two oldest generations become one.
    pub fn age(&mut self, table: FrameTable<'_>) {
        for kind in Kind::ALL {
            self.drop_empty(kind);
            if self.youngest - self.oldest[kind as usize] + 1 == GENERATIONS as u64 {
                self.fold(table, kind);
            }
        }
        self.youngest += 1;
        self.counts.rounds += 1;
    }

    /// Takes the page that has not been used for the longest time off its list, to be evicted or put back.
    pub fn isolate(&mut self, table: FrameTable<'_>, kind: Kind) -> Option<FrameNumber> {
        self.drop_empty(kind);
        let oldest = self.oldest[kind as usize];
        if oldest + PROTECTED > self.youngest {
            return None;
        }
        let frame = self.lists[kind as usize][place(oldest)].first(table)?;
        self.unlink(table, frame);
        if let Some(entry) = table.get(frame) {
            entry.raise(Flag::Isolated);
        }
        Some(frame)
    }

    /// Puts back what was taken by [`Lru::isolate`].
    pub fn put_back(&mut self, table: FrameTable<'_>, frame: FrameNumber, kind: Kind, age: Age) {
        let Some(entry) = table.get(frame) else { return };
        entry.lower(Flag::Isolated);
        self.add(table, frame, kind, age);
    }

    /// A page has moved: `to`, which is what `from` was, takes its place.
    pub fn relocate(&mut self, table: FrameTable<'_>, from: FrameNumber, to: FrameNumber) {
        let Some(mark) = table.get(to).map(|entry| Mark(entry.generation())) else { return };
        if let Some(at) = mark.place() {
            self.lists[mark.kind() as usize][at].replace(table, from, to);
        }
    }

    /// A page is being evicted: what it leaves behind.
    pub const fn evict(&mut self, kind: Kind, pages: u64) -> Shadow {
        let evicted = &mut self.counts.evicted[kind as usize];
        #[expect(clippy::cast_possible_truncation, reason = "the clock is modulo 2^32")]
        let shadow = Shadow(*evicted as u32);
        *evicted += pages;
        shadow
    }

    /// A page comes back that was evicted: where it shall join.
    pub fn refault(&mut self, kind: Kind, shadow: Shadow) -> Age {
        self.counts.refaulted[kind as usize] += 1;
        #[expect(clippy::cast_possible_truncation, reason = "the clock is modulo 2^32")]
        let now = self.counts.evicted[kind as usize] as u32;
        let distance = u64::from(now.wrapping_sub(shadow.0));
        if distance > self.pages(Kind::Anon) + self.pages(Kind::File) {
            return Age::Second;
        }
        self.counts.activated[kind as usize] += 1;
        Age::Youngest
    }

    /// Whether the invariants hold.
    ///
    /// Cost: a walk over all lists; for tests.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn check(&self, table: FrameTable<'_>) -> Result<(), &'static str> {
        for kind in Kind::ALL {
            let oldest = self.oldest[kind as usize];
            if oldest > self.youngest || self.youngest - oldest >= GENERATIONS as u64 {
                return Err("the generations are too far apart");
            }
            for (at, list) in self.lists[kind as usize].iter().enumerate() {
                if !list.is_whole(table) {
                    return Err("the list of a generation is broken");
                }
                let mut pages = 0;
                for frame in list.iter(table) {
                    let Some(entry) = table.get(frame) else { return Err("a frame does not exist") };
                    let mark = Mark(entry.generation());
                    if mark.place() != Some(at) || mark.kind() != kind || mark.is_pinned() {
                        return Err("a frame is on the list of another generation");
                    }
                    if entry.has(Flag::Unevictable) || entry.has(Flag::Isolated) {
                        return Err("a frame on a list is locked or isolated");
                    }
                    pages += pages_of(table, frame);
                }
                if pages != self.pages[kind as usize][at] {
                    return Err("the pages of a generation are not their sum");
                }
            }
            let alive = (oldest..=self.youngest).map(place);
            let dead = (0..GENERATIONS).filter(|at| !alive.clone().any(|other| other == *at));
            if dead.into_iter().any(|at| !self.lists[kind as usize][at].is_empty()) {
                return Err("a generation that is gone has pages");
            }
        }
        Ok(())
    }

    fn link(&mut self, table: FrameTable<'_>, frame: FrameNumber, kind: Kind, seq: u64) {
        let Some(entry) = table.get(frame) else { return };
        entry.set_generation(Mark::of(kind, seq).0);
        self.lists[kind as usize][place(seq)].push_back(table, frame);
        self.pages[kind as usize][place(seq)] += pages_of(table, frame);
    }

    /// Takes a frame off its list, if it is on one; returns its kind.
    fn unlink(&mut self, table: FrameTable<'_>, frame: FrameNumber) -> Option<Kind> {
        let entry = table.get(frame)?;
        let mark = Mark(entry.generation());
        let (kind, at) = (mark.kind(), mark.place()?);
        self.lists[kind as usize][at].remove(table, frame);
        let pages = &mut self.pages[kind as usize][at];
        *pages = pages.saturating_sub(pages_of(table, frame));
        entry.set_generation(Mark::NONE.0);
        Some(kind)
    }

    /// Forgets the oldest generations that are empty, as long as more than the protected ones are left.
    fn drop_empty(&mut self, kind: Kind) {
        let oldest = &mut self.oldest[kind as usize];
        while *oldest + PROTECTED <= self.youngest && self.lists[kind as usize][place(*oldest)].is_empty() {
            *oldest += 1;
        }
    }

    /// Makes one of the two oldest generations.
    fn fold(&mut self, table: FrameTable<'_>, kind: Kind) {
        let oldest = self.oldest[kind as usize];
        // From the back, each to the front: the order stays what it was, before those that are younger.
        let (from, to) = (place(oldest), place(oldest + 1));
        while let Some(frame) = self.lists[kind as usize][from].pop_back(table) {
            self.lists[kind as usize][to].push_front(table, frame);
            if let Some(entry) = table.get(frame) {
                entry.set_generation(Mark::of(kind, oldest + 1).0);
            }
        }
        let moved = core::mem::take(&mut self.pages[kind as usize][from]);
        self.pages[kind as usize][to] += moved;
        self.oldest[kind as usize] += 1;
    }
}
