//! A processor's front of a cache: two magazines.
//!
//! ```text
//!              alloc: pop   free: push
//!                     ▲      │
//!  CpuCache      ┌────┴──────▼────┐       ┌────────────────┐
//!                │ main  o o o .. │ ◄───► │ spare o o o o o│      exchanged when main is empty, or full
//!                └────────────────┘       └────────────────┘
//!                     whole magazines  ▲ │
//!  Cache, depot     [full] [full]      │ ▼      [empty] [empty] [empty]
//! ```
//!
//! A processor with two magazines can alloc and free a whole magazine's worth in any order before it meets another
//! processor, which it then does by one exchange (Bonwick and Adams 2001; Linux calls them sheaves, and the depot a barn). Called by
//! clients through `cache`. The kernel sees to it that a processor is not interrupted by another user of its front.

use core::ptr::NonNull;

use crate::magazine::Owned;

/// What one processor has of one cache. Made by [`crate::Cache::attach`].
///
/// Whoever has it by `&mut` is the processor. Dropping it leaks the objects in it; [`crate::Cache::detach`] gives them back.
#[derive(Debug)]
#[must_use = "a front that is dropped and not detached leaks its objects"]
pub struct CpuCache {
    pub(crate) main: Owned,
    pub(crate) spare: Owned,
    /// That of the cache to which all objects in the magazines belong.
    pub(crate) key: u64,
    pub(crate) cpu: u32,
}

impl CpuCache {
    pub(crate) const fn new(key: u64, cpu: u32) -> Self {
        Self { main: Owned::blank(), spare: Owned::blank(), key, cpu }
    }

    /// The number that the processor was given when it was attached.
    pub const fn cpu(&self) -> u32 {
        self.cpu
    }

    /// How many free objects are at hand.
    pub fn count(&self) -> u32 {
        self.main.count() + self.spare.count()
    }

    /// The free objects at hand, without taking them.
    pub fn objects(&self) -> impl Iterator<Item = NonNull<u8>> + '_ {
        self.main.objects().chain(self.spare.objects())
    }

    /// Makes the spare magazine the main one, and the other way round.
    pub(crate) fn swap(&mut self) {
        core::mem::swap(&mut self.main, &mut self.spare);
    }
}
