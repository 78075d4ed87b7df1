//! How a page comes back from swap, and what becomes of slots whose entries are copied or dropped.
//!
//! Called by the fault handler, by `fork`, and by everything that unmaps.

use mallow_buddy::Request;
use mallow_frame::{Flag, Memory};
use mallow_paging::Entry;
use mallow_units::page::PAGE_BYTES;
use mallow_units::{FrameNumber, PageNumber};
use mallow_vma::{FileId, Flags, Vma};

use crate::absent::Absent;
use crate::handle_fault::{Signal, rights};
use crate::lru::{Age, Kind};
use crate::mm::Pid;
use crate::pressure::PoolFrames;
use crate::swap::Slot;
use crate::world::World;

impl World {
    /// Brings a page in from swap. Each process that has the page gets a copy of its own; the slot goes with the last.
    ///
    /// # Errors
    ///
    /// [`Signal::NoMemory`]; [`Signal::Bus`] if the contents are lost, as in Linux.
    pub(crate) fn swap_in(
        &mut self,
        pid: Pid,
        area: &Vma,
        page: PageNumber,
        entry: Entry,
        is_writable: bool,
    ) -> Result<(), Signal> {
        let Some(Absent::Swapped { slot, .. }) = entry.payload().map(Absent::of_payload) else {
            return Ok(());
        };
        let frame = self.allocate(&Request::anonymous()).ok_or(Signal::NoMemory)?;
        // Making room may have killed this process, whose entries are gone then.
        if self.entry(pid, page).1 != entry {
            self.physical.drop_reference(frame);
            return Ok(());
        }
        if !self.read_slot(slot, frame) {
            self.physical.drop_reference(frame);
            return Err(Signal::Bus);
        }
        let shadow = self.pressure.swap.shadow(slot).unwrap_or_default();
        let age = self.pressure.lru.refault(Kind::Anon, shadow);
        let is_locked = area.flags().has(Flags::LOCKED);
        let rights = rights(area.flags(), is_writable);
        let new =
            Entry::frame(frame, rights).exclusive(true).accessed(true).dirty(is_writable).locked(is_locked);
        // The entry that is replaced lets go of its slot.
        if self.set_entry(pid, page, new).is_err() {
            self.physical.drop_reference(frame);
            return Err(Signal::NoMemory);
        }
        let info = self.physical.frame(frame);
        info.raise(Flag::Dirty);
        if is_locked {
            info.raise(Flag::Unevictable);
        }
        self.events.major_faults += 1;
        self.note_anon(pid, page, frame);
        self.admit_at(frame, age);
        Ok(())
    }

    /// Brings a page of shared memory in from swap, if it is there; whether `frame` holds it now.
    ///
    /// # Errors
    ///
    /// [`Signal::Bus`] if the contents are lost.
    pub(crate) fn swap_in_shared(
        &mut self,
        file: FileId,
        index: u64,
        frame: FrameNumber,
    ) -> Result<Option<Age>, Signal> {
        let Some(slot) = self.files.get(file).and_then(|found| found.swapped.get(&index)).copied() else {
            return Ok(None);
        };
        if !self.read_slot(slot, frame) {
            return Err(Signal::Bus);
        }
        let shadow = self.pressure.swap.shadow(slot).unwrap_or_default();
        self.drop_shared_slot(file, index);
        self.events.major_faults += 1;
        Ok(Some(self.pressure.lru.refault(Kind::Anon, shadow)))
    }

    /// Drops what is in swap of a page of shared memory; whether there was something.
    pub(crate) fn drop_shared_slot(&mut self, file: FileId, index: u64) -> bool {
        let Some(slot) = self.files.get_mut(file).and_then(|found| found.swapped.remove(&index)) else {
            return false;
        };
        self.pressure.counts.shared_swapped -= 1;
        self.release_slot(slot);
        true
    }

    /// Reads a slot into a frame; whether its contents are there.
    fn read_slot(&mut self, slot: Slot, frame: FrameNumber) -> bool {
        let mut bytes = [0; PAGE_BYTES];
        let pressure = &mut self.pressure;
        let read = pressure.swap.counts().read;
        if pressure.swap.get(slot, &mut bytes, &PoolFrames(&mut self.physical)).is_err() {
            return false;
        }
        let was_on_disk = pressure.swap.counts().read > read;
        pressure.spent_ns += if was_on_disk { pressure.costs.swap_read } else { pressure.costs.decompress };
        self.physical.ram().write(frame, 0, &bytes)
    }

    fn release_slot(&mut self, slot: Slot) {
        let released = self.pressure.swap.release(slot, &mut PoolFrames(&mut self.physical));
        debug_assert!(released.is_ok(), "an entry names a slot that nobody refers to: {released:?}");
    }

    /// An absent entry has left its table.
    pub(crate) fn let_go_payload(&mut self, pid: Pid, payload: u64) {
        let Absent::Swapped { slot, .. } = Absent::of_payload(payload) else { return };
        self.release_slot(slot);
        if let Some(mm) = self.mm_mut(pid) {
            mm.resident.swap = mm.resident.swap.saturating_sub(1);
        }
    }

    /// An absent entry has been copied to a child.
    pub(crate) fn share_payload(&mut self, to: Pid, payload: u64) {
        let Absent::Swapped { slot, .. } = Absent::of_payload(payload) else { return };
        let shared = self.pressure.swap.share(slot);
        debug_assert!(shared.is_ok(), "fewer than 65,535 processes have the page: {shared:?}");
        if let Some(mm) = self.mm_mut(to) {
            mm.resident.swap += 1;
        }
    }
}
