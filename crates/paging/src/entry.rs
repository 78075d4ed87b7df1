//! One entry of a table, as a packed word.
//!
//! ```text
//!  63   62..59  58..52  51        12  11..9   8   7   6   5   4   3   2   1   0
//! +----+-------+-------+------------+-------+---+---+---+---+---+---+---+---+---+
//! | NX | keys  | soft  | frame      | soft  | G | H | D | A | - | - | U | W | P |   P = 1: the processor reads it
//! +----+-------+-------+------------+-------+---+---+---+---+---+---+---+---+---+
//! | NX | 0     | soft  | frame      | soft  | 1 | H | D | A | 0 | 0 | U | W | 0 |   a frame without access
//! +----+-------+-------+------------+-------+---+---+---+---+---+---+---+---+---+
//! | 0          | payload, every bit inverted | 0 | 0                     | 1 | 0 |   absent: in swap, say
//! +------------+-----------------------------+---+-----------------------+---+---+
//! | 0                                                                         0 |   empty
//! +-----------------------------------------------------------------------------+
//! ```
//!
//! A payload is stored inverted, so that a processor that speculates past the cleared bit 0 finds no frame there that exists
//! (the L1 terminal fault).

use core::fmt;

use mallow_units::FrameNumber;

use crate::level::Level;
use crate::rights::Rights;

/// One entry of a table.
///
/// ```
/// use mallow_paging::{Entry, Kind, Level, Rights};
/// use mallow_units::FrameNumber;
///
/// let entry = Entry::frame(FrameNumber(0x12a), Rights::READ_WRITE);
/// assert_eq!(entry.kind(Level::Page), Kind::Frame(FrameNumber(0x12a)));
/// // Without rights the frame stays, although the processor does not see it.
/// let guarded = entry.with_rights(Rights::NONE);
/// assert!(guarded.has_frame() && !guarded.is_present());
/// assert_eq!(Entry::absent(77).and_then(Entry::payload), Some(77));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Entry(u64);

/// What an entry of a certain level means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Nothing.
    Empty,
    /// The first of the frames that it maps.
    Frame(FrameNumber),
    /// The table below.
    Table(FrameNumber),
    /// No frame, but a payload for the kernel: the page is in swap, say.
    Absent(u64),
}

const FRAME_SHIFT: u32 = 12;
const FRAME_MASK: u64 = ((1 << 32) - 1) << FRAME_SHIFT;

const PAYLOAD_SHIFT: u32 = 9;
const PAYLOAD_BITS: u32 = 50;
const PAYLOAD_MASK: u64 = ((1 << PAYLOAD_BITS) - 1) << PAYLOAD_SHIFT;

impl Entry {
    /// The entry that says nothing.
    pub const EMPTY: Self = Self(0);

    pub(crate) const PRESENT: u64 = 1 << 0;
    pub(crate) const WRITE: u64 = 1 << 1;
    pub(crate) const USER: u64 = 1 << 2;
    const ACCESSED: u64 = 1 << 5;
    const DIRTY: u64 = 1 << 6;
    const HUGE: u64 = 1 << 7;
    /// The global bit where the present bit is clear, as in Linux.
    pub(crate) const NO_ACCESS: u64 = 1 << 8;
    const SPECIAL: u64 = 1 << 9;
    const EXCLUSIVE: u64 = 1 << 10;
    const SOFT_DIRTY: u64 = 1 << 11;
    const LOCKED: u64 = 1 << 52;
    pub(crate) const NO_EXECUTE: u64 = 1 << 63;
    /// Marks an absent entry, together with clear bits 0 and 8.
    const ABSENT: u64 = 1 << 1;

    /// One past the largest payload of an absent entry.
    pub const PAYLOAD_END: u64 = 1 << PAYLOAD_BITS;

    /// Maps `frame`.
    pub const fn frame(frame: FrameNumber, rights: Rights) -> Self {
        Self((frame.0 as u64) << FRAME_SHIFT | rights.bits())
    }

    /// Maps the frames from `frame` on, as many as an entry of `level` reaches; `None` if `frame` or `level` does not suit that.
    pub const fn block(level: Level, frame: FrameNumber, rights: Rights) -> Option<Self> {
        match level {
            Level::Page => Some(Self::frame(frame, rights)),
            Level::Top => None,
            _ if !level.fits(frame) => None,
            _ => Some(Self(Self::frame(frame, rights).0 | Self::HUGE)),
        }
    }

    /// Refers to a table.
    pub const fn table(table: FrameNumber) -> Self {
        Self((table.0 as u64) << FRAME_SHIFT | Self::PRESENT | Self::WRITE | Self::USER)
    }

    /// Keeps `payload` for the kernel; `None` if it has more than 50 bits.
    pub const fn absent(payload: u64) -> Option<Self> {
        if payload < Self::PAYLOAD_END {
            Some(Self(!(payload << PAYLOAD_SHIFT) & PAYLOAD_MASK | Self::ABSENT))
        } else {
            None
        }
    }

    /// Reads it from the word in memory.
    pub const fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The word in memory.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// What it means in a table of `level`.
    pub const fn kind(self, level: Level) -> Kind {
        if self.0 == 0 {
            Kind::Empty
        } else if !self.has_frame() {
            Kind::Absent(!self.0 >> PAYLOAD_SHIFT & (Self::PAYLOAD_END - 1))
        } else if self.is_leaf(level) {
            Kind::Frame(self.frame_number())
        } else {
            Kind::Table(self.frame_number())
        }
    }

    /// Whether it says nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the processor reads it.
    pub const fn is_present(self) -> bool {
        self.0 & Self::PRESENT != 0
    }

    /// Whether it holds a frame, or a table; without rights too.
    pub const fn has_frame(self) -> bool {
        self.0 & (Self::PRESENT | Self::NO_ACCESS) != 0
    }

    /// Whether it is the end of the walk in a table of `level`, rather than a reference to a table.
    pub const fn is_leaf(self, level: Level) -> bool {
        matches!(level, Level::Page) || self.0 & Self::HUGE != 0 || !self.has_frame()
    }

    /// Whether it maps more than one frame. Only for entries above [`Level::Page`].
    pub const fn is_block(self) -> bool {
        self.has_frame() && self.0 & Self::HUGE != 0
    }

    /// The frame; meaningless if there is none.
    pub const fn frame_number(self) -> FrameNumber {
        FrameNumber(((self.0 & FRAME_MASK) >> FRAME_SHIFT) as u32)
    }

    /// The frame or first of the frames, if it has one.
    pub const fn mapped(self) -> Option<FrameNumber> {
        if self.has_frame() { Some(self.frame_number()) } else { None }
    }

    /// The payload, if it is absent.
    pub const fn payload(self) -> Option<u64> {
        match self.kind(Level::Page) {
            Kind::Absent(payload) => Some(payload),
            _ => None,
        }
    }

    /// What a program may do.
    pub const fn rights(self) -> Rights {
        Rights::of_bits(self.0)
    }

    /// The same with other rights; an entry without a frame stays as it is.
    #[must_use]
    pub const fn with_rights(self, rights: Rights) -> Self {
        if self.has_frame() { Self(self.0 & !Rights::MASK | rights.bits()) } else { self }
    }

    /// The same with another frame, for a page that moves; an entry without a frame stays as it is.
    #[must_use]
    pub const fn with_frame(self, frame: FrameNumber) -> Self {
        if self.has_frame() { Self(self.0 & !FRAME_MASK | (frame.0 as u64) << FRAME_SHIFT) } else { self }
    }

    /// Whether the processor has used it since the bit was last cleared.
    pub const fn is_accessed(self) -> bool {
        self.0 & Self::ACCESSED != 0 && self.has_frame()
    }

    /// Whether the processor has written through it since the bit was last cleared.
    pub const fn is_dirty(self) -> bool {
        self.0 & Self::DIRTY != 0 && self.has_frame()
    }

    /// Whether its frame is not counted: the zero page.
    pub const fn is_special(self) -> bool {
        self.0 & Self::SPECIAL != 0 && self.has_frame()
    }

    /// Whether no other entry maps its anonymous frame, so that a write may reuse it.
    pub const fn is_exclusive(self) -> bool {
        self.0 & Self::EXCLUSIVE != 0 && self.has_frame()
    }

    /// Whether its frame is kept in memory for it: `mlock`.
    pub const fn is_locked(self) -> bool {
        self.0 & Self::LOCKED != 0 && self.has_frame()
    }

    /// Whether it changed since somebody began to watch: the soft-dirty bit of `/proc/pid/pagemap`.
    pub const fn is_soft_dirty(self) -> bool {
        self.0 & Self::SOFT_DIRTY != 0 && self.has_frame()
    }

    /// The same, used.
    #[must_use]
    pub const fn accessed(self, yes: bool) -> Self {
        self.with(Self::ACCESSED, yes)
    }

    /// The same, written.
    #[must_use]
    pub const fn dirty(self, yes: bool) -> Self {
        self.with(Self::DIRTY, yes)
    }

    /// The same, of a frame that is not counted.
    #[must_use]
    pub const fn special(self, yes: bool) -> Self {
        self.with(Self::SPECIAL, yes)
    }

    /// The same, of a frame that nobody else maps.
    #[must_use]
    pub const fn exclusive(self, yes: bool) -> Self {
        self.with(Self::EXCLUSIVE, yes)
    }

    /// The same, of a frame that is kept in memory for it.
    #[must_use]
    pub const fn locked(self, yes: bool) -> Self {
        self.with(Self::LOCKED, yes)
    }

    /// The same, changed since somebody began to watch.
    #[must_use]
    pub const fn soft_dirty(self, yes: bool) -> Self {
        self.with(Self::SOFT_DIRTY, yes)
    }

    /// An entry without a frame has no such bits, and stays as it is.
    const fn with(self, bit: u64, yes: bool) -> Self {
        match (self.has_frame(), yes) {
            (false, _) => self,
            (true, true) => Self(self.0 | bit),
            (true, false) => Self(self.0 & !bit),
        }
    }

    /// The block of `level` that begins with this page; `None` if its frame is not aligned.
    pub(crate) const fn block_of(self, level: Level) -> Option<Self> {
        if level.may_be_leaf() && level.fits(self.frame_number()) {
            Some(Self(self.0 | Self::HUGE))
        } else {
            None
        }
    }

    /// The part of a block that would be entry `index` of the table of level `below` that it stands for, with the same rights and bits.
    #[must_use]
    pub const fn part(self, below: Level, index: u32) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a block reaches 1 GiB: 18 bits of frames")]
        let step = below.pages() as u32;
        let huge = if matches!(below, Level::Page) { 0 } else { Self::HUGE };
        let bits = self.0 & !(FRAME_MASK | Self::HUGE) | huge;
        Self(bits | (self.frame_number().0.wrapping_add(index * step) as u64) << FRAME_SHIFT)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("empty");
        }
        if let Some(payload) = self.payload() {
            return write!(f, "absent({payload:#x})");
        }
        write!(f, "{:?} {}", self.frame_number(), self.rights())?;
        let marks = [
            (self.is_block(), " block"),
            (self.is_accessed(), " accessed"),
            (self.is_dirty(), " dirty"),
            (self.is_special(), " special"),
            (self.is_exclusive(), " exclusive"),
            (self.is_locked(), " locked"),
            (self.is_soft_dirty(), " soft-dirty"),
        ];
        marks.into_iter().filter(|(yes, _)| *yes).try_for_each(|(_, name)| f.write_str(name))
    }
}

const _: () = {
    assert!(size_of::<Entry>() == 8);
    assert!(PAYLOAD_MASK & (Entry::PRESENT | Entry::ABSENT | Entry::NO_ACCESS | Entry::NO_EXECUTE) == 0);
    // The largest payload, which is stored as zeros, is not taken for an empty entry.
    let Some(last) = Entry::absent(Entry::PAYLOAD_END - 1) else { panic!() };
    assert!(!last.is_empty() && !last.has_frame());
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_entry_has_a_payload_and_nothing_else() {
        for payload in [0, 1, 0x1234_5678, Entry::PAYLOAD_END - 1] {
            let entry = Entry::absent(payload).expect("50 bits");
            assert_eq!(entry.kind(Level::Page), Kind::Absent(payload));
            assert_eq!(entry.with_rights(Rights::READ_WRITE), entry);
            assert_eq!(entry.dirty(true).accessed(true).special(true), entry);
            assert!(
                !entry.is_present() && !entry.is_dirty() && !entry.is_special() && entry.mapped().is_none()
            );
        }
        assert_eq!(Entry::absent(Entry::PAYLOAD_END), None);
    }

    #[test]
    fn rights_come_and_go_without_the_frame() {
        let frame = FrameNumber(u32::MAX);
        let entry = Entry::frame(frame, Rights::READ_WRITE).dirty(true).exclusive(true);
        let guarded = entry.with_rights(Rights::NONE);
        assert_eq!(guarded.kind(Level::Page), Kind::Frame(frame));
        assert_eq!(guarded.rights(), Rights::NONE);
        assert_eq!(guarded.with_rights(Rights::READ_WRITE), entry);
    }

    #[test]
    fn a_block_needs_an_aligned_frame_and_a_level_that_has_blocks() {
        assert!(Entry::block(Level::Huge, FrameNumber(512), Rights::READ).is_some());
        assert_eq!(Entry::block(Level::Huge, FrameNumber(513), Rights::READ), None);
        assert_eq!(Entry::block(Level::Giant, FrameNumber(512), Rights::READ), None);
        assert_eq!(Entry::block(Level::Top, FrameNumber(0), Rights::READ), None);
    }

    #[test]
    fn a_block_is_its_parts() {
        let giant = Entry::block(Level::Giant, FrameNumber(1 << 18), Rights::READ_WRITE).expect("aligned");
        let huge = giant.dirty(true).part(Level::Huge, 3);
        assert_eq!(huge.kind(Level::Huge), Kind::Frame(FrameNumber((1 << 18) + 3 * 512)));
        let page = huge.part(Level::Page, 5);
        assert_eq!(page, Entry::frame(FrameNumber((1 << 18) + 3 * 512 + 5), Rights::READ_WRITE).dirty(true));
    }
}
