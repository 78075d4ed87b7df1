//! The buddy allocator: runs of 2^order frames.
//!
//! # The problem
//!
//! A kernel needs single frames all the time, long runs sometimes, and both for ever: after years of work there must still be a
//! run for a huge page. Buddies solve it: every free block is as long as a power of two and starts at a multiple of its
//! length, so the neighbour with which it can merge is found by flipping one bit of its number.
//!
//! ```text
//!              CpuFrames    arrays of one processor            take, put: two writes, no lock
//!                 │ half an array at a time: refill, flush
//!                 ▼
//!  Node ─────► Zone         DMA32, Normal: watermarks          under the caller's lock
//!                 ▼
//!              FreeArea     lists by mobility and order        O(1), by a mask of orders
//!                 ▼
//!              FrameTable   32 bytes a frame (crate frame)
//! ```
//!
//! # The path of an allocation
//!
//! 1. [`CpuFrames::take`] pops a frame of the wanted order and mobility from the processor's array.
//! 2. If the array is empty, [`CpuFrames::refill`] takes half an array from the highest zone that is above its low watermark.
//! 3. [`zone::Zone`] takes the smallest block that fits from the list of that mobility and cuts it; if all lists of that mobility are
//!    empty, it claims a block of another one (`fallback`).
//! 4. If no zone is above its watermark, [`slow::SlowPath`] says what to do next, step by step: wake the background reclaim,
//!    drain the arrays, reclaim, compact, retry, kill, fail. The caller carries the steps out, through [`slow::Hooks`] or by itself.
//!
//! Nothing here is global: a [`Node`] is a value, several live side by side. Nothing here takes a lock: what needs one takes `&mut`.
//!
//! Used by `kslab` and `kmm`. Uses `units`, `ds` and `frame`.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate alloc;

mod batch;
pub mod buddyinfo;
pub mod check;
pub mod compact;
pub mod cpu;
pub mod drain;
mod fallback;
pub mod free_area;
pub mod node;
pub mod request;
pub mod slow;
pub mod watermark;
pub mod zone;

pub use cpu::CpuFrames;
pub use node::{Layout, Node, Refused};
pub use request::{Effort, Request, Reserve};
pub use watermark::{Mark, Tuning, Watermarks};
pub use zone::Zone;

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
