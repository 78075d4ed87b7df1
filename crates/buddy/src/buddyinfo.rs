//! What a node looks like in `/proc/buddyinfo` and `/proc/pagetypeinfo`.

use core::fmt;

use mallow_frame::{Frame, FrameTable, Mobility};
use mallow_units::Order;

use crate::node::Node;
use crate::zone::Zone;

/// A node as `/proc/buddyinfo` shows it: per zone the number of free blocks of each order.
///
/// Zones without memory are left out, as Linux does.
#[derive(Clone, Copy, Debug)]
pub struct BuddyInfo<'n> {
    node: &'n Node,
    number: u32,
}

impl Node {
    /// The node under the given number, as text for `/proc/buddyinfo`.
    pub const fn buddyinfo(&self, number: u32) -> BuddyInfo<'_> {
        BuddyInfo { node: self, number }
    }
}

impl fmt::Display for BuddyInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for zone in self.node.zones().iter().filter(|zone| zone.managed() > 0) {
            write!(f, "Node {}, zone {:>8} ", self.number, zone.kind())?;
            for order in Order::all() {
                write!(f, "{:>6} ", zone.area().blocks(order))?;
            }
            f.write_str("\n")?;
        }
        Ok(())
    }
}

/// A node as `/proc/pagetypeinfo` shows it: free blocks by mobility, then blocks of frames by mobility.
#[derive(Clone, Copy, Debug)]
pub struct PageTypeInfo<'n> {
    node: &'n Node,
    table: FrameTable<'n>,
    number: u32,
}

impl Node {
    /// The node under the given number, as text for `/proc/pagetypeinfo`. Linux has two more kinds, which are left out.
    pub const fn pagetypeinfo<'n>(&'n self, table: FrameTable<'n>, number: u32) -> PageTypeInfo<'n> {
        PageTypeInfo { node: self, table, number }
    }
}

impl PageTypeInfo<'_> {
    /// How many blocks of frames of a zone have each mobility; a block counts where its first frame is.
    fn blocks(&self, zone: &Zone) -> [u32; Mobility::COUNT] {
        let mut blocks = [0; Mobility::COUNT];
        let order = self.node.layout().block_order;
        let mut before = None;
        for frame in self.table.numbers() {
            let Some(place) = self.table.get(frame).map(Frame::place) else { continue };
            let block = frame.aligned_to(order);
            if place.zone == zone.kind() && before != Some(block) {
                blocks[place.mobility.index()] += 1;
                before = Some(block);
            }
        }
        blocks
    }
}

impl fmt::Display for PageTypeInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (order, number) = (self.node.layout().block_order, self.number);
        writeln!(f, "Page block order: {}", order.get())?;
        writeln!(f, "Pages per block:  {}\n", order.frames())?;
        write!(f, "{:<43} ", "Free pages count per migrate type at order")?;
        Order::all().try_for_each(|order| write!(f, "{:>6} ", order.get()))?;
        f.write_str("\n")?;
        let zones = || self.node.zones().iter().filter(|zone| zone.managed() > 0);
        for zone in zones() {
            for mobility in Mobility::ALL {
                write!(f, "Node {number:>4}, zone {:>8}, type {mobility:>12} ", zone.kind())?;
                for order in Order::all() {
                    write!(f, "{:>6} ", zone.area().list(mobility, order).count())?;
                }
                f.write_str("\n")?;
            }
        }
        write!(f, "\n{:<23}", "Number of blocks type")?;
        Mobility::ALL.iter().try_for_each(|mobility| write!(f, "{mobility:>12} "))?;
        f.write_str("\n")?;
        for zone in zones() {
            write!(f, "Node {number}, zone {:>8} ", zone.kind())?;
            self.blocks(zone).iter().try_for_each(|count| write!(f, "{count:>12} "))?;
            f.write_str("\n")?;
        }
        Ok(())
    }
}

impl Zone {
    /// How much of what is free cannot be used for a run of `order`, because it lies in shorter pieces. Unit: thousandths.
    ///
    /// # Source
    ///
    /// `unusable_index` under `/sys/kernel/debug/extfrag` of Linux.
    pub fn unusable_index(&self, order: Order) -> u32 {
        let usable: u32 =
            Order::all().skip(order.index()).map(|long| self.area().blocks(long) << long.get()).sum();
        let thousandths = u64::from(self.free() - usable) * 1000 / u64::from(self.free().max(1));
        if self.free() == 0 { 1000 } else { u32::try_from(thousandths).unwrap_or(1000) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Layout;
    use crate::request::Request;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use mallow_frame::{Region, Regions};
    use mallow_units::FrameNumber;

    #[test]
    fn looks_as_it_does_in_proc() {
        let memory = Region::new(FrameNumber(1 << 20), 2048 + 3);
        let regions = Regions::new(&[memory]).unwrap();
        let frames: Vec<Frame> = (0..memory.frames).map(|_| Frame::new()).collect();
        let table = FrameTable::new(&frames, &regions).unwrap();
        let mut node = Node::new(table, Layout::default());
        node.release(table, memory).unwrap();
        assert_eq!(
            node.buddyinfo(0).to_string(),
            "Node 0, zone   Normal      1      1      0      0      0      0      0      0      0      0      2 \n"
        );
        assert_eq!(node.zones()[1].unusable_index(Order::HUGE), 1);
        let run = node.allocate(table, &Request::reclaimable(Order::ZERO)).unwrap();
        let text = node.pagetypeinfo(table, 0).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[3],
            "Free pages count per migrate type at order       0      1      2      3      4      5      6      7      8      9     10 "
        );
        assert_eq!(
            lines[6],
            "Node    0, zone   Normal, type  Reclaimable      1      1      1      1      1      1      1      1      1      1      0 "
        );
        assert_eq!(lines[8], "Number of blocks type     Unmovable      Movable  Reclaimable ");
        assert_eq!(lines[9], "Node 0, zone   Normal            0            3            2 ");
        node.free(table, run).unwrap();
    }
}
