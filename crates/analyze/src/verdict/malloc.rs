//! Rules about the heaps of `malloc`.

use mallow_units::Bytes;

use super::facts::Part;
use super::{Facts, Finding, Kind};
use crate::ledger;

/// The fewest arenas that are many.
const MANY_ARENAS: u64 = 8;
/// Per cent of a heap that is free in one that counts as empty.
const EMPTY_PERCENT: u64 = 30;

impl Part {
    fn is_empty(&self) -> bool {
        self.free > 0 && u128::from(self.free) * 100 >= u128::from(self.known) * u128::from(EMPTY_PERCENT)
    }

    fn free_percent(&self) -> u64 {
        u64::try_from(u128::from(self.free) * 100 / u128::from(self.known).max(1)).unwrap_or(100)
    }
}

/// Much of the heap is free, and resident.
pub(super) fn empty_heap(facts: &Facts<'_>) -> Option<Finding> {
    let glibc = facts.glibc?;
    // What lies in many arenas is said by the rule for them.
    let part = if many_arenas(facts).is_some() { glibc.first } else { sum(glibc.first, glibc.others) };
    if !part.is_empty() || !facts.is_material(part.free) {
        return None;
    }
    let estimated = if glibc.is_exact { "" } else { " (estimated from the first blocks)" };
    let mut evidence = vec![
        format!(
            "of {} in heaps of glibc {} are free, {} %{estimated}",
            Bytes(part.known),
            Bytes(part.free),
            part.free_percent()
        ),
        format!("{} of that in whole pages, in {} pieces", Bytes(part.trimmable), part.free_blocks),
    ];
    if facts.slope.is_none() {
        evidence.push("one look: whether it grows is not known without --watch".to_owned());
    }
    let is_high_water = part.trimmable >= part.free / 2;
    let (kind, sentence, advice) = if is_high_water {
        (
            Kind::HighWater,
            format!("{} of the heap are free: it was fuller once, and keeps the pages.", Bytes(part.free)),
            "Let the program call malloc_trim(0) after its peak, which gives back all whole pages; or try it on an \
             allocator that does so by itself: mallow run PROGRAM",
        )
    } else {
        (
            Kind::Fragmentation,
            format!("{} of the heap are free in small pieces between used ones.", Bytes(part.free)),
            "No call gives these back. Keep what lives long apart from what lives briefly, restart now and then, or \
             try it on an allocator that packs more densely: mallow run PROGRAM",
        )
    };
    Some(Finding { kind, bytes: part.free, sentence, evidence, advice: advice.to_owned() })
}

/// Many threads have heaps of their own, with much that is free in them.
pub(super) fn many_arenas(facts: &Facts<'_>) -> Option<Finding> {
    let (arenas, part) = match facts.glibc {
        Some(glibc) => (glibc.arenas, glibc.others),
        None => {
            let lines = facts.ledger.lines.iter().filter(|line| line.kind == ledger::Kind::Arenas);
            let (heaps, resident) = lines
                .fold((0, 0), |(heaps, resident), line| (heaps + line.mappings, resident + line.resident));
            // Each is a mapping and its reserve.
            (heaps as u64 / 2, Part { resident, ..Part::default() })
        }
    };
    let bytes = if part.known > 0 { part.free } else { part.resident };
    if arenas < MANY_ARENAS || !facts.is_material(bytes) || part.known > 0 && !part.is_empty() {
        return None;
    }
    let fill = if part.known > 0 {
        format!("{} of that are free, {} %", Bytes(part.free), part.free_percent())
    } else {
        "how full they are: n/a (the memory of the process may not be looked into)".to_owned()
    };
    let evidence =
        vec![format!("{} in {arenas} arenas of {} threads", Bytes(part.resident), facts.threads), fill];
    Some(Finding {
        kind: Kind::ManyArenas,
        bytes,
        sentence: format!("{arenas} arenas of glibc, one for each busy thread, keep free memory for themselves."),
        evidence,
        advice: "Start it with MALLOC_ARENA_MAX=2 (or GLIBC_TUNABLES=glibc.malloc.arena_max=2), or on an allocator whose \
                 threads share what is free: mallow run PROGRAM"
            .to_owned(),
    })
}

fn sum(one: Part, other: Part) -> Part {
    Part {
        resident: one.resident + other.resident,
        known: one.known + other.known,
        free: one.free + other.free,
        trimmable: one.trimmable + other.trimmable,
        free_blocks: one.free_blocks + other.free_blocks,
    }
}
