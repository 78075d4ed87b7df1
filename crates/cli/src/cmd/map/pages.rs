//! Pages: which of them are there, from the page map of the process.
//!
//! `/proc/PID/pagemap` has an entry for each page of address space, a GiB of them in 2 MiB. So only mappings that have something in
//! memory or swapped out are looked at, no further than until all that has been found, and a reservation of a TiB not to its end. The
//! kernel's scan for pages would leave out what is empty by itself, and can only be asked for by an unsafe call.
//!
//! Called by `map`.

use alloc::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use mallow_analyze::map::density::Density;
use mallow_analyze::memory::PAGE_BYTES;
use mallow_analyze::page_map::{self, ENTRY_BYTES};
use mallow_analyze::read::smaps::{Amount, Mapping};

use super::look::Look;
use crate::process::{Process, Unreadable};

/// Columns beside the strip of a mapping: the indent, and how many pages there are.
pub(super) const BESIDE: usize = 44;
/// Entries that are read at once: 256 KiB, about 128 MiB of address space.
const ENTRIES: usize = 1 << 15;
/// The most pages that are looked at, which are 256 GiB, and a quarter of a second.
const MOST_PAGES: u64 = 1 << 26;

/// The pages of a process's mappings.
#[derive(Debug)]
pub(super) enum Pages {
    /// By the first address of a mapping; those that have nothing in memory are left out.
    Known(BTreeMap<u64, Density>),
    /// They cannot be read, for this reason.
    Unknown(String),
}

impl Pages {
    /// Reads the page map for each mapping that has something in it, in `cells` pieces each.
    pub(super) fn of(process: &Process, look: &Look, cells: usize) -> Self {
        if let Some(missing) = &look.missing {
            return Self::Unknown(missing.clone());
        }
        let file = match process.open_file("pagemap") {
            Ok(file) => file,
            Err(Unreadable::Vanished) => return Self::Unknown("the process has ended".to_owned()),
            Err(reason) => return Self::Unknown(format!("pagemap: {reason}")),
        };
        let mut mappings: Vec<&Mapping> = look.map.regions().map(|region| &region.mapping).collect();
        mappings.retain(|mapping| expected(mapping) > 0);
        // The small ones first: what is left of the time is for those that take long.
        mappings.sort_by_key(|mapping| mapping.bytes());
        let mut left = MOST_PAGES;
        let mut found = BTreeMap::new();
        for mapping in mappings {
            let mut density = Density::new(mapping.start..mapping.end, cells);
            read(&file, mapping, &mut density, &mut left);
            found.insert(mapping.start, density);
        }
        Self::Known(found)
    }

    /// The pages of a mapping; `None` if it has none.
    pub(super) fn get(&self, mapping: &Mapping) -> Option<&Density> {
        match self {
            Self::Known(pages) => pages.get(&mapping.start),
            Self::Unknown(_) => None,
        }
    }
}

/// How many pages of a mapping are there, in memory or swapped out.
fn expected(mapping: &Mapping) -> u64 {
    let bytes = |amount| mapping.amounts.get(amount).unwrap_or(0);
    (bytes(Amount::Rss) + bytes(Amount::Swap)) / PAGE_BYTES
}

/// Reads the entries of a mapping until there can be no more pages, or the time is up.
fn read(file: &File, mapping: &Mapping, density: &mut Density, left: &mut u64) {
    let expected = expected(mapping);
    let mut entries = vec![0; ENTRIES * ENTRY_BYTES];
    let mut address = mapping.start;
    while address < mapping.end && *left > 0 {
        let count = ((mapping.end - address) / PAGE_BYTES).min(ENTRIES as u64).min(*left);
        let piece = &mut entries[..usize::try_from(count).unwrap_or(0) * ENTRY_BYTES];
        // What has been unmapped meanwhile ends the file.
        if file.read_exact_at(piece, page_map::offset(address)).is_err() {
            return;
        }
        density.count(address, piece);
        address += count * PAGE_BYTES;
        *left -= count;
        let total = density.total();
        // What is small is read to its end: pages may have come since they were counted.
        if total.present + total.swapped >= expected && address < mapping.end {
            density.rest_is_empty();
            return;
        }
    }
}
