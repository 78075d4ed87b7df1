//! What `/proc` would say about a machine, as text in Linux's form.
//!
//! Each view is a value that prints itself, so that nothing is gathered that nobody reads.

pub mod meminfo;
pub mod smaps;
pub mod statm;

pub use meminfo::MemInfo;
pub use smaps::{AreaUse, Smaps};
pub use statm::Statm;

/// KiB in a page.
const PAGE_KIB: u64 = 4;
