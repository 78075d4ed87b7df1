//! From what the kernel tells about a process to where its memory is.
//!
//! ```text
//!  /proc ──► read (bytes to numbers) ──► owner (who has a mapping) ──► ledger (lines that add up)
//! ```
//!
//! Pure functions: nothing here opens a file, so that each answer can be repeated from what was saved. Whoever reads
//! `/proc` is the command, `crates/cli`.

#![forbid(unsafe_code)]

extern crate alloc;

pub mod account;
pub mod address;
pub mod diff;
pub mod escape;
pub mod glibc;
pub mod html;
pub mod json;
pub mod kill;
pub mod ledger;
pub mod limits;
pub mod mallow;
pub mod map;
pub mod memory;
pub mod owner;
pub mod padding;
pub mod page_map;
pub mod processes;
pub mod rank;
pub mod read;
pub mod recording;
pub mod slope;
pub mod system;
pub mod verdict;
