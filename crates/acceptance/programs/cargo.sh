#!/bin/bash
# A workspace of three crates, built from nothing. rustc brings an allocator of its own and takes blocks from libc too.
source "${0%/*}/prelude.sh"
needs cargo rustc

for crate in shapes words; do
    mkdir -p "$crate/src"
    printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2021"\n' "$crate" >"$crate/Cargo.toml"
done
awk 'BEGIN { for (i = 0; i < 150; i++) {
    printf "#[derive(Clone, Debug, PartialEq, Default)] pub struct S%d { pub a: Vec<u%d>, pub b: Option<String> }\n", i, 2 ^ (i % 4 + 3)
    printf "impl S%d { pub fn area(&self) -> usize { self.a.iter().map(|x| *x as usize * %d).sum() } }\n", i, i
} }' >shapes/src/lib.rs
cat >words/src/lib.rs <<'RUST'
//! Counts words.
use std::collections::BTreeMap;
pub fn count(text: &str) -> BTreeMap<&str, usize> {
    text.split_whitespace().fold(BTreeMap::new(), |mut map, word| { *map.entry(word).or_default() += 1; map })
}
#[test]
fn counts() {
    assert_eq!(count("a b a")["a"], 2);
}
RUST
mkdir src
cat >src/main.rs <<'RUST'
fn main() {
    let shape = shapes::S7 { a: vec![1, 2, 3], b: Some("x".repeat(10)) };
    let handles: Vec<_> = (0..4)
        .map(|n| std::thread::spawn(move || words::count(&"a b c a ".repeat(1000 * n)).get("a").copied()))
        .collect();
    let counts: Vec<_> = handles.into_iter().map(|handle| handle.join().unwrap()).collect();
    println!("{} {shape:?} {counts:?}", shape.area());
}
RUST
cat >Cargo.toml <<'TOML'
[package]
name = "whole"
version = "0.1.0"
edition = "2021"

[workspace]
members = ["shapes", "words"]

[dependencies]
shapes = { path = "shapes" }
words = { path = "words" }

[profile.release]
lto = "thin"
TOML

build() {
    cargo --offline "$@" --quiet --target-dir target
}
build check --workspace
build build
sha256sum target/debug/whole
target/debug/whole
build build --release
sha256sum target/release/whole
target/release/whole
build test --package words | grep 'test result' | sed 's/ finished in.*//'
echo 'fn main() { let x: u8 = "no"; missing(); }' >src/main.rs
status_of build check 2>&1
