//! `mallow explain-address`: what stands between a pointer of a program and a bank of memory.
//!
//! ```text
//!  pointer ─► block of the heap ─► mapping ─► four tables ─► page ─► frame ─► zone
//! ```
//!
//! Each step that may not be seen says why, and the next ones that do not depend on it follow all the same.

mod text;

pub(crate) use text::place_text;

use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;

use anyhow::Context;
use mallow_analyze::address;
use mallow_analyze::mallow::{self, Place, Reader};
use mallow_analyze::memory::PAGE_BYTES;
use mallow_analyze::page_map::{self, PageEntry, Residence};
use mallow_analyze::read::smaps::{self, Amount, Mapping};
use mallow_analyze::read::{buddyinfo, zoneinfo};
use mallow_analyze::{escape, map, owner};
use serde::Serialize;

use crate::args::ExplainAddress;
use crate::child::Ending;
use crate::failure;
use crate::machine;
use crate::memory::ProcessMemory;
use crate::process::{Process, proc_root};
use crate::style::{self, Style};
use crate::target;

/// Bytes of a word of `kpageflags` and `kpagecount`, which have one for each frame.
const WORD_BYTES: usize = 8;

/// What `--json` prints. What is not known is absent, and its reason stands under the same name in `missing`.
#[derive(Debug, Serialize)]
struct Report {
    pid: u32,
    name: String,
    address: u64,
    heap: Option<Place>,
    mapping: Option<Mapped>,
    /// Which entry of each page table, the root first.
    tables: [u64; 4],
    page: Option<Page>,
    frame: Option<Frame>,
    zone: Option<Zone>,
    missing: Missing,
}

#[derive(Debug, Default, Serialize)]
struct Missing {
    heap: Option<String>,
    page: Option<String>,
    frame: Option<String>,
    zone: Option<String>,
}

#[derive(Debug, Serialize)]
struct Mapped {
    start: u64,
    end: u64,
    permissions: String,
    owner: String,
    file: Option<String>,
    rss_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Page {
    address: u64,
    #[serde(rename = "is_in")]
    residence: Residence,
    is_of_file: bool,
    is_exclusive: bool,
    is_soft_dirty: bool,
}

#[derive(Debug, Serialize)]
struct Frame {
    number: u64,
    flags: Vec<&'static str>,
    times_mapped: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Zone {
    node: u64,
    name: String,
    free_bytes: Option<u64>,
    min_bytes: Option<u64>,
    low_bytes: Option<u64>,
    high_bytes: Option<u64>,
    /// Free blocks of 2^order pages, by order.
    free_blocks: Vec<u64>,
}

/// Looks, and prints the steps.
pub(crate) fn explain_address(options: &ExplainAddress) -> anyhow::Result<Ending> {
    let process = target::find(&options.target)?;
    let report = Report::of(&process, options.address)?;
    if options.output.json {
        style::print_json(&report)?;
    } else {
        style::print(&report.render(Style::of_stdout(options.output)))?;
    }
    Ok(Ending::Exited(if report.mapping.is_some() { 0 } else { failure::FOUND }))
}

impl Report {
    fn of(process: &Process, address: u64) -> anyhow::Result<Self> {
        let file = process.read_memory("smaps").map_err(|unreadable| process.failure("smaps", unreadable))?;
        let mappings = smaps::parse(&file)
            .with_context(|| format!("cannot understand smaps of process {}", process.pid))?;
        let mut report = Self {
            pid: process.pid,
            name: process.name(),
            address,
            heap: None,
            mapping: mapped(process, &mappings, address),
            tables: address::table_indices(address),
            page: None,
            frame: None,
            zone: None,
            missing: Missing::default(),
        };
        if report.mapping.is_none() {
            return Ok(report);
        }
        match ProcessMemory::open(process) {
            Ok(memory) => report.look_inside(&memory, &mappings),
            Err(reason) => {
                report.missing.heap = Some(reason.clone());
                report.missing.page = Some(reason);
            }
        }
        Ok(report)
    }

    fn look_inside(&mut self, memory: &ProcessMemory, mappings: &[Mapping]) {
        match mallow::place(memory, mappings, self.address) {
            Ok(place) => self.heap = Some(place),
            Err(reason) => self.missing.heap = Some(reason),
        }
        let mut entry = [0; page_map::ENTRY_BYTES];
        if !memory.page_map(page_map::offset(self.address), &mut entry) {
            self.missing.page = Some("pagemap has no entry for it".to_owned());
            return;
        }
        let entry = PageEntry(u64::from_ne_bytes(entry));
        self.page = Some(Page {
            address: self.address / PAGE_BYTES * PAGE_BYTES,
            residence: entry.residence(),
            is_of_file: entry.is_of_file(),
            is_exclusive: entry.is_exclusive(),
            is_soft_dirty: entry.is_soft_dirty(),
        });
        match (entry.residence(), entry.frame()) {
            (Residence::Memory, Some(frame)) => self.look_at_frame(frame),
            (Residence::Memory, None) => {
                self.missing.frame = Some("the kernel tells its number only with CAP_SYS_ADMIN".to_owned());
            }
            _ => self.missing.frame = Some("the page is not in memory".to_owned()),
        }
    }

    fn look_at_frame(&mut self, number: u64) {
        let flags = frame_word("kpageflags", number);
        let times_mapped = frame_word("kpagecount", number).ok();
        match flags {
            Ok(flags) => self.frame = Some(Frame { number, flags: address::flag_names(flags), times_mapped }),
            Err(reason) => {
                self.frame = Some(Frame { number, flags: Vec::new(), times_mapped });
                self.missing.frame = Some(reason);
            }
        }
        let zones = machine::proc_parsed("zoneinfo", zoneinfo::parse);
        let found = zones.map(|zones| address::zone_of(&zones, number).cloned());
        let zone = match found {
            Ok(Some(zone)) => zone,
            Ok(None) => {
                self.missing.zone = Some("no zone spans the frame".to_owned());
                return;
            }
            Err(reason) => {
                self.missing.zone = Some(reason);
                return;
            }
        };
        let blocks = machine::proc_parsed("buddyinfo", buddyinfo::parse).unwrap_or_default();
        let blocks = blocks.into_iter().find(|other| other.node == zone.node && other.name == zone.name);
        let bytes = |pages: Option<u64>| pages.map(|pages| pages.saturating_mul(PAGE_BYTES));
        self.zone = Some(Zone {
            node: zone.node,
            name: escape::name(&zone.name),
            free_bytes: bytes(zone.free),
            min_bytes: bytes(zone.min),
            low_bytes: bytes(zone.low),
            high_bytes: bytes(zone.high),
            free_blocks: blocks.map(|zone| zone.free_blocks).unwrap_or_default(),
        });
    }
}

fn mapped(process: &Process, mappings: &[Mapping], address: u64) -> Option<Mapped> {
    let program = process.read_link("exe").unwrap_or_default().into_vec();
    let owners = owner::owners(mappings, &program);
    let (mapping, owner) =
        mappings.iter().zip(&owners).find(|(mapping, _)| (mapping.start..mapping.end).contains(&address))?;
    Some(Mapped {
        start: mapping.start,
        end: mapping.end,
        permissions: mapping.permissions.to_string(),
        owner: map::label(mapping, owner),
        file: mapping.name.starts_with(b"/").then(|| escape::name(&mapping.name)),
        rss_bytes: mapping.amounts.get(Amount::Rss),
    })
}

/// The word about a frame in a file that has one for each.
fn frame_word(file: &str, frame: u64) -> Result<u64, String> {
    let mut word = [0; WORD_BYTES];
    let open = File::open(proc_root().join(file));
    let read = open.and_then(|file| file.read_exact_at(&mut word, frame.saturating_mul(WORD_BYTES as u64)));
    read.map_err(|error| format!("{file}: {}", machine::reason(&error)))?;
    Ok(u64::from_ne_bytes(word))
}
