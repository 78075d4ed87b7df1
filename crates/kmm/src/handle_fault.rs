//! The fault handler: carries out what [`mallow_vma::fault::decide`] says.
//!
//! ```text
//!  address ─► area (vma) ─► entry (paging) ─► decide ─► action
//!                                                         │
//!        zero page · new frame · page cache · copy · reuse · swap in · grow · SIGSEGV · SIGBUS
//! ```
//!
//! Called by the simulated processor when a translation fails, and by `populate`. Calls `world` for frames and entries; whatever
//! fails for want of memory leaves the entry as it was.

use mallow_buddy::Request;
use mallow_frame::{Flag, FrameState, Memory};
use mallow_paging::{Entry, Kind, Level, PagingError, Rights};
use mallow_units::{Errno, FrameNumber, PageNumber, PageSpan};
use mallow_vma::fault::{self, Access, Action, Cover, SegvCode};
use mallow_vma::{Backing, FileId, Flags, Space, Store, Vma};

use crate::absent::Absent;
use crate::lru::{Age, Kind as LruKind};
use crate::mm::Pid;
use crate::physical::ZERO_FRAME;
use crate::world::World;

/// Why a program does not get what it asked of an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Signal {
    /// `SIGSEGV`.
    Segv(SegvCode),
    /// `SIGBUS`: the page lies beyond the end of its file.
    Bus,
    /// `SIGKILL`: the process has been killed for want of memory.
    Killed,
    /// There is no memory, and nobody to take it from. Linux kills the process; here the caller decides.
    NoMemory,
}

/// Times that a fault is decided anew: a stack that has grown, a page that came in from swap and must be copied.
const ATTEMPTS: u32 = 8;

/// What the processor may do with an area's pages. Writing is a matter of each entry.
pub(crate) fn rights(flags: Flags, may_write: bool) -> Rights {
    if !flags.has_any(Flags::ACCESS) {
        return Rights::NONE;
    }
    match (flags.has(Flags::WRITE) && may_write, flags.has(Flags::EXEC)) {
        (true, true) => Rights::READ_WRITE_EXECUTE,
        (true, false) => Rights::READ_WRITE,
        (false, true) => Rights::READ_EXECUTE,
        (false, false) => Rights::READ,
    }
}

impl World {
    /// Resolves a fault of `pid`, whose areas are `space`.
    ///
    /// # Errors
    ///
    /// The signal that the program gets.
    pub fn handle_fault<S: Store>(
        &mut self,
        pid: Pid,
        space: &mut Space<S>,
        page: PageNumber,
        access: Access,
    ) -> Result<(), Signal> {
        self.events.faults += 1;
        let major = self.events.major_faults;
        let outcome = self.resolve(pid, space, page, access);
        let is_major = self.events.major_faults > major;
        if let Some(mm) = self.mm_mut(pid) {
            *(if is_major { &mut mm.major_faults } else { &mut mm.minor_faults }) += 1;
        }
        outcome
    }

    fn resolve<S: Store>(
        &mut self,
        pid: Pid,
        space: &mut Space<S>,
        page: PageNumber,
        access: Access,
    ) -> Result<(), Signal> {
        for _ in 0..ATTEMPTS {
            let cover = match space.at_or_after(page) {
                Some(area) if area.span().holds(page) => Cover::Area(area),
                Some(area) if area.flags().has(Flags::GROWS_DOWN) => Cover::BelowStack(area),
                _ => Cover::Nothing,
            };
            let (level, entry) = self.entry(pid, page);
            let action = fault::decide(cover, access, self.classify(level, entry));
            let area = match (action, cover) {
                (Action::Segv(code), _) => return Err(Signal::Segv(code)),
                (Action::GrowStack, _) => {
                    let mut backing = self.backing(pid);
                    match space.grow_stack(page, &mut backing) {
                        Ok(()) => continue,
                        Err(_) => return Err(Signal::Segv(SegvCode::NotMapped)),
                    }
                }
                (_, Cover::Area(area)) => *area,
                _ => return Err(Signal::Segv(SegvCode::NotMapped)),
            };
            if makes_anon(action) && area.anon().is_none() {
                let mut backing = self.backing(pid);
                space.prepare_anon(page, &mut backing).map_err(no_memory)?;
            }
            match action {
                Action::SwapIn { is_writable } => {
                    self.swap_in(pid, &area, page, entry, is_writable)?;
                    if access != Access::Write {
                        return Ok(());
                    }
                }
                action => return self.act(pid, &area, page, action, level, entry),
            }
        }
        Err(Signal::NoMemory)
    }

    fn act(
        &mut self,
        pid: Pid,
        area: &Vma,
        page: PageNumber,
        action: Action,
        level: Level,
        entry: Entry,
    ) -> Result<(), Signal> {
        match action {
            Action::MapZero => self.map_zero(pid, area, page),
            Action::MapNew => self.map_new(pid, area, page),
            Action::MapCache => self.map_cache(pid, area, page),
            Action::WriteCache => self.write_cache(pid, area, page, entry),
            Action::CopyCache => self.copy_cache(pid, area, page, entry),
            Action::Reuse => self.reuse(pid, area, page, entry),
            Action::Copy => self.copy(pid, area, page, level, entry),
            // The processor remembers less than the table allows.
            Action::Spurious => {
                self.tlbs.flush_page(pid, page);
                Ok(())
            }
            Action::SwapIn { .. } | Action::GrowStack | Action::Segv(_) => Err(Signal::NoMemory),
        }
    }

    /// What an entry is, in the words of the decision table.
    pub(crate) fn classify(&self, level: Level, entry: Entry) -> fault::Entry {
        let is_writable = entry.rights().may_write();
        match entry.kind(level) {
            Kind::Empty | Kind::Table(_) => fault::Entry::None,
            Kind::Absent(payload) => match Absent::of_payload(payload) {
                Absent::Guard => fault::Entry::Guard,
                Absent::Swapped { is_exclusive, .. } => fault::Entry::Swapped { is_exclusive },
            },
            Kind::Frame(_) if entry.is_special() => fault::Entry::Zero,
            Kind::Frame(frame) => {
                let info = self.physical.frame(frame);
                if info.state() == FrameState::File {
                    fault::Entry::Cache { is_writable }
                } else {
                    fault::Entry::Anon { is_writable, is_exclusive: info.references() <= 1 }
                }
            }
        }
    }

    /// A frame for a process's private memory; its bytes are what they were.
    fn anon_frame(&mut self) -> Result<FrameNumber, Signal> {
        self.allocate(&Request::anonymous()).ok_or(Signal::NoMemory)
    }

    /// Puts a private frame at a page: new, so nobody else has it.
    fn map_anon(&mut self, pid: Pid, area: &Vma, page: PageNumber, frame: FrameNumber) -> Result<(), Signal> {
        let is_locked = area.flags().has(Flags::LOCKED);
        let rights = rights(area.flags(), true);
        // The write that faulted will mark it as soon as it is tried again.
        let entry = Entry::frame(frame, rights).exclusive(true).accessed(true).dirty(rights.may_write());
        if let Err(error) = self.set_entry(pid, page, entry.locked(is_locked)) {
            self.physical.drop_reference(frame);
            return Err(out_of_tables(error));
        }
        let info = self.physical.frame(frame);
        // The entry knows that it was written, unless it cannot be.
        if !rights.may_write() {
            info.raise(Flag::Dirty);
        }
        if is_locked {
            info.raise(Flag::Unevictable);
        }
        self.note_anon(pid, page, frame);
        self.admit(frame);
        Ok(())
    }

    fn map_zero(&mut self, pid: Pid, area: &Vma, page: PageNumber) -> Result<(), Signal> {
        self.events.zero_maps += 1;
        let entry = Entry::frame(ZERO_FRAME, rights(area.flags(), false)).special(true).accessed(true);
        self.set_entry(pid, page, entry).map_err(out_of_tables)
    }

    fn map_new(&mut self, pid: Pid, area: &Vma, page: PageNumber) -> Result<(), Signal> {
        if self.map_huge(pid, area, page) {
            return Ok(());
        }
        let frame = self.anon_frame()?;
        self.physical.clear(frame);
        self.events.new_frames += 1;
        self.map_anon(pid, area, page, frame)
    }

    fn reuse(&mut self, pid: Pid, area: &Vma, page: PageNumber, entry: Entry) -> Result<(), Signal> {
        self.events.reuses += 1;
        let writable =
            entry.with_rights(rights(area.flags(), true)).exclusive(true).accessed(true).dirty(true);
        self.change_entry(pid, page, writable);
        Ok(())
    }

    fn copy(
        &mut self,
        pid: Pid,
        area: &Vma,
        page: PageNumber,
        level: Level,
        entry: Entry,
    ) -> Result<(), Signal> {
        #[expect(clippy::cast_possible_truncation, reason = "below the pages of a block")]
        let inside = (page.0 & (level.pages() - 1)) as u32;
        let from = FrameNumber(entry.frame_number().0 + inside);
        self.copy_to_anon(pid, area, page, from)
    }

    fn copy_to_anon(
        &mut self,
        pid: Pid,
        area: &Vma,
        page: PageNumber,
        from: FrameNumber,
    ) -> Result<(), Signal> {
        // A reference of our own: making room for the copy may take the original away.
        self.physical.frame(from).hold();
        let copied = self.anon_frame().and_then(|frame| {
            self.physical.ram().copy(from, frame);
            self.events.copies += 1;
            self.map_anon(pid, area, page, frame)
        });
        self.drop_frame(from);
        copied
    }

    fn map_cache(&mut self, pid: Pid, area: &Vma, page: PageNumber) -> Result<(), Signal> {
        let Backing::File(file) = area.backing() else { return Err(Signal::Bus) };
        if self.map_around(pid, area, page, file)? {
            return Ok(());
        }
        let frame = self.cached(file, area.offset_of(page), true)?;
        // Shared memory keeps no disk up to date, so it can be written at once, without another fault.
        let may_write = !area.is_private() && self.is_shared_memory(frame);
        self.map_file(pid, area, page, frame, may_write, false)
    }

    fn write_cache(&mut self, pid: Pid, area: &Vma, page: PageNumber, entry: Entry) -> Result<(), Signal> {
        let Backing::File(file) = area.backing() else { return Err(Signal::Bus) };
        if entry.has_frame() {
            let writable = entry.with_rights(rights(area.flags(), true)).accessed(true).dirty(true);
            self.change_entry(pid, page, writable);
            self.physical.frame(entry.frame_number()).raise(Flag::Dirty);
            return Ok(());
        }
        let frame = self.cached(file, area.offset_of(page), true)?;
        self.physical.frame(frame).raise(Flag::Dirty);
        self.map_file(pid, area, page, frame, true, true)
    }

    fn copy_cache(&mut self, pid: Pid, area: &Vma, page: PageNumber, entry: Entry) -> Result<(), Signal> {
        let from = match (entry.mapped(), area.backing()) {
            (Some(frame), _) => frame,
            (None, Backing::File(file)) => self.cached(file, area.offset_of(page), true)?,
            (None, Backing::Anonymous) => return Err(Signal::Bus),
        };
        self.copy_to_anon(pid, area, page, from)
    }

    /// Maps the pages around a read of a file that are in the cache; whether the one that was read is among them.
    ///
    /// # Source
    ///
    /// The window is that of Linux: 16 pages, aligned, but from the start of the area if that is later, within one table.
    fn map_around(&mut self, pid: Pid, area: &Vma, page: PageNumber, file: FileId) -> Result<bool, Signal> {
        let table = Level::Huge.aligned(page);
        let first = PageNumber(page.0 & !(self.fault_around - 1)).max(area.span().start()).max(table);
        let end = PageNumber(first.0 + self.fault_around)
            .min(area.span().end())
            .min(PageNumber(table.0 + Level::Huge.pages()));
        let Some(window) = PageSpan::new(first, end).filter(|window| window.pages() > 1) else {
            return Ok(false);
        };
        let mut is_mapped = false;
        for near in window.iter() {
            let index = area.offset_of(near);
            let cached = self.files.get(file).filter(|file| index < file.page_count());
            let Some(frame) = cached.and_then(|file| file.pages.get(&index)).copied() else { continue };
            if !self.entry(pid, near).1.is_empty() {
                continue;
            }
            let may_write = !area.is_private() && self.is_shared_memory(frame);
            self.map_file(pid, area, near, frame, may_write, false)?;
            self.events.mapped_around += u64::from(near != page);
            is_mapped |= near == page;
        }
        Ok(is_mapped)
    }

    fn map_file(
        &mut self,
        pid: Pid,
        area: &Vma,
        page: PageNumber,
        frame: FrameNumber,
        may_write: bool,
        is_written: bool,
    ) -> Result<(), Signal> {
        let is_locked = area.flags().has(Flags::LOCKED);
        let rights = rights(area.flags(), may_write);
        let entry = Entry::frame(frame, rights).accessed(true).dirty(is_written).locked(is_locked);
        self.physical.frame(frame).hold();
        let set = self.set_entry(pid, page, entry);
        if set.is_ok() {
            if is_locked {
                self.pin(frame);
            }
            self.note_file(pid, page, frame);
        }
        self.drop_frame(frame);
        set.map_err(out_of_tables)
    }

    /// Changes the entry of a page that keeps its frame.
    pub(crate) fn change_entry(&mut self, pid: Pid, page: PageNumber, entry: Entry) {
        if let Some(mm) = self.mms.get_mut(pid.0 as usize).and_then(Option::as_mut)
            && mm.table.set(&mut self.physical, page, entry).is_ok()
        {
            self.tlbs.flush_page(pid, page);
        }
    }

    /// The frame of the page cache that holds a page of a file; reads it in, or makes it, if there is none.
    ///
    /// # Errors
    ///
    /// [`Signal::Bus`] beyond the end of the file; [`Signal::NoMemory`].
    pub(crate) fn cached(&mut self, file: FileId, index: u64, may_make: bool) -> Result<FrameNumber, Signal> {
        let found = self.files.get(file).filter(|file| index < file.page_count()).ok_or(Signal::Bus)?;
        if let Some(frame) = found.pages.get(&index) {
            return Ok(*frame);
        }
        if !may_make {
            return Err(Signal::Bus);
        }
        let charges = u64::from(found.charges_pages);
        // What is in swap has been charged when it came into being.
        let charges = if found.swapped.contains_key(&index) { 0 } else { charges };
        self.charge(mallow_units::PageCount(charges), mallow_units::PageCount(0)).map_err(|_| Signal::Bus)?;
        let Some(frame) = self.allocate(&Request::file()) else {
            self.committed.uncharge(mallow_units::PageCount(charges));
            return Err(Signal::NoMemory);
        };
        self.physical.ram().zero(frame);
        let swapped_in = match self.swap_in_shared(file, index, frame) {
            Ok(age) => age,
            Err(signal) => {
                self.physical.drop_reference(frame);
                return Err(signal);
            }
        };
        let info = self.physical.frame(frame);
        info.set_owner(file.0.get());
        info.set_index(index);
        let Some(found) = self.files.get_mut(file) else { return Err(Signal::Bus) };
        let refaulted =
            found.shadows.remove(&index).map(|shadow| self.pressure.lru.refault(LruKind::File, shadow));
        let age = swapped_in.or(refaulted).unwrap_or(Age::Youngest);
        if !found.is_shared_memory() {
            self.events.major_faults += 1;
        }
        let ram = self.physical.ram();
        found.read_page(index, |bytes| {
            ram.write(frame, 0, bytes);
        });
        found.pages.insert(index, frame);
        self.admit_at(frame, age);
        Ok(frame)
    }
}

/// Whether an action gives the area an anonymous page.
const fn makes_anon(action: Action) -> bool {
    matches!(action, Action::MapNew | Action::CopyCache | Action::Copy)
}

fn no_memory(_: Errno) -> Signal {
    Signal::NoMemory
}

fn out_of_tables(_: PagingError) -> Signal {
    Signal::NoMemory
}
