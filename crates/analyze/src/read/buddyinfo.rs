//! `/proc/buddyinfo`: free memory by the length of its pieces.
//!
//! The kernel keeps free memory in blocks of 2^order pages, and joins two neighbours to one of the next order. Called by
//! `system`.

use super::{ReadError, decimal, lines, words};

/// A zone of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// The number of the node.
    pub node: u64,
    /// Its name: `DMA`, `DMA32`, `Normal`, ...
    pub name: Vec<u8>,
    /// How many blocks of 2^order pages are free, by order.
    pub free_blocks: Vec<u64>,
}

impl Zone {
    /// How many pages are free.
    pub fn free_pages(&self) -> u64 {
        self.free_pages_from(0)
    }

    /// How many pages are free in blocks of at least 2^`order` pages: what a request of that order can be served from.
    pub fn free_pages_from(&self, order: usize) -> u64 {
        let blocks = self.free_blocks.iter().enumerate().skip(order);
        blocks.fold(0, |sum, (order, count)| sum.saturating_add(count.saturating_mul(pages(order))))
    }
}

/// Pages of a block; nothing has an order above 63.
fn pages(order: usize) -> u64 {
    u32::try_from(order).ok().and_then(|order| 1u64.checked_shl(order)).unwrap_or(u64::MAX)
}

/// Reads the file.
///
/// # Errors
///
/// The first line that is not of the form below.
///
/// # Source
///
/// `proc_buddyinfo(5)`: `Node 0, zone   Normal  15444  10871 ...`.
pub fn parse(file: &[u8]) -> Result<Vec<Zone>, ReadError> {
    lines(file)
        .map(|(offset, line)| {
            zone(line).ok_or(ReadError { offset, expected: "`Node N, zone NAME` and numbers of blocks" })
        })
        .collect()
}

fn zone(line: &[u8]) -> Option<Zone> {
    let mut words = words(line);
    (words.next()? == b"Node").then_some(())?;
    let node = decimal(words.next()?.strip_suffix(b",")?)?;
    (words.next()? == b"zone").then_some(())?;
    let name = words.next()?.to_vec();
    let free_blocks = words.map(decimal).collect::<Option<Vec<_>>>()?;
    Some(Zone { node, name, free_blocks })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"\
Node 0, zone      DMA      0      0      1      3 
Node 1, zone   Normal     10      2      0      0 
";

    #[test]
    fn zones_are_read() {
        let zones = parse(FILE).unwrap();
        let [dma, normal] = &zones[..] else { panic!("{zones:?}") };
        assert_eq!((&dma.name[..], dma.node, dma.free_pages()), (&b"DMA"[..], 0, 4 + 24));
        assert_eq!((dma.free_pages_from(3), dma.free_pages_from(4)), (24, 0));
        assert_eq!((normal.node, normal.free_pages(), normal.free_pages_from(1)), (1, 14, 4));
    }

    #[test]
    fn numbers_without_measure_do_not_overflow() {
        let line =
            b"Node 0, zone x ".iter().copied().chain(b"18446744073709551615 ".repeat(80)).collect::<Vec<_>>();
        assert_eq!(parse(&line).unwrap()[0].free_pages(), u64::MAX);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for file in [&b"Node 0, zone a 1\nNode 0 zone a 1\n"[..], b"Node 0, zone a 1\nNode 0, zone a x\n"] {
            assert_eq!(parse(file).unwrap_err().offset, 17);
        }
    }

    #[test]
    fn this_machine_can_be_read() {
        let Ok(file) = std::fs::read("/proc/buddyinfo") else { return };
        assert!(parse(&file).unwrap().iter().any(|zone| zone.free_pages() > 0));
    }

    refuses_only_with_a_place!(parse, FILE);
}
