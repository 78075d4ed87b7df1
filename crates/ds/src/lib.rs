//! Small structures shared by the allocator and the kernel half.
//!
//! What belongs here: a structure that both columns of the system use, or a protocol between threads that has to
//! be proved on its own. Nothing here knows what a heap is, calls the operating system, or follows a pointer.
//!
//! Used by `sys`, `heap` and the kernel column. Uses `units`.

#![no_std]
#![cfg_attr(not(shuttle), forbid(unsafe_code))]
// The scheduled atomics of `sync` are the one exception.
#![cfg_attr(shuttle, deny(unsafe_code))]

pub mod bitmap;
pub mod mailbox;
pub mod owner;
pub mod packed;
pub mod pool;
pub mod range_map;
pub mod remote;
pub mod sync;
