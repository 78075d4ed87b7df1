//! Runs of units: taken from the page heap, entered in the page map, and given back.
//!
//! Called by `allocate` and `free` for medium blocks, by `refill` for slabs. Calls `page_heap` and `region`.

use core::ptr;

use mallow_ds::sync::Ordering;
use mallow_trace::Counter;

use crate::allocator::{self, Allocator, OWNER_BITS};
use crate::chunk::{End, Wish};
use crate::config::{CHUNK_UNITS, RESERVATION_SHARE, SPARE_SHARE, UNIT_BYTES};
use crate::heap::Heap;
use crate::page_heap::{self, Run};
use crate::region::{self, Region};
use crate::run_cache;
use crate::slab::{Kind, Slab};
use crate::window;

impl Allocator {
    /// Takes units from those that `heap` has kept, or from the page heap, and enters them in the page map: for a slab of
    /// `heap`, or for one medium block.
    pub(crate) fn take_run(&'static self, heap: &'static Heap, wish: Wish) -> Option<(&'static Slab, Run)> {
        let heap_id = if wish.end == End::Low { heap.id() } else { 0 };
        if wish.align_units == 1
            && let Some(slab) = self.take_kept_run(heap, wish)
        {
            let region = self.region_of(slab.start())?;
            // Runs that are kept have the entries of a medium block, but for the first.
            let changed_units = if heap_id == 0 { 1 } else { slab.units() };
            enter(region, slab, slab.start(), changed_units, heap_id);
            return Some((slab, Run { start: slab.pointer(0), units: slab.units(), is_zero: false }));
        }
        let run = self.try_take_run(wish).or_else(|| {
            // Before giving up, free memory that is kept elsewhere is given up: it may be what a limit is short of.
            self.reclaim(heap, wish.units as usize * UNIT_BYTES).then(|| self.try_take_run(wish)).flatten()
        })?;
        self.enter_run(heap, run, heap_id)
    }

    /// Takes units for one block of `heap` that are still resident; `None` if there are none.
    pub(crate) fn take_resident_run(
        &'static self,
        heap: &'static Heap,
        wish: Wish,
    ) -> Option<(&'static Slab, Run)> {
        let run = self.page_heap().take_resident(self.os(), &self.counters, wish)?;
        self.enter_run(heap, run, 0)
    }

    /// Enters what the page heap has handed out in the page map: for a slab of the heap of that id, or for one block if it is 0.
    fn enter_run(&'static self, heap: &'static Heap, run: Run, heap_id: u16) -> Option<(&'static Slab, Run)> {
        // SAFETY: committed units that were just handed out to us.
        unsafe { self.os().reuse(run.start, run.units as usize * UNIT_BYTES) };
        let address = run.start.as_ptr().expose_provenance();
        let region = self.region_of(address)?;
        let slab = region.slab(region.unit_at(address));
        enter(region, slab, address, run.units, heap_id);
        self.show_units(heap);
        Some((slab, run))
    }

    fn take_kept_run(&self, heap: &Heap, wish: Wish) -> Option<&'static Slab> {
        let _busy = heap.enter();
        let units = wish.units as usize;
        // A slab is as long as its class says.
        heap.runs.take(units, if wish.end == End::Low { 0 } else { units / SPARE_SHARE })
    }

    fn try_take_run(&'static self, wish: Wish) -> Option<Run> {
        let mut page_heap = self.page_heap();
        page_heap.take(self.os(), &self.counters, wish, || self.add_region())
    }

    /// Returns all that is free to the operating system, because it has refused `bytes`. False if there is no hope.
    pub(crate) fn reclaim(&'static self, heap: &'static Heap, bytes: usize) -> bool {
        // More than everything that we ever took will not become free by giving all of it back.
        let all = self.counters.get(Counter::CommittedBytes) + self.counters.get(Counter::HeapBytes);
        if bytes as u64 > all {
            return false;
        }
        self.trim(heap, 0);
        self.page_heap().retire_free_chunks(self.os(), &self.counters);
        true
    }

    /// Gives up a slab's or a run's units: `heap` keeps them for its next request, or they go back to the page heap.
    /// False if somebody else did that before.
    pub(crate) fn give_up_run(&'static self, heap: &Heap, slab: &'static Slab) -> bool {
        let Some(region) = self.region_of(slab.start()) else { return false };
        let unit = region.unit_at(slab.start());
        // ORDERING: of two threads that free the same run, one finds the entry gone.
        if region.entry(unit).swap(0, Ordering::Relaxed) == 0 {
            return false;
        }
        let was_slab = slab.kind() == Kind::Slab;
        slab.close(self.os());
        self.set_run_budget(heap);
        if !heap.runs.may_keep(slab.units()) {
            self.give_back(slab);
            return true;
        }
        let _busy = heap.enter();
        while let Some(oldest) = heap.runs.surplus(slab.units()) {
            self.give_back(oldest);
        }
        if was_slab {
            // No free of the heap that owned the slab may take these units for its own any more.
            for unit in unit + 1..unit + slab.units() as usize {
                region.entry(unit).store(entry_for(slab, 0), Ordering::Relaxed);
            }
        }
        slab.keep_run();
        heap.runs.keep(slab);
        true
    }

    /// Says how much `heap` may keep, for what is in use now. A heap that belongs to no thread keeps nothing.
    pub(crate) fn set_run_budget(&self, heap: &Heap) {
        if heap.id() != 0 {
            heap.runs.set_budget(run_cache::budget(self.counters.run_bytes(), self.heap_count()));
        }
    }

    /// Gives all runs that `heap` keeps back to the page heap.
    pub(crate) fn give_back_kept_runs(&'static self, heap: &Heap) {
        while let Some(run) = heap.runs.take_any() {
            self.give_back(run);
        }
    }

    /// Gives the units of a slab or run whose first page map entry is gone back to the page heap.
    fn give_back(&'static self, slab: &'static Slab) {
        let Some(region) = self.region_of(slab.start()) else { return };
        let unit = region.unit_at(slab.start());
        for unit in unit + 1..unit + slab.units() as usize {
            region.entry(unit).store(0, Ordering::Relaxed);
        }
        slab.close(self.os());
        let first = u32::try_from(unit % CHUNK_UNITS as usize).unwrap_or(0);
        self.page_heap().give_back(self.os(), &self.counters, region.chunk_of(unit), first, slab.units());
    }

    /// Reserves another region. Under the page heap's lock.
    fn add_region(&self) -> Option<&'static Region> {
        let rungs = page_heap::first_rung(self.os().address_space_limit(), RESERVATION_SHARE);
        let (region, bytes) =
            rungs.iter().find_map(|bytes| Some((Region::reserve(self.os(), *bytes).ok()?, *bytes)))?;
        self.counters.add(Counter::ReservedBytes, region.reserved_bytes());
        self.counters.add(Counter::CommittedBytes, region.committed_units() * UNIT_BYTES);
        if self.first_region.load(Ordering::Relaxed) == 0 {
            // ORDERING: Release: who finds the region finds it written.
            self.first_region.store(ptr::from_ref(region).expose_provenance() as u64, Ordering::Release);
            self.show_landmarks(region);
        } else {
            let _large = self.large.state.lock();
            self.large.directory.enter_region(self.os(), region, bytes).ok()?;
        }
        Some(region)
    }

    /// Lets the fast frees of `heap` find the units that are committed now.
    pub(crate) fn show_units(&self, heap: &Heap) {
        if let Some(region) = self.first_region() {
            let map = region.page_map().as_ptr().expose_provenance();
            heap.see_units(region.base(), region.committed_units(), map);
        }
    }
}

/// The page map entry of the units of `slab`: a slab of the heap of that id, or a medium block if it is 0.
pub(crate) fn entry_for(slab: &'static Slab, heap_id: u16) -> u64 {
    region::letter_of(slab) << OWNER_BITS | u64::from(heap_id)
}

/// The run that a page map entry stands for; `None` for what is owned by a heap, and for nothing.
#[inline(always)]
pub(crate) fn run_in(entry: u64) -> Option<&'static Slab> {
    if window::has_owner(entry) { None } else { allocator::slab_in(entry) }
}

/// Enters `units` units from `address` in the page map.
fn enter(region: &Region, slab: &'static Slab, address: usize, units: u32, heap_id: u16) {
    let entry = entry_for(slab, heap_id);
    let unit = region.unit_at(address);
    for unit in unit..unit + units as usize {
        // ORDERING: who looks an address up got it from us, directly or through other threads.
        region.entry(unit).store(entry, Ordering::Relaxed);
    }
}
