//! The map as JSON, for programs.
//!
//! Addresses are text, in hexadecimal with `0x`, because numbers of that size do not survive in every reader. What is not known is
//! `null`, and `unavailable` says why. Pieces are in the order of their addresses, the lowest first.
//!
//! Called by `map`.

use core::time::Duration;

use mallow_analyze::escape;
use mallow_analyze::mallow::{Part, Share};
use mallow_analyze::map::change::{self, Change};
use mallow_analyze::map::density::Density;
use mallow_analyze::map::{self, Piece};
use mallow_analyze::read::smaps::{Amount, Amounts};
use serde::Serialize;

use super::look::Look;
use super::pages::Pages;

/// A whole map.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    pid: u32,
    name: &'a str,
    mappings: usize,
    size_bytes: u64,
    #[serde(flatten)]
    sizes: Sizes,
    unavailable: Option<&'a str>,
    aslr: Option<&'static str>,
    bases: Bases,
    #[serde(skip_serializing_if = "Option::is_none")]
    pages_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pages_unavailable: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heap_parts_unavailable: Option<&'a str>,
    pieces: Vec<PieceOrGap>,
}

/// What is in memory.
#[derive(Debug, Serialize)]
struct Sizes {
    rss_bytes: Option<u64>,
    pss_bytes: Option<u64>,
    shared_clean_bytes: Option<u64>,
    shared_dirty_bytes: Option<u64>,
    private_clean_bytes: Option<u64>,
    private_dirty_bytes: Option<u64>,
    anonymous_bytes: Option<u64>,
    anon_huge_page_bytes: Option<u64>,
    swap_bytes: Option<u64>,
    swap_pss_bytes: Option<u64>,
    locked_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Bases {
    program: Option<String>,
    heap: Option<String>,
    mmap: Option<String>,
    stack: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum PieceOrGap {
    Gap { start: String, end: String, size_bytes: u64, what: &'static str },
    Mapping(Box<Mapping>),
}

#[derive(Debug, Serialize)]
struct Mapping {
    start: String,
    end: String,
    size_bytes: u64,
    permissions: String,
    backing: &'static str,
    what: String,
    name: String,
    offset_bytes: u64,
    #[serde(flatten)]
    sizes: Sizes,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    heap_parts: Vec<HeapPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<PagesOf>,
}

/// What a part of mallow's heap has in memory of a mapping.
#[derive(Debug, Serialize)]
struct HeapPart {
    part: Part,
    resident_bytes: u64,
}

/// Which pages of a mapping are there. A cell is how many pages it has, how many of these are known, are present, and are swapped
/// out.
#[derive(Debug, Serialize)]
struct PagesOf {
    count: u64,
    known: u64,
    present: u64,
    swapped: u64,
    cells: Vec<[u64; 4]>,
}

/// What changed between two looks.
#[derive(Debug, Serialize)]
pub(super) struct Changes<'a> {
    pid: u32,
    name: &'a str,
    seconds: f64,
    unavailable: Option<&'a str>,
    changes: Vec<OneChange>,
}

#[derive(Debug, Serialize)]
struct OneChange {
    change: &'static str,
    size_change_bytes: Option<i64>,
    rss_change_bytes: Option<i64>,
    private_dirty_change_bytes: Option<i64>,
    swap_change_bytes: Option<i64>,
    mapping: Mapping,
}

impl<'a> Report<'a> {
    /// The map, and its pages if they were looked at.
    pub(super) fn of(look: &'a Look, pages: Option<&'a Pages>) -> Self {
        let (count, bytes, amounts) = look.map.total();
        let bases = look.map.bases;
        let (mut parts, mut place) = (look.parts(), 0..);
        // Gaps have none: what comes next is of the next mapping.
        let mut next_parts = || place.next().and_then(|place| parts.remove(&place)).unwrap_or_default();
        Self {
            pid: look.pid,
            name: &look.name,
            mappings: count,
            size_bytes: bytes,
            sizes: Sizes::of(&amounts),
            unavailable: look.missing.as_deref(),
            aslr: look.randomised.word(),
            bases: Bases {
                program: bases.program.map(address),
                heap: bases.heap.map(address),
                mmap: bases.mmap.map(address),
                stack: bases.stack.map(address),
            },
            pages_by: pages.filter(|pages| matches!(pages, Pages::Known(_))).map(|_| "pagemap"),
            pages_unavailable: match pages {
                Some(Pages::Unknown(reason)) => Some(reason),
                _ => None,
            },
            heap_parts_unavailable: match &look.heap {
                Some(Err(reason)) => Some(reason),
                _ => None,
            },
            pieces: look
                .map
                .pieces
                .iter()
                .map(|piece| PieceOrGap::of(piece, &mut next_parts, pages))
                .collect(),
        }
    }
}

impl Sizes {
    fn of(amounts: &Amounts) -> Self {
        Self {
            rss_bytes: amounts.get(Amount::Rss),
            pss_bytes: amounts.get(Amount::Pss),
            shared_clean_bytes: amounts.get(Amount::SharedClean),
            shared_dirty_bytes: amounts.get(Amount::SharedDirty),
            private_clean_bytes: amounts.get(Amount::PrivateClean),
            private_dirty_bytes: amounts.get(Amount::PrivateDirty),
            anonymous_bytes: amounts.get(Amount::Anonymous),
            anon_huge_page_bytes: amounts.get(Amount::AnonHugePages),
            swap_bytes: amounts.get(Amount::Swap),
            swap_pss_bytes: amounts.get(Amount::SwapPss),
            locked_bytes: amounts.get(Amount::Locked),
        }
    }
}

impl PieceOrGap {
    fn of(piece: &Piece, next_parts: &mut impl FnMut() -> Vec<Share>, pages: Option<&Pages>) -> Self {
        match piece {
            Piece::Gap(gap) => Self::Gap {
                start: address(gap.start),
                end: address(gap.end),
                size_bytes: gap.bytes(),
                what: gap.kind.name(),
            },
            Piece::Region(region) => {
                let pages = pages.and_then(|pages| pages.get(&region.mapping)).map(PagesOf::of);
                let heap_parts = next_parts().iter().map(HeapPart::of).collect();
                Self::Mapping(Box::new(Mapping { heap_parts, pages, ..Mapping::of(region) }))
            }
        }
    }
}

impl Mapping {
    fn of(region: &map::Region) -> Self {
        let mapping = &region.mapping;
        Self {
            start: address(mapping.start),
            end: address(mapping.end),
            size_bytes: mapping.bytes(),
            permissions: mapping.permissions.to_string(),
            backing: region.backing().name(),
            what: region.label(),
            name: escape::name(&mapping.name),
            offset_bytes: mapping.offset,
            sizes: Sizes::of(&mapping.amounts),
            heap_parts: Vec::new(),
            pages: None,
        }
    }
}

impl HeapPart {
    const fn of(share: &Share) -> Self {
        Self { part: share.part, resident_bytes: share.resident }
    }
}

impl PagesOf {
    fn of(density: &Density) -> Self {
        let total = density.total();
        let cells = density.cells().iter();
        Self {
            count: total.pages,
            known: total.known,
            present: total.present,
            swapped: total.swapped,
            cells: cells.map(|cell| [cell.pages, cell.known, cell.present, cell.swapped]).collect(),
        }
    }
}

impl<'a> Changes<'a> {
    /// What changed from one look to the next.
    pub(super) fn of(before: &Look, after: &'a Look, wait: Duration) -> Self {
        let changes = change::changes(&before.map, &after.map);
        Self {
            pid: after.pid,
            name: &after.name,
            seconds: wait.as_secs_f64(),
            unavailable: after.missing.as_deref(),
            changes: changes.iter().map(OneChange::of).collect(),
        }
    }
}

impl OneChange {
    fn of(change: &Change<'_>) -> Self {
        let amount = |amount| change.amount(amount).and_then(|bytes| i64::try_from(bytes).ok());
        Self {
            change: change.name(),
            size_change_bytes: i64::try_from(change.bytes()).ok(),
            rss_change_bytes: amount(Amount::Rss),
            private_dirty_change_bytes: amount(Amount::PrivateDirty),
            swap_change_bytes: amount(Amount::Swap),
            mapping: Mapping::of(change.region()),
        }
    }
}

fn address(address: u64) -> String {
    format!("{address:#x}")
}
