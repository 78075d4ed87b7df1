//! Rules about the heap of a process on mallow.

use mallow_units::Bytes;

use super::{Facts, Finding, Kind};
use crate::mallow::{Class, Part, View};

/// Size classes that are named.
const NAMED: usize = 3;

/// Much is free and resident, and could go back.
pub(super) fn high_water(facts: &Facts<'_>) -> Option<Finding> {
    let view = facts.mallow?;
    let [kept, caches, waiting] = [Part::Kept, Part::Caches, Part::Waiting].map(|part| view.resident(part));
    let bytes = kept + caches + waiting;
    if !facts.is_material(bytes) {
        return None;
    }
    let mut evidence = vec![format!("{} kept for reuse, {} with threads", Bytes(kept), Bytes(caches))];
    if waiting > 0 {
        let waiting = Bytes(waiting);
        evidence.push(format!(
            "{waiting} freed by other threads than those they are of, which have not come by since"
        ));
    }
    Some(Finding {
        kind: Kind::HighWater,
        bytes,
        sentence: format!("{} of the heap are free: it was fuller a moment ago, or its threads sleep.", Bytes(bytes)),
        evidence,
        advice: "It goes back while the threads work, within a second; at once, when they next allocate: mallow trim PID"
            .to_owned(),
    })
}

/// Much is free in slabs that also hold live blocks.
pub(super) fn fragmentation(facts: &Facts<'_>) -> Option<Finding> {
    let view = facts.mallow?;
    let bytes = view.resident(Part::Fragmentation);
    if !facts.is_material(bytes) {
        return None;
    }
    let live = view.resident(Part::Live);
    let mut evidence =
        vec![format!("{} live, {} free beside them on the same pages", Bytes(live), Bytes(bytes))];
    evidence.extend(emptiest(view).into_iter().map(|class| {
        let Class { live_blocks, free_blocks, block_bytes, .. } = *class;
        format!(
            "blocks of {block_bytes} bytes: {live_blocks} live, {free_blocks} free ({})",
            Bytes(class.free_bytes())
        )
    }));
    Some(Finding {
        kind: Kind::Fragmentation,
        bytes,
        sentence: format!("{} of the heap are free in small pieces between live blocks.", Bytes(bytes)),
        evidence,
        advice: "No call gives these back. Keep what lives long apart from what lives briefly, or restart now and then."
            .to_owned(),
    })
}

/// The size classes with the most free bytes.
fn emptiest(view: &View) -> Vec<&Class> {
    let mut classes: Vec<&Class> = view.classes.iter().filter(|class| class.free_blocks > 0).collect();
    classes.sort_by_key(|class| core::cmp::Reverse(class.free_bytes()));
    classes.truncate(NAMED);
    classes
}
