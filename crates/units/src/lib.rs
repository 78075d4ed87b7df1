//! The measures that every mallow crate speaks in.
//!
//! Bytes and pages, alignments, and the table of size classes that `malloc` and, later, `kmalloc` dispatch on.
//! Everything here is arithmetic on numbers; nothing here touches memory.
//!
//! Used by every other crate. Uses nothing.

#![no_std]
#![forbid(unsafe_code)]

pub mod align;
pub mod bytes;
pub mod page;
pub mod size_class;
pub mod word;

pub use align::Align;
pub use bytes::Bytes;
pub use size_class::SizeClass;
