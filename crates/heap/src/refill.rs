//! The slow path of small blocks: a thread's list has run dry, or a slab has run empty.
//!
//! In this order: the front slab's local frees; its bare pages; the next slab of the bin; frees from other threads; a
//! new slab. A slab with nothing left leaves its bin until a block comes home.
//!
//! Called by `allocator`. Calls `slab`, `bin`, `remote` and `page_heap`.

use mallow_sys::cpu;
use mallow_units::SizeClass;

use crate::allocator::Allocator;
use crate::chunk::{End, Wish};
use crate::config::{
    CLOCK_CREDIT, SLAB_SHARE, SLOW_PACE_BLOCKS, SLOW_PACE_MS, SlabUnits, TICK_MS, TICK_PAUSE, slab_units,
};
use crate::heap::Heap;
use crate::outstanding::Blocks;
use crate::slab::{Batch, Slab};

impl Allocator {
    /// As [`Allocator::refill`], if that is simple: some blocks have come home to the slab whose turn it is. Returns whether it was.
    ///
    /// Cost: a fifth of a refill, which looks at the clock. Who takes and frees the same few blocks again and again is here
    /// every few calls.
    #[inline(always)]
    pub(crate) fn restock(&'static self, heap: &'static Heap, class: SizeClass) -> bool {
        if heap.pace.credit.get() == 0 || self.is_slow_mode() {
            return false;
        }
        let bin = &heap.bins[class.index()];
        let Some(mut slab) = bin.first() else { return false };
        let _busy = heap.enter();
        if slab.is_exhausted() {
            self.set_aside(heap, slab);
            let Some(next) = bin.first() else { return false };
            slab = next;
        }
        let Some(batch) = slab.take_whole_list() else { return false };
        heap.pace.spend(batch.block_count);
        heap.note(class, batch);
        heap.set_list(class.index(), batch.first, false);
        true
    }

    /// Gives `heap` a new list for `class`, which has run dry; false if there is no memory.
    pub(crate) fn refill(&'static self, heap: &'static Heap, class: SizeClass) -> bool {
        let most = self.pass_by(heap);
        let _busy = heap.enter();
        let bin = &heap.bins[class.index()];
        loop {
            let Some(slab) = bin.first() else {
                if self.drain_mailbox(heap) && bin.first().is_some() {
                    continue;
                }
                match self.open_slab(heap, class) {
                    Some(slab) => self.list(heap, slab),
                    None => return false,
                }
                continue;
            };
            // A slab that is busy takes its purged pages back: while some are missing, each of its free blocks is looked at.
            let batch = if slab.has_purged_pages() && slab.is_active() {
                let missing = slab.bare_bytes();
                let batch = slab.carve(self.os());
                let taken_back = missing - slab.bare_bytes();
                heap.pages_taken_back.set(heap.pages_taken_back.get() + taken_back);
                batch.or_else(|| slab.take_local(most))
            } else {
                slab.take_local(most).or_else(|| slab.carve(self.os()))
            };
            if let Some(batch) = batch {
                heap.note(class, batch);
                self.hand_out(heap, slab, batch, most);
                return true;
            }
            self.set_aside(heap, slab);
        }
    }

    /// Takes a slab that has nothing to hand out off its bin, until a block comes home.
    fn set_aside(&self, heap: &Heap, slab: &'static Slab) {
        self.unlist(heap, slab);
        slab.become_full();
    }

    /// Makes `batch` the list of its class, `most` blocks of it at most; the rest goes back.
    fn hand_out(&self, heap: &Heap, slab: &'static Slab, batch: Batch, most: u32) {
        heap.set_list(slab.class().index(), batch.first, batch.is_zero);
        if batch.block_count > most {
            // A carve gives what a page holds; the thread takes as much of it as its pace allows.
            let rest = heap.split_list(slab.class().index(), most);
            let unused = batch.block_count - most;
            // SAFETY: the rest of the chain is free blocks of this slab, seen by nobody.
            let rest = unsafe { Blocks::from(rest) };
            // What the program has freed meanwhile counts; what goes back now never reached it.
            heap.note_frees(slab);
            // SAFETY: outstanding and marked, as above.
            unsafe { slab.push_chain(rest) };
            let _ = slab.count();
            heap.note_unused(slab, unused);
        }
    }

    /// How many blocks a refill may hand out, after a look at the clock. A thread that allocates slowly gets few, so
    /// that it comes by often enough for memory to be returned in time.
    pub(crate) fn pass_by(&'static self, heap: &'static Heap) -> u32 {
        if self.is_slow_mode() {
            heap.set_frees_fast(false);
            self.tick_if_due(heap, cpu::cycles());
            return 1;
        }
        let now = cpu::cycles();
        let pause = now.wrapping_sub(heap.pace.last_refill.replace(now));
        heap.pace.refills_since_tick.set(heap.pace.refills_since_tick.get().wrapping_add(1));
        let is_slow = pause > SLOW_PACE_MS * cpu::CYCLES_PER_MS;
        heap.pace.is_slow.set(is_slow);
        heap.pace.credit.set(if is_slow { 0 } else { CLOCK_CREDIT });
        self.tick_if_due(heap, now);
        if is_slow { SLOW_PACE_BLOCKS } else { u32::MAX }
    }

    /// Ticks if the last one is long enough ago: at most a part of the time goes into ticks, also on a machine where each takes long.
    pub(crate) fn tick_if_due(&'static self, heap: &'static Heap, now: u64) {
        if now.wrapping_sub(heap.pace.last_tick.get()) > heap.pace.pause.get() {
            self.tick_and_pause(heap, now);
        }
    }

    #[cold]
    #[inline(never)]
    fn tick_and_pause(&'static self, heap: &'static Heap, now: u64) {
        let pace = &heap.pace;
        // Whoever only frees is at work. Whoever sleeps between requests has the time, and memory has to come back even if a tick
        // takes long only because others have the processor.
        let share = match pace.refills_since_tick.get() {
            0 => TICK_PAUSE,
            _ if pace.is_slow.get() => 0,
            _ => 1,
        };
        self.tick(heap);
        let after = cpu::cycles();
        pace.last_tick.set(after);
        pace.pause.set((TICK_MS * cpu::CYCLES_PER_MS).max(share * after.wrapping_sub(now)));
    }

    /// The sum of the outstanding blocks of a slab of this heap has reached zero, or gone below.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_after(&'static self, heap: &'static Heap, slab: &'static Slab) {
        let busy = heap.enter();
        self.after_frees(heap, slab);
        drop(busy);
        if !heap.pace.spend(1) {
            self.tick_if_due(heap, cpu::cycles());
        }
    }

    /// Blocks of `slab` came home: lists it if it was full, returns it if it is empty and its class has enough without it.
    pub(crate) fn after_frees(&'static self, heap: &'static Heap, slab: &'static Slab) {
        if !slab.is_listed() {
            slab.become_available();
            self.list(heap, slab);
        }
        if slab.is_empty() {
            // Who takes and frees some blocks again and again would open and close slabs all the time.
            let others = heap.bins[slab.class().index()].units() - slab.units();
            let newly = if slab.has_been_emptied() { 0 } else { slab.units() };
            let emptied = heap.emptied_units.get() + newly;
            let is_enough = others >= slab_units(slab.class()).longest;
            if is_enough || others > 0 && !heap.runs.may_keep(emptied) {
                self.close_slab(heap, slab);
            } else {
                slab.note_emptied();
                heap.emptied_units.set(emptied);
            }
        }
    }

    /// Puts a slab into its bin.
    pub(crate) fn list(&self, heap: &Heap, slab: &'static Slab) {
        heap.bins[slab.class().index()].append(slab);
        heap.listed_slabs.set(heap.listed_slabs.get() + 1);
    }

    /// Takes a slab out of its bin.
    pub(crate) fn unlist(&self, heap: &Heap, slab: &'static Slab) {
        heap.bins[slab.class().index()].remove(slab);
        heap.listed_slabs.set(heap.listed_slabs.get() - 1);
        if slab.forget_emptied() {
            heap.emptied_units.set(heap.emptied_units.get() - slab.units());
        }
    }

    fn open_slab(&'static self, heap: &'static Heap, class: SizeClass) -> Option<&'static Slab> {
        self.settle(heap);
        let bin = &heap.bins[class.index()];
        let SlabUnits { shortest, longest } = slab_units(class);
        let units = 1 << (bin.units() / SLAB_SHARE).clamp(shortest, longest).ilog2();
        let (slab, run) = self.take_run(heap, Wish { units, align_units: 1, end: End::Low })?;
        slab.open(run.start, units, class, heap.id(), run.is_zero);
        bin.note_opened(slab);
        Some(slab)
    }

    /// Gives an empty slab back to the page heap.
    pub(crate) fn close_slab(&'static self, heap: &Heap, slab: &'static Slab) {
        heap.note_frees(slab);
        self.unlist(heap, slab);
        heap.bins[slab.class().index()].note_closed(slab);
        self.give_up_run(heap, slab);
    }
}
