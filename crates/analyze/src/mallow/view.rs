//! The view: every byte of the heap that is in memory, in one of its parts.
//!
//! | what is in memory | part |
//! | --- | --- |
//! | pages with blocks of a slab | live, free beside live, on lists, waiting: each as many bytes as it has blocks; the rest is rounding |
//! | pages of a slab without a block in use, kept large blocks, free units | kept |
//! | medium and large blocks | live |
//! | kept runs | caches |
//! | free units, and pages of a slab, that were never used or were given back | padding: there is a huge page around them |
//! | headers of regions, heaps, the directory | metadata |
//!
//! So the parts add up to what the kernel has of these mappings. Called by the command.

use alloc::collections::{BTreeMap, BTreeSet};

use mallow_trace::{Counter, Landmark, Snapshot};
use serde::{Deserialize, Serialize};

use super::classes::{Blocks, Class};
use super::directory;
use super::layout::Layout;
use super::lists;
use super::pages::Pages;
use super::reader::Reader;
use super::region::{Chunk, Region};
use super::slab::{Run, Slab, Use};
use crate::memory::PAGE_BYTES;
use crate::read::smaps::Mapping;

/// What memory of a heap is for. The order is that of the ledger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Blocks that the program has, rounded up to their size class or to whole units or pages.
    Live,
    /// What is left at the ends of slabs, and between the last block of a page and its end.
    Rounding,
    /// Free blocks in slabs that also hold live ones.
    Fragmentation,
    /// Free blocks on threads' lists, and runs that threads keep.
    Caches,
    /// Blocks that other threads have freed, and that the owner has not taken in.
    Waiting,
    /// Free pages, units and large blocks that stay in case they are needed soon.
    Kept,
    /// In memory only because a huge page around it is.
    Padding,
    /// What the allocator needs for itself.
    Metadata,
}

/// Bytes in memory of one part in one mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Share {
    /// The number of the mapping.
    pub mapping: usize,
    /// What they are for.
    pub part: Part,
    /// How many.
    #[serde(rename = "resident_bytes")]
    pub resident: u64,
}

/// The heap of a process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct View {
    /// Where its bytes in memory are, and what for; at most once for each mapping and part.
    pub shares: Vec<Share>,
    /// The size classes that have a slab, smallest first.
    pub classes: Vec<Class>,
    /// Medium blocks in use.
    pub medium_blocks: u64,
    /// Bytes of address space in them.
    pub medium_bytes: u64,
    /// Large blocks in use.
    pub large_blocks: u64,
    /// Bytes of address space in them.
    pub large_bytes: u64,
    /// Heaps of threads, those of threads that have ended included.
    pub heaps: u64,
    /// Bytes that were given back to the kernel since the start.
    #[serde(rename = "purged_bytes")]
    pub purged: Option<u64>,
    /// Records that made no sense, because they were being changed.
    pub odd_slabs: u64,
    /// Whether the blocks on all threads' lists were counted; those that were not are among the live ones.
    pub has_all_lists: bool,
}

/// What was found of one heap, or of several in one process.
struct Tally<'a, M> {
    pages: Pages<'a, M>,
    shares: BTreeMap<(usize, Part), u64>,
    classes: BTreeMap<u64, Class>,
    view: View,
}

/// Looks at the heaps that belong to `segments`, which were found in this process, with these mappings; `None` if there is none.
pub fn look(memory: &impl Reader, mappings: &[Mapping], segments: &[Snapshot]) -> Option<View> {
    let view = View {
        shares: Vec::new(),
        classes: Vec::new(),
        medium_blocks: 0,
        medium_bytes: 0,
        large_blocks: 0,
        large_bytes: 0,
        heaps: 0,
        purged: None,
        odd_slabs: 0,
        has_all_lists: true,
    };
    let pages = Pages::new(memory, mappings);
    let mut tally = Tally { pages, shares: BTreeMap::new(), classes: BTreeMap::new(), view };
    let mut is_any = false;
    for snapshot in segments {
        let Some(layout) = Layout::of(snapshot) else { continue };
        is_any = true;
        tally.add_heap(&layout, snapshot);
    }
    is_any.then(|| tally.finish())
}

impl<M: Reader> Tally<'_, M> {
    fn add_heap(&mut self, layout: &Layout, snapshot: &Snapshot) {
        let directory = directory::read(&self.pages, layout);
        let records: BTreeSet<u64> =
            directory.regions.iter().copied().chain([layout.get(Landmark::Region)]).collect();
        let regions: Vec<Region> =
            records.iter().filter_map(|record| Region::read(&self.pages, layout, *record)).collect();
        let lists = lists::read(&self.pages, layout, &regions);
        for region in &regions {
            let mut chunks = Vec::new();
            region.visit_chunks(&self.pages, layout, |chunk| chunks.push(chunk));
            for chunk in &chunks {
                self.add_chunk(layout, chunk, &lists.blocks);
            }
            self.add(Part::Metadata, region.header, region.header + region.header_bytes);
        }
        let live: BTreeSet<u64> = directory.blocks.iter().map(|(start, _)| *start).collect();
        for (start, bytes) in &directory.blocks {
            self.add(Part::Live, *start, start + bytes);
            self.view.large_blocks += 1;
            self.view.large_bytes += bytes;
        }
        for (start, bytes) in snapshot.kept_blocks().filter(|(start, _)| !live.contains(start)) {
            self.add(Part::Kept, start, start + bytes);
        }
        self.add_own(layout, &lists.heaps, &directory.own);
        self.view.heaps += lists.heaps.len() as u64;
        self.view.has_all_lists &= lists.is_complete;
        let purged = snapshot.get(Counter::PurgedBytes);
        self.view.purged = purged.map(|bytes| bytes.saturating_add(self.view.purged.unwrap_or(0)));
    }

    /// The heaps, which lie side by side, their table, and the directory.
    fn add_own(&mut self, layout: &Layout, heaps: &[u64], directory: &[(u64, u64)]) {
        let mut own: Vec<(u64, u64)> = directory.to_vec();
        let table = self.pages.word(layout.get(Landmark::HeapTable)).unwrap_or(0);
        own.push((table, layout.get(Landmark::HeapTableBytes)));
        let mut pages: BTreeSet<u64> = BTreeSet::new();
        for heap in heaps {
            let last = heap.saturating_add(layout.get(Landmark::HeapBytes)).saturating_sub(1) / PAGE_BYTES;
            pages.extend(heap / PAGE_BYTES..=last);
        }
        own.extend(pages.into_iter().map(|page| (page * PAGE_BYTES, PAGE_BYTES)));
        for (start, bytes) in own.into_iter().filter(|(start, _)| *start != 0) {
            let end = start.saturating_add(bytes).checked_next_multiple_of(PAGE_BYTES);
            self.add(Part::Metadata, start, end.unwrap_or(start));
        }
    }

    fn add_chunk(&mut self, layout: &Layout, chunk: &Chunk, listed: &BTreeMap<u64, u64>) {
        self.view.odd_slabs += chunk.odd;
        let mut at = chunk.start;
        for (run, waiting) in &chunk.runs {
            self.add_free(layout, chunk, at, run.start);
            let end = run.start + run.units * layout.unit_bytes();
            match run.usage {
                Use::Block => {
                    self.add(Part::Live, run.start, end);
                    self.view.medium_blocks += 1;
                    self.view.medium_bytes += end - run.start;
                }
                Use::Kept => self.add(Part::Caches, run.start, end),
                Use::Slab(slab) => {
                    let listed = listed.get(&run.start).copied().unwrap_or(0);
                    self.add_slab(layout, run, &slab, Blocks::of(&slab, listed, *waiting));
                }
            }
            at = end;
        }
        self.add_free(layout, chunk, at, chunk.start + layout.chunk_bytes());
    }

    /// Units without a run.
    fn add_free(&mut self, layout: &Layout, chunk: &Chunk, from: u64, to: u64) {
        let mut at = from;
        let was_used = |at: u64| {
            let unit = u32::try_from((at - chunk.start) / layout.unit_bytes()).unwrap_or(u32::MAX);
            chunk.used_before.checked_shr(unit).unwrap_or(0) & 1 == 1
        };
        while at < to {
            let mut end = at + layout.unit_bytes();
            while end < to && was_used(end) == was_used(at) {
                end += layout.unit_bytes();
            }
            self.add(if was_used(at) { Part::Kept } else { Part::Padding }, at, end);
            at = end;
        }
    }

    fn add_slab(&mut self, layout: &Layout, run: &Run, slab: &Slab, blocks: Blocks) {
        let end = run.start + run.units * layout.unit_bytes();
        let resident = self.pages.resident_bytes(run.start, end);
        let block_bytes = layout.class_bytes()[slab.class];
        let class = self.classes.entry(block_bytes).or_insert(Class { block_bytes, ..Class::default() });
        class.add(blocks, end - run.start, resident);
        let Some(mapping) = self.pages.mapping_of(run.start) else { return };
        let is_bare =
            |page: &u64| slab.bare.checked_shr(u32::try_from(*page).unwrap_or(64)).unwrap_or(0) & 1 == 1;
        if slab.outstanding == 0 {
            return self.add_bytes(mapping, Part::Kept, resident);
        }
        let page_count = (end - run.start) / PAGE_BYTES;
        let bare_pages = (0..page_count).filter(is_bare);
        let page_at = |page: u64| run.start + page * PAGE_BYTES;
        let bare: u64 =
            bare_pages.clone().map(|page| self.pages.resident_bytes(page_at(page), page_at(page + 1))).sum();
        self.add_bytes(mapping, if slab.is_fresh { Part::Padding } else { Part::Kept }, bare);
        let carved = resident.saturating_sub(bare);
        let carved_pages = page_count - bare_pages.count() as u64;
        let mut left = carved;
        let parts = [
            (Part::Live, blocks.live),
            (Part::Fragmentation, blocks.free),
            (Part::Caches, blocks.listed),
            (Part::Waiting, blocks.waiting),
        ];
        for (part, count) in parts {
            // In proportion, if some of its pages were never touched or are swapped out.
            let bytes = (count * block_bytes).saturating_mul(carved) / (carved_pages * PAGE_BYTES).max(1);
            let bytes = bytes.min(left);
            left -= bytes;
            self.add_bytes(mapping, part, bytes);
        }
        self.add_bytes(mapping, Part::Rounding, left);
    }

    fn add(&mut self, part: Part, start: u64, end: u64) {
        let shares: Vec<(usize, u64)> = self.pages.resident(start, end).collect();
        for (mapping, bytes) in shares {
            self.add_bytes(mapping, part, bytes);
        }
    }

    fn add_bytes(&mut self, mapping: usize, part: Part, bytes: u64) {
        if bytes > 0 {
            *self.shares.entry((mapping, part)).or_default() += bytes;
        }
    }

    fn finish(mut self) -> View {
        let shares = self.shares.iter();
        self.view.shares = shares
            .map(|((mapping, part), resident)| Share { mapping: *mapping, part: *part, resident: *resident })
            .collect();
        self.view.classes = self.classes.into_values().collect();
        self.view
    }
}

impl View {
    /// Bytes in memory of a part.
    pub fn resident(&self, part: Part) -> u64 {
        self.shares
            .iter()
            .filter(|share| share.part == part)
            .map(|share| share.resident)
            .fold(0, u64::saturating_add)
    }

    /// Bytes of small blocks that the program has, all of them.
    pub fn small_bytes(&self) -> u64 {
        self.classes.iter().map(Class::live_bytes).fold(0, u64::saturating_add)
    }
}

impl Part {
    /// All, in order.
    pub const ALL: [Self; 8] = [
        Self::Live,
        Self::Rounding,
        Self::Fragmentation,
        Self::Caches,
        Self::Waiting,
        Self::Kept,
        Self::Padding,
        Self::Metadata,
    ];

    /// The name of the line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "heap: live blocks",
            Self::Rounding => "heap: rounding",
            Self::Fragmentation => "heap: free beside live",
            Self::Caches => "heap: thread caches",
            Self::Waiting => "heap: freed by other threads",
            Self::Kept => "heap: kept for reuse",
            Self::Padding => "heap: huge-page padding",
            Self::Metadata => "heap: metadata",
        }
    }
}
