//! Builds `libmallow.so` so that the command can carry it.
//!
//! Cargo cannot hand the shared library of one package to another, so this script runs a second cargo in a
//! target directory of its own. It tells `library.rs` where the file is (`MALLOW_LIBRARY`) and a name for its
//! content (`MALLOW_LIBRARY_HASH`).

use core::hash::{Hash, Hasher};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::hash::DefaultHasher;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates that the library is made of, and the workspace file with their profile.
const SOURCES: [&str; 7] =
    ["Cargo.toml", "crates/ds", "crates/heap", "crates/malloc", "crates/sys", "crates/trace", "crates/units"];

/// What the outer cargo says to this script and the inner one must not hear: flags and wrappers that are meant
/// for the outer build (a lint run, a coverage run, a sanitizer).
const OUTER_ONLY: [&str; 3] = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"];

fn main() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    let library = build_library(&workspace);
    let content = fs::read(&library).expect("the library that was just built is readable");
    println!("cargo::rustc-env=MALLOW_LIBRARY={}", library.display());
    println!("cargo::rustc-env=MALLOW_LIBRARY_HASH={:016x}", hash(&content));
}

/// Builds the shared library for the command's own target and returns its path.
fn build_library(workspace: &Path) -> PathBuf {
    let target = given("TARGET");
    let target_dir = PathBuf::from(given("OUT_DIR")).join("library");
    let mut cargo = Command::new(given("CARGO"));
    cargo
        .args(["rustc", "--release", "--package", "mallow-malloc", "--lib", "--crate-type", "cdylib"])
        .arg("--manifest-path")
        .arg(workspace.join("crates/malloc/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir)
        .arg("--target")
        .arg(&target)
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    if workspace.join("Cargo.lock").exists() {
        cargo.arg("--locked");
    }
    for name in OUTER_ONLY {
        cargo.env_remove(name);
    }
    let status = cargo.status().expect("cargo can be started from a build script");
    assert!(status.success(), "building libmallow.so failed: {status}");
    target_dir.join(target).join("release/libmallow.so")
}

/// Returns a variable that cargo sets for every build script.
fn given(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name} for build scripts"))
}

fn hash(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}
