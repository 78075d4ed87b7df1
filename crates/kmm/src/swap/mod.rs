//! Swap: where anonymous pages go when their frames are needed.
//!
//! [`Slots`] says which places are taken, [`Swap`] what is in them. A page goes to the compressed store first, which lives
//! in memory, and to the [`Backing`] if it does not compress or the store is full.

mod area;
mod backing;
mod class;
pub mod codec;
mod compressed;
#[cfg(feature = "std")]
mod disk;
mod pool;
mod slots;

pub use area::{Swap, SwapCounts, SwapStorage};
pub use backing::{Backing, NoBacking};
pub use class::BLOCK_BYTES_MAX;
pub use compressed::{CompressedUse, Entry};
#[cfg(feature = "std")]
pub use disk::Disk;
pub use pool::{Frames, Slab};
pub use slots::{CLUSTER_SLOTS, Cluster, Cursor, Slot, SlotError, Slots};
