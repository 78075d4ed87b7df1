//! Regions: units, and the arrays of records about them.
//!
//! Called by `view`, chunk by chunk, so that a heap of any size is read through a buffer of one size.

use mallow_trace::Landmark;

use super::layout::Layout;
use super::pages::{Pages, index};
use super::reader::{Reader, field, number};
use super::slab::{self, NoRun, Run};

/// Bytes; user addresses are below.
const ADDRESS_LIMIT: u64 = 1 << 47;
/// Bytes of an array that are read at a time.
const WINDOW: u64 = 1 << 17;
/// Chunks that are looked at; 8 TiB in those of 2 MiB.
const MOST_CHUNKS: usize = 1 << 22;
/// Bits of a page map entry below the address of a record.
const OWNER_BITS: u32 = 16;

/// A region, as its record tells it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region {
    base: u64,
    pub(super) header: u64,
    pub(super) header_bytes: u64,
    units: u64,
    /// Addresses of the page map, the records of slabs, of what other threads freed, and of chunks.
    arrays: [u64; 4],
}

/// A chunk, with what is in it.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) start: u64,
    /// One bit for each free unit that may be in memory and was used before.
    pub(super) used_before: u128,
    /// The runs, in order, each with the blocks that other threads have freed and nobody has taken in.
    pub(super) runs: Vec<(Run, u64)>,
    /// Records that make no sense.
    pub(super) odd: u64,
}

impl Region {
    /// Reads the record at `address`; `None` if it cannot be read, or cannot be true.
    pub(super) fn read(pages: &Pages<'_, impl Reader>, layout: &Layout, address: u64) -> Option<Self> {
        let word = |landmark| pages.word(address.checked_add(layout.get(landmark))?);
        let (base, header) = (word(Landmark::RegionBase)?, word(Landmark::RegionHeader)?);
        let (units, header_bytes) = (word(Landmark::RegionUnits)?, word(Landmark::RegionHeaderBytes)?);
        let mut arrays = [0; 4];
        for (nth, array) in (0..).zip(&mut arrays) {
            let at = address.checked_add(layout.get(Landmark::RegionArrays))? + nth * 16;
            *array = header.checked_add(pages.word(at)?)?;
        }
        let end = units.checked_mul(layout.unit_bytes())?.checked_add(base)?;
        let is_likely = base.is_multiple_of(layout.unit_bytes())
            && end <= header
            && header.checked_add(header_bytes)? <= ADDRESS_LIMIT
            && arrays.iter().all(|array| *array <= ADDRESS_LIMIT)
            && units.is_multiple_of(layout.get(Landmark::ChunkUnits));
        is_likely.then_some(Self { base, header, header_bytes, units, arrays })
    }

    /// Calls `visit` with each chunk of which something is in memory or in use.
    pub(super) fn visit_chunks(
        &self,
        pages: &Pages<'_, impl Reader>,
        layout: &Layout,
        mut visit: impl FnMut(Chunk),
    ) {
        let per_chunk = layout.get(Landmark::ChunkUnits);
        let sizes = [8, layout.get(Landmark::SlabBytes), layout.get(Landmark::RemoteBytes)];
        let chunk_bytes = layout.get(Landmark::ChunkBytes);
        let mut windows: [Window; 3] = core::array::from_fn(|_| Window::default());
        let chunks_here =
            (0..self.units / per_chunk).map(|nth| (nth, self.base + nth * layout.chunk_bytes()));
        let in_use = chunks_here.take(MOST_CHUNKS).filter(|(_, start)| pages.is_in_use(*start));
        for (number_of_chunk, start) in in_use {
            let record = self.arrays[3] + number_of_chunk * chunk_bytes;
            let [chunks, slabs, remotes] = &mut windows;
            let Some(record) = chunks.get(pages, record, chunk_bytes) else { continue };
            let map = |landmark| {
                let at = layout.at(landmark);
                Some(u128::from(field(record, at, 8)?) | u128::from(field(record, at + 8, 8)?) << 64)
            };
            let (Some(used), Some(backed)) = (map(Landmark::ChunkUsed), map(Landmark::ChunkBacked)) else {
                continue;
            };
            let used_before = backed & !map(Landmark::ChunkZero).unwrap_or(0);
            let mut chunk = Chunk { start, used_before, runs: Vec::new(), odd: 0 };
            if used != 0 {
                let first = number_of_chunk * per_chunk;
                let slabs = slabs.get(pages, self.arrays[1] + first * sizes[1], per_chunk * sizes[1]);
                let remotes = remotes.get(pages, self.arrays[2] + first * sizes[2], per_chunk * sizes[2]);
                let (Some(slabs), Some(remotes)) = (slabs, remotes) else { continue };
                read_runs(&mut chunk, layout, slabs, remotes);
            }
            visit(chunk);
        }
    }

    /// Whether `address` is in one of its units.
    pub(super) fn holds(&self, layout: &Layout, address: u64) -> bool {
        address.checked_sub(self.base).is_some_and(|offset| offset / layout.unit_bytes() < self.units)
    }

    /// The run around `address`; `None` for what is none, or not in this region.
    pub(super) fn run_around(
        &self,
        pages: &Pages<'_, impl Reader>,
        layout: &Layout,
        address: u64,
    ) -> Option<Run> {
        let unit = address.checked_sub(self.base)? / layout.unit_bytes();
        if unit >= self.units {
            return None;
        }
        let record = pages.word(self.arrays[0] + unit * 8)? >> OWNER_BITS;
        // Only a record of this region is believed.
        let bytes = layout.get(Landmark::SlabBytes);
        let offset = record.checked_sub(self.arrays[1])?;
        if offset / bytes >= self.units || !offset.is_multiple_of(bytes) {
            return None;
        }
        let mut buffer = vec![0; index(bytes)];
        if !pages.read(record, &mut buffer) {
            return None;
        }
        let run = slab::run(&buffer, layout).ok()?;
        let end = run.start.checked_add(run.units * layout.unit_bytes())?;
        (run.start >= self.base && (run.start..end).contains(&address)).then_some(run)
    }
}

/// Reads the runs of `chunk` from the records of its units.
fn read_runs(chunk: &mut Chunk, layout: &Layout, slabs: &[u8], remotes: &[u8]) {
    let (slab_bytes, remote_bytes) = (layout.at(Landmark::SlabBytes), layout.at(Landmark::RemoteBytes));
    let count = layout.get(Landmark::RemoteCount);
    let (count_at, count_bits) = (count & 0xff, count >> 8);
    let records = slabs.chunks_exact(slab_bytes).zip(remotes.chunks_exact(remote_bytes));
    let mut next_free = chunk.start;
    for (nth, (record, remote)) in (0..).zip(records) {
        let address = chunk.start + nth * layout.unit_bytes();
        if address < next_free {
            continue;
        }
        match slab::run(record, layout) {
            Err(NoRun::Nothing) => {}
            Ok(run) if run.start == address && end_of(&run, layout) <= chunk.start + layout.chunk_bytes() => {
                let word = number(remote.get(..8).unwrap_or_default());
                let waiting = word.checked_shr(u32::try_from(count_at).unwrap_or(64)).unwrap_or(0);
                let mask = 1_u64
                    .checked_shl(u32::try_from(count_bits).unwrap_or(64))
                    .map_or(u64::MAX, |bit| bit - 1);
                next_free = end_of(&run, layout);
                chunk.runs.push((run, waiting & mask));
            }
            _ => chunk.odd += 1,
        }
    }
}

fn end_of(run: &Run, layout: &Layout) -> u64 {
    run.start + run.units * layout.unit_bytes()
}

/// A part of an array that was read ahead.
#[derive(Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// The `len` bytes at `address`.
    fn get(&mut self, pages: &Pages<'_, impl Reader>, address: u64, len: u64) -> Option<&[u8]> {
        let is_inside = |window: &Self| {
            address >= window.start && address + len <= window.start + window.bytes.len() as u64
        };
        if !is_inside(self) {
            let room = pages.mapping_of(address).map_or(0, |place| pages.mappings()[place].end - address);
            self.bytes.resize(index(len.max(room.min(WINDOW))), 0);
            self.start = address;
            if !pages.read(address, &mut self.bytes) {
                self.bytes.clear();
                return None;
            }
        }
        let at = index(address - self.start);
        self.bytes.get(at..at + index(len))
    }
}
