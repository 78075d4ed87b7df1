//! Address spaces: what an address means, and what `mmap` and its kin do to that.
//!
//! A [`Space`] is a sorted set of areas ([`Vma`]). Each of the system calls that change it is a method, with the
//! arguments of the call, the rules of Linux and the errno that Linux gives. What happens to the pages
//! behind the areas is for the caller: a method tells it through [`Pages`], and only after all that could be refused
//! has been granted.
//!
//! ```text
//!  mmap    munmap   mprotect   mremap   brk   mlock   madvise   stack   fork      one file each
//!    └───────┴─────────┴─────────┴───┬───┴──────┴────────┴────────┴───────┘
//!                                    ▼
//!                     space: split, merge, insert, remove, account
//!                        │                              │
//!              ds::range_map (where)            merge (whether two are one)
//! ```
//!
//! Called by `kmm`, which also carries out what [`fault`] decides. Uses `units` and `ds`. Nothing here is global
//! and nothing takes memory by itself: nodes and areas lie in a [`Store`] that the caller gives.
//!
//! # Concurrency
//!
//! A space is an ordinary value: `&self` to look things up, `&mut self` to change it. Lookups from several threads at
//! once are sound, the hint that they share is one atomic word.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(doctest, doc = include_str!("../README.md"))]

#[cfg(any(test, feature = "std"))]
extern crate alloc;

mod advise;
pub mod area;
mod check;
mod edit;
pub mod fault;
pub mod flags;
mod fork;
mod heap;
pub mod limits;
mod lock;
mod map;
pub mod maps;
pub mod merge;
pub mod pages;
mod place;
mod protect;
mod remap;
pub mod request;
pub mod space;
mod stack;
pub mod store;
pub mod thread_stack;
mod unmap;

pub use area::{AnonId, Backing, FileId, Vma};
pub use flags::Flags;
pub use limits::{Account, Layout, Limits};
pub use pages::{Pages, Unbacked};
pub use request::{Advice, LockFlags, MapFlags, MapRequest, OpenFile, Prot, RemapFlags};
pub use space::Space;
pub use store::{Fixed, Store};
pub use thread_stack::{ThreadStack, ThreadStacks};

#[cfg(feature = "std")]
pub use store::Growing;
