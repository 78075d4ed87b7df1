//! What mallow's own tests are made with. A development crate: nothing that ships depends on it.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`preload`] | which library is under test, and running programs with and without it |
//! | [`compile`] | C and C++ sources of a suite, compiled once and kept |
//! | [`ops`] | what a program may ask of an allocator, at random |
//! | [`oracle`] | what an allocator has promised, checked |
//!
//! Used by `crates/acceptance` and by the tests of `crates/heap`. It does not know which programs there are, nor what they must print.

#![forbid(unsafe_code)]
#![expect(
    clippy::missing_errors_doc,
    reason = "every error here is a failed test, and says what happened itself"
)]

extern crate alloc;

pub mod compile;
pub mod ops;
pub mod oracle;
pub mod preload;
