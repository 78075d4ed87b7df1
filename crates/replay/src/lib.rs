#![doc = include_str!("../README.md")]

extern crate alloc;

pub mod log;
pub mod player;
