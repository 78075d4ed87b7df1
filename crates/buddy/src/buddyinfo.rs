//! What a node looks like in `/proc/buddyinfo`.

use core::fmt;

use mallow_units::Order;

use crate::node::Node;

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
