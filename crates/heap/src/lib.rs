//! The allocator.
//!
//! The path of an allocation, top first; `docs/path-of-an-allocation.md` walks it with pictures:
//!
//! 1. [`process`]: this thread's heap, found through one thread-local word.
//! 2. [`heap`]: a list of free blocks per size class; the first one is the answer.
//! 3. `refill`: the list is dry, so the next list is taken from a slab.
//! 4. [`slab`]: blocks of one class; freed ones, or bare pages to carve.
//! 5. [`bin`]: which slab next; `remote`: what other threads have freed meanwhile.
//! 6. [`page_heap`] and [`chunk`]: units for a new slab, or for one medium block, packed into 2 MiB chunks.
//! 7. [`region`]: reserved address space and its page map, committed step by step.
//! 8. [`mallow_sys::Os`]: the operating system.
//!
//! A free goes from the page map to the slab of its own heap at once, to those of other heaps in parcels. What is not
//! used goes back to the kernel by `idle` (while a thread runs), the page heap's grow gate, and `malloc_trim`.
//!
//! Used by `malloc` and `mallow`. Uses `units`, `ds`, `sys`, `trace`. Lock order: see [`allocator`].

#![no_std]

mod allocate;
pub mod allocator;
pub mod backing;
pub mod bin;
pub mod block;
mod check;
pub mod chunk;
pub mod clearing;
mod collapse;
pub mod config;
pub mod counters;
pub mod density;
pub mod directory;
mod free;
pub mod heap;
mod idle;
mod landmarks;
pub mod large;
pub mod large_cache;
pub mod mapping;
mod medium;
pub mod misuse;
pub mod options;
mod outstanding;
pub mod page_heap;
mod pages;
pub mod patience;
mod perturb;
pub mod process;
mod purge;
mod realloc;
mod refill;
pub mod region;
pub mod registry;
mod remote;
pub mod rooms;
pub mod run_cache;
mod runs;
pub mod shared;
pub mod slab;
mod sleepers;
mod threads;
mod warm;
pub mod window;
