//! A program of std collections, built once per allocator crate: `rust-program ROUNDS`.
//!
//! Each round makes up a text of records, parses it into trees, and answers questions about them with maps, sorts
//! and joins; a second thread does a part of it and frees what the first one made. Prints sums that do not depend
//! on the allocator, the round's order, or the machine. `build.sh` chooses the allocator.
//!
//! There is no allocation here that a program of this kind would not make: nothing is boxed for the sake of it.

#![forbid(unsafe_code)]

mod allocator;
mod pipeline;
mod records;
mod store;
mod text;
mod tree;

use std::process::ExitCode;

/// Records in the text of one round, about 3 MB.
const RECORDS: u32 = 20_000;

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).and_then(|word| word.parse::<u32>().ok());
    let Some(rounds) = rounds else {
        eprintln!("usage: rust-program ROUNDS");
        return ExitCode::FAILURE;
    };
    for round in 0..rounds {
        let text = records::write(RECORDS, round);
        match tree::parse(&text) {
            Ok(tree) => println!("round {round}: {}", pipeline::run(tree)),
            Err(error) => {
                eprintln!("rust-program: the text of round {round}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
