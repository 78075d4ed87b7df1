//! Prints live counters while a vector of strings grows and shrinks.

use std::io::Write;

use mallow::Mallow;

#[global_allocator]
static GLOBAL: Mallow = Mallow;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let mut show = |moment: &str| {
        let stats = mallow::stats();
        writeln!(out, "{moment:<8} live {:>9} bytes, heap {:>9} bytes", stats.live_bytes, stats.heap_bytes)
    };
    show("start")?;
    let words: Vec<String> = (0..100_000).map(|n| format!("word number {n}")).collect();
    show("grown")?;
    drop(words);
    mallow::trim();
    show("trimmed")
}
