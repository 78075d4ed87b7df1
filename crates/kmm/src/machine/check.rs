//! Every invariant of a machine, walked.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use mallow_frame::{Flag, FrameState};
use mallow_paging::{Entry, Kind};
use mallow_units::{FrameNumber, PageNumber};
use mallow_vma::Backing;

use crate::absent::Absent;
use crate::machine::Machine;
use crate::mm::{ALL_PAGES, Pid, Resident};
use crate::rmap::Place;
use crate::swap::Slot;
use crate::world::frames_of;

impl Machine {
    /// Walks everything.
    ///
    /// # Errors
    ///
    /// What is wrong first.
    pub fn check(&self) -> Result<(), String> {
        let mut mapped: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
        let mut table_frames = 0;
        for (pid, _) in self.processes() {
            self.check_process(pid, &mut mapped)?;
            table_frames += self.world.mm(pid).map_or(0, |mm| u64::from(mm.table.table_count()));
        }
        self.check_frames(&mut mapped)?;
        if self.world.physical.count_by_state(FrameState::PageTable) != self.world.physical.table_frames() {
            return Err("page tables are counted wrongly".to_string());
        }
        if table_frames > self.world.physical.table_frames() {
            return Err("tables have more frames than were handed out".to_string());
        }
        self.check_committed()?;
        self.check_pressure()?;
        let stale = self.world.tlbs.stale(|cached| {
            let (level, entry) = self.world.entry(cached.pid, cached.page);
            let inside = u32::try_from(cached.page.0 & (level.pages() - 1)).unwrap_or(0);
            entry.is_present()
                && FrameNumber(entry.frame_number().0 + inside) == cached.frame
                && (!cached.may_write || entry.rights().may_write() && entry.is_dirty())
                && (!cached.may_execute || entry.rights().may_execute())
        });
        match stale {
            Some(cached) => Err(format!("a processor remembers what is no more: {cached:?}")),
            None => Ok(()),
        }
    }

    fn check_process(&self, pid: Pid, mapped: &mut BTreeMap<u32, Vec<Place>>) -> Result<(), String> {
        let Some(mm) = self.world.mm(pid) else { return Err(format!("{pid:?} has no tables")) };
        mm.table.check(&self.world.physical).map_err(|broken| format!("{pid:?}: {broken}"))?;
        let Ok(process) = self.process(pid) else { return Ok(()) };
        let mut counted = Resident::default();
        for found in mm.table.entries(&self.world.physical, ALL_PAGES) {
            let page = found.page;
            let Some(area) = process.space.find(page) else {
                return Err(format!("{pid:?} has {page:?} without an area: {:?}", found.entry));
            };
            let rights = crate::handle_fault::rights(area.flags(), true);
            if found.entry.has_frame() && !rights.cover(found.entry.rights()) {
                return Err(format!(
                    "{pid:?} may do more with {page:?} than its area says: {:?}",
                    found.entry
                ));
            }
            match found.entry.kind(found.level) {
                Kind::Frame(frame) if found.entry.is_special() => {
                    if frame != crate::physical::ZERO_FRAME || found.entry.rights().may_write() {
                        return Err(format!("{pid:?} may write zeros at {page:?}"));
                    }
                }
                Kind::Frame(_) => {
                    for (at, frame) in (0..).zip(frames_of(found.level, found.entry)) {
                        let place = Place { pid, page: PageNumber(page.0 + at) };
                        mapped.entry(frame.0).or_default().push(place);
                        *self.counter(&mut counted, frame) += 1;
                    }
                    self.check_entry(pid, page, found.entry, area.is_private())?;
                }
                Kind::Absent(payload) => {
                    counted.swap += u64::from(matches!(Absent::of_payload(payload), Absent::Swapped { .. }));
                }
                Kind::Empty | Kind::Table(_) => {}
            }
        }
        if counted == mm.resident {
            Ok(())
        } else {
            Err(format!("{pid:?} has {counted:?} and counts {:?}", mm.resident))
        }
    }

    fn counter<'a>(&self, counted: &'a mut Resident, frame: FrameNumber) -> &'a mut u64 {
        match self.world.physical.frame(frame).state() {
            FrameState::File if self.world.is_shared_memory(frame) => &mut counted.shmem,
            FrameState::File => &mut counted.file,
            _ => &mut counted.anon,
        }
    }

    fn check_entry(&self, pid: Pid, page: PageNumber, entry: Entry, is_private: bool) -> Result<(), String> {
        let info = self.world.physical.frame(entry.frame_number());
        let is_anon = info.state() != FrameState::File;
        match () {
            () if is_anon && entry.rights().may_write() && info.mappings() > 1 => {
                Err(format!("{pid:?} may write {page:?}, which others have too"))
            }
            () if is_anon && entry.is_exclusive() && info.mappings() > 1 => {
                Err(format!("{pid:?} does not have {page:?} for itself"))
            }
            () if !is_anon && is_private && entry.rights().may_write() => {
                Err(format!("{pid:?} may write the page cache at {page:?}"))
            }
            () if entry.is_locked() && !info.has(Flag::Unevictable) => {
                Err(format!("{page:?} of {pid:?} is locked, and its frame is not"))
            }
            () => Ok(()),
        }
    }

    /// Compares what the frames say with where they were found.
    fn check_frames(&self, mapped: &mut BTreeMap<u32, Vec<Place>>) -> Result<(), String> {
        let mut cached: BTreeMap<u32, usize> = BTreeMap::new();
        for (file, index, frame) in self.cached_frames() {
            *cached.entry(frame.0).or_default() += 1;
            if self.world.file_of(frame) != Some((file, index)) {
                return Err(format!("{frame:?} does not know that it is page {index} of {file:?}"));
            }
        }
        for frame in self.world.physical.table().numbers() {
            let info = self.world.physical.frame(frame);
            let is_users =
                matches!(info.state(), FrameState::Anon | FrameState::File | FrameState::SwapCache);
            let mut places = mapped.remove(&frame.0).unwrap_or_default();
            if !is_users {
                if let Some(place) = places.first() {
                    return Err(format!("{place:?} maps {frame:?}, which is {:?}", info.state()));
                }
                continue;
            }
            let expected = places.len() + cached.get(&frame.0).copied().unwrap_or(0);
            if info.state() != FrameState::SwapCache && info.references() as usize != expected {
                return Err(format!("{frame:?} has {} references instead of {expected}", info.references()));
            }
            if info.mappings() as usize != places.len() {
                return Err(format!(
                    "{frame:?} has {} mappings instead of {}",
                    info.mappings(),
                    places.len()
                ));
            }
            let mut known: Vec<Place> = self.world.rmap.places(info).collect();
            known.sort_unstable();
            places.sort_unstable();
            if known != places {
                return Err(format!("{frame:?} is mapped at {places:?} and believes {known:?}"));
            }
        }
        Ok(())
    }

    fn cached_frames(&self) -> impl Iterator<Item = (mallow_vma::FileId, u64, FrameNumber)> {
        let files = self.world.files.iter();
        files.flat_map(|(id, file)| file.pages.iter().map(move |(index, frame)| (id, *index, *frame)))
    }

    /// Compares the generations and the slots of swap with what is mapped.
    fn check_pressure(&self) -> Result<(), String> {
        let (table, pressure) = (self.world.physical.table(), &self.world.pressure);
        pressure.lru.check(table)?;
        pressure.swap.check()?;
        for frame in table.numbers() {
            let info = self.world.physical.frame(frame);
            let is_users =
                matches!(info.state(), FrameState::Anon | FrameState::File | FrameState::SwapCache);
            if is_users != pressure.lru.holds(table, frame) {
                return Err(format!("{frame:?} is {:?}, and reclaim knows otherwise", info.state()));
            }
        }
        let mut referred: BTreeMap<u32, u16> = BTreeMap::new();
        for mm in self.world.mms.iter().flatten() {
            for found in mm.table.entries(&self.world.physical, ALL_PAGES) {
                if let Some(Absent::Swapped { slot, .. }) = found.entry.payload().map(Absent::of_payload) {
                    *referred.entry(slot.0).or_default() += 1;
                }
            }
        }
        for (_, file) in self.world.files.iter() {
            file.swapped.values().for_each(|slot| *referred.entry(slot.0).or_default() += 1);
        }
        for slot in (0..pressure.swap.len()).map(Slot) {
            let (counted, found) =
                (pressure.swap.references(slot), referred.get(&slot.0).copied().unwrap_or(0));
            if counted != found {
                return Err(format!("{slot:?} counts {counted} references instead of {found}"));
            }
        }
        Ok(())
    }

    /// Compares the commit account with the sum of what was charged.
    fn check_committed(&self) -> Result<(), String> {
        let spaces: u64 = self.processes().map(|(_, process)| process.space.account().charged.0).sum();
        let files = self.world.files.iter().map(|(_, file)| {
            file.charged + if file.charges_pages { (file.pages.len() + file.swapped.len()) as u64 } else { 0 }
        });
        let expected = spaces + files.sum::<u64>();
        let counted = self.world.committed.pages().0;
        if counted == expected {
            Ok(())
        } else {
            Err(format!("{counted} pages are committed instead of {expected}"))
        }
    }

    /// Whether any area shows a file.
    pub fn is_shown(&self, file: mallow_vma::FileId) -> bool {
        self.processes()
            .any(|(_, process)| process.space.areas().any(|area| area.backing() == Backing::File(file)))
    }
}
