//! All that the processes of one machine share: memory, files, who maps what.
//!
//! ```text
//!  Machine ──► Process: Space (areas)      one per process; nobody else looks into it
//!     │
//!     └──────► World ──► Physical          frames, zones, bytes
//!                 ├────► Mm per process    tables, counts: reclaim must reach those of everybody
//!                 ├────► Files             the page cache
//!                 ├────► Rmap              from a frame to the entries
//!                 └────► Tlbs              what the processors remember
//! ```
//!
//! The areas of a process are not here, so that an operation on them can have the world by `&mut`, and the world can take memory
//! from any process meanwhile.

use alloc::vec::Vec;

use mallow_buddy::Request;
use mallow_frame::{Flag, FrameState};
use mallow_paging::{Entry, Kind, Level, PageTable, PagingError};
use mallow_units::{Errno, FrameNumber, PageCount, PageNumber, PageSpan};
use mallow_vma::FileId;

use crate::files::Files;
use crate::huge::HugePages;
use crate::mm::{Mm, Pid};
use crate::overcommit::{Committed, Policy, Requester, Totals};
use crate::physical::Physical;
use crate::pressure::Pressure;
use crate::rmap::{self, Place, Rmap};
use crate::sim::tlb::Tlbs;

/// What happened since the machine booted. Named as in `/proc/vmstat` where that has it. Unit: events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Events {
    /// `pgfault`.
    pub faults: u64,
    /// `pgmajfault`.
    pub major_faults: u64,
    /// Faults answered with the frame of zeros.
    pub zero_maps: u64,
    /// Faults answered with a new frame of zeros.
    pub new_frames: u64,
    /// Faults answered with a copy.
    pub copies: u64,
    /// Faults on a shared frame that was not shared any more.
    pub reuses: u64,
    /// Pages of files mapped around the one that was touched.
    pub mapped_around: u64,
    /// Huge pages made on a fault.
    pub huge_faults: u64,
    /// Frames handed out.
    pub allocations: u64,
    /// Allocations that went the slow way.
    pub slow_allocations: u64,
}

/// All that processes share.
#[derive(Debug)]
pub struct World {
    /// Frames.
    pub physical: Physical,
    /// Processes, by number.
    pub mms: Vec<Option<Mm>>,
    /// Who maps what.
    pub rmap: Rmap,
    /// Files.
    pub files: Files,
    /// What the processors remember.
    pub tlbs: Tlbs,
    /// What was promised.
    pub committed: Committed,
    /// What may be promised.
    pub policy: Policy,
    /// What to do when memory is short, and where pages go then.
    pub pressure: Pressure,
    /// Who runs: whose call or fault it is.
    pub running: Option<Pid>,
    /// Whether processes may use what is kept for administrators.
    pub is_admin: bool,
    /// Pages of a file that a fault maps at most: a power of two.
    pub fault_around: u64,
    /// Who gets huge pages.
    pub huge_pages: HugePages,
    /// What happened.
    pub events: Events,
    /// The last family of anonymous pages that was given out.
    pub(crate) last_anon: u32,
    /// Entries that have left a table and whose frames are to be let go, once no processor remembers them.
    gathered: Vec<(PageNumber, Level, Entry)>,
}

impl World {
    /// A world without processes.
    pub fn new(physical: Physical, pressure: Pressure) -> Self {
        let free = PageCount(physical.free_frames());
        let tlbs = Tlbs::new(physical.cpus().len());
        Self {
            physical,
            mms: Vec::new(),
            rmap: Rmap::default(),
            files: Files::default(),
            tlbs,
            committed: Committed::default(),
            policy: Policy::of_ram(free),
            pressure,
            running: None,
            is_admin: false,
            fault_around: 16,
            huge_pages: HugePages::Never,
            events: Events::default(),
            last_anon: 0,
            gathered: Vec::new(),
        }
    }

    /// The memory of a process that has not exited.
    #[inline]
    pub fn mm(&self, pid: Pid) -> Option<&Mm> {
        self.mms.get(pid.0 as usize)?.as_ref()
    }

    /// The same, to change.
    #[inline]
    pub fn mm_mut(&mut self, pid: Pid) -> Option<&mut Mm> {
        self.mms.get_mut(pid.0 as usize)?.as_mut()
    }

    /// Tables for a new process; `None` without memory.
    pub fn new_mm(&mut self) -> Option<Pid> {
        let pid = Pid(u32::try_from(self.mms.len()).ok()?);
        let table =
            self.with_memory(|world| PageTable::new(&mut world.physical).ok_or(PagingError::NoMemory));
        self.mms.push(Some(Mm::new(table.ok()?)));
        Some(pid)
    }

    /// Takes a process away, whose pages are unmapped.
    pub fn remove_mm(&mut self, pid: Pid) {
        if let Some(mm) = self.mms.get_mut(pid.0 as usize).and_then(Option::take) {
            mm.table.destroy(&mut self.physical, |page, _, entry| {
                debug_assert!(false, "{page:?} of {pid:?} is still mapped at exit: {entry:?}");
            });
        }
    }

    /// What there is to promise.
    pub fn totals(&self) -> Totals {
        let ram = PageCount(u64::from(self.physical.node().managed_frames()));
        Totals { ram, huge: PageCount(0), swap: PageCount(u64::from(self.pressure.swap.len())) }
    }

    /// Charges pages to the commit account, of a process with `total` pages of address space.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the rules of overcommit forbid it.
    pub fn charge(&mut self, pages: PageCount, total: PageCount) -> Result<(), Errno> {
        let requester = Requester { address_space: total, is_admin: self.is_admin };
        self.committed.charge(&self.policy, self.totals(), pages, requester)
    }

    /// Allocates a frame or run for a process or for its files; takes memory from others if need be.
    #[inline]
    pub fn allocate(&mut self, request: &Request) -> Option<FrameNumber> {
        self.events.allocations += 1;
        match self.physical.allocate(request) {
            Some(run) => Some(run.into_first()),
            None if self.physical.is_refusing() => None,
            None => self.allocate_slow(request),
        }
    }

    /// Does what needs memory for tables; makes some free and tries again while it fails for want of it.
    ///
    /// # Errors
    ///
    /// [`PagingError::NoMemory`] if there is none to be had; what else `operation` says.
    #[inline]
    pub fn with_memory<R>(
        &mut self,
        mut operation: impl FnMut(&mut Self) -> Result<R, PagingError>,
    ) -> Result<R, PagingError> {
        match operation(self) {
            Err(PagingError::NoMemory) if !self.physical.is_refusing() => self.with_room(operation),
            outcome => outcome,
        }
    }

    /// Tries again with more and more frames kept for the tables, as long as there are any to be had.
    #[cold]
    fn with_room<R>(
        &mut self,
        mut operation: impl FnMut(&mut Self) -> Result<R, PagingError>,
    ) -> Result<R, PagingError> {
        let mut outcome = Err(PagingError::NoMemory);
        while matches!(outcome, Err(PagingError::NoMemory)) && self.make_room(&Request::page_table()) {
            outcome = operation(self);
        }
        self.physical.free_spares();
        outcome
    }

    /// Puts an entry at a page, and lets go of what was there.
    ///
    /// # Errors
    ///
    /// [`PagingError::NoMemory`]; nothing has changed then.
    #[inline]
    pub fn set_entry(&mut self, pid: Pid, page: PageNumber, entry: Entry) -> Result<(), PagingError> {
        let old = self.with_memory(|world| {
            let Some(mm) = world.mms.get_mut(pid.0 as usize).and_then(Option::as_mut) else {
                return Ok(Entry::EMPTY);
            };
            mm.table.set(&mut world.physical, page, entry)
        })?;
        if !old.is_empty() {
            self.tlbs.flush_page(pid, page);
            self.let_go(pid, page, Level::Page, old);
        }
        Ok(())
    }

    /// The entry of a page; for a page of a huge one, the entry that it would have if that were split.
    #[inline]
    pub fn entry(&self, pid: Pid, page: PageNumber) -> (Level, Entry) {
        let Some(mm) = self.mm(pid) else { return (Level::Top, Entry::EMPTY) };
        let (level, entry) = mm.table.get(&self.physical, page);
        if level == Level::Page || !entry.has_frame() {
            return (level, entry);
        }
        #[expect(clippy::cast_possible_truncation, reason = "below the pages of a block")]
        let inside = (page.0 & (level.pages() - 1)) as u32;
        (Level::Page, entry.part(Level::Page, inside))
    }

    /// Unmaps pages, and lets go of what was there.
    pub fn unmap(&mut self, pid: Pid, span: PageSpan) {
        self.unmap_if(pid, span, |_| true);
    }

    /// Unmaps those pages whose entries are `chosen`.
    pub fn unmap_if(&mut self, pid: Pid, span: PageSpan, mut chosen: impl FnMut(Entry) -> bool) {
        let mut gathered = core::mem::take(&mut self.gathered);
        if let Some(mm) = self.mms.get_mut(pid.0 as usize).and_then(Option::as_mut) {
            let changed = mm.table.change(&mut self.physical, span, |page, level, entry| {
                if chosen(entry) {
                    gathered.push((page, level, entry));
                    Entry::EMPTY
                } else {
                    entry
                }
            });
            debug_assert!(changed.is_ok(), "a huge page has a table set aside for its parts: {changed:?}");
        }
        if !gathered.is_empty() {
            self.tlbs.flush(pid, span);
        }
        for (page, level, entry) in gathered.drain(..) {
            self.let_go(pid, page, level, entry);
        }
        self.gathered = gathered;
    }

    /// Unmaps a frame that is mapped at `places`.
    pub(crate) fn unmap_all(&mut self, places: &[Place]) {
        for place in places {
            if let Some(one) = PageSpan::of(place.page, 1) {
                self.unmap(place.pid, one);
            }
        }
    }

    /// Counts a mapping of an anonymous frame that has just been put into a table.
    #[inline]
    pub(crate) fn note_anon(&mut self, pid: Pid, page: PageNumber, frame: FrameNumber) {
        let entry = self.physical.frame(frame);
        entry.map();
        self.rmap.add(entry, Place { pid, page });
        if let Some(mm) = self.mm_mut(pid) {
            mm.resident.anon += 1;
            mm.peak = mm.peak.max(mm.resident.total());
        }
    }

    /// Counts a mapping of a file's frame that has just been put into a table.
    #[inline]
    pub(crate) fn note_file(&mut self, pid: Pid, page: PageNumber, frame: FrameNumber) {
        let entry = self.physical.frame(frame);
        entry.hold();
        entry.map();
        self.rmap.add(entry, Place { pid, page });
        let is_shared = self.is_shared_memory(frame);
        if let Some(mm) = self.mm_mut(pid) {
            *(if is_shared { &mut mm.resident.shmem } else { &mut mm.resident.file }) += 1;
            mm.peak = mm.peak.max(mm.resident.total());
        }
    }

    /// Whether a frame of a file is one of shared memory.
    pub fn is_shared_memory(&self, frame: FrameNumber) -> bool {
        let owner = self.file_of(frame).and_then(|(file, _)| self.files.get(file));
        owner.is_some_and(crate::files::File::is_shared_memory)
    }

    /// The file and the page of it that a frame of the page cache holds.
    pub fn file_of(&self, frame: FrameNumber) -> Option<(FileId, u64)> {
        rmap::file_of(self.physical.frame(frame))
    }

    /// Lets go of what an entry that has left its table stood for. No processor remembers it any more.
    pub fn let_go(&mut self, pid: Pid, page: PageNumber, level: Level, entry: Entry) {
        match entry.kind(level) {
            Kind::Frame(_) if entry.is_special() => {}
            Kind::Frame(frame) if level == Level::Page => self.let_go_frame(pid, page, frame, entry),
            Kind::Frame(_) => {
                for (near, frame) in (page.0..).map(PageNumber).zip(frames_of(level, entry)) {
                    self.let_go_frame(pid, near, frame, entry);
                }
                self.physical.withdraw_table();
            }
            Kind::Absent(payload) => self.let_go_payload(pid, payload),
            Kind::Empty | Kind::Table(_) => {}
        }
    }

    fn let_go_frame(&mut self, pid: Pid, page: PageNumber, frame: FrameNumber, entry: Entry) {
        let info = self.physical.frame(frame);
        info.unmap();
        self.rmap.remove(info, Place { pid, page });
        if entry.is_locked() {
            self.settle_lock(frame);
        }
        let is_file = info_is_file(&self.physical, frame);
        let is_shared = is_file && self.is_shared_memory(frame);
        if is_file && entry.is_dirty() {
            self.physical.frame(frame).raise(Flag::Dirty);
        }
        if let Some(mm) = self.mm_mut(pid) {
            let resident = &mut mm.resident;
            let count = match (is_file, is_shared) {
                (false, _) => &mut resident.anon,
                (true, true) => &mut resident.shmem,
                (true, false) => &mut resident.file,
            };
            *count = count.saturating_sub(1);
        }
        self.drop_frame(frame);
    }

    /// Drops a reference to a frame, and frees it if that was the last.
    #[inline]
    pub fn drop_frame(&mut self, frame: FrameNumber) {
        if self.physical.frame(frame).references() <= 1 {
            self.forget(frame);
        }
        self.physical.drop_reference(frame);
    }

    /// Whether anybody still keeps a frame locked, after one who did has gone.
    pub(crate) fn settle_lock(&mut self, frame: FrameNumber) {
        let info = self.physical.frame(frame);
        let is_locked = self.rmap.places(info).any(|place| self.entry(place.pid, place.page).1.is_locked());
        if !is_locked {
            self.unpin(frame);
        }
    }
}

/// The frames that an entry of `level` maps.
pub(crate) fn frames_of(level: Level, entry: Entry) -> impl Iterator<Item = FrameNumber> {
    let first = entry.mapped().map_or(0..0, |first| u64::from(first.0)..u64::from(first.0) + level.pages());
    first.filter_map(|frame| u32::try_from(frame).ok()).map(FrameNumber)
}

fn info_is_file(physical: &Physical, frame: FrameNumber) -> bool {
    physical.frame(frame).state() == FrameState::File
}
