//! The heap of a process on mallow, as it is seen from outside: which of its bytes are live, and what the others are for.
//!
//! ```text
//!  segment (where everything lies) ──► regions ──► slabs, runs, free units ─┐
//!                                  ──► heaps   ──► blocks on threads' lists ─┼─► parts, size classes
//!                                  ──► directory ─► large blocks ────────────┘
//!  pages (which of it is in memory) ─────────────────────────────────────────┘
//! ```
//!
//! The process takes no part in it, so it may sleep, and nothing is written. It goes on meanwhile, if it does not sleep: a slab that changes
//! while it is read may be counted as it never was. What makes no sense is counted as such ([`View::odd_slabs`]) and nothing is believed
//! that could lead out of the process's own mappings.
//!
//! Called by the command, with a [`Reader`]; the parts go into the `ledger`, and `verdict` judges by them.

mod classes;
mod directory;
mod find;
mod layout;
mod lists;
mod pages;
mod place;
mod reader;
mod region;
mod slab;
mod view;

pub use classes::Class;
pub use find::{Found, find};
pub use place::{Place, place};
pub use reader::Reader;
pub use view::{Part, Share, View, look};

use crate::read::smaps::Mapping;

/// What is known of the heap of a process; `None` if it is not on mallow, or has not allocated anything yet.
///
/// The error is the reason why nothing is known of a heap that is there.
pub fn view(reader: &impl Reader, mappings: &[Mapping]) -> Option<Result<View, String>> {
    match find(reader, mappings) {
        Ok(found) => {
            let segments: Vec<_> = found.into_iter().map(|found| found.snapshot).collect();
            look(reader, mappings, &segments).map(Ok)
        }
        Err((address, error)) => Some(Err(format!("the segment at {address:#x}: {error}"))),
    }
}

/// Whether a process has the library loaded, as far as its mappings show; a Rust program may have it inside.
pub fn is_loaded(mappings: &[Mapping]) -> bool {
    mappings.iter().any(|mapping| {
        let base = mapping.name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        base.starts_with(b"libmallow")
    })
}
