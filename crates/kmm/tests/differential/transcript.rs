//! What one side says about a script: the outcome of each statement and the state in which it left the process.

use alloc::collections::BTreeMap;

use mallow_kmm::script::Outcome;

use crate::live::{Ground, Totals};

/// What one side says about a script.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Transcript {
    /// One for each statement.
    pub(crate) steps: Vec<Step>,
    /// How each process ends that lives until then, by its number.
    pub(crate) ends: Vec<Option<End>>,
    /// KiB that the script promised, system-wide.
    pub(crate) committed_kib: i64,
}

/// What came of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) outcome: Outcome,
    /// The mappings of its process afterwards, in the arena and the heap.
    pub(crate) maps: Vec<Area>,
}

/// How a process ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct End {
    pub(crate) areas: Vec<Detail>,
    pub(crate) totals: Totals,
    /// The pages that are present, and the bits of `pagemap` that say how.
    pub(crate) pages: BTreeMap<u64, u64>,
}

/// A line of `maps`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Area {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// As `rw-p`.
    pub(crate) access: String,
    /// Bytes.
    pub(crate) offset: u64,
    /// What is mapped: `anon`, `file`, `[heap]`.
    pub(crate) name: String,
}

/// An area and what `smaps` says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Detail {
    pub(crate) area: Area,
    /// KiB of each kind.
    pub(crate) kib: BTreeMap<String, u64>,
    /// The two-letter flags.
    pub(crate) flags: Vec<String>,
}

/// The bits of an entry of `pagemap` that are compared: present, swapped, of a file or shared, mapped once.
const ENTRY_BITS: u64 = 1 << 63 | 1 << 62 | 1 << 61 | 1 << 56;

impl Area {
    /// Takes in an area that goes on where this one ends, if it is alike.
    pub(crate) fn join(&mut self, next: &Self) -> bool {
        let is_file = self.name != "anon" && self.name != "[heap]";
        let goes_on = !is_file || next.offset == self.offset + (self.end - self.start);
        let is_alike =
            self.end == next.start && self.access == next.access && self.name == next.name && goes_on;
        if is_alike {
            self.end = next.end;
        }
        is_alike
    }
}

impl Detail {
    /// Takes in an area that goes on where this one ends, if it is alike.
    pub(crate) fn join(&mut self, next: &Self) -> bool {
        let is_alike = self.flags == next.flags && self.area.join(&next.area);
        if is_alike {
            for (kind, kib) in &next.kib {
                *self.kib.entry(kind.clone()).or_default() += kib;
            }
        }
        is_alike
    }
}

/// The lines of `maps` that belong to a script.
pub(crate) fn maps(text: &str, ground: &Ground) -> Vec<Area> {
    text.lines().filter_map(|line| area(line, ground)).collect()
}

/// The areas of `smaps` that belong to a script.
pub(crate) fn smaps(text: &str, ground: &Ground) -> Vec<Detail> {
    let mut details: Vec<Detail> = Vec::new();
    let mut is_ours = false;
    for line in text.lines() {
        let key = line.split(' ').next().unwrap_or_default();
        let Some(key) = key.strip_suffix(':') else {
            let area = area(line, ground);
            is_ours = area.is_some();
            details.extend(area.map(|area| Detail { area, kib: BTreeMap::new(), flags: Vec::new() }));
            continue;
        };
        let Some(detail) = details.last_mut().filter(|_| is_ours) else { continue };
        let mut words = line.split_whitespace().skip(1);
        if key == "VmFlags" {
            detail.flags = words.map(str::to_owned).collect();
        } else if let Some(number) = words.next().and_then(|word| word.parse().ok()) {
            detail.kib.insert(key.to_owned(), number);
        }
    }
    details
}

/// KiB of all areas that are charged to the commit account.
pub(crate) fn charged_kib(smaps: &str) -> i64 {
    let (mut size, mut sum) = (0, 0);
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("Size:") => size = words.next().and_then(|word| word.parse().ok()).expect("a number of KiB"),
            Some("VmFlags:") if words.any(|flag| flag == "ac") => sum += size,
            _ => {}
        }
    }
    sum
}

/// The number in a file of `/proc/sys`.
pub(crate) fn number(path: &str) -> u64 {
    let text = std::fs::read_to_string(path).expect("Linux");
    text.trim().parse().expect("a number")
}

/// The entries of `pagemap` that say something, by page number.
pub(crate) fn pages(entries: &[u64], start: u64) -> impl Iterator<Item = (u64, u64)> {
    let numbered = (start / 4096..).zip(entries);
    numbered.map(|(page, entry)| (page, entry & ENTRY_BITS)).filter(|(_, entry)| *entry != 0)
}

/// How far below the arena mappings are a script's: nothing else lies there.
const BELOW: u64 = 1 << 40;
/// Below this too: programs lie higher.
const LOW: u64 = 1 << 20;
/// How far above the start of the heap.
const ABOVE: u64 = 1 << 32;

fn area(line: &str, ground: &Ground) -> Option<Area> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let hex = |digits| u64::from_str_radix(digits, 16).ok();
    let (start, end) = (hex(start)?, hex(end)?);
    let is_in_arena = (ground.arena - BELOW..ground.arena_end).contains(&start);
    let is_in_heap = (ground.heap..ground.heap + ABOVE).contains(&start);
    if !is_in_arena && !is_in_heap && start >= LOW {
        return None;
    }
    let access = words.next()?.to_owned();
    let offset = hex(words.next()?)?;
    let name = words.nth(2).unwrap_or("anon");
    let name = match name {
        "/memfd:script" => "file",
        "/dev/zero" => "shared",
        other => other,
    };
    Some(Area { start, end, access, offset, name: name.to_owned() })
}
