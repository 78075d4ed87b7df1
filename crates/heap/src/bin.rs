//! Bins: the slabs of one size class that may have room, first in, first used.
//!
//! A slab that becomes available again joins at the back, so that it gathers more free blocks before its turn: with
//! insertion at the front, nearly every allocation would end in the slow path.
//!
//! Called by `refill` and `remote`. The links lie in the slabs.

use core::cell::Cell;

use mallow_ds::sync::{AtomicU32, Ordering};

use crate::slab::Slab;

/// A queue of slabs.
#[derive(Debug)]
pub struct Bin {
    first: Cell<Option<&'static Slab>>,
    last: Cell<Option<&'static Slab>>,
    /// In all slabs of the class, also those that are full and not in the queue. Shared with who takes over a sleeper's slabs.
    units: AtomicU32,
}

impl Bin {
    /// An empty bin.
    pub const fn new() -> Self {
        Self { first: Cell::new(None), last: Cell::new(None), units: AtomicU32::new(0) }
    }

    /// Units in all slabs of the class.
    pub fn units(&self) -> u32 {
        self.units.load(Ordering::Relaxed)
    }

    /// Notes that there is a new slab.
    pub fn note_opened(&self, slab: &Slab) {
        self.units.fetch_add(slab.units(), Ordering::Relaxed);
    }

    /// Notes that `slab` is about to be closed.
    pub fn note_closed(&self, slab: &Slab) {
        self.units.fetch_sub(slab.units(), Ordering::Relaxed);
    }

    /// The slab whose turn it is.
    pub fn first(&self) -> Option<&'static Slab> {
        self.first.get()
    }

    /// Adds `slab`, which is in no bin, at the back.
    pub fn append(&self, slab: &'static Slab) {
        slab.next.set(None);
        slab.previous.set(self.last.get());
        match self.last.get() {
            Some(last) => last.next.set(Some(slab)),
            None => self.first.set(Some(slab)),
        }
        self.last.set(Some(slab));
        slab.set_listed(true);
    }

    /// Removes `slab`, which is in this bin.
    pub fn remove(&self, slab: &'static Slab) {
        let (next, previous) = (slab.next.take(), slab.previous.take());
        match previous {
            Some(previous) => previous.next.set(next),
            None => self.first.set(next),
        }
        match next {
            Some(next) => next.previous.set(previous),
            None => self.last.set(previous),
        }
        slab.set_listed(false);
    }

    /// The slabs, in order. The bin may lose the slab that was returned last, but no other, meanwhile.
    pub fn slabs(&self) -> impl Iterator<Item = &'static Slab> + use<> {
        let mut next = self.first.get();
        core::iter::from_fn(move || {
            let slab = next?;
            next = slab.next.get();
            Some(slab)
        })
    }
}

impl Default for Bin {
    fn default() -> Self {
        Self::new()
    }
}
