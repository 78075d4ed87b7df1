//! Places: what one address is to the heap of a process on mallow.
//!
//! Called by the command, for one address; `view` looks at all of them.

use mallow_trace::Landmark;
use serde::Serialize;

use super::directory;
use super::find::find;
use super::is_loaded;
use super::layout::Layout;
use super::pages::Pages;
use super::reader::Reader;
use super::region::Region;
use super::slab::Use;
use crate::memory::PAGE_BYTES;
use crate::read::smaps::Mapping;

/// What is at an address of the heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    /// A block of a slab.
    Block {
        /// Its address.
        start: u64,
        /// Bytes of a block of this size class.
        block_bytes: u64,
        /// The address of the slab.
        slab: u64,
        /// Bytes of the slab.
        slab_bytes: u64,
        /// The number of the block in it, from 0 on.
        number: u64,
        /// Whether the program has it; a free one carries the mark of its slab.
        is_live: bool,
    },
    /// A part of a slab without a block: its page was never used or given back, or the tail is too short for one.
    BarePart {
        /// The address of the slab.
        slab: u64,
        /// Bytes of a block of its size class.
        block_bytes: u64,
    },
    /// A medium block: a run of its own.
    Medium {
        /// Its address.
        start: u64,
        /// Bytes of the run.
        bytes: u64,
    },
    /// A run that a thread keeps for its next request.
    KeptRun {
        /// Its address.
        start: u64,
        /// Its bytes.
        bytes: u64,
    },
    /// A large block: a mapping of its own.
    Large {
        /// Its address.
        start: u64,
        /// Its bytes.
        bytes: u64,
    },
    /// Units of a region that are free.
    Free,
    /// What is known about the heap.
    Metadata,
}

/// What `address` is to the heap.
///
/// # Errors
///
/// Why it is nothing: it lies elsewhere, there is no heap of mallow, or its segment makes no sense.
pub fn place(memory: &impl Reader, mappings: &[Mapping], address: u64) -> Result<Place, String> {
    let found = find(memory, mappings).map_err(|(at, error)| format!("the segment at {at:#x}: {error}"))?;
    let pages = Pages::new(memory, mappings);
    let layouts = found.iter().filter_map(|found| Layout::of(&found.snapshot));
    layouts.into_iter().find_map(|layout| place_in(&pages, &layout, address)).ok_or_else(|| {
        let is_on_mallow = !found.is_empty() || is_loaded(mappings);
        if is_on_mallow { "not memory of the heap" } else { "the process is not on mallow" }.to_owned()
    })
}

fn place_in(pages: &Pages<'_, impl Reader>, layout: &Layout, address: u64) -> Option<Place> {
    let directory = directory::read(pages, layout);
    let large = directory.blocks.iter().find(|(start, bytes)| address.wrapping_sub(*start) < *bytes);
    if let Some(&(start, bytes)) = large {
        return Some(Place::Large { start, bytes });
    }
    let records = directory.regions.iter().copied().chain([layout.get(Landmark::Region)]);
    records.filter_map(|record| Region::read(pages, layout, record)).find_map(|region| {
        if address.wrapping_sub(region.header) < region.header_bytes {
            return Some(Place::Metadata);
        }
        if !region.holds(layout, address) {
            return None;
        }
        let Some(run) = region.run_around(pages, layout, address) else { return Some(Place::Free) };
        let (start, bytes) = (run.start, run.units * layout.unit_bytes());
        let slab = match run.usage {
            Use::Block => return Some(Place::Medium { start, bytes }),
            Use::Kept => return Some(Place::KeptRun { start, bytes }),
            Use::Slab(slab) => slab,
        };
        let block_bytes = *layout.class_bytes().get(slab.class)?;
        let number = (address - start) / block_bytes;
        let block = start + number * block_bytes;
        let is_bare = |at: u64| slab.bare.checked_shr(page_number(at - start)).unwrap_or(0) & 1 == 1;
        if block + block_bytes > start + bytes || is_bare(block) || is_bare(block + block_bytes - 1) {
            return Some(Place::BarePart { slab: start, block_bytes });
        }
        let is_live = pages.word(block + 8) != Some(slab.mark);
        Some(Place::Block { start: block, block_bytes, slab: start, slab_bytes: bytes, number, is_live })
    })
}

/// The number of the page, in a slab, that a byte of it is in.
fn page_number(offset: u64) -> u32 {
    u32::try_from(offset / PAGE_BYTES).unwrap_or(u32::MAX)
}
