//! Last words: the program, or something in it, has broken the rules of `malloc`.
//!
//! One line on standard error that names the pointer and what it is, then an abort. Nothing is allocated, and the heap
//! is left as it is for the debugger.

use core::fmt;

use mallow_sys::line;

use crate::slab::Slab;

/// What a pointer turned out to be that should have been a live block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pointer {
    /// A block that is free already.
    Freed,
    /// Inside a block of `bytes` bytes that starts at `block`.
    Interior {
        /// The block's address.
        block: usize,
        /// The block's size.
        bytes: usize,
    },
    /// Memory of the allocator in which there is no block.
    NoBlock,
    /// On a thread's stack.
    Stack,
    /// In a mapped file: a program's code, constants or global variables.
    File,
    /// Anonymous memory that no allocator known to us handed out.
    Unknown,
    /// Not mapped at all.
    Unmapped,
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Freed => f.write_str("a block that is already free (double free)"),
            Self::Interior { block, bytes } => {
                write!(f, "an interior pointer, not the start of its block ({bytes} bytes at {block:#x})")
            }
            Self::NoBlock => {
                f.write_str("heap memory in which there is no live block (wild pointer or double free)")
            }
            Self::Stack => f.write_str("a stack address, not a heap block"),
            Self::File => f.write_str("a global or code address of a program or library, not a heap block"),
            Self::Unknown => f.write_str("a wild pointer into memory that no allocator handed out"),
            Self::Unmapped => f.write_str("a wild pointer, not mapped memory"),
        }
    }
}

/// Stops the process: `operation` was called with `address`.
#[cold]
pub fn stop(operation: &str, address: usize, pointer: Pointer) -> ! {
    line::warn(format_args!("{operation}({address:#x}): {pointer}"));
    abort()
}

/// Stops the process: a slab's list of free blocks is not what it must be.
#[cold]
pub fn damaged_list(slab: &Slab, at: usize) -> ! {
    line::warn(format_args!(
        "heap damage: the free list of the {}-byte blocks at {:#x} is broken at {at:#x} (write after free, or double free)",
        slab.block_bytes(),
        slab.start(),
    ));
    abort()
}

#[cfg(not(test))]
fn abort() -> ! {
    mallow_sys::hooks::abort()
}

#[cfg(test)]
fn abort() -> ! {
    panic!("misuse")
}
