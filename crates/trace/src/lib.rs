//! The one interface between the library inside a process and the tools outside it.
//!
//! Both sides depend on this crate and on nothing of each other: `heap` writes words, `cli` reads bytes. It is
//! a description of memory, so it allocates nothing, calls nothing and holds no state.
//!
//! ```text
//!   process with libmallow.so                          a tool
//!   counters  ──word stores──> [ segment: 3 KiB ] ──read──> Snapshot::decode
//!   landmarks ──once─────────>
//! ```
//!
//! - [`segment`]: where each word lies, and an unclaimed segment to begin with.
//! - [`Counter`]: what is counted, in which unit.
//! - [`Landmark`]: where the heap lies, and how its records are laid out.
//! - [`Snapshot`]: one reading of a segment, checked.
//!
//! # Not here
//!
//! Creating or mapping the memory (`cli`, `sys`), and printing the numbers (`cli`).

#![no_std]
#![forbid(unsafe_code)]

mod counter;
mod landmark;
pub mod segment;
mod snapshot;

pub use counter::{Counter, Unit};
pub use landmark::Landmark;
pub use snapshot::{ClassCounters, SegmentError, Snapshot, Trims};
