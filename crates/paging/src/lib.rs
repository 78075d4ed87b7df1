//! Four-level page tables of x86-64: from a virtual page to a frame, and what stands in the way.
//!
//! ```text
//!  virtual page number, 36 bits
//!  | 9 bits | 9 bits | 9 bits | 9 bits |
//!    Top      Giant    Huge     Page       one table of 512 entries each
//!     |        |        |        '-> a frame of 4 KiB
//!     |        |        '----------> a table, or 512 frames in one entry
//!     |        '-------------------> a table, or 512 * 512 frames in one entry
//!     '----------------------------> a table
//! ```
//!
//! | File | What it is about |
//! | --- | --- |
//! | `level` | the four levels, and which bits of a page number index each |
//! | `entry` | one entry: present, absent with a payload, or a table |
//! | `rights` | what an entry lets a program do |
//! | `table` | where tables come from: the trait [`Tables`], and a pool of them in an array |
//! | `page_table` | [`PageTable`]: one page at a time |
//! | `walk` | the one walk over a span that all range operations share |
//! | `range` | map, protect, unmap, change and harvest a span |
//! | `cursor` | the entries of a span, one after the other |
//! | `huge` | entries of 2 MiB and 1 GiB: map, split, join |
//! | `relocate` | entries that move to other pages |
//! | `translate` | what the processor does with the tables, fault codes included |
//! | `check` | every invariant, walked |
//!
//! A table is empty or it is in use: whoever takes the last entry out gives the table back, up to the root.
//!
//! Called by `kmm` and by kernels. Uses `units` for numbers and `ds` for atomics. Needs no heap and has no unsafe code:
//! tables are numbers until [`Tables`] turns one into its entries.
//!
//! # Concurrency
//!
//! Whoever changes a table has it by `&mut`. The processor may set accessed and dirty bits at any moment; if it does
//! ([`Tables::WALKED_BY_PROCESSOR`]), entries are replaced by atomic exchange, so that no such bit is lost. Flushing TLBs is the
//! caller's business, who is told of every entry that goes.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod check;
pub mod cursor;
pub mod entry;
pub mod huge;
pub mod level;
pub mod page_table;
pub mod range;
pub mod relocate;
pub mod rights;
pub mod table;
pub mod translate;
mod walk;

pub use cursor::Cursor;
pub use entry::{Entry, Kind};
pub use level::Level;
pub use page_table::{PageTable, PagingError};
pub use rights::Rights;
pub use table::{ArrayTables, Tables};
pub use translate::{Access, FaultCode, Translation};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
