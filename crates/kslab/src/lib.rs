//! Object caches, `kmalloc` and `vmalloc`: small memory for a kernel, cut from pages.
//!
//! A kernel makes and drops the same few kinds of objects all the time, and an object often costs more to construct than to
//! allocate. So there is a *cache* for each kind: it keeps free objects as they are, at hand, and takes whole pages from the
//! page allocator below (Bonwick 1994).
//!
//! ```text
//!  client      Cache::alloc, Cache::free
//!                │  ▲
//!  processor     CpuCache: two magazines, no lock, no atomic
//!                │  ▲ whole magazines
//!  depot         full and empty magazines, one word each
//!                │  ▲ objects, under the cache's lock
//!  slabs         partial, full, empty: runs of frames cut into slots; their maps lie in the frame table
//!                │  ▲ runs of frames
//!  Pages         the page allocator of the kernel
//! ```
//!
//! A [`Cache`] is described by a [`Spec`], takes memory from [`Pages`], and is shared by reference; each processor has a
//! [`CpuCache`] of its own. [`Checks`] turn on red zones, poison and tags, whose findings are [`Corruption`]s.
//!
//! [`Kmalloc`] has a cache per size class, [`Vmalloc`] maps frames from anywhere in a row, and a [`CachePool`] gives trees and tables their
//! nodes.
//!
//! Used by `kmm` and by kernels. Uses `units`, `ds`, `frame`, `buddy`.

#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate alloc;

mod cache;
mod check;
mod checked;
pub mod corruption;
mod cpu;
pub mod depot;
pub mod guard;
pub mod info;
pub mod kmalloc;
pub mod layout;
pub mod lock;
mod magazine;
#[cfg(not(loom))]
mod node_pages;
pub mod pages;
pub mod pool;
mod reap;
mod slab;
mod slabs;
pub mod spec;
mod supply;
pub mod vmalloc;

pub use cache::Cache;
pub use corruption::Corruption;
pub use cpu::CpuCache;
pub use guard::{Damage, Track};
pub use info::Info;
pub use kmalloc::{Kmalloc, KmallocCpu};
pub use layout::Layout;
#[cfg(not(loom))]
pub use node_pages::NodePages;
pub use pages::{Identities, Pages};
pub use pool::CachePool;
pub use reap::Leak;
pub use spec::{Checks, CreateError, Spec};
pub use vmalloc::Vmalloc;

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
