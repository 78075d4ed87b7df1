//! The operand `PID|NAME`: which process is meant.
//!
//! Digits are a number. Anything else is a name: what the process calls itself, or the name of its file. A name that
//! several processes have is refused, with their numbers.
//!
//! Called by every verb that looks at one process.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Context;
use mallow_analyze::escape;

use crate::failure::{self, Failure};
use crate::process::{Process, SEE_WHAT_RUNS, proc_root};

/// Bytes of a process's own name that the kernel keeps.
const LONGEST_COMM: usize = 15;
/// How many processes of one name are listed.
const LISTED: usize = 8;

/// Opens the process that `operand` means.
pub(crate) fn find(operand: &OsStr) -> anyhow::Result<Process> {
    let name = operand.as_bytes();
    if !name.is_empty() && name.iter().all(u8::is_ascii_digit) {
        let number = operand.to_str().and_then(|digits| digits.parse().ok());
        let none = || {
            let sentence =
                format!("there is no process {}; the largest number is {}", escape::name(name), i32::MAX);
            Failure::new(failure::CANNOT_LOOK, sentence, SEE_WHAT_RUNS)
        };
        return Ok(Process::open(number.ok_or_else(none)?)?);
    }
    let mut found = named(name)?;
    match found.len() {
        0 => Err(none_named(name).into()),
        1 => Ok(found.remove(0)),
        _ => Err(several_named(name, &found).into()),
    }
}

/// Returns the number of every process, in order.
pub(crate) fn all_pids() -> anyhow::Result<Vec<u32>> {
    let root = proc_root();
    let entries = fs::read_dir(&root).with_context(|| format!("cannot read {}", root.display()))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut pids: Vec<u32> = names.filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// The processes of this name but the command itself, in the order of their numbers.
fn named(name: &[u8]) -> anyhow::Result<Vec<Process>> {
    let own = std::process::id();
    let others = all_pids()?.into_iter().filter(|pid| *pid != own);
    let processes = others.filter_map(|pid| Process::open(pid).ok());
    Ok(processes.filter(|process| is_named(process, name)).collect())
}

fn is_named(process: &Process, name: &[u8]) -> bool {
    let comm = process.read("comm").unwrap_or_default();
    let comm = comm.strip_suffix(b"\n").unwrap_or(&comm);
    if comm == name {
        return true;
    }
    match process.read_link("exe") {
        Ok(file) => {
            let file = file.as_bytes().strip_suffix(b" (deleted)").unwrap_or(file.as_bytes());
            Path::new(OsStr::from_bytes(file)).file_name().is_some_and(|base| base.as_bytes() == name)
        }
        // The file of another user's process is not told, and its own name may be cut off.
        Err(_) => comm.len() == LONGEST_COMM && name.starts_with(comm),
    }
}

fn none_named(name: &[u8]) -> Failure {
    let sentence =
        format!("no process is named '{}'; a number (PID) or a name is allowed", escape::name(name));
    Failure::new(failure::CANNOT_LOOK, sentence, SEE_WHAT_RUNS)
}

fn several_named(name: &[u8], found: &[Process]) -> Failure {
    let mut list: Vec<String> =
        found.iter().take(LISTED).map(|process| format!("{} ({})", process.pid, process.name())).collect();
    if found.len() > LISTED {
        list.push(format!("{} more", found.len() - LISTED));
    }
    let last = list.pop().unwrap_or_default();
    let sentence = format!(
        "{} processes are named '{}': {} and {last}",
        found.len(),
        escape::name(name),
        list.join(", ")
    );
    Failure::new(failure::CANNOT_LOOK, sentence, "Say which one by its number.")
}
