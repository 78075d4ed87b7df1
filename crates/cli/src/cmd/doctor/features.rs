//! What the kernel was built with.

use core::num::NonZero;
use core::ptr::NonNull;

use mallow_analyze::read::smaps;
use nix::sys::prctl;

use super::permissions;
use super::probe::{Probe, State};
use crate::cgroup::{self, Cgroups};
use crate::machine;
use crate::process::Process;

/// Bytes of the smallest page.
const PAGE: usize = 4096;

/// Everything that has to do with the kernel.
pub(super) fn all() -> Vec<Probe> {
    let release = release();
    vec![
        release.0,
        by_version(
            "PAGEMAP_SCAN",
            release.1,
            (6, 7),
            "no verb needs it; pages of large mappings could be counted faster than by the page map",
        ),
        by_version(
            "guard pages",
            release.1,
            (6, 13),
            "MADV_GUARD_INSTALL makes guards without a mapping each; older kernels need a mapping for each guard",
        ),
        names(),
        permissions::soft_dirty(),
        userfaultfd(),
        groups(),
        pressure(),
        zswap(),
    ]
}

/// The version in words, and as numbers.
fn release() -> (Probe, Option<(u32, u32)>) {
    let file = machine::proc_file("sys/kernel/osrelease").unwrap_or_default();
    let text = mallow_analyze::escape::name(file.trim_ascii());
    let mut numbers = text.split(['.', '-', '+']).map(str::parse);
    let version = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
        _ => None,
    };
    let meaning = "below, what is not tried is judged by it; distributions may have added more";
    let state = if version.is_some() { State::Yes } else { State::Unknown };
    (Probe::new("version", state, text, meaning), version)
}

fn by_version(name: &'static str, found: Option<(u32, u32)>, since: (u32, u32), meaning: &str) -> Probe {
    let since_text = format!("{}.{}", since.0, since.1);
    match found {
        Some(version) if version >= since => {
            Probe::new(name, State::Yes, format!("by the version: since {since_text}, not tried"), meaning)
        }
        Some(_) => {
            Probe::new(name, State::No, format!("by the version: since {since_text}, not tried"), meaning)
        }
        None => Probe::new(name, State::Unknown, "not tried, and the version is not known", meaning),
    }
}

/// A page of the heap, so that it can be given a name.
#[repr(align(4096))]
struct Page([u8; PAGE]);

/// Gives a page of the command's own heap a name, looks for it in its maps, and takes it away again.
fn names() -> Probe {
    const MEANING: &str =
        "mappings without a file are listed by the names that programs give them, if they do";
    const NAME: &core::ffi::CStr = c"mallow doctor";
    let mut page = Box::new(Page([1; PAGE]));
    let place = NonNull::from(&mut page.0).cast();
    let length = NonZero::new(PAGE).unwrap_or(NonZero::<usize>::MIN);
    if let Err(errno) = prctl::set_vma_anon_name(place, length, Some(NAME)) {
        let found = format!("PR_SET_VMA_ANON_NAME: {errno}");
        return Probe::new("names of mappings", State::No, found, MEANING);
    }
    let maps = machine::proc_parsed("self/maps", smaps::parse).unwrap_or_default();
    let _ = prctl::set_vma_anon_name(place, length, None);
    let is_shown = maps.iter().any(|mapping| mapping.name == b"[anon:mallow doctor]");
    let state = if is_shown { State::Yes } else { State::Unknown };
    Probe::new("names of mappings", state, "a mapping could be given a name", MEANING)
}

fn userfaultfd() -> Probe {
    const MEANING: &str = "no verb needs it; programs that move pages, and heaps of virtual machines, do";
    match machine::setting("vm/unprivileged_userfaultfd") {
        Ok(value) => {
            let found = format!("built in; vm.unprivileged_userfaultfd is {value}, not tried");
            Probe::new("userfaultfd", State::Yes, found, MEANING)
        }
        Err(reason) => Probe::new("userfaultfd", State::No, reason, MEANING),
    }
}

fn groups() -> Probe {
    const MEANING: &str = "limits and why look at every group above a process that can be seen";
    let cgroups = Process::open(std::process::id()).map_err(|_| "the own process is not shown".to_owned());
    match cgroups.and_then(|own| Cgroups::of(&own)) {
        Ok(found) => {
            let version = match found.version {
                cgroup::Version::V1 => "v1",
                cgroup::Version::V2 => "v2",
            };
            let has_memory = found.groups.iter().any(|(_, group)| group.current.is_some());
            match (has_memory, found.sees_root) {
                (_, false) => {
                    let text = format!("{version}; a container's view: groups above its root are not seen");
                    Probe::new("cgroups", State::Limited, text, MEANING)
                }
                (true, true) => Probe::new(
                    "cgroups",
                    State::Yes,
                    format!("{version}, up to the root of the machine"),
                    MEANING,
                ),
                (false, true) => {
                    let text = format!("{version}; the own group does not count memory");
                    Probe::new("cgroups", State::No, text, MEANING)
                }
            }
        }
        Err(reason) => Probe::new("cgroups", State::No, reason, MEANING),
    }
}

fn pressure() -> Probe {
    const MEANING: &str = "limits, free and top show how long tasks wait for memory";
    match machine::proc_file("pressure/memory") {
        Ok(_) => Probe::new("pressure", State::Yes, "/proc/pressure/memory can be read", MEANING),
        Err(reason) => {
            let found = format!("{reason}; a kernel with it can be started with psi=1");
            Probe::new("pressure", State::Limited, found, MEANING)
        }
    }
}

fn zswap() -> Probe {
    const MEANING: &str = "what is in zswap is swapped out and still in memory, compressed";
    match machine::sys_file("module/zswap/parameters/enabled") {
        Ok(value) if value.trim_ascii() == b"Y" => Probe::new("zswap", State::Yes, "enabled", MEANING),
        Ok(_) => Probe::new("zswap", State::No, "built in, not enabled", MEANING),
        Err(_) => Probe::new("zswap", State::No, "not built in", MEANING),
    }
}
