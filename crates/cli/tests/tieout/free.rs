//! The machine as `free` of procps has it, and as we do.

use std::process::Command;

use libtest_mimic::Failed;
use serde_json::Value;

/// What may have come or gone between two looks: bytes, and parts of a hundred.
const SLACK: (u64, u64) = (1 << 20, 1);
/// How often the machine may move too much meanwhile.
const TRIES: usize = 20;
/// Our fields in the order of the columns of `free -b`, memory first.
const MEMORY: [&str; 6] =
    ["total_bytes", "used_bytes", "free_bytes", "shared_bytes", "cache_bytes", "available_bytes"];
const SWAP: [&str; 2] = ["swap_total_bytes", "swap_used_bytes"];

/// Why it cannot be compared here.
pub(crate) fn obstacle() -> Option<String> {
    let Ok(version) = Command::new("free").arg("--version").output() else {
        return Some("free is not installed".to_owned());
    };
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    // Version 3 had another idea of what is used.
    (!version.contains("procps-ng 4")).then(|| format!("{} is not procps-ng 4", version.trim()))
}

/// That every column is what we say, looked at before and after.
pub(crate) fn agrees() -> Result<(), Failed> {
    let mut complaint = String::new();
    for _ in 0..TRIES {
        let (before, theirs, after) = (ours()?, theirs()?, ours()?);
        let rows = MEMORY.iter().chain(&SWAP).zip(theirs).map(|(field, theirs)| {
            let bytes = |value: &Value| value[field].as_u64().ok_or_else(|| format!("{field} is missing"));
            Ok((*field, bytes(&before)?, theirs, bytes(&after)?))
        });
        let rows: Vec<_> = rows.collect::<Result<_, String>>()?;
        match rows.into_iter().find(|(field, before, theirs, after)| {
            let slack = if field.contains("total") { 0 } else { SLACK.0.max(theirs * SLACK.1 / 100) };
            *theirs + slack < *before.min(after) || *theirs > before.max(after) + slack
        }) {
            None => return Ok(()),
            Some((field, before, theirs, after)) => {
                complaint = format!("{field} is {before}, then {after}; free says {theirs}");
            }
        }
    }
    Err(complaint.into())
}

fn ours() -> Result<Value, Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_mallow")).args(["free", "--json"]).output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The columns of the line of memory, and the first of that of swap.
fn theirs() -> Result<Vec<u64>, Failed> {
    let output = Command::new("free").arg("-b").env("LC_ALL", "C").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |title: &str, count: usize| {
        let line = text.lines().find_map(|line| line.strip_prefix(title));
        let numbers: Vec<u64> =
            line.unwrap_or_default().split_whitespace().filter_map(|word| word.parse().ok()).collect();
        numbers.get(..count).map(<[u64]>::to_vec).ok_or_else(|| format!("no {title} in {text}"))
    };
    Ok([line("Mem:", MEMORY.len())?, line("Swap:", SWAP.len())?].concat())
}
