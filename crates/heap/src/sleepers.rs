//! Sleepers: heaps whose threads have not come by for a while, and in which other threads free.
//!
//! A thread builds something, hands it on, and waits. What the others free of it goes to the mailbox of a heap that
//! nobody looks into. Whoever ticks does it for the sleeper, with what needs no word of his:
//!
//! ```text
//!  mailbox ──► slab ──► slab ──► slab
//!              │        │        └── some blocks are live, or he may be at it: the letter goes back
//!              │        └── full, in no bin, and all its blocks have come home: to the page heap
//!              └── ...
//! ```
//!
//! A full slab is in no bin, its blocks are on no list, and a block that nobody holds cannot be freed: once every block is in
//! the remote word and the letter is taken, no thread but the one that took it knows of the slab.
//!
//! A child that is forked in the middle loses the letters, and with them the memory of those blocks, but nothing else.
//!
//! Called by `idle`: a tick looks at one heap, a trim at all.

use mallow_ds::mailbox;
use mallow_ds::owner::Owner;
use mallow_ds::remote;
use mallow_ds::sync::Ordering;
use mallow_units::size_class::QUANTUM;

use crate::allocator::Allocator;
use crate::config::SLEEP_MS;
use crate::heap::Heap;
use crate::misuse;
use crate::region;
use crate::slab::Slab;

impl Heap {
    /// Notes that its thread is awake.
    pub fn note_awake(&self, now_ms: u64) {
        self.awake_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Whether its thread sleeps, and the caller is the one to look into its mailbox now.
    fn is_sleeping(&self, now_ms: u64) -> bool {
        let awake_ms = self.awake_ms.load(Ordering::Relaxed);
        // ORDERING: it only keeps others from looking at the same time, which would cost and not harm.
        self.owner.get() == Owner::Owned
            && now_ms >= awake_ms + SLEEP_MS
            && self.awake_ms.compare_exchange(awake_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Allocator {
    /// Takes what has come home to `other`, if its thread sleeps.
    pub(crate) fn relieve_sleeper(&'static self, heap: &'static Heap, other: &'static Heap, now_ms: u64) {
        if other.is_sleeping(now_ms) {
            self.relieve(heap, other);
        }
    }

    /// Takes what has come home to the heaps of all other threads.
    pub(crate) fn relieve_all(&'static self, heap: &'static Heap) {
        for other in self.registry.heaps() {
            if other.owner.get() == Owner::Owned && !core::ptr::eq(other, heap) {
                self.relieve(heap, other);
            }
        }
    }

    /// Gives up the slabs of `other` of which all blocks have come home by way of its mailbox. Cost: a look at each letter.
    fn relieve(&'static self, heap: &'static Heap, other: &'static Heap) {
        let _busy = heap.enter();
        let mut next = region::first_slab(mailbox::take_all(&other.mailbox));
        let mut kept: Option<(&'static Slab, &'static Slab)> = None;
        while let Some(slab) = next {
            let Some(remote) = self.remote_of(slab) else { break };
            next = region::slab_of(remote.letter.load(Ordering::Relaxed));
            let has_come_home =
                slab.is_full() && remote.word.get().block_count() == u64::from(slab.capacity());
            if has_come_home {
                self.take_over(heap, other, slab);
                continue;
            }
            // The letter stays ours until it is posted again.
            kept = match kept {
                Some((first, last)) => {
                    self.link_letter(last, region::letter_of(slab));
                    Some((first, slab))
                }
                None => Some((slab, slab)),
            };
        }
        if let Some((first, last)) = kept {
            self.post(other, first, last);
        }
    }

    /// Gives up a full slab of `other` whose blocks are all in its remote word, and whose letter the caller has.
    fn take_over(&'static self, heap: &'static Heap, other: &'static Heap, slab: &'static Slab) {
        let Some(remote) = self.remote_of(slab) else { return };
        let chain = remote::take(&remote.word);
        let capacity = u64::from(slab.capacity());
        let places = capacity * (capacity - 1) / 2 * (slab.block_bytes() / QUANTUM) as u64;
        if (chain.block_count(), chain.sum()) != (capacity, places) {
            // One was freed twice, in the place of another.
            misuse::damaged_list(slab, slab.start());
        }
        heap.note_home(slab, slab.counted.get().into());
        other.bins[slab.class().index()].note_closed(slab);
        self.give_up_run(heap, slab);
    }
}
