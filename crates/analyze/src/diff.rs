//! Differences: what came and what went between two looks, line by line and mapping by mapping.
//!
//! ```text
//!  the ledger before ─┐                          ┌─► lines: before, after
//!  the ledger after  ─┴─► lines of the same kind ┴─► the residuals too, so that the differences add up
//!  mappings of the same process ───────────────────► changes, those of the most bytes first
//! ```
//!
//! Called by `mallow diff`.

use alloc::collections::BTreeMap;

use serde::Serialize;

use crate::account::Account;
use crate::escape;
use crate::ledger::Kind;
use crate::map::Map;
use crate::map::change::{self, Change};
use crate::read::smaps::Amount;

/// A line of the ledger, at two times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// What the memory is for.
    pub kind: Kind,
    /// Bytes in memory, before and after.
    pub resident: [u64; 2],
}

impl Line {
    /// What came, or went if it is below 0.
    pub fn change(&self) -> i128 {
        i128::from(self.resident[1]) - i128::from(self.resident[0])
    }
}

/// The lines of two ledgers side by side, in their order. A line that one of them does not have is 0 there.
pub fn lines(before: &Account, after: &Account) -> Vec<Line> {
    let mut lines: BTreeMap<Kind, [u64; 2]> = BTreeMap::new();
    for (place, account) in [before, after].into_iter().enumerate() {
        for line in &account.ledger.lines {
            lines.entry(line.kind).or_default()[place] += line.resident;
        }
    }
    lines.into_iter().map(|(kind, resident)| Line { kind, resident }).collect()
}

/// The address spaces of two accounts, to be compared by [`changes`].
pub fn maps(before: &Account, after: &Account) -> [Map; 2] {
    [before, after].map(|account| Map::with_owners(account.mappings.clone(), account.owners.clone(), None))
}

/// Every mapping in which something came or went, the one with the most bytes first.
pub fn changes(maps: &[Map; 2]) -> Vec<Change<'_>> {
    let mut changes = change::changes(&maps[0], &maps[1]);
    changes.retain(|change| resident(change) != 0 || change.bytes() != 0);
    changes.sort_by_key(|change| {
        core::cmp::Reverse((resident(change).unsigned_abs(), change.bytes().unsigned_abs()))
    });
    changes
}

/// By how many bytes what is in memory has changed.
pub fn resident(change: &Change<'_>) -> i128 {
    change.amount(Amount::Rss).unwrap_or(0)
}

/// What `mallow diff --json` prints.
#[derive(Debug, Serialize)]
pub struct Diff {
    before: Side,
    after: Side,
    rss_change_bytes: i64,
    lines: Vec<JsonLine>,
    residual_bytes: [i64; 2],
    mappings: Vec<JsonMapping>,
}

#[derive(Debug, Serialize)]
struct Side {
    pid: u32,
    name: String,
    unix_ms: u64,
    rss_bytes: u64,
}

#[derive(Debug, Serialize)]
struct JsonLine {
    name: &'static str,
    before_bytes: u64,
    after_bytes: u64,
    change_bytes: i64,
}

#[derive(Debug, Serialize)]
struct JsonMapping {
    what: &'static str,
    start: String,
    end: String,
    name: String,
    rss_change_bytes: i64,
    address_space_change_bytes: i64,
}

impl Diff {
    /// The difference between two accounts.
    pub fn of(before: &Account, after: &Account) -> Self {
        let lines = lines(before, after).into_iter().map(|line| JsonLine {
            name: line.kind.name(),
            before_bytes: line.resident[0],
            after_bytes: line.resident[1],
            change_bytes: clamped(line.change()),
        });
        let maps = maps(before, after);
        let mappings = changes(&maps).into_iter().map(|change| {
            let mapping = &change.region().mapping;
            JsonMapping {
                what: change.name(),
                start: format!("{:#x}", mapping.start),
                end: format!("{:#x}", mapping.end),
                name: escape::name(&mapping.name),
                rss_change_bytes: clamped(resident(&change)),
                address_space_change_bytes: clamped(change.bytes()),
            }
        });
        let [before_rss, after_rss] = [before, after].map(|account| i128::from(account.ledger.resident));
        Self {
            before: Side::of(before),
            after: Side::of(after),
            rss_change_bytes: clamped(after_rss - before_rss),
            lines: lines.collect(),
            residual_bytes: [before, after].map(|account| clamped(account.ledger.residual())),
            mappings: mappings.collect(),
        }
    }
}

impl Side {
    fn of(account: &Account) -> Self {
        Self {
            pid: account.pid,
            name: escape::name(&account.status.name),
            unix_ms: account.unix_ms,
            rss_bytes: account.ledger.resident,
        }
    }
}

fn clamped(bytes: i128) -> i64 {
    i64::try_from(bytes).unwrap_or(if bytes < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Recording;

    fn account(smaps: &str) -> Account {
        let mut recording = Recording::new(17, 0);
        recording.put("smaps", smaps.as_bytes().to_vec());
        recording.put("status", b"Name:\tx\nVmSize:\t32 kB\n".to_vec());
        Account::of(&recording).unwrap()
    }

    #[test]
    fn lines_and_mappings_are_compared() {
        let before = account(
            "1000-9000 rw-p 0 00:00 0 [heap]\nRss: 32 kB\n10000-20000 rw-s 0 00:01 9 /dev/shm/x\nRss: 64 kB\n",
        );
        let after = account(
            "1000-19000 rw-p 0 00:00 0 [heap]\nRss: 96 kB\n7ff000-800000 rw-p 0 00:00 0 [stack]\nRss: 4 kB\n",
        );
        let found: Vec<_> = lines(&before, &after).iter().map(|line| (line.kind, line.change())).collect();
        assert_eq!(
            found,
            [(Kind::Heap, 64 << 10), (Kind::MainStack, 4 << 10), (Kind::SharedMemory, -(64 << 10))]
        );
        let maps = maps(&before, &after);
        let mappings: Vec<_> =
            changes(&maps).iter().map(|change| (change.name(), resident(change))).collect();
        assert_eq!(mappings, [("grown", 64 << 10), ("gone", -(64 << 10)), ("new", 4 << 10)]);
        let diff = Diff::of(&before, &after);
        let sum: i64 = diff.lines.iter().map(|line| line.change_bytes).sum();
        assert_eq!(sum, diff.rss_change_bytes);
    }

    #[test]
    fn what_is_the_same_is_no_difference() {
        let one = account("1000-9000 rw-p 0 00:00 0 [heap]\nRss: 32 kB\n");
        assert_eq!(changes(&maps(&one, &one)), []);
        assert!(lines(&one, &one).iter().all(|line| line.change() == 0));
    }
}
