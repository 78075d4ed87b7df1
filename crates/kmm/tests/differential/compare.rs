//! Where two transcripts of a script differ.

use core::fmt::Write as _;

use mallow_kmm::script::{Call, Script};

use crate::known::{self, Concern};
use crate::transcript::{Area, Detail, End, Step, Transcript};

/// The kinds of memory of `smaps` that are compared.
const KINDS: [&str; 9] = [
    "Rss",
    "Pss",
    "Shared_Clean",
    "Shared_Dirty",
    "Private_Clean",
    "Private_Dirty",
    "Anonymous",
    "Swap",
    "Locked",
];

/// The first difference, as text; `None` if there is none.
pub(crate) fn difference(script: &Script, live: &Transcript, simulated: &Transcript) -> Option<String> {
    if known::is_excused(script, Concern::Everything) {
        return None;
    }
    let has_borders = !known::is_excused(script, Concern::Borders);
    let statements = script.statements.iter().zip(live.steps.iter().zip(&simulated.steps));
    for (index, (statement, (live, simulated))) in statements.enumerate() {
        if let Some(text) = step(live, simulated, has_borders) {
            return Some(format!("statement {}, `{statement}`: {text}", index + 1));
        }
    }
    for (process, (live, simulated)) in live.ends.iter().zip(&simulated.ends).enumerate() {
        let text = match (live, simulated) {
            (Some(live), Some(simulated)) => end(script, live, simulated, has_borders),
            (None, None) => None,
            (live, _) => Some(format!("lives on Linux: {}", live.is_some())),
        };
        if let Some(text) = text {
            return Some(format!("process {process} at the end: {text}"));
        }
    }
    let exits = script.statements.iter().any(|statement| statement.call == Call::Exit);
    let is_compared = !exits && !known::is_excused(script, Concern::Committed);
    if is_compared && live.committed_kib != simulated.committed_kib {
        let (live, simulated) = (live.committed_kib, simulated.committed_kib);
        return Some(format!("Committed_AS: Linux {live} KiB, simulated {simulated} KiB"));
    }
    None
}

/// Whether a difference may come from what other processes do at the same time.
pub(crate) fn may_be_noise(difference: &str) -> bool {
    difference.starts_with("Committed_AS")
}

fn step(live: &Step, simulated: &Step, has_borders: bool) -> Option<String> {
    if live.outcome != simulated.outcome {
        return Some(format!("Linux {}, simulated {}", live.outcome, simulated.outcome));
    }
    let is_same = if has_borders {
        live.maps == simulated.maps
    } else {
        joined(live.maps.clone(), Area::join) == joined(simulated.maps.clone(), Area::join)
    };
    (!is_same).then(|| {
        format!("other areas\n  Linux:\n{}  simulated:\n{}", list(&live.maps), list(&simulated.maps))
    })
}

fn end(script: &Script, live: &End, simulated: &End, has_borders: bool) -> Option<String> {
    let [live_areas, simulated_areas] = [live, simulated].map(|end| {
        let areas = end.areas.clone();
        if has_borders { areas } else { joined(areas, Detail::join) }
    });
    for (live, simulated) in live_areas.iter().zip(&simulated_areas) {
        let sorted = |flags: &[String]| {
            let mut flags = flags.to_vec();
            flags.sort();
            flags.join(" ")
        };
        let (live_flags, simulated_flags) = (sorted(&live.flags), sorted(&simulated.flags));
        if live_flags != simulated_flags {
            let area = line(&live.area);
            return Some(format!("flags of {area}: Linux `{live_flags}`, simulated `{simulated_flags}`"));
        }
        for kind in KINDS {
            let [live_kib, simulated_kib] =
                [live, simulated].map(|detail| detail.kib.get(kind).copied().unwrap_or_default());
            if live_kib != simulated_kib {
                let area = line(&live.area);
                return Some(format!(
                    "{kind} of {area}: Linux {live_kib} KiB, simulated {simulated_kib} KiB"
                ));
            }
        }
    }
    if let Some(page) = live
        .pages
        .keys()
        .chain(simulated.pages.keys())
        .find(|page| live.pages.get(page) != simulated.pages.get(page))
    {
        let [live, simulated] = [live, simulated].map(|end| end.pages.get(page).copied().unwrap_or_default());
        return Some(format!("page {page:x}: pagemap of Linux {live:x}, simulated {simulated:x}"));
    }
    let mut totals = (live.totals, simulated.totals);
    // What lies elsewhere has been locked too.
    if script.statements.iter().any(|one| matches!(one.call, Call::Mlockall { .. })) {
        (totals.0.locked, totals.1.locked) = (0, 0);
    }
    (totals.0 != totals.1).then(|| format!("sums: Linux {:?}, simulated {:?}", totals.0, totals.1))
}

/// The areas, those that are alike and touch as one.
fn joined<T>(areas: Vec<T>, join: impl Fn(&mut T, &T) -> bool) -> Vec<T> {
    let mut joined: Vec<T> = Vec::new();
    for area in areas {
        if !joined.last_mut().is_some_and(|last| join(last, &area)) {
            joined.push(area);
        }
    }
    joined
}

fn list(areas: &[Area]) -> String {
    areas.iter().fold(String::new(), |mut text, area| {
        let _ = writeln!(text, "    {}", line(area));
        text
    })
}

fn line(area: &Area) -> String {
    let Area { start, end, access, offset, name } = area;
    format!("{start:x}-{end:x} {access} {offset:x} {name}")
}
