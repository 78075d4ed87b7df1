//! `mallow free`: where the memory of the machine is.

mod json;
mod text;

use alloc::collections::BTreeMap;
use std::fs;

use mallow_analyze::read::buddyinfo;
use mallow_analyze::read::cgroup::group::Group;
use mallow_analyze::read::meminfo::{self, Item, Meminfo};
use mallow_analyze::read::pressure::{self, Pressure};
use mallow_analyze::read::slabinfo::{self, Cache};
use mallow_analyze::read::vmallocinfo;
use mallow_analyze::read::zoneinfo::{self, Zone};
use mallow_analyze::system::{self, Line, Order, Summary};

use crate::args::Free;
use crate::cgroup::Cgroups;
use crate::child::Ending;
use crate::failure;
use crate::machine;
use crate::process::{Process, sys_root};
use crate::style::{self, Style};

/// How many of the largest caches and callers are listed.
const LISTED: usize = 8;
/// Hundredths of a percent of the last 10 seconds in which all tasks waited, from which on it is worth a look.
const MUCH_WAITING: u64 = 500;

/// Everything that is known of the machine. What may not be read is the reason why.
#[derive(Debug)]
struct Report {
    meminfo: Meminfo,
    summary: Summary,
    lines: Vec<Line>,
    residual: Option<i128>,
    overcommit_mode: Result<u64, String>,
    pressure: Result<Pressure, String>,
    orders: Result<Vec<Order>, String>,
    zones: Result<Vec<Zone>, String>,
    /// The largest first.
    caches: Result<Vec<Cache>, String>,
    /// Who has most, in pages.
    vmalloc: Result<Vec<(Vec<u8>, u64)>, String>,
    /// Size, number, and how many are free.
    huge_pages: Vec<HugePages>,
    /// When huge pages are used without being asked for.
    thp: Result<String, String>,
    nodes: Vec<(u32, Meminfo)>,
    /// The group of the command itself, if it has a limit: then this is not what its programs may use.
    own_group: Option<(Vec<u8>, Group)>,
    page_bytes: u64,
}

/// Pages of `hugetlbfs` of one size.
#[derive(Clone, Copy, Debug)]
struct HugePages {
    bytes: u64,
    count: u64,
    free: Option<u64>,
}

/// Looks at the machine, and prints what there is to say.
pub(crate) fn free(options: &Free) -> anyhow::Result<Ending> {
    let report = report()?;
    if options.output.json {
        style::print_json(&json::object(&report))?;
    } else {
        style::print(&text::page(Style::of_stdout(options.output), &report))?;
    }
    Ok(Ending::Exited(if report.is_short() || report.waits() { failure::FOUND } else { 0 }))
}

fn report() -> anyhow::Result<Report> {
    let meminfo = machine::meminfo()?;
    let page_bytes = rustix::param::page_size() as u64;
    Ok(Report {
        summary: system::summary(&meminfo),
        lines: system::lines(&meminfo),
        residual: system::residual(&meminfo),
        meminfo,
        overcommit_mode: machine::setting("vm/overcommit_memory"),
        pressure: machine::proc_parsed("pressure/memory", pressure::parse),
        orders: machine::proc_parsed("buddyinfo", buddyinfo::parse)
            .map(|zones| system::orders(&zones, page_bytes)),
        zones: machine::proc_parsed("zoneinfo", zoneinfo::parse),
        caches: machine::proc_parsed("slabinfo", slabinfo::parse).map(|mut caches| {
            caches.sort_by_key(|cache| core::cmp::Reverse(cache.pages()));
            caches
        }),
        vmalloc: machine::proc_parsed("vmallocinfo", vmallocinfo::parse).map(by_caller),
        huge_pages: huge_pages(),
        thp: machine::sys_file("kernel/mm/transparent_hugepage/enabled").map(|file| chosen(&file)),
        nodes: nodes(),
        own_group: own_group(),
        page_bytes,
    })
}

/// Pages by the function that asked for them, the most first.
fn by_caller(areas: Vec<vmallocinfo::Area>) -> Vec<(Vec<u8>, u64)> {
    let mut sums: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for area in areas.into_iter().filter(|area| area.pages > 0) {
        *sums.entry(area.caller).or_default() += area.pages;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, pages)| core::cmp::Reverse(*pages));
    sums
}

/// The word in brackets: `always [madvise] never`.
fn chosen(file: &[u8]) -> String {
    let text = String::from_utf8_lossy(file);
    let inside = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or_else(|| text.trim().to_owned(), |(word, _)| word.to_owned())
}

fn huge_pages() -> Vec<HugePages> {
    let number = |name: &str| machine::sys_file(name).and_then(|file| machine::number(&file)).ok();
    let mut sizes: Vec<u64> = names("kernel/mm/hugepages")
        .iter()
        .filter_map(|name| name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok())
        .collect();
    sizes.sort_unstable();
    let of_size = |size: &u64| {
        let folder = format!("kernel/mm/hugepages/hugepages-{size}kB");
        let count = number(&format!("{folder}/nr_hugepages"))?;
        Some(HugePages { bytes: size << 10, count, free: number(&format!("{folder}/free_hugepages")) })
    };
    sizes.iter().filter_map(of_size).collect()
}

fn nodes() -> Vec<(u32, Meminfo)> {
    let names = names("devices/system/node");
    let mut numbers: Vec<u32> =
        names.iter().filter_map(|name| name.strip_prefix("node")?.parse().ok()).collect();
    numbers.sort_unstable();
    let node = |number: u32| {
        let file = machine::sys_file(&format!("devices/system/node/node{number}/meminfo")).ok()?;
        Some((number, meminfo::parse(&file).ok()?))
    };
    numbers.into_iter().filter_map(node).collect()
}

/// What is in a folder of `/sys`; nothing if it is not there.
fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(sys_root().join(folder)).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// The nearest group of this command that has a limit.
fn own_group() -> Option<(Vec<u8>, Group)> {
    let own = Process::open(std::process::id()).ok()?;
    let groups = Cgroups::of(&own).ok()?.groups;
    groups.into_iter().find(|(_, group)| group.max.is_some_and(|max| max.number().is_some()))
}

impl Report {
    /// Whether less than a tenth is there for new programs.
    fn is_short(&self) -> bool {
        let (available, total) = (self.summary.available, self.summary.total);
        available.zip(total).is_some_and(|(available, total)| available < total / 10)
    }

    /// Whether tasks wait for memory, and nothing else goes on.
    fn waits(&self) -> bool {
        let full = self.pressure.as_ref().ok().and_then(|pressure| pressure.full);
        full.is_some_and(|stall| stall.avg10 >= MUCH_WAITING)
    }

    /// A line of the kernel's own account.
    fn get(&self, item: Item) -> Option<u64> {
        self.meminfo.get(item)
    }
}
