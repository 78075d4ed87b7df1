//! How the machine is set, and what the command carries along.

use mallow_analyze::read::meminfo::Item;
use mallow_units::Bytes;

use super::probe::{Probe, State};
use crate::carried::LIBRARY;
use crate::machine;

/// Everything that has to do with settings.
pub(super) fn all() -> Vec<Probe> {
    vec![huge_pages(), overcommit(), mappings(), swap(), library()]
}

fn huge_pages() -> Probe {
    const MEANING: &str =
        "with always, memory of programs is rounded up to huge pages: why speaks of padding";
    match machine::sys_file("kernel/mm/transparent_hugepage/enabled") {
        Ok(file) => {
            let text = mallow_analyze::escape::name(file.trim_ascii());
            let state = if text.contains("[never]") { State::No } else { State::Yes };
            Probe::new("huge pages", state, text, MEANING)
        }
        Err(reason) => Probe::new("huge pages", State::No, reason, MEANING),
    }
}

fn overcommit() -> Probe {
    const NAME: &str = "overcommit";
    match machine::setting("vm/overcommit_memory") {
        Ok(0) => Probe::new(
            NAME,
            State::Yes,
            "mode 0",
            "only what could never be there is refused; the commit limit does not bind",
        ),
        Ok(1) => Probe::new(
            NAME,
            State::Yes,
            "mode 1",
            "nothing is refused; memory that is not there ends in a kill",
        ),
        Ok(2) => Probe::new(
            NAME,
            State::Limited,
            "mode 2",
            "nothing is promised beyond the commit limit: large reservations, also those of mallow run, may be refused",
        ),
        Ok(mode) => {
            Probe::new(NAME, State::Unknown, format!("mode {mode}"), "a mode that this command does not know")
        }
        Err(reason) => {
            Probe::new(NAME, State::Unknown, reason, "limits cannot say whether the commit limit binds")
        }
    }
}

fn mappings() -> Probe {
    const MEANING: &str = "at so many mappings mmap fails; limits shows how many a process has";
    match machine::setting("vm/max_map_count") {
        Ok(count) => Probe::new("mappings", State::Yes, format!("vm.max_map_count is {count}"), MEANING),
        Err(reason) => Probe::new("mappings", State::Unknown, reason, MEANING),
    }
}

fn swap() -> Probe {
    const MEANING: &str = "without swap, what has no file behind it stays in memory until it is given back";
    match machine::meminfo().ok().and_then(|meminfo| meminfo.get(Item::SwapTotal)) {
        Some(0) => Probe::new("swap", State::No, "none", MEANING),
        Some(bytes) => Probe::new("swap", State::Yes, Bytes(bytes).to_string(), MEANING),
        None => Probe::new("swap", State::Unknown, "/proc/meminfo does not tell", MEANING),
    }
}

fn library() -> Probe {
    const MEANING: &str = "run gives programs the allocator that this command carries along";
    match LIBRARY.install() {
        Ok(path) => {
            let found = mallow_analyze::escape::name(path.as_os_str().as_encoded_bytes());
            Probe::new("the allocator", State::Yes, found, MEANING)
        }
        Err(failure) => {
            let found = failure.to_string().lines().next().unwrap_or_default().to_owned();
            Probe::new("the allocator", State::Limited, found, MEANING)
        }
    }
}
