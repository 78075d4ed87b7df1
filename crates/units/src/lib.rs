//! The measures that every mallow crate speaks in.
//!
//! Bytes and pages, addresses and frames, orders and alignments, and the table of size classes that `malloc` and `kmalloc`
//! dispatch on.
//! Everything here is arithmetic on numbers; nothing here touches memory.
//!
//! Used by every other crate. Uses nothing.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate alloc;

pub mod address;
pub mod align;
pub mod bytes;
pub mod errno;
pub mod order;
pub mod page;
pub mod size_class;
pub mod word;

pub use address::{PageCount, PageNumber, PageSpan, VirtAddr};
pub use align::Align;
pub use bytes::Bytes;
pub use errno::Errno;
pub use order::{FrameNumber, Order};
pub use size_class::SizeClass;
