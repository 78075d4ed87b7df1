//! What may be read: of other processes, of the kernel.

use std::fs::File;

use mallow_analyze::memory::PAGE_BYTES;
use mallow_analyze::page_map::{self, ENTRY_BYTES, PageEntry};
use mallow_analyze::read::smaps;
use mallow_analyze::read::status::{self, Status};
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::probe::{Probe, State};
use crate::cgroup;
use crate::machine;
use crate::process::{Process, Unreadable, proc_root};
use crate::target;

/// A capability as a bit.
const CAP_SYS_PTRACE: u64 = 1 << 19;

/// Everything that has to do with permissions.
pub(super) fn all() -> Vec<Probe> {
    vec![rights(), others(), hidden(), frames(), log(), ptrace(), caches()]
}

fn own_status() -> Option<Status> {
    status::parse(&machine::proc_file("self/status").ok()?).ok()
}

fn has_ptrace(own: &Status) -> bool {
    own.capabilities.is_some_and(|set| set & CAP_SYS_PTRACE != 0)
}

fn rights() -> Probe {
    let meaning = "root, or CAP_SYS_PTRACE, may look at the processes of all users";
    match own_status() {
        Some(own) => {
            let may = has_ptrace(&own);
            let found = format!("user {}, CAP_SYS_PTRACE {}", own.user, if may { "yes" } else { "no" });
            Probe::new("rights", if may { State::Yes } else { State::Limited }, found, meaning)
        }
        None => Probe::new("rights", State::Unknown, "the own status cannot be read", meaning),
    }
}

/// Opening is enough to know, and does not take the lock of the other's address space.
fn others() -> Probe {
    const MEANING: &str = "why, map and report need smaps; top shows n/a where it may not be read";
    let Ok(pids) = target::all_pids() else {
        return Probe::new("smaps of others", State::Unknown, "/proc cannot be listed", MEANING);
    };
    let (mut readable, mut protected) = (0, 0);
    for process in pids.into_iter().filter_map(|pid| Process::open(pid).ok()) {
        let has_memory = process.status().is_ok_and(|status| !status.has_no_memory());
        match process.open_file("smaps") {
            Ok(_) if has_memory => readable += 1,
            Err(Unreadable::NotPermitted) if has_memory => protected += 1,
            _ => {}
        }
    }
    let found = format!("{readable} of {} processes", readable + protected);
    Probe::new("smaps of others", if protected == 0 { State::Yes } else { State::Limited }, found, MEANING)
}

fn hidden() -> Probe {
    const MEANING: &str =
        "with hidepid only your own processes are in the lists of top, and in the ranks of limits";
    let Ok(mounts) = cgroup::mounts() else {
        return Probe::new("all processes shown", State::Unknown, "mounts cannot be read", MEANING);
    };
    let root = proc_root();
    let is_proc = |point: &[u8]| point == root.as_os_str().as_encoded_bytes();
    let options = mounts.iter().rfind(|mount| mount.kind == b"proc" && is_proc(&mount.point));
    let hidepid = options.and_then(|mount| {
        let value = mount.options().find_map(|option| option.strip_prefix(b"hidepid="))?;
        Some(String::from_utf8_lossy(value).into_owned())
    });
    match hidepid.as_deref() {
        None | Some("0" | "off") => {
            Probe::new("all processes shown", State::Yes, "/proc has no hidepid", MEANING)
        }
        Some(value) => {
            let found =
                format!("/proc is mounted with hidepid={}", mallow_analyze::escape::name(value.as_bytes()));
            Probe::new("all processes shown", State::Limited, found, MEANING)
        }
    }
}

/// The entries of the page map for the command's own stack.
fn own_entries() -> Result<Vec<PageEntry>, String> {
    use std::os::unix::fs::FileExt;
    let mappings = machine::proc_parsed("self/maps", smaps::parse)?;
    let stack = mappings.iter().find(|mapping| mapping.name == b"[stack]").ok_or("it has no stack")?;
    let file = File::open(proc_root().join("self/pagemap")).map_err(|error| machine::reason(&error))?;
    let pages = (stack.bytes() / PAGE_BYTES).min(64);
    let mut piece = vec![0; usize::try_from(pages).unwrap_or(0) * ENTRY_BYTES];
    let offset = page_map::offset(stack.end - pages * PAGE_BYTES);
    file.read_exact_at(&mut piece, offset).map_err(|error| machine::reason(&error))?;
    Ok(page_map::entries(&piece).collect())
}

fn frames() -> Probe {
    const MEANING: &str =
        "map --pages needs the page map; frame numbers would tell which pages are one and the same";
    match own_entries() {
        Ok(entries) => {
            let has_frames = entries.iter().any(|entry| entry.frame().is_some());
            let found =
                if has_frames { "readable, with frame numbers" } else { "readable, frame numbers are 0" };
            Probe::new("page map", if has_frames { State::Yes } else { State::No }, found, MEANING)
        }
        Err(reason) => Probe::new("page map", State::Limited, reason, MEANING),
    }
}

/// Whether the kernel marks pages that were written to. New mappings have the mark from the start.
pub(super) fn soft_dirty() -> Probe {
    const MEANING: &str = "no verb needs it; which pages were written since a moment could be told";
    match own_entries() {
        Ok(entries) if entries.iter().any(|entry| entry.is_present() && entry.is_soft_dirty()) => {
            Probe::new("soft-dirty marks", State::Yes, "pages that were written to are marked", MEANING)
        }
        Ok(_) => Probe::new("soft-dirty marks", State::No, "no page of the own stack is marked", MEANING),
        Err(reason) => Probe::new("soft-dirty marks", State::Unknown, reason, MEANING),
    }
}

fn log() -> Probe {
    const MEANING: &str = "oom reads the kernel's log; without it, a saved one: journalctl -k | mallow oom -";
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat(CWD, "/dev/kmsg", flags, Mode::empty()) {
        Ok(_) => Probe::new("kernel log", State::Yes, "/dev/kmsg can be read", MEANING),
        Err(errno) => {
            let restricted = machine::setting("kernel/dmesg_restrict");
            let restricted =
                restricted.map_or_else(|reason| format!("n/a ({reason})"), |number| number.to_string());
            let found = format!("/dev/kmsg: {errno}; kernel.dmesg_restrict is {restricted}");
            Probe::new("kernel log", State::Limited, found, MEANING)
        }
    }
}

/// To read memory counts as attaching, to read `smaps` and the page map does not.
fn ptrace() -> Probe {
    const MEANING: &str = "why, map and trim look into heaps: with a scope above 0 that needs CAP_SYS_PTRACE, \
        above 2 nothing helps";
    let Ok(scope) = machine::setting("kernel/yama/ptrace_scope") else {
        return Probe::new("ptrace scope", State::Yes, "no Yama in this kernel", MEANING);
    };
    let may = scope == 0 || scope <= 2 && own_status().is_some_and(|own| has_ptrace(&own));
    let found = format!("kernel.yama.ptrace_scope is {scope}");
    Probe::new("ptrace scope", if may { State::Yes } else { State::Limited }, found, MEANING)
}

fn caches() -> Probe {
    const MEANING: &str = "free lists the largest caches of the kernel and users of vmalloc";
    let files = ["slabinfo", "vmallocinfo"].map(|name| (name, machine::proc_file(name)));
    let missing: Vec<_> =
        files.iter().filter_map(|(name, file)| Some(format!("{name}: {}", file.as_ref().err()?))).collect();
    if missing.is_empty() {
        Probe::new("kernel's own memory", State::Yes, "slabinfo and vmallocinfo can be read", MEANING)
    } else {
        Probe::new("kernel's own memory", State::Limited, missing.join(", "), MEANING)
    }
}
