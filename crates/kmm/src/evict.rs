//! How a page goes: to swap, to its file, or nowhere if it can be had again.
//!
//! Called by reclaim with a frame that is on no list, and by `MADV_PAGEOUT`. When it returns [`Verdict::Freed`], no entry and no
//! processor knows the frame any more.

use alloc::vec::Vec;

use mallow_frame::{Flag, Memory};
use mallow_paging::{Entry, Level};
use mallow_units::page::PAGE_BYTES;
use mallow_units::{FrameNumber, Order, PageNumber, PageSpan};
use mallow_vma::FileId;
use mallow_vma::Vma;

use crate::absent::Absent;
use crate::lru::{Age, Kind};
use crate::mm::Pid;
use crate::pressure::PoolFrames;
use crate::reclaim::Verdict;
use crate::rmap::{self, Place};
use crate::swap::Slot;
use crate::world::World;

impl World {
    /// Tries to free a frame.
    pub(crate) fn evict(&mut self, frame: FrameNumber) -> Verdict {
        let info = self.physical.frame(frame);
        if info.has(Flag::Unevictable) {
            return Verdict::Locked;
        }
        let places: Vec<Place> = self.rmap.places(info).collect();
        let file = self.file_of(frame);
        if rmap::is_held(info, places.len()) || info.order() != Order::ZERO {
            return Verdict::Busy;
        }
        if self.has_been_used(&places) {
            return Verdict::Used;
        }
        // Nobody writes to it from here on without a fault.
        for place in &places {
            self.tlbs.flush_page(place.pid, place.page);
        }
        match file {
            None => self.evict_private(frame, &places),
            Some((file, index)) if self.is_shared_memory(frame) => {
                self.evict_shared(frame, file, index, &places)
            }
            Some((file, index)) => self.evict_cached(frame, file, index, &places),
        }
    }

    /// Whether a page has been used since the last round; forgets that it was.
    fn has_been_used(&mut self, places: &[Place]) -> bool {
        let mut was_used = false;
        for Place { pid, page } in places.iter().copied() {
            let (level, entry) = self.entry(pid, page);
            if level == Level::Page && entry.is_accessed() {
                was_used = true;
                self.change_entry(pid, page, entry.accessed(false));
            }
        }
        was_used
    }

    fn evict_private(&mut self, frame: FrameNumber, places: &[Place]) -> Verdict {
        let is_dirty = places.iter().any(|place| self.entry(place.pid, place.page).1.is_dirty());
        if !is_dirty && !self.physical.frame(frame).has(Flag::Dirty) {
            // `MADV_FREE`, and nobody has written since.
            self.unmap_all(places);
            self.pressure.counts.lazily_freed += 1;
            return Verdict::Freed { pages: 1 };
        }
        let Some(slot) = self.swap_out(frame) else { return Verdict::Busy };
        for (nth, place) in places.iter().enumerate() {
            let shared = if nth == 0 { Ok(()) } else { self.pressure.swap.share(slot) };
            debug_assert!(shared.is_ok(), "fewer than 65,535 processes have the page: {shared:?}");
            let swapped = Absent::Swapped { slot, is_exclusive: places.len() == 1 };
            self.change_entry(place.pid, place.page, swapped.entry());
            let info = self.physical.frame(frame);
            info.unmap();
            self.rmap.remove(info, *place);
            if let Some(mm) = self.mm_mut(place.pid) {
                mm.resident.anon -= 1;
                mm.resident.swap += 1;
            }
        }
        self.physical.frame(frame).set_references(1);
        self.physical.drop_reference(frame);
        Verdict::Freed { pages: 1 }
    }

    fn evict_shared(&mut self, frame: FrameNumber, file: FileId, index: u64, places: &[Place]) -> Verdict {
        let Some(slot) = self.swap_out(frame) else { return Verdict::Busy };
        self.unmap_all(places);
        if let Some(found) = self.files.get_mut(file) {
            found.pages.remove(&index);
            found.swapped.insert(index, slot);
            self.pressure.counts.shared_swapped += 1;
        }
        self.drop_frame(frame);
        Verdict::Freed { pages: 1 }
    }

    fn evict_cached(&mut self, frame: FrameNumber, file: FileId, index: u64, places: &[Place]) -> Verdict {
        self.unmap_all(places);
        let shadow = self.pressure.lru.evict(Kind::File, 1);
        // What its entries knew about writes, the frame knows now.
        let is_dirty = self.physical.frame(frame).lower(Flag::Dirty);
        let bytes = self.bytes_of(frame);
        if let Some(found) = self.files.get_mut(file) {
            if is_dirty {
                found.write_page(index, &bytes);
                self.pressure.counts.written_files += 1;
                self.pressure.spent_ns += self.pressure.costs.swap_write;
            }
            found.pages.remove(&index);
            found.shadows.insert(index, shadow);
        }
        self.drop_frame(frame);
        Verdict::Freed { pages: 1 }
    }

    /// Writes a frame to swap.
    fn swap_out(&mut self, frame: FrameNumber) -> Option<Slot> {
        let bytes = self.bytes_of(frame);
        let written = self.pressure.swap.counts().written;
        let cpu = self.physical.cpu();
        let pressure = &mut self.pressure;
        let cursor = pressure.cursors.get_mut(cpu)?;
        let slot = pressure.swap.put(cursor, &bytes, &mut PoolFrames(&mut self.physical)).ok()?;
        let shadow = pressure.lru.evict(Kind::Anon, 1);
        pressure.swap.set_shadow(slot, shadow);
        let pages = pressure.swap.counts().written - written;
        pressure.spent_ns += pressure.costs.compress + pages * pressure.costs.swap_write;
        Some(slot)
    }

    pub(crate) fn bytes_of(&self, frame: FrameNumber) -> [u8; PAGE_BYTES] {
        let mut bytes = [0; PAGE_BYTES];
        self.physical.ram().read(frame, 0, &mut bytes);
        bytes
    }

    /// `MADV_PAGEOUT`: reclaims those pages of `span` now that nobody else has.
    pub(crate) fn page_out(&mut self, pid: Pid, _: &Vma, span: PageSpan) {
        let mut frames: Vec<(PageNumber, Entry)> = Vec::new();
        if let Some(mm) = self.mm(pid) {
            let entries = mm.table.entries(&self.physical, span);
            frames.extend(
                entries.filter(|found| found.level == Level::Page).map(|found| (found.page, found.entry)),
            );
        }
        for (page, entry) in frames {
            let Some(frame) = entry.mapped().filter(|_| !entry.is_special()) else { continue };
            let info = self.physical.frame(frame);
            if info.mappings() != 1 || info.has(Flag::Unevictable) || self.entry(pid, page).1 != entry {
                continue;
            }
            self.change_entry(pid, page, entry.accessed(false));
            self.forget(frame);
            self.pressure.is_reclaiming = true;
            let verdict = self.evict(frame);
            self.pressure.is_reclaiming = false;
            if !matches!(verdict, Verdict::Freed { .. }) {
                self.admit_at(frame, Age::Oldest);
            }
        }
    }
}
