//! Swap: where anonymous pages go when their frames are needed.
//!
//! [`Slots`] says which places are taken; a [`Store`] keeps what is in them. A page goes to the compressed store first,
//! which lives in memory, and to a file if it does not compress or the store is full.

pub mod codec;
mod slots;

pub use slots::{CLUSTER_SLOTS, Cluster, Cursor, Slot, SlotError, Slots};
