//! Memory management from page fault to frame.
//!
//! Wires the crates of the kernel column together: `frame` and `buddy` own the memory, `kslab` cuts it into objects,
//! `vma` says what an address means, `paging` holds the translation. Without the feature `std` it is the part that
//! a kernel embeds; with it there is also a machine that is simulated, and scripts to run on it.
//!
//! Nothing here is global: a machine is a value, and several live side by side.
//!
//! Uses `units`, `ds`, `frame`, `buddy`, `kslab`, `paging` and `vma`.

#![no_std]
#![deny(unsafe_code)]

#[cfg(feature = "std")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod absent;
#[cfg(feature = "std")]
pub mod backing;
#[cfg(feature = "std")]
mod compaction;
#[cfg(feature = "std")]
mod evict;
#[cfg(feature = "std")]
pub mod explain;
#[cfg(feature = "std")]
pub mod files;
#[cfg(feature = "std")]
pub mod handle_fault;
#[cfg(feature = "std")]
pub mod huge;
#[cfg(feature = "std")]
mod kill;
pub mod lru;
#[cfg(feature = "std")]
pub mod machine;
pub mod mm;
pub mod oom;
pub mod overcommit;
#[cfg(feature = "std")]
pub mod physical;
#[cfg(feature = "std")]
pub mod pressure;
#[cfg(feature = "std")]
pub mod ram;
pub mod reclaim;
#[cfg(feature = "std")]
pub mod rmap;
#[cfg(feature = "std")]
pub mod script;
#[cfg(feature = "std")]
mod shortage;
#[cfg(feature = "std")]
pub mod sim;
pub mod swap;
#[cfg(feature = "std")]
mod swap_in;
#[cfg(feature = "std")]
pub mod view;
#[cfg(feature = "std")]
pub mod world;

#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
