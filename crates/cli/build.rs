//! Builds `libmallow.so` and the subject of experiments so that the command can carry them.
//!
//! Cargo cannot hand what is built of one package to another, so this script runs a second cargo in a
//! target directory of its own. It tells `carried.rs` where each file is (`MALLOW_LIBRARY`, `MALLOW_SUBJECT`) and a
//! name for its content (`MALLOW_LIBRARY_HASH`, `MALLOW_SUBJECT_HASH`).

use core::hash::{Hash, Hasher};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::hash::DefaultHasher;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates that both are made of, and the workspace file with their profile.
const SOURCES: [&str; 8] = [
    "Cargo.toml",
    "crates/ds",
    "crates/heap",
    "crates/malloc",
    "crates/subject",
    "crates/sys",
    "crates/trace",
    "crates/units",
];

/// What is built: the variable that says where it is, cargo's words for it, and its file.
const CARRIED: [(&str, &[&str], &str); 2] = [
    (
        "MALLOW_LIBRARY",
        &["rustc", "--package", "mallow-malloc", "--lib", "--crate-type", "cdylib"],
        "libmallow.so",
    ),
    ("MALLOW_SUBJECT", &["build", "--package", "mallow-subject"], "mallow-subject"),
];

/// What the outer cargo says to this script and the inner one must not hear: flags and wrappers that are meant
/// for the outer build (a lint run, a coverage run, a sanitizer).
const OUTER_ONLY: [&str; 3] = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"];

fn main() {
    // Asked at run time: a target directory may serve several checkouts, one after the other.
    let workspace = Path::new(&given("CARGO_MANIFEST_DIR")).join("../..");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    for (variable, words, file) in CARRIED {
        let path = build(&workspace, words, file);
        let content = fs::read(&path).expect("what was just built is readable");
        println!("cargo::rustc-env={variable}={}", path.display());
        println!("cargo::rustc-env={variable}_HASH={:016x}", hash(&content));
    }
}

/// Builds `file` for the command's own target and returns its path.
fn build(workspace: &Path, words: &[&str], file: &str) -> PathBuf {
    let target = given("TARGET");
    let target_dir = PathBuf::from(given("OUT_DIR")).join("library");
    let mut cargo = Command::new(given("CARGO"));
    cargo
        .args(words)
        .args(["--release", "--manifest-path"])
        .arg(workspace.join("Cargo.toml"))
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
    assert!(status.success(), "building {file} failed: {status}");
    target_dir.join(target).join("release").join(file)
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
