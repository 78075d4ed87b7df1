//! Suites of C and C++ programs that run on the built library, and suites of other people's programs.
//!
//! A scenario is one file in `c/<suite>/`. Its leading comment says what it proves and, in lines that begin with
//! `@`, how it is run ([`Orders`]). [`suite::run`] finds the scenarios of a folder, compiles them and reports each run
//! as one test. Adding a test means adding a file.
//!
//! The suites run on mallow, on another library, or on libc alone: see `mallow_testkit::preload`. What a scenario
//! cannot ask of the library or machine at hand is reported as ignored, with the reason.

#![forbid(unsafe_code)]

mod orders;
mod scenario;
pub mod suite;

pub use self::orders::{Orders, OrdersError};
pub use self::scenario::Scenario;
