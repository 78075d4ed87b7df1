//! The frame table: what every physical page is used for, in 32 bytes each.
//!
//! ```text
//!  Regions   [ f#1 .. f#9f ]   [ f#100 .. f#7ffff ]        what memory there is
//!                  │                    │
//!                  ▼                    ▼
//!  Frame     | f#1 | f#2 | .. | f#9f | f#100 | f#101 | ..   32 bytes each, in one slice of the caller's
//! ```
//!
//! A [`FrameTable`] is a view of a slice of [`Frame`]s that the caller owns, and of the [`Regions`] of memory that they
//! stand for. Several tables live side by side. All fields are relaxed atomics, so a shared reference suffices; who may write
//! which of them is said at [`Frame`].
//!
//! - [`FrameState`] and the one function that changes it, [`Frame::turn`];
//! - [`FrameRun`], the token of frames that somebody owns;
//! - [`FrameList`], lists threaded through the frames: free blocks, generations of the LRU, partial slabs;
//! - [`ZoneKind`] and [`Mobility`], by which memory is kept apart;
//! - [`Memory`], the bytes behind the numbers.
//!
//! Used by `buddy`, `kslab`, `paging` and `kmm`. Uses `units` and `ds`. Never follows a pointer.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate alloc;

pub mod error;
pub mod frame;
pub mod list;
pub mod memory;
pub mod place;
pub mod region;
pub mod run;
pub mod state;
pub mod table;

pub use error::FrameError;
pub use frame::{Flag, Frame};
pub use list::FrameList;
pub use memory::Memory;
pub use place::{Mobility, Place, ZoneKind};
pub use region::{Region, RegionError, Regions};
pub use run::FrameRun;
pub use state::{FrameState, Head};
pub use table::{FrameTable, Window};

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
