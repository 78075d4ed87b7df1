//! Addresses as scripts write them: a base and a distance.

use alloc::string::String;

/// An address of a script. Resolved when the statement runs; wraps around at the end of 64 bits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// From where.
    pub base: Base,
    /// Bytes to add, modulo 2^64.
    pub distance: u64,
}

/// What an address is counted from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Base {
    /// Address 0.
    Zero,
    /// The start of the arena.
    Arena,
    /// The program break when the script began.
    Break,
    /// What the last statement of this name returned; 0 if it was refused.
    Result(String),
}

impl Place {
    /// An address as a number.
    pub const fn absolute(address: u64) -> Self {
        Self { base: Base::Zero, distance: address }
    }

    /// An address in the arena, or around it.
    pub const fn arena(distance: u64) -> Self {
        Self { base: Base::Arena, distance }
    }

    /// An address in the heap, or around it.
    pub const fn heap(distance: u64) -> Self {
        Self { base: Base::Break, distance }
    }
}
