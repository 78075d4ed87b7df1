//! What `vma` asks of the world: the pages behind the areas of one process.
//!
//! Made anew for each system call. What has to be faulted in is written down, and done by the caller when the call is over.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use mallow_frame::{Flag, FrameState};
use mallow_paging::range::Harvest;
use mallow_paging::{Entry, Kind, Level, PagingError};
use mallow_units::{Errno, PageCount, PageNumber, PageSpan};
use mallow_vma::{Advice, AnonId, Backing as Contents, FileId, Flags, Pages, Vma};

use crate::absent::Absent;
use crate::files::{self, File};
use crate::handle_fault::rights;
use crate::mm::Pid;
use crate::rmap::Place;
use crate::world::{World, frames_of};

/// What is to be faulted in when a call is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Populate {
    /// As if touched in the way the area is for: `MAP_POPULATE`, `mlock`.
    Usual,
    /// As if read.
    Read,
    /// As if written.
    Write,
}

/// The pages of one process, for the time of a system call.
#[derive(Debug)]
pub struct Backing<'w> {
    world: &'w mut World,
    pid: Pid,
    /// The child, during a fork.
    child: Option<Pid>,
    /// What is to be faulted in afterwards.
    pub later: Vec<(PageSpan, Populate)>,
}

impl World {
    /// The pages of `pid`.
    pub const fn backing(&mut self, pid: Pid) -> Backing<'_> {
        Backing { world: self, pid, child: None, later: Vec::new() }
    }

    /// The pages of `pid`, which are about to be its `child`'s too.
    pub const fn backing_of_fork(&mut self, pid: Pid, child: Pid) -> Backing<'_> {
        Backing { world: self, pid, child: Some(child), later: Vec::new() }
    }
}

fn errno(error: PagingError) -> Errno {
    match error {
        PagingError::OutOfRange(_) => Errno::EFAULT,
        _ => Errno::ENOMEM,
    }
}

impl Pages for Backing<'_> {
    fn charge(&mut self, pages: PageCount, total: PageCount) -> Result<(), Errno> {
        self.world.charge(pages, total)
    }

    fn uncharge(&mut self, pages: PageCount) {
        self.world.committed.uncharge(pages);
    }

    fn new_shared(&mut self, pages: PageCount, is_unreserved: bool) -> Result<FileId, Errno> {
        let bytes = pages.bytes().ok_or(Errno::ENOMEM)?;
        let charged = if is_unreserved { PageCount(0) } else { pages };
        self.world.charge(charged, PageCount(0))?;
        let file = File {
            name: "/dev/zero (deleted)".to_string(),
            bytes,
            contents: files::Contents::Shared,
            pages: alloc::collections::BTreeMap::new(),
            swapped: alloc::collections::BTreeMap::new(),
            shadows: alloc::collections::BTreeMap::new(),
            areas: 0,
            is_open: false,
            charged: charged.0,
            charges_pages: is_unreserved,
        };
        self.world.files.add(file).ok_or_else(|| {
            self.world.committed.uncharge(charged);
            Errno::ENOMEM
        })
    }

    fn file_mapped(&mut self, file: FileId) {
        if let Some(file) = self.world.files.get_mut(file) {
            file.areas += 1;
        }
    }

    fn file_unmapped(&mut self, file: FileId) {
        if let Some(found) = self.world.files.get_mut(file) {
            found.areas = found.areas.saturating_sub(1);
        }
        self.world.drop_file_if_unused(file);
    }

    fn new_anon(&mut self, _: Option<AnonId>) -> Result<AnonId, Errno> {
        self.world.last_anon = self.world.last_anon.checked_add(1).ok_or(Errno::ENOMEM)?;
        NonZeroU32::new(self.world.last_anon).map(AnonId).ok_or(Errno::ENOMEM)
    }

    fn unmap(&mut self, _: &Vma, span: PageSpan) {
        self.world.unmap(self.pid, span);
    }

    fn protect(&mut self, area: &Vma, span: PageSpan) {
        self.world.protect(self.pid, area, span);
    }

    fn relocate(&mut self, _: &Vma, from: PageSpan, to: PageNumber) -> Result<(), Errno> {
        self.world.relocate(self.pid, from, to)
    }

    fn populate(&mut self, span: PageSpan) {
        self.later.push((span, Populate::Usual));
    }

    fn lock(&mut self, _: &Vma, span: PageSpan) {
        self.world.set_locked(self.pid, span, true);
    }

    fn unlock(&mut self, _: &Vma, span: PageSpan) {
        self.world.set_locked(self.pid, span, false);
    }

    fn advise(&mut self, area: &Vma, span: PageSpan, advice: Advice) -> Result<(), Errno> {
        match advice {
            Advice::DONT_NEED | Advice::DONT_NEED_LOCKED => {
                // Guards stay, as in Linux.
                self.world.unmap_if(self.pid, span, |entry| entry != Absent::Guard.entry());
            }
            Advice::FREE => self.world.lazily_free(self.pid, span),
            Advice::COLD => self.world.make_cold(self.pid, span),
            Advice::PAGE_OUT => self.world.page_out(self.pid, area, span),
            Advice::REMOVE => self.world.punch(area, span),
            Advice::POPULATE_READ => self.later.push((span, Populate::Read)),
            Advice::POPULATE_WRITE => self.later.push((span, Populate::Write)),
            Advice::GUARD_INSTALL => return self.world.install_guards(self.pid, span),
            Advice::GUARD_REMOVE => {
                self.world.unmap_if(self.pid, span, |entry| entry == Absent::Guard.entry());
            }
            Advice::COLLAPSE => return Err(Errno::EINVAL),
            _ => {}
        }
        Ok(())
    }

    fn fork(&mut self, parent: &Vma, child: &Vma) -> Result<(), Errno> {
        let Some(to) = self.child else { return Ok(()) };
        debug_assert_eq!(parent.span(), child.span(), "a child's area lies where its parent's does");
        // What can be faulted in again is not copied, as in Linux; guards cannot.
        if parent.anon().is_none() && !parent.flags().has(Flags::MAYBE_GUARDED) {
            return Ok(());
        }
        self.world.share(self.pid, to, parent)
    }
}

impl World {
    /// Sets the rights of pages whose area has changed its access.
    pub(crate) fn protect(&mut self, pid: Pid, area: &Vma, span: PageSpan) {
        let readable = rights(area.flags(), false);
        let writable = rights(area.flags(), true);
        let is_private = area.is_private();
        let is_shared_memory = match area.backing() {
            Contents::File(file) => self.files.get(file).is_some_and(File::is_shared_memory),
            Contents::Anonymous => false,
        };
        let Some(mm) = self.mms.get_mut(pid.0 as usize).and_then(Option::as_mut) else { return };
        let mut had_rights = false;
        let changed = mm.table.change(&mut self.physical, span, |_, _, entry| {
            had_rights |= entry.is_present();
            // An entry that may be written stays so; private memory that nobody else has may be, too, and shared memory, which keeps
            // no disk up to date.
            let is_free =
                if is_private { entry.is_exclusive() && !entry.is_special() } else { is_shared_memory };
            let may_write = entry.rights().may_write() || is_free;
            entry.with_rights(if may_write { writable } else { readable })
        });
        debug_assert!(changed.is_ok(), "a huge page has a table set aside for its parts: {changed:?}");
        if had_rights {
            self.tlbs.flush(pid, span);
        }
    }

    fn relocate(&mut self, pid: Pid, from: PageSpan, to: PageNumber) -> Result<(), Errno> {
        let mut moved = Vec::new();
        self.with_memory(|world| {
            moved.clear();
            let Some(mm) = world.mms.get_mut(pid.0 as usize).and_then(Option::as_mut) else { return Ok(()) };
            mm.table.relocate(&mut world.physical, from, to, |old, new, level, entry| {
                moved.push((old, new, level, entry));
            })
        })
        .map_err(errno)?;
        self.tlbs.flush(pid, from);
        for (old, new, level, entry) in moved {
            if entry.is_special() {
                continue;
            }
            for (at, frame) in (0..).zip(frames_of(level, entry)) {
                let place = |page: PageNumber| Place { pid, page: PageNumber(page.0 + at) };
                self.rmap.relocate(self.physical.frame(frame), place(old), place(new));
            }
        }
        Ok(())
    }

    /// Keeps the frames of pages that are present in memory, or does so no longer.
    fn set_locked(&mut self, pid: Pid, span: PageSpan, is_locked: bool) {
        let mut frames = Vec::new();
        if let Some(mm) = self.mms.get_mut(pid.0 as usize).and_then(Option::as_mut) {
            let changed = mm.table.change(&mut self.physical, span, |_, level, entry| {
                if entry.is_special() || entry.is_locked() == is_locked {
                    return entry;
                }
                frames.extend(frames_of(level, entry));
                entry.locked(is_locked)
            });
            debug_assert!(changed.is_ok(), "a huge page has a table set aside for its parts: {changed:?}");
        }
        for frame in frames {
            if is_locked {
                self.pin(frame);
            } else {
                self.settle_lock(frame);
            }
        }
    }

    /// `MADV_FREE`: private pages may be dropped, unless they are written again, or others have them and they are not in swap as
    /// they are; what is in swap is dropped now.
    fn lazily_free(&mut self, pid: Pid, span: PageSpan) {
        self.unmap_if(pid, span, |entry| {
            entry
                .payload()
                .is_some_and(|payload| matches!(Absent::of_payload(payload), Absent::Swapped { .. }))
        });
        let split = self.split_blocks(pid, span);
        debug_assert!(split.is_ok(), "each block has a table set aside: {split:?}");
        let mut frames = Vec::new();
        let physical = &self.physical;
        if let Some(mm) = self.mm(pid) {
            for found in mm.table.entries(physical, span) {
                let suits =
                    found.level == Level::Page && found.entry.has_frame() && !found.entry.is_special();
                if !suits {
                    continue;
                }
                let info = physical.frame(found.entry.frame_number());
                let is_free_to_clean = info.references() == 1 || !info.has(Flag::Dirty);
                if info.state() == FrameState::Anon && is_free_to_clean {
                    frames.push((found.page, found.entry));
                }
            }
        }
        for (page, entry) in frames {
            self.physical.frame(entry.frame_number()).lower(Flag::Dirty);
            // The next write goes through the table again, which then says that the page was written.
            if let Some(mm) = self.mms.get_mut(pid.0 as usize).and_then(Option::as_mut) {
                let cleaned = entry.dirty(false).accessed(false);
                let set = mm.table.set(&mut self.physical, page, cleaned);
                debug_assert!(set.is_ok(), "the entry is there");
            }
            self.tlbs.flush_page(pid, page);
        }
    }

    /// `MADV_COLD`: forgets that pages were used.
    fn make_cold(&mut self, pid: Pid, span: PageSpan) {
        let mut seen = Vec::new();
        if let Some(mm) = self.mms.get_mut(pid.0 as usize).and_then(Option::as_mut) {
            let harvested =
                mm.table.harvest(&mut self.physical, span, Harvest::Accessed, |_, level, entry| {
                    seen.extend(frames_of(level, entry));
                });
            debug_assert!(harvested.is_ok(), "an area lies within the tables");
        }
        for frame in seen {
            self.physical.frame(frame).lower(Flag::Referenced);
            self.pressure.lru.cool(self.physical.table(), frame);
        }
        self.tlbs.flush(pid, span);
    }

    /// Puts guards where nothing is mapped any more.
    fn install_guards(&mut self, pid: Pid, span: PageSpan) -> Result<(), Errno> {
        self.unmap(pid, span);
        self.with_memory(|world| {
            let Some(mm) = world.mms.get_mut(pid.0 as usize).and_then(Option::as_mut) else { return Ok(()) };
            mm.table.map_each(&mut world.physical, span, |_| Absent::Guard.entry())
        })
        .map_err(errno)
    }

    /// `MADV_REMOVE`: takes the pages of a file away that part of an area shows, from everybody.
    fn punch(&mut self, area: &Vma, span: PageSpan) {
        let Contents::File(file) = area.backing() else { return };
        for page in span.iter() {
            self.remove_from_cache(file, area.offset_of(page));
        }
    }

    /// Takes a page of a file out of the cache and out of all tables. Its contents are gone, unless somebody has written them.
    pub fn remove_from_cache(&mut self, file: FileId, index: u64) {
        let was_swapped = self.drop_shared_slot(file, index);
        let Some(found) = self.files.get_mut(file) else { return };
        let charged = PageCount(u64::from(found.charges_pages));
        if was_swapped {
            self.committed.uncharge(charged);
            return;
        }
        found.shadows.remove(&index);
        let Some(frame) = found.pages.remove(&index) else { return };
        self.committed.uncharge(charged);
        let places: Vec<Place> = self.rmap.places(self.physical.frame(frame)).collect();
        self.unmap_all(&places);
        self.drop_frame(frame);
    }

    /// Takes a file away that no area shows and no name leads to.
    pub fn drop_file_if_unused(&mut self, file: FileId) {
        let is_unused = self.files.get(file).is_some_and(|file| file.areas == 0 && !file.is_open);
        if !is_unused {
            return;
        }
        let pages: Vec<u64> = self
            .files
            .get(file)
            .map(|file| file.pages.keys().chain(file.swapped.keys()).copied().collect())
            .unwrap_or_default();
        for index in pages {
            self.remove_from_cache(file, index);
        }
        if let Some(gone) = self.files.remove(file) {
            self.committed.uncharge(PageCount(gone.charged));
        }
    }

    /// Gives a child the pages of an area of its parent: private ones are read-only for both from now on.
    ///
    /// On failure the child keeps what it has got; whoever forks unmaps it.
    fn share(&mut self, from: Pid, to: Pid, area: &Vma) -> Result<(), Errno> {
        self.split_blocks(from, area.span()).map_err(errno)?;
        let mut entries = Vec::new();
        let is_private = area.is_private();
        if let Some(mm) = self.mms.get_mut(from.0 as usize).and_then(Option::as_mut) {
            let changed = mm.table.change(&mut self.physical, area.span(), |page, level, entry| {
                let shared = match entry.payload() {
                    Some(payload) => match Absent::of_payload(payload) {
                        Absent::Swapped { slot, .. } => Absent::Swapped { slot, is_exclusive: false }.entry(),
                        Absent::Guard => entry,
                    },
                    None if is_private => entry.with_rights(entry.rights().read_only()).exclusive(false),
                    None => entry,
                };
                entries.push((page, level, shared));
                shared
            });
            debug_assert!(changed.is_ok(), "an area lies within the tables");
        }
        self.tlbs.flush(from, area.span());
        for (page, level, _) in entries {
            // Making room for the child's tables may have swapped the page out meanwhile.
            let (now, entry) = self.entry(from, page);
            if now == level {
                self.share_entry(to, page, level, entry)?;
            }
        }
        Ok(())
    }

    fn share_entry(&mut self, to: Pid, page: PageNumber, level: Level, entry: Entry) -> Result<(), Errno> {
        // Locks are not inherited.
        let copy = entry.locked(false).accessed(entry.is_accessed());
        match entry.kind(level) {
            Kind::Frame(_) if entry.is_special() => self.set_entry(to, page, copy).map_err(errno),
            Kind::Frame(frame) => {
                self.physical.frame(frame).hold();
                if let Err(error) = self.set_entry(to, page, copy) {
                    self.physical.frame(frame).let_go();
                    return Err(errno(error));
                }
                if self.physical.frame(frame).state() == FrameState::File {
                    self.note_file(to, page, frame);
                    self.physical.frame(frame).let_go();
                } else {
                    self.note_anon(to, page, frame);
                }
                Ok(())
            }
            Kind::Absent(payload) => {
                self.set_entry(to, page, copy).map_err(errno)?;
                self.share_payload(to, payload);
                Ok(())
            }
            Kind::Empty | Kind::Table(_) => Ok(()),
        }
    }
}
