//! The free blocks of a zone: one list per mobility and order, and a mask of the orders that have any.
//!
//! Called by `zone`, `fallback` and `compact`, under the lock of the zone. The smallest block that fits is found by one count of
//! trailing zeros.

use mallow_frame::{Frame, FrameList, FrameTable, Mobility, Window};
use mallow_units::{FrameNumber, Order};

/// The free blocks of a zone.
///
/// # Invariants
///
/// 1. Bit `k` of `masks[m]` is set exactly if `lists[m][k]` is not empty.
/// 2. `frames` is the sum over all blocks of their frames.
#[derive(Clone, Debug, Default)]
pub struct FreeArea {
    lists: [[FrameList; Order::COUNT]; Mobility::COUNT],
    masks: [u16; Mobility::COUNT],
    frames: u32,
}

impl FreeArea {
    /// How many frames are free. Unit: frames.
    #[inline]
    pub const fn frames(&self) -> u32 {
        self.frames
    }

    /// The list of the free blocks of one kind.
    pub const fn list(&self, mobility: Mobility, order: Order) -> &FrameList {
        &self.lists[mobility.index()][order.index()]
    }

    /// How many blocks of `order` are free, of all mobilities.
    pub fn blocks(&self, order: Order) -> u32 {
        Mobility::ALL.iter().map(|mobility| self.list(*mobility, order).count()).sum()
    }

    /// The smallest order, of at least `order`, of which there is a block.
    #[inline]
    pub fn smallest(&self, mobility: Mobility, order: Order) -> Option<Order> {
        let fitting = self.masks[mobility.index()] >> order.get() << order.get();
        let order = u8::try_from(fitting.trailing_zeros()).ok()?;
        Order::new(order)
    }

    /// Whether there is a block of at least `order`, of any mobility.
    #[inline]
    pub fn has_block(&self, order: Order) -> bool {
        (self.masks[0] | self.masks[1] | self.masks[2]) >> order.get() != 0
    }

    /// Adds a block, which is on no list. `entry` is its first frame's, `window` the region around it.
    #[inline(always)]
    pub fn insert(
        &mut self,
        table: FrameTable<'_>,
        window: Window<'_>,
        (first, entry): (FrameNumber, &Frame),
        order: Order,
        mobility: Mobility,
    ) {
        self.link(table, window, (first, entry), order, mobility);
        self.add(order.frames());
    }

    /// As [`FreeArea::insert`], but leaves the count to [`FreeArea::add`]: a merge changes many lists, and the count once.
    #[inline(always)]
    pub(crate) fn link(
        &mut self,
        table: FrameTable<'_>,
        window: Window<'_>,
        (first, entry): (FrameNumber, &Frame),
        order: Order,
        mobility: Mobility,
    ) {
        self.lists[mobility.index()][order.index()].push_front_of(table, window, first, entry);
        // INVARIANT: (1).
        self.masks[mobility.index()] |= 1 << order.get();
    }

    /// [`FreeArea::link`] for many of one kind: list and mask are written once.
    #[inline(always)]
    pub(crate) fn link_all<'t>(
        &mut self,
        table: FrameTable<'_>,
        window: Window<'_>,
        blocks: impl Iterator<Item = (FrameNumber, &'t Frame)>,
        order: Order,
        mobility: Mobility,
    ) {
        let place = &mut self.lists[mobility.index()][order.index()];
        // A copy, so that it stays in registers while the entries are written.
        let mut list = place.clone();
        blocks.for_each(|(first, entry)| list.push_front_of(table, window, first, entry));
        *place = list;
        // INVARIANT: (1).
        self.masks[mobility.index()] |= u16::from(!place.is_empty()) << order.get();
    }

    /// [`FreeArea::unlink`] for many of one kind: list and mask are written once.
    #[inline(always)]
    pub(crate) fn unlink_all<'t>(
        &mut self,
        table: FrameTable<'_>,
        entries: impl Iterator<Item = &'t Frame>,
        order: Order,
        mobility: Mobility,
    ) {
        let place = &mut self.lists[mobility.index()][order.index()];
        let mut list = place.clone();
        entries.for_each(|entry| list.unlink(table, entry));
        *place = list;
        // INVARIANT: (1).
        self.masks[mobility.index()] &= !(u16::from(place.is_empty()) << order.get());
    }

    /// Counts frames that are on lists from now on.
    #[inline(always)]
    pub(crate) const fn add(&mut self, frames: u32) {
        // INVARIANT: (2).
        self.frames += frames;
    }

    /// Takes a certain block off its list. `entry` is its first frame's.
    #[inline(always)]
    pub fn remove(&mut self, table: FrameTable<'_>, entry: &Frame, order: Order, mobility: Mobility) {
        self.unlink(table, entry, order, mobility);
        // INVARIANT: (2).
        self.frames -= order.frames();
    }

    /// As [`FreeArea::remove`], but the frames stay counted.
    #[inline(always)]
    pub(crate) fn unlink(&mut self, table: FrameTable<'_>, entry: &Frame, order: Order, mobility: Mobility) {
        let list = &mut self.lists[mobility.index()][order.index()];
        list.unlink(table, entry);
        // INVARIANT: (1).
        if list.is_empty() {
            self.masks[mobility.index()] &= !(1 << order.get());
        }
    }

    /// Takes the block that was added last.
    #[inline]
    pub fn pop<'t>(
        &mut self,
        table: FrameTable<'t>,
        order: Order,
        mobility: Mobility,
    ) -> Option<(FrameNumber, &'t Frame)> {
        let first = self.list(mobility, order).first(table)?;
        let entry = table.get(first)?;
        self.remove(table, entry, order, mobility);
        Some((first, entry))
    }
}

const _: () = assert!(Mobility::COUNT == 3 && Order::COUNT <= 16);
