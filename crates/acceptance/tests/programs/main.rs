//! Real programs: the same output and exit status on libc and on the library under test.
//!
//! The scripts lie in `crates/acceptance/programs`; [`table`] lists them. Each runs twice ([`program`]), is compared
//! line by line ([`comparison`]), and a witness that is loaded into every process testifies that the programs
//! named in the table had their memory from where they should ([`witness`]).
//!
//! Adding a program means adding a script and a row.

mod comparison;
mod program;
mod table;
mod witness;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let trials = table::PROGRAMS
        .iter()
        .map(|program| Trial::ignorable_test(program.name, || program.carry_out()))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
