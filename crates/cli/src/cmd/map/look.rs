//! A look at an address space: what was read of it at one moment.
//!
//! Called by `map`.

use alloc::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use anyhow::Context;
use mallow_analyze::mallow::{Share, View};
use mallow_analyze::map::Map;
use mallow_analyze::owner;
use mallow_analyze::read::smaps;
use mallow_analyze::read::stat;

use crate::memory::ProcessMemory;
use crate::process::{Process, proc_root};

/// What was read.
#[derive(Debug)]
pub(super) struct Look {
    /// The process.
    pub(super) pid: u32,
    /// Its name, safe to print.
    pub(super) name: String,
    /// Its address space.
    pub(super) map: Map,
    /// Why it is not known what is in memory; `None` if it is.
    pub(super) missing: Option<String>,
    /// What is in the heap of a process on mallow, or why that is not known; `None` if it is on another allocator.
    pub(super) heap: Option<Result<View, String>>,
    /// Whether bases are at another place at each start.
    pub(super) randomised: Randomised,
}

/// Address space randomisation, as it would be for a program that starts now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Randomised {
    /// All bases.
    All,
    /// All but that of the heap.
    NotHeap,
    /// None, on the whole machine.
    NotHere,
    /// None, for this process.
    NotThis,
    /// The kernel does not tell.
    Unknown,
}

/// The bit of a process's personality that keeps its bases where they are (`ADDR_NO_RANDOMIZE`).
const NO_RANDOMISATION: u64 = 0x4_0000;

impl Look {
    /// Reads what there is to read. Where `smaps` is missing, `maps` says at least what is mapped.
    pub(super) fn at(process: &Process) -> anyhow::Result<Self> {
        let (file, missing) = match process.read_memory("smaps") {
            Ok(file) => (file, None),
            Err(unreadable) => match process.read_memory("maps") {
                Ok(file) => (file, Some(format!("smaps: {unreadable}"))),
                Err(_) => return Err(process.failure("smaps", unreadable).into()),
            },
        };
        let mappings = smaps::parse(&file)
            .with_context(|| format!("cannot understand smaps of process {}", process.pid))?;
        let program = process.read_link("exe").unwrap_or_default();
        let heap = ProcessMemory::heap(ProcessMemory::open(process).as_ref(), &mappings);
        let mut owners = owner::owners(&mappings, program.as_bytes());
        if let Some(Ok(view)) = &heap {
            owner::correct(&mut owners, &view.shares);
        }
        let stat = process.read("stat").ok().and_then(|file| stat::parse(&file).ok());
        Ok(Self {
            pid: process.pid,
            name: process.name(),
            map: Map::with_owners(mappings, owners, stat.as_ref()),
            missing,
            heap,
            randomised: Randomised::of(process),
        })
    }

    /// The parts of the heap in each mapping, by its place among all.
    pub(super) fn parts(&self) -> BTreeMap<usize, Vec<Share>> {
        let mut parts: BTreeMap<usize, Vec<Share>> = BTreeMap::new();
        if let Some(Ok(view)) = &self.heap {
            view.shares.iter().for_each(|share| parts.entry(share.mapping).or_default().push(*share));
        }
        parts
    }
}

impl Randomised {
    fn of(process: &Process) -> Self {
        let personality = process.read("personality").ok();
        let personality = personality
            .and_then(|file| u64::from_str_radix(core::str::from_utf8(&file).ok()?.trim(), 16).ok());
        if personality.is_some_and(|bits| bits & NO_RANDOMISATION != 0) {
            return Self::NotThis;
        }
        let setting = fs::read(proc_root().join("sys/kernel/randomize_va_space")).ok();
        match setting.as_deref().map(<[u8]>::trim_ascii) {
            Some(b"0") => Self::NotHere,
            Some(b"1") => Self::NotHeap,
            Some(b"2") => Self::All,
            _ => Self::Unknown,
        }
    }

    /// In a sentence.
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::All => "on: the bases are elsewhere at each start",
            Self::NotHeap => "on, but for the heap, which follows the program",
            Self::NotHere => "off on this machine (kernel.randomize_va_space = 0)",
            Self::NotThis => "off for this process (its personality)",
            Self::Unknown => "n/a (kernel.randomize_va_space cannot be read)",
        }
    }

    /// In a word, for JSON; `None` if it is not known.
    pub(super) const fn word(self) -> Option<&'static str> {
        match self {
            Self::All => Some("on"),
            Self::NotHeap => Some("on but for the heap"),
            Self::NotHere => Some("off on this machine"),
            Self::NotThis => Some("off for this process"),
            Self::Unknown => None,
        }
    }
}
