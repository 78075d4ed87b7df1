//! Three lines switch a Rust program to mallow.

use std::collections::HashMap;
use std::io::Write;

use mallow::Mallow;

#[global_allocator]
static GLOBAL: Mallow = Mallow;

fn main() -> std::io::Result<()> {
    let text = "the quick brown fox jumps over the lazy dog and the cat";
    let mut counts = HashMap::new();
    for word in text.split(' ') {
        *counts.entry(word.to_owned()).or_insert(0_u32) += 1;
    }
    writeln!(std::io::stdout(), "the: {}", counts["the"])
}
