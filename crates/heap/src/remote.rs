//! Frees of blocks that belong to other heaps: collected by the sender, sent in one piece, taken by the owner.
//!
//! ```text
//!  sender                                       owner
//!  batches[slot] ── splice ──► remote word      mailbox ──► slab ──► slab
//!  (32 blocks)      (1 CAS)    of the slab ───► (posted by the first)   │ take all, one swap each
//!                                                                       ▼
//!                                                                 the slab's local list
//! ```
//!
//! Called by `allocator` (free), `refill` (drain) and `idle` (flush). The protocol is `mallow_ds::{remote, mailbox,
//! owner}`, proved there.

use mallow_ds::mailbox;
use mallow_ds::owner;
use mallow_ds::remote;
use mallow_ds::sync::Ordering;

use crate::allocator::Allocator;
use crate::block::{self, Block};
use crate::config::{BATCH_BLOCKS, BATCH_BYTES, BATCH_SLOTS};
use crate::heap::Heap;
use crate::idle::Zeal;
use crate::misuse;
use crate::region;
use crate::slab::Slab;

/// A chain of freed blocks of one slab, on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parcel {
    slab: Option<&'static Slab>,
    first: *mut Block,
    last: *mut Block,
    block_count: u32,
}

impl Parcel {
    /// Nothing to send.
    pub(crate) const EMPTY: Self = Self { slab: None, first: block::NONE, last: block::NONE, block_count: 0 };

    /// One block of `slab`.
    const fn of(slab: &'static Slab, block: *mut Block) -> Self {
        Self { slab: Some(slab), first: block, last: block, block_count: 1 }
    }

    fn is_for(&self, slab: &Slab) -> bool {
        self.slab.is_some_and(|own| core::ptr::eq(own, slab))
    }
}

impl Allocator {
    /// Frees a block of another heap's slab.
    ///
    /// # Safety
    ///
    /// 1. `block` is an outstanding block of `slab`, used by nobody any more.
    /// 2. The caller owns `heap`, or `heap` belongs to no thread.
    pub(crate) unsafe fn free_remote(&'static self, heap: &Heap, slab: &'static Slab, block: *mut Block) {
        // SAFETY: the block is the caller's to give (1).
        unsafe { block::set_mark(block, slab.mark()) };
        // SAFETY: as above.
        unsafe { block::set_next(block, block::NONE) };
        if heap.id() == 0 {
            self.send(Parcel::of(slab, block));
            return;
        }
        let _busy = heap.enter();
        let slot = &heap.batches[core::ptr::from_ref(slab).addr() / size_of::<Slab>() % BATCH_SLOTS];
        let mut parcel = slot.get();
        if parcel.is_for(slab) {
            // SAFETY: the block is ours and not in a list yet.
            unsafe { block::set_next(block, parcel.first) };
            parcel.first = block;
            parcel.block_count += 1;
        } else {
            self.send(parcel);
            parcel = Parcel::of(slab, block);
        }
        let is_full = parcel.block_count >= BATCH_BLOCKS
            || parcel.block_count as usize * slab.block_bytes() >= BATCH_BYTES;
        if is_full {
            slot.set(Parcel::EMPTY);
            self.send(parcel);
        } else {
            slot.set(parcel);
        }
    }

    /// Sends everything that `heap` has collected.
    pub(crate) fn flush_batches(&'static self, heap: &Heap) {
        for slot in &heap.batches {
            self.send(slot.replace(Parcel::EMPTY));
        }
    }

    /// Gives a chain of blocks to the owner of their slab; acts as the owner if there is none.
    fn send(&'static self, parcel: Parcel) {
        let Some(slab) = parcel.slab else { return };
        let Some(remote) = self.remote_of(slab) else { return };
        let before =
            remote::splice(&remote.word, parcel.first.expose_provenance(), parcel.block_count, |next| {
                // SAFETY: the chain is ours until the splice succeeds.
                unsafe { block::set_next(parcel.last, core::ptr::with_exposed_provenance_mut(next)) };
            });
        let Ok(before) = before else { misuse::damaged_list(slab, parcel.first.addr()) };
        if !before.is_empty() {
            return;
        }
        let Some(target) = self.registry.heap(slab.heap_id()) else { return };
        // ORDERING: the link is published by the post's own release.
        mailbox::post(&target.mailbox, region::letter_of(slab), |next| {
            remote.letter.store(next, Ordering::Relaxed);
        });
        if owner::visit(&target.owner) {
            self.drain_mailbox(target);
            self.leave(target);
        }
    }

    /// Ends a visit to a heap, or the life of its thread; sees to letters that arrive meanwhile.
    pub fn leave(&'static self, heap: &'static Heap) {
        let clear = || {
            let _busy = heap.enter();
            if heap.is_spare.get() {
                self.clear_out(heap, Zeal::Empty);
            } else {
                self.drain_mailbox(heap);
            }
            if !heap.is_shared() {
                self.give_back_kept_runs(heap);
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
            if chain.block_count() > slab.used() || slab.is_on_bare_page(chain.first()) {
                misuse::damaged_list(slab, chain.first());
            }
            // SAFETY: senders put outstanding blocks of this slab into its word, and count them; we own the heap.
            unsafe {
                slab.push_chain(core::ptr::with_exposed_provenance_mut(chain.first()), chain.block_count());
            }
            self.after_frees(heap, slab);
        }
        any
    }
}
