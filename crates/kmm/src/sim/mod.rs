//! What is simulated: the processor's view of memory, and an operating system for the allocator.

pub mod os;
pub mod tlb;

pub use os::MachineOs;
