//! Linux memory and thread primitives by raw system calls, and their simulator.
//!
//! The operating system is a value: [`Os`] has the few verbs that the page heap needs, and is implemented by
//! [`linux::Linux`] and by [`sim::Sim`], which hands out real memory but faults on use after decommit and can
//! fail any call. Raw system calls never touch `errno` and never call libc, so they are safe before libc is up and
//! inside `free`.
//!
//! Used by `heap`, `malloc` and `mallow`. Uses `units` and `ds`.

#![no_std]

pub mod cpu;
pub mod environ;
pub mod hooks;
pub mod line;
pub mod linux;
pub mod lock;
pub mod os;
pub mod sim;
pub mod thread;

pub use os::{HugePages, Os, OsError};
