//! The machine as `/proc` and `/sys` show it: files that are of no process.
//!
//! What may not be read, or is not there on this kernel, is `Err` with the reason in a few words.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use mallow_analyze::read::ReadError;
use mallow_analyze::read::meminfo::{self, Meminfo};

use crate::process::{proc_root, sys_root};

/// A file of `/proc`, or why not.
pub(crate) fn proc_file(name: &str) -> Result<Vec<u8>, String> {
    read(&proc_root().join(name))
}

/// A file of `/sys`, or why not.
pub(crate) fn sys_file(name: &str) -> Result<Vec<u8>, String> {
    read(&sys_root().join(name))
}

/// A file of `/proc` as its parser understands it, or why not.
pub(crate) fn proc_parsed<T>(
    name: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, ReadError>,
) -> Result<T, String> {
    parse(&proc_file(name)?).map_err(|error| format!("{name} cannot be understood {error}"))
}

/// A setting below `/proc/sys`, such as `vm/max_map_count`.
pub(crate) fn setting(name: &str) -> Result<u64, String> {
    number(&proc_file(&format!("sys/{name}"))?)
}

/// The number that a file of one line holds.
pub(crate) fn number(file: &[u8]) -> Result<u64, String> {
    let text = String::from_utf8_lossy(file);
    text.trim().parse().map_err(|_| "it holds no number".to_owned())
}

/// The memory of the machine; without that there is little to say.
pub(crate) fn meminfo() -> anyhow::Result<Meminfo> {
    let path = proc_root().join("meminfo");
    let file = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    meminfo::parse(&file).with_context(|| format!("cannot understand {}", path.display()))
}

/// Where a path below `/sys` is, which may be another place than that of its name.
pub(crate) fn below_sys(path: &Path) -> PathBuf {
    path.strip_prefix("/sys").map_or_else(|_| path.to_owned(), |rest| sys_root().join(rest))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| reason(&error))
}

/// Why a file cannot be read, in a few words.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "this kernel has no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "needs root".to_owned(),
        _ => error.to_string(),
    }
}
