//! A look at a process: everything that is read of it at one moment, as a recording.
//!
//! ```text
//!  statm ─ smaps ─ statm ─ status, exe, groups ─ a look into its heaps and huge pages
//!  └─ if these two differ much, it was busy: once more
//! ```
//!
//! Called by the verbs `why` and `report`.

use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mallow_analyze::account;
use mallow_analyze::owner;
use mallow_analyze::read::cgroup::group::Group;
use mallow_analyze::read::{smaps, statm};
use mallow_analyze::recording::Recording;
use mallow_analyze::{glibc, padding};

use crate::failure::Failure;
use crate::machine;
use crate::memory::ProcessMemory;
use crate::process::{Process, proc_root};

/// The share of what is resident that may come or go while `smaps` is read: one of so many parts.
const MOVED: u64 = 100;

/// How closely to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Depth {
    /// At a part of large heaps.
    Quick,
    /// At every block.
    Exact,
}

/// Reads everything of `process` once.
///
/// # Errors
///
/// If its mappings or its status cannot be read. Anything else that is missing has its reason in the recording.
pub(crate) fn record(process: &Process, depth: Depth) -> Result<Recording, Failure> {
    let began = Instant::now();
    let mut recording = Recording::new(process.pid, unix_ms());
    let smaps = read_mappings(process, &mut recording)?;
    let failure = |unreadable| process.failure("status", unreadable);
    recording.put("status", process.read("status").map_err(failure)?);
    match process.read_link("exe") {
        Ok(path) => recording.put("exe", path.into_vec()),
        Err(unreadable) => recording.put_missing("exe", unreadable.to_string()),
    }
    record_groups(process, &mut recording);
    record_limits(process, &mut recording);
    look_inside(process, &smaps, depth, &mut recording);
    recording.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(recording)
}

/// Returns the milliseconds since 1970 began.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Reads `smaps` between two looks at `statm`, a second time if much has changed in between.
fn read_mappings(process: &Process, recording: &mut Recording) -> Result<Vec<u8>, Failure> {
    let read = |file| process.read(file).map_err(|unreadable| process.failure(file, unreadable));
    let mut before = read("statm")?;
    let mut is_repeated = false;
    loop {
        let smaps =
            process.read_memory("smaps").map_err(|unreadable| process.failure("smaps", unreadable))?;
        let after = read("statm")?;
        if is_repeated || !is_moved(&before, &after) {
            recording.put("statm.before", before);
            recording.put("statm.after", after);
            recording.put("smaps", smaps.clone());
            return Ok(smaps);
        }
        (before, is_repeated) = (after, true);
    }
}

fn is_moved(before: &[u8], after: &[u8]) -> bool {
    let resident = |file| statm::parse(file).map_or(0, |statm| statm.resident);
    let (before, after) = (resident(before), resident(after));
    before.abs_diff(after) > before.max(after) / MOVED
}

/// Reads the files of its group and of all above.
fn record_groups(process: &Process, recording: &mut Recording) {
    match process.read("cgroup") {
        Ok(bytes) => recording.put("cgroup", bytes),
        Err(unreadable) => recording.put_missing("cgroup", unreadable.to_string()),
    }
    // Ours, not those of the process: the groups are read from here.
    match fs::read(proc_root().join("self/mountinfo")) {
        Ok(bytes) => recording.put("mountinfo", bytes),
        Err(error) => recording.put_missing("mountinfo", error.to_string()),
    }
    let Ok(place) = account::place(recording) else { return };
    for (nth, folder) in place.groups.iter().enumerate() {
        let folder = machine::below_sys(Path::new(std::ffi::OsStr::from_bytes(&folder.path)));
        // What is malformed is found when the recording is read.
        let _ = Group::read(place.version, |file| {
            let bytes = fs::read(folder.join(file)).ok()?;
            recording.put(&account::group_file(nth, file), bytes.clone());
            Some(bytes)
        });
    }
}

/// Reads what limits it beside its groups.
fn record_limits(process: &Process, recording: &mut Recording) {
    match process.read("limits") {
        Ok(bytes) => recording.put("limits", bytes),
        Err(unreadable) => recording.put_missing("limits", unreadable.to_string()),
    }
    for (name, file) in [
        ("meminfo", "meminfo"),
        ("overcommit_memory", "sys/vm/overcommit_memory"),
        ("max_map_count", "sys/vm/max_map_count"),
    ] {
        match machine::proc_file(file) {
            Ok(bytes) => recording.put(name, bytes),
            Err(reason) => recording.put_missing(name, reason),
        }
    }
}

/// Counts what is in its heaps and huge pages.
fn look_inside(process: &Process, smaps: &[u8], depth: Depth, recording: &mut Recording) {
    let memory = ProcessMemory::open(process);
    let Ok(mappings) = smaps::parse(smaps) else { return };
    // Before anything else is read, which could bring a page into memory.
    recording.mallow = ProcessMemory::heap(memory.as_ref(), &mappings);
    let mut memory = match memory {
        Ok(memory) => memory,
        Err(reason) => {
            recording.heaps = Err(reason);
            return;
        }
    };
    let mut owners = owner::owners(&mappings, &recording.get("exe").unwrap_or_default());
    if let Some(Ok(view)) = &recording.mallow {
        owner::correct(&mut owners, &view.shares);
    }
    let budget = match depth {
        Depth::Quick => glibc::BUDGET_BYTES,
        Depth::Exact => u64::MAX,
    };
    recording.heaps = Ok(glibc::heaps(&mappings, &owners, &mut memory, budget));
    recording.padding = padding::look(&mappings, &mut memory);
}
