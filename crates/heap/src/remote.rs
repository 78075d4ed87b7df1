//! Frees of blocks that belong to other heaps: collected by the sender, sent in one piece, taken by the owner.
//!
//! ```text
//!  sender                                       owner
//!  parcels[slot] ── splice ──► remote word      mailbox ──► slab ──► slab
//!  (32 blocks)      (1 CAS)    of the slab ───► (posted by the first)   │ take all, one swap each
//!                                                                       ▼
//!                                                                 the slab's local list
//! ```
//!
//! Called by `allocator` (free), `refill` (drain) and `idle` (flush). The protocol is `mallow_ds::{remote, mailbox,
//! owner}`, proved there.

use mallow_ds::mailbox;
use mallow_ds::owner;
use mallow_ds::remote::{self, RemoteWord};
use mallow_ds::sync::Ordering;
use mallow_sys::cpu;
use mallow_units::word::to_usize;

use crate::allocator::Allocator;
use crate::block::{self, Block};
use crate::config::{PARCEL_BLOCKS, PARCEL_BYTES};
use crate::heap::Heap;
use crate::idle::Zeal;
use crate::misuse;
use crate::region;
use crate::slab::Slab;
use crate::window;

/// Freed blocks of one slab, on their way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parcel {
    slab: Option<&'static Slab>,
    chain: RemoteWord,
}

impl Parcel {
    /// Nothing to send.
    pub(crate) const EMPTY: Self = Self { slab: None, chain: RemoteWord::EMPTY };

    fn is_for(&self, slab: &Slab) -> bool {
        self.slab.is_some_and(|own| core::ptr::eq(own, slab))
    }

    fn is_full(&self, slab: &Slab) -> bool {
        let blocks = to_usize(self.chain.block_count());
        blocks >= PARCEL_BLOCKS || blocks * slab.block_bytes() >= PARCEL_BYTES
    }
}

impl Allocator {
    /// Frees the block at `pointer` if that is simple: a block of another heap's slab, with which nothing is wrong. Returns
    /// whether it did.
    ///
    /// # Safety
    ///
    /// 1. If `pointer` is a live block, nobody uses it any more.
    /// 2. The caller owns `heap`, or `heap` belongs to no thread.
    #[inline(always)]
    pub(crate) unsafe fn free_remote_fast(&'static self, heap: &'static Heap, pointer: *mut u8) -> bool {
        let window = heap.window();
        if window.owner != heap.id() {
            // It belongs to no thread, or every block is to be poisoned.
            return false;
        }
        let Some(slab) = window::any_slab(window, pointer.addr()) else { return false };
        let block = pointer.cast::<Block>();
        // SAFETY: the address is in a slab's block, live or free, if it is at the start of one.
        let may_be_live =
            || slab.is_whole_block(pointer.addr()) && !unsafe { block::has_mark(block, slab.mark()) };
        if slab.heap_id() == heap.id() || !may_be_live() {
            return false;
        }
        // SAFETY: a live block, as far as can be told, which was given up (1), and the heap is the caller's (2).
        if unsafe { self.collect(heap, slab, block) } {
            // A thread that only frees comes by here.
            self.tick_if_due(heap, cpu::cycles());
        }
        true
    }

    /// Frees a block of another heap's slab.
    ///
    /// # Safety
    ///
    /// 1. `block` is an outstanding block of `slab`, used by nobody any more.
    /// 2. The caller owns `heap`, or `heap` belongs to no thread.
    pub(crate) unsafe fn free_remote(&'static self, heap: &Heap, slab: &'static Slab, block: *mut Block) {
        if heap.id() != 0 {
            // SAFETY: the caller's promises (1, 2).
            unsafe { self.collect(heap, slab, block) };
            return;
        }
        // SAFETY: the block is the caller's to give (1).
        unsafe { block::set_mark(block, slab.mark()) };
        self.send(Parcel { slab: Some(slab), chain: RemoteWord::of(slab.place_of(block)) });
    }

    /// Puts a block into the parcel for `slab`; sends what is full, and returns whether that was so.
    ///
    /// # Safety
    ///
    /// 1. As [`Allocator::free_remote`], and `heap` is a thread's.
    #[inline(always)]
    unsafe fn collect(&'static self, heap: &Heap, slab: &'static Slab, block: *mut Block) -> bool {
        // SAFETY: the block is the caller's to give (1).
        unsafe { block::set_mark(block, slab.mark()) };
        let place = slab.place_of(block);
        let _busy = heap.enter();
        let slot = heap.parcel_slot(slab);
        let mut parcel = slot.get();
        if parcel.is_for(slab) {
            // SAFETY: the block is ours and not in a list yet.
            unsafe { block::set_next(block, slab.block_at(parcel.chain.first())) };
            parcel.chain = parcel.chain.with(place);
        } else {
            self.send(parcel);
            parcel = Parcel { slab: Some(slab), chain: RemoteWord::of(place) };
        }
        let is_full = parcel.is_full(slab);
        slot.set(if is_full { Parcel::EMPTY } else { parcel });
        if is_full {
            self.send(parcel);
        }
        is_full
    }

    /// Sends everything that `heap` has collected.
    pub(crate) fn send_parcels(&'static self, heap: &Heap) {
        for slot in &heap.parcels {
            self.send(slot.replace(Parcel::EMPTY));
        }
    }

    /// Gives a chain of blocks to the owner of their slab; acts as the owner if there is none.
    fn send(&'static self, parcel: Parcel) {
        let Some(slab) = parcel.slab else { return };
        let Some(remote) = self.remote_of(slab) else { return };
        let before = remote::splice(&remote.word, parcel.chain, |older| {
            let next = if older.is_empty() { block::NONE } else { slab.block_at(older.first()) };
            // SAFETY: the chain is ours until the splice succeeds.
            unsafe { block::set_next(slab.block_at(parcel.chain.last()), next) };
        });
        let Ok(before) = before else {
            misuse::damaged_list(slab, slab.block_at(parcel.chain.first()).addr())
        };
        if !before.is_empty() {
            return;
        }
        let Some(target) = self.registry.heap(slab.heap_id()) else { return };
        self.post(target, slab, slab);
    }

    /// Posts the letters from `first` to `last`, which are linked, to `target`; acts as its owner if there is none.
    pub(crate) fn post(&'static self, target: &'static Heap, first: &'static Slab, last: &'static Slab) {
        // ORDERING: the links are published by the post's own release.
        mailbox::post(&target.mailbox, region::letter_of(first), |next| self.link_letter(last, next));
        if owner::visit(&target.owner) {
            // No more than the delivery: a heap that is cleared out sends what it has collected, and that would lead to the next.
            let drain = || self.take_delivery(target);
            drain();
            owner::vacate(&target.owner, &target.mailbox, drain);
        }
    }

    /// Has the letter of `slab`, which is the caller's to post, followed by `next`.
    pub(crate) fn link_letter(&self, slab: &'static Slab, next: u64) {
        if let Some(remote) = self.remote_of(slab) {
            remote.letter.store(next, Ordering::Relaxed);
        }
    }

    fn take_delivery(&'static self, heap: &'static Heap) {
        let _busy = heap.enter();
        self.drain_mailbox(heap);
        if !heap.is_shared() && !heap.is_warm() {
            self.give_back_kept_runs(heap);
        }
    }

    /// Ends a visit to a heap, or the life of its thread; sees to letters that arrive meanwhile.
    pub fn leave(&'static self, heap: &'static Heap) {
        let clear = || {
            let _busy = heap.enter();
            if heap.is_spare.get() {
                self.clear_out(heap, Zeal::Empty);
            } else {
                self.take_delivery(heap);
            }
        };
        // The next visitor comes to a shared heap soon, and finds what it keeps at hand.
        if !heap.is_shared() || heap.is_spare.get() {
            clear();
        }
        owner::vacate(&heap.owner, &heap.mailbox, clear);
    }

    /// Takes all blocks that other threads freed back into their slabs; true if there were any.
    pub(crate) fn drain_mailbox(&'static self, heap: &'static Heap) -> bool {
        let _busy = heap.enter();
        let mut next = region::first_slab(mailbox::take_all(&heap.mailbox));
        let any = next.is_some();
        while let Some(slab) = next {
            let Some(remote) = self.remote_of(slab) else { break };
            // Read before the word is taken: after that, a sender may post the slab again.
            next = region::slab_of(remote.letter.load(Ordering::Relaxed));
            let chain = remote::take(&remote.word);
            let blocks = slab.blocks_of(chain);
            if blocks.block_count > slab.used() || slab.is_on_bare_page(blocks.first.addr()) {
                misuse::damaged_list(slab, blocks.first.addr());
            }
            // SAFETY: senders put outstanding blocks of this slab into its word, and count them; we own the heap.
            unsafe { slab.push_chain(blocks) };
            self.after_frees(heap, slab);
        }
        any
    }
}
