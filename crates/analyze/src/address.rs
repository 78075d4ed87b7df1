//! One address: what the kernel tells of the page that it is in, and of the frame behind that.
//!
//! ```text
//!  address  | table 1 | table 2 | table 3 | table 4 | offset |       9 bits each, and 12
//!               └─────────┴─────────┴─────────┴──► entry ──► frame ──► zone
//! ```
//!
//! The hardware's tables are nowhere to be read, but [`page_map`](crate::page_map) tells what the last one says, and `kpageflags` what
//! the frame is used for. Called by the command.

use crate::read::zoneinfo::Zone;

/// Levels of page tables on x86-64, the root first.
const LEVELS: usize = 4;
/// Bits of an address that choose an entry of a table, and that lie in a page.
const INDEX_BITS: u32 = 9;
const OFFSET_BITS: u32 = 12;

/// Which entry each of the four tables gives for `address`, the root first.
pub fn table_indices(address: u64) -> [u64; LEVELS] {
    core::array::from_fn(|level| {
        let below = u32::try_from(LEVELS - 1 - level).unwrap_or(0) * INDEX_BITS + OFFSET_BITS;
        address >> below & ((1 << INDEX_BITS) - 1)
    })
}

/// The names of the bits of an entry of `/proc/kpageflags`, from bit 0 on.
const FLAGS: [&str; 27] = [
    "locked",
    "error",
    "referenced",
    "uptodate",
    "dirty",
    "lru",
    "active",
    "slab",
    "writeback",
    "reclaim",
    "buddy",
    "mmap",
    "anon",
    "swapcache",
    "swapbacked",
    "compound_head",
    "compound_tail",
    "huge",
    "unevictable",
    "hwpoison",
    "nopage",
    "ksm",
    "thp",
    "offline",
    "zero_page",
    "idle",
    "pgtable",
];

/// What a frame is used for, by the bits of its entry in `/proc/kpageflags`.
pub fn flag_names(flags: u64) -> Vec<&'static str> {
    FLAGS.iter().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, name)| *name).collect()
}

/// The zone that `frame` is in.
pub fn zone_of(zones: &[Zone], frame: u64) -> Option<&Zone> {
    zones.iter().find(|zone| {
        let (Some(start), Some(spanned)) = (zone.start_frame, zone.spanned) else { return false };
        frame >= start && frame - start < spanned
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::zoneinfo;

    #[test]
    fn the_tables_are_told_by_nine_bits_each() {
        assert_eq!(table_indices(0), [0; 4]);
        assert_eq!(table_indices(0x7fff_ffff_f000), [255, 511, 511, 511]);
        assert_eq!(table_indices(1 << 39 | 2 << 30 | 3 << 21 | 4 << 12 | 5), [1, 2, 3, 4]);
    }

    #[test]
    fn a_frame_has_the_names_of_its_bits() {
        assert_eq!(flag_names(1 << 5 | 1 << 12 | 1 << 22), ["lru", "anon", "thp"]);
        assert!(flag_names(1 << 63).is_empty());
    }

    #[test]
    fn a_frame_is_in_the_zone_that_spans_it() {
        let file =
            b"Node 0, zone    DMA32\n  pages free     5\n        spanned  100\n  start_pfn:           4096\n\
            Node 0, zone   Normal\n        spanned  50\n  start_pfn:           8192\n";
        let zones = zoneinfo::parse(file).expect("as the kernel writes it");
        let name = |frame| zone_of(&zones, frame).map(|zone| &zone.name[..]);
        assert_eq!(name(4095), None);
        assert_eq!(name(4096), Some(&b"DMA32"[..]));
        assert_eq!(name(4196), None);
        assert_eq!(name(8241), Some(&b"Normal"[..]));
    }
}
