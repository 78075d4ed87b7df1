//! What `mallow why --json` prints: the account as one object.
//!
//! Fields are added, and neither renamed nor removed: scripts read them. What is not known is `null`, and the reason stands
//! beside it. `docs/json.md` describes the fields. Called by the command.

use serde::Serialize;

use crate::account::{Account, KERNEL_STACK_BYTES};
use crate::escape;
use crate::ledger::{self, Ledger};
use crate::mallow::View;
use crate::read::cgroup::group::{Group, Part};
use crate::read::cgroup::place::Folder;
use crate::read::smaps::Amount;
use crate::slope::Slope;
use crate::verdict::Finding;

/// The object.
#[derive(Debug, Serialize)]
pub struct Why<'a> {
    pid: u32,
    name: String,
    program: String,
    unix_ms: u64,
    threads: u64,
    rss_bytes: u64,
    lines: Vec<Line>,
    residual_bytes: i64,
    verdict: &'static str,
    findings: &'a [Finding],
    beside: Vec<Beside>,
    pss_bytes: Option<u64>,
    uss_bytes: Option<u64>,
    statm_bytes: [Option<u64>; 2],
    heaps: Vec<Heap>,
    heaps_missing: Option<&'a str>,
    mallow: Option<&'a View>,
    mallow_missing: Option<&'a str>,
    cgroup: Option<Cgroup>,
    cgroup_missing: Option<&'a str>,
    slope: Option<Slope>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    bytes: u64,
    address_space_bytes: u64,
    mappings: usize,
    pss_bytes: Option<u64>,
    private_dirty_bytes: Option<u64>,
    huge_page_bytes: Option<u64>,
    swap_bytes: Option<u64>,
}

/// What is charged beside RSS.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Beside {
    /// What it is.
    pub name: &'static str,
    /// How much it is; `None` if that is not known.
    pub bytes: Option<u64>,
    /// Why it is not known, or whose it is too.
    pub note: Option<String>,
}

#[derive(Debug, Serialize)]
struct Heap {
    start: String,
    resident_bytes: u64,
    used_bytes: Option<u64>,
    free_bytes: Option<u64>,
    trimmable_bytes: Option<u64>,
    is_whole: bool,
    missing: Option<String>,
}

#[derive(Debug, Serialize)]
struct Cgroup {
    name: String,
    charged_bytes: Option<u64>,
    limit_bytes: Option<u64>,
    anonymous_bytes: Option<u64>,
    file_bytes: Option<u64>,
    kernel_bytes: Option<u64>,
}

impl<'a> Why<'a> {
    /// The object of an account.
    pub fn of(account: &'a Account) -> Self {
        let ledger = &account.ledger;
        let group = account.group();
        Self {
            pid: account.pid,
            name: escape::name(&account.status.name),
            program: escape::name(&account.program),
            unix_ms: account.unix_ms,
            threads: account.status.threads,
            rss_bytes: ledger.resident,
            lines: ledger.lines.iter().map(Line::of).collect(),
            residual_bytes: i64::try_from(ledger.residual()).unwrap_or(i64::MAX),
            verdict: account.findings.first().map_or("", |finding| finding.kind.name()),
            findings: &account.findings,
            beside: beside(account),
            pss_bytes: ledger.total(Amount::Pss),
            uss_bytes: unique(ledger),
            statm_bytes: account.statm,
            heaps: account.heaps.as_deref().unwrap_or_default().iter().map(Heap::of).collect(),
            heaps_missing: account.heaps.as_ref().err().map(|reason| &reason[..]),
            mallow: account.mallow.as_ref().and_then(|view| view.as_ref().ok()),
            mallow_missing: account
                .mallow
                .as_ref()
                .and_then(|view| view.as_ref().err())
                .map(|reason| &reason[..]),
            cgroup: group.ok().map(Cgroup::of),
            cgroup_missing: group.err(),
            slope: account.slope,
        }
    }
}

/// Bytes in memory that no other process has.
pub fn unique(ledger: &Ledger) -> Option<u64> {
    Some(ledger.total(Amount::PrivateClean)? + ledger.total(Amount::PrivateDirty)?)
}

/// What is charged to the process and its group, and not in RSS.
pub fn beside(account: &Account) -> Vec<Beside> {
    let known = |name, bytes: Option<u64>| Beside {
        name,
        bytes,
        note: bytes.is_none().then(|| "this kernel does not tell".to_owned()),
    };
    let own = account.ledger.beside;
    let mut lines = vec![
        known("page tables", own.page_tables),
        Beside {
            name: "kernel stacks",
            bytes: Some(account.kernel_stacks()),
            note: Some(format!("threads: {}, {} KiB each", account.status.threads, KERNEL_STACK_BYTES >> 10)),
        },
        known("swap", own.swapped),
        known("hugetlb", own.huge_tlb),
    ];
    let of_group = |name, bytes: fn(&Group) -> Option<u64>| match account.group() {
        Ok((folder, group)) => {
            let bytes = bytes(group);
            let note = if bytes.is_some() {
                format!("of all in control group {}", escape::name(&folder.name))
            } else {
                "this control group does not tell".to_owned()
            };
            Beside { name, bytes, note: Some(note) }
        }
        Err(reason) => Beside { name, bytes: None, note: Some(reason.to_owned()) },
    };
    lines.extend([
        of_group("file cache, not mapped", unmapped_cache),
        of_group("sockets", |group| group.part(Part::Sockets)),
        of_group("slab", |group| group.part(Part::Slab)),
        of_group("charged in all", |group| group.current),
    ]);
    lines
}

/// What a group has of files that no address space shows.
fn unmapped_cache(group: &Group) -> Option<u64> {
    Some(group.part(Part::File)?.saturating_sub(group.part(Part::FileMapped)?))
}

impl Line {
    fn of(line: &ledger::Line) -> Self {
        let amount = |amount| line.amounts.get(amount);
        Self {
            name: line.kind.name(),
            bytes: line.resident,
            address_space_bytes: line.address_space,
            mappings: line.mappings,
            pss_bytes: amount(Amount::Pss),
            private_dirty_bytes: amount(Amount::PrivateDirty),
            huge_page_bytes: amount(Amount::AnonHugePages),
            swap_bytes: amount(Amount::Swap),
        }
    }
}

impl Heap {
    fn of(heap: &crate::glibc::Heap) -> Self {
        let seen = heap.seen.as_ref();
        Self {
            start: format!("{:#x}", heap.start),
            resident_bytes: heap.resident,
            used_bytes: seen.ok().map(|seen| seen.used),
            free_bytes: seen.ok().map(|seen| seen.free),
            trimmable_bytes: seen.ok().map(|seen| seen.trimmable),
            is_whole: seen.is_ok_and(|seen| seen.is_whole),
            missing: seen.err().cloned(),
        }
    }
}

impl Cgroup {
    fn of((folder, group): &(Folder, Group)) -> Self {
        Self {
            name: escape::name(&folder.name),
            charged_bytes: group.current,
            limit_bytes: group.max.and_then(|limit| limit.number()),
            anonymous_bytes: group.part(Part::Anonymous),
            file_bytes: group.part(Part::File),
            kernel_bytes: group.part(Part::Kernel),
        }
    }
}
