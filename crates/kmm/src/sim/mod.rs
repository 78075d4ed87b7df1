//! What is simulated: the processor's view of memory.

pub mod tlb;
