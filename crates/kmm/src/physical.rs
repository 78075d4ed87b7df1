//! Physical memory: frames, who has them, and the tables among them.
//!
//! The frame table, the node with its zones, the arrays of the processors and the bytes, as one value. It allocates and frees
//! without waiting; what to do when there is nothing is for [`crate::world::World`], which can see whom to take it from.

use alloc::boxed::Box;
use alloc::vec::Vec;

use mallow_buddy::{CpuFrames, Layout, Mark, Node, Request, Reserve};
use mallow_frame::{Frame, FrameRun, FrameState, FrameTable, Memory, Region, RegionError, Regions};
use mallow_paging::Tables;
use mallow_units::{FrameNumber, Order};

use crate::ram::{Ram, WORDS};

/// Frames at the start that are never handed out: frame 0, and the one of zeros.
const RESERVED: u32 = 2;

/// The frame that is mapped wherever nothing was written yet.
pub const ZERO_FRAME: FrameNumber = FrameNumber(1);

/// The memory of one machine.
#[derive(Debug)]
pub struct Physical {
    ram: Ram,
    frames: Box<[Frame]>,
    regions: Regions,
    node: Node,
    cpus: Vec<CpuFrames>,
    /// The processor that runs.
    cpu: usize,
    /// Tables set aside, one for each huge page that is mapped, so that splitting one never fails.
    deposits: Vec<FrameNumber>,
    /// Frames for tables, while an operation is tried again that failed for want of them.
    spares: Vec<FrameNumber>,
    /// Whether frames are cleared before a program gets them; a benchmark may leave it out.
    pub clears: bool,
    /// Frames that page tables take.
    table_frames: u64,
    /// What is refused on purpose.
    refusal: Refusal,
}

/// Allocations that are refused on purpose.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    None,
    /// All after so many more.
    After(u64),
    /// The one after so many more.
    Once(u64),
}

impl Physical {
    /// All memory of `ram`, as one region, free.
    ///
    /// # Errors
    ///
    /// [`RegionError`] if there are too few frames to begin with.
    pub fn new(ram: Ram, layout: Layout, cpus: usize) -> Result<Self, RegionError> {
        let count = u32::try_from(ram.frames()).unwrap_or(u32::MAX);
        let regions = Regions::single(FrameNumber(0), count)?;
        let frames: Box<[Frame]> = (0..count).map(|_| Frame::new()).collect();
        let usable = Region::new(FrameNumber(RESERVED), count.saturating_sub(RESERVED));
        let unusable = RegionError::Extent { region: usable };
        let table = FrameTable::new(&frames, &regions).ok_or(unusable)?;
        let mut node = Node::new(table, layout);
        node.release(table, usable).map_err(|_| unusable)?;
        let cpus = (0..cpus.max(1)).map(|_| CpuFrames::new(&node)).collect();
        Ok(Self {
            ram,
            frames,
            regions,
            node,
            cpus,
            cpu: 0,
            deposits: Vec::new(),
            spares: Vec::new(),
            clears: true,
            table_frames: 0,
            refusal: Refusal::None,
        })
    }

    /// The bytes.
    #[inline]
    pub const fn ram(&self) -> &Ram {
        &self.ram
    }

    /// A view of the frames.
    #[inline]
    pub fn table(&self) -> FrameTable<'_> {
        view(&self.frames, &self.regions)
    }

    /// What is known about a frame.
    #[inline]
    pub fn frame(&self, frame: FrameNumber) -> &Frame {
        &self.frames[frame.0 as usize]
    }

    /// The zones.
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// The bytes, a view of the frames, and the zones to change, for compaction.
    pub(crate) fn parts(&mut self) -> (&Ram, FrameTable<'_>, &mut Node) {
        (&self.ram, view(&self.frames, &self.regions), &mut self.node)
    }

    /// A view of the frames, and the zones to change, for reclaim.
    pub fn node_mut(&mut self) -> (FrameTable<'_>, &mut Node, &mut [CpuFrames]) {
        (view(&self.frames, &self.regions), &mut self.node, &mut self.cpus)
    }

    /// The arrays of the processors.
    pub fn cpus(&self) -> &[CpuFrames] {
        &self.cpus
    }

    /// The processor that runs.
    pub const fn cpu(&self) -> usize {
        self.cpu
    }

    /// Lets another processor run; one that does not exist is the last.
    pub fn run_on(&mut self, cpu: usize) {
        self.cpu = cpu.min(self.cpus.len() - 1);
    }

    /// Frames that page tables take, with those set aside.
    pub const fn table_frames(&self) -> u64 {
        self.table_frames
    }

    /// Frames that are free, in zones or arrays.
    pub fn free_frames(&self) -> u64 {
        u64::from(self.node.free_frames()) + self.cpus.iter().map(|cpu| u64::from(cpu.held())).sum::<u64>()
    }

    /// Allocates if that needs no effort: from the array of the processor, or from a zone above its low watermark.
    #[inline]
    pub fn allocate(&mut self, request: &Request) -> Option<FrameRun> {
        if self.is_refused() {
            return None;
        }
        let table = view(&self.frames, &self.regions);
        self.cpus[self.cpu].allocate(table, &mut self.node, request)
    }

    /// Allocates from a zone that stays above `mark`: an attempt of the slow path.
    pub fn attempt(&mut self, mark: Mark, request: &Request) -> Option<FrameRun> {
        if self.is_refused() {
            return None;
        }
        self.node.attempt(view(&self.frames, &self.regions), mark, request)
    }

    /// Takes a frame for whoever frees memory: from the reserve if need be, but half of that stays.
    pub fn take_for_reclaim(&mut self, request: &Request) -> Option<FrameNumber> {
        self.attempt(Mark::Min, &Request { reserve: Reserve::High, ..*request }).map(FrameRun::into_first)
    }

    /// Refuses every allocation after the next `granted`, whatever is free; none if `None`. For tests of what happens then.
    ///
    /// Each attempt of the slow path counts, and each frame that reclaim takes.
    pub const fn refuse_after(&mut self, granted: Option<u64>) {
        self.refusal = match granted {
            Some(granted) => Refusal::After(granted),
            None => Refusal::None,
        };
    }

    /// As [`Physical::refuse_after`], but refuses one and grants what comes then.
    pub const fn refuse_once_after(&mut self, granted: u64) {
        self.refusal = Refusal::Once(granted);
    }

    /// Allocations until one is refused on purpose; `None` if none will be.
    pub const fn until_refusal(&self) -> Option<u64> {
        match self.refusal {
            Refusal::None => None,
            Refusal::After(left) | Refusal::Once(left) => Some(left),
        }
    }

    /// Whether allocations are refused now, so that making room is of no use.
    #[inline]
    pub const fn is_refusing(&self) -> bool {
        matches!(self.refusal, Refusal::After(0))
    }

    #[inline]
    fn is_refused(&mut self) -> bool {
        if matches!(self.refusal, Refusal::None) { false } else { self.count_refusal() }
    }

    #[cold]
    fn count_refusal(&mut self) -> bool {
        match &mut self.refusal {
            Refusal::None => false,
            Refusal::Once(0) => {
                self.refusal = Refusal::None;
                true
            }
            Refusal::After(0) => true,
            Refusal::After(left) | Refusal::Once(left) => {
                *left -= 1;
                false
            }
        }
    }

    /// Frees a run that nobody refers to any more.
    #[inline]
    pub fn free_run(&mut self, run: FrameRun) {
        let table = view(&self.frames, &self.regions);
        let freed = self.cpus[self.cpu].free(table, &mut self.node, run);
        debug_assert!(freed.is_ok(), "a frame that is in use was freed: {freed:?}");
    }

    /// Drops a reference to a run, and frees it if it was the last.
    #[inline]
    pub fn drop_reference(&mut self, first: FrameNumber) {
        let entry = &self.frames[first.0 as usize];
        if entry.references() > 1 {
            entry.let_go();
            return;
        }
        if let Ok(run) = self.table().run(first) {
            self.free_run(run);
        }
    }

    /// Clears a frame for a program.
    #[inline]
    pub fn clear(&self, frame: FrameNumber) {
        if self.clears {
            self.ram.zero(frame);
        }
    }

    /// Makes single frames of a run, which are used as it was; they have one reference each.
    pub fn split_run(&mut self, first: FrameNumber) {
        let table = self.table();
        let mut runs: Vec<FrameRun> = table.run(first).into_iter().collect();
        while let Some(run) = runs.pop() {
            if let Ok((lower, upper)) = run.split(table) {
                runs.extend([lower, upper]);
            }
        }
    }

    /// Sets a table aside for a huge page; whether there was memory for it.
    pub fn deposit_table(&mut self) -> bool {
        let table = self.take_table();
        self.deposits.extend(table);
        table.is_some()
    }

    /// Gives a table back that was set aside for a huge page, which is gone.
    pub fn withdraw_table(&mut self) {
        if let Some(table) = self.deposits.pop() {
            self.free(table);
        }
    }

    /// Keeps a frame for the next table that cannot be had otherwise.
    pub(crate) fn keep_spare(&mut self, frame: FrameNumber) {
        self.spares.push(frame);
    }

    /// Frames that are kept for tables.
    pub(crate) const fn spare_count(&self) -> usize {
        self.spares.len()
    }

    /// Frees what was kept for tables.
    pub(crate) fn free_spares(&mut self) {
        while let Some(frame) = self.spares.pop() {
            self.drop_reference(frame);
        }
    }

    fn take_table(&mut self) -> Option<FrameNumber> {
        let first = match self.allocate(&Request::page_table()) {
            Some(run) => run.into_first(),
            None => self.spares.pop()?,
        };
        self.ram.zero(first);
        self.frame(first).set_index(0);
        self.table_frames += 1;
        Some(first)
    }

    /// The frames by what they are used for.
    pub fn count_by_state(&self, state: FrameState) -> u64 {
        let runs = self.frames.iter().filter(|frame| frame.state() == state);
        runs.map(|frame| if frame.order() == Order::ZERO { 1 } else { u64::from(frame.order().frames()) })
            .sum()
    }
}

#[inline]
fn view<'t>(frames: &'t [Frame], regions: &'t Regions) -> FrameTable<'t> {
    match FrameTable::new(frames, regions) {
        Some(table) => table,
        // There is an entry for each frame since `Physical::new`.
        None => unreachable!("as many entries as frames"),
    }
}

/// The tables of every process. `used` is the index of the frame that holds the table.
impl Tables for Physical {
    const WALKED_BY_PROCESSOR: bool = false;

    fn allocate(&mut self) -> Option<FrameNumber> {
        self.take_table()
    }

    fn allocate_for_split(&mut self) -> Option<FrameNumber> {
        self.deposits.pop()
    }

    fn free(&mut self, table: FrameNumber) {
        self.table_frames -= 1;
        self.drop_reference(table);
    }

    #[inline]
    fn words(&self, table: FrameNumber) -> &[mallow_ds::sync::AtomicU64; WORDS] {
        self.ram.words(table)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "at most 512 entries")]
    fn used(&self, table: FrameNumber) -> u32 {
        self.frame(table).index() as u32
    }

    #[inline]
    fn set_used(&mut self, table: FrameNumber, used: u32) {
        self.frame(table).set_index(u64::from(used));
    }
}
