//! Changes: what happened to an address space between two looks at it.
//!
//! A mapping is the same as before if they overlap, and have the same file or name. The kernel splits mappings when a part of them
//! gets other rights, and joins neighbours that have become equal, so that one may have several to be compared with: the first
//! with the same rights is it, and the others are said to be split off or joined.
//!
//! Called by the command.

use super::{Map, Region};
use crate::read::smaps::{Amount, Mapping};

/// Something that happened to a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change<'a> {
    /// It was not there before.
    New(&'a Region),
    /// It is there no longer.
    Gone(&'a Region),
    /// It was a part of another one.
    SplitOff(&'a Region),
    /// It is a part of another one now.
    Joined(&'a Region),
    /// It has other borders, other rights, or something else in memory.
    Changed {
        /// The first look.
        before: &'a Region,
        /// The second.
        after: &'a Region,
    },
}

/// The amounts that make a difference. What others do changes PSS, and a look changes what is referenced.
const COMPARED: [Amount; 6] = [
    Amount::Rss,
    Amount::SharedDirty,
    Amount::PrivateDirty,
    Amount::AnonHugePages,
    Amount::Swap,
    Amount::Locked,
];

/// What happened between `before` and `after`, from the lowest address upwards.
pub fn changes<'a>(before: &'a Map, after: &'a Map) -> Vec<Change<'a>> {
    let before: Vec<&Region> = before.regions().collect();
    let after: Vec<&Region> = after.regions().collect();
    let overlaps = overlaps(&before, &after);
    let mut partner_of_before = vec![None; before.len()];
    let mut partner_of_after = vec![None; after.len()];
    // Those with the same rights first, and what is left then.
    for need_same_rights in [true, false] {
        for &(old, new) in &overlaps {
            let is_free = partner_of_before[old].is_none() && partner_of_after[new].is_none();
            let has_same_rights = before[old].mapping.permissions == after[new].mapping.permissions;
            if is_free && (has_same_rights || !need_same_rights) {
                partner_of_before[old] = Some(new);
                partner_of_after[new] = Some(old);
            }
        }
    }
    let (mut was_part, mut is_part) = (vec![false; after.len()], vec![false; before.len()]);
    for &(old, new) in &overlaps {
        is_part[old] = true;
        was_part[new] = true;
    }
    let mut changes = Vec::new();
    for (place, region) in after.iter().enumerate() {
        changes.extend(match partner_of_after[place] {
            Some(old) if is_same(&before[old].mapping, &region.mapping) => None,
            Some(old) => Some(Change::Changed { before: before[old], after: region }),
            None if was_part[place] => Some(Change::SplitOff(region)),
            None => Some(Change::New(region)),
        });
    }
    for (place, region) in before.iter().enumerate() {
        changes.extend(match partner_of_before[place] {
            Some(_) => None,
            None if is_part[place] => Some(Change::Joined(region)),
            None => Some(Change::Gone(region)),
        });
    }
    changes.sort_by_key(|change| change.region().mapping.start);
    changes
}

/// The places of mappings that overlap and have the same file or name, in order.
fn overlaps(before: &[&Region], after: &[&Region]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut first = 0;
    for (new, region) in after.iter().enumerate() {
        while before.get(first).is_some_and(|old| old.mapping.end <= region.mapping.start) {
            first += 1;
        }
        let reached = before[first..].iter().take_while(|old| old.mapping.start < region.mapping.end);
        found.extend(
            (first..).zip(reached).filter(|(_, old)| have_same_file(old, region)).map(|(old, _)| (old, new)),
        );
    }
    found
}

fn have_same_file(one: &Region, other: &Region) -> bool {
    let file = |region: &Region| (region.mapping.device, region.mapping.inode);
    file(one) == file(other) && one.mapping.name == other.mapping.name
}

fn is_same(before: &Mapping, after: &Mapping) -> bool {
    let shape = |mapping: &Mapping| (mapping.start, mapping.end, mapping.permissions);
    shape(before) == shape(after)
        && COMPARED.iter().all(|&amount| before.amounts.get(amount) == after.amounts.get(amount))
}

impl<'a> Change<'a> {
    /// The mapping as it is, or was if it is no longer there.
    pub const fn region(&self) -> &'a Region {
        match self {
            Self::New(region) | Self::Gone(region) | Self::SplitOff(region) | Self::Joined(region) => region,
            Self::Changed { after, .. } => after,
        }
    }

    /// What happened, in a few words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::New(_) => "new",
            Self::Gone(_) => "gone",
            Self::SplitOff(_) => "split off",
            Self::Joined(_) => "joined",
            Self::Changed { before, after } => {
                let (before, after) = (&before.mapping, &after.mapping);
                match before.bytes().cmp(&after.bytes()) {
                    core::cmp::Ordering::Less => "grown",
                    core::cmp::Ordering::Greater => "shrunk",
                    core::cmp::Ordering::Equal if before.permissions != after.permissions => "other rights",
                    core::cmp::Ordering::Equal if before.start != after.start => "moved",
                    core::cmp::Ordering::Equal => "used",
                }
            }
        }
    }

    /// By how many bytes the address space has grown here.
    pub fn bytes(&self) -> i128 {
        self.difference(|mapping| Some(mapping.bytes())).unwrap_or(0)
    }

    /// By how many bytes one of the amounts has grown here; `None` if this kernel does not tell.
    pub fn amount(&self, amount: Amount) -> Option<i128> {
        self.difference(|mapping| mapping.amounts.get(amount))
    }

    fn difference(&self, of: impl Fn(&Mapping) -> Option<u64>) -> Option<i128> {
        let of = |region: &Region| of(&region.mapping).map(i128::from);
        match self {
            Self::New(region) | Self::SplitOff(region) => of(region),
            Self::Gone(region) | Self::Joined(region) => of(region).map(|bytes| -bytes),
            Self::Changed { before, after } => Some(of(after)? - of(before)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::smaps;

    fn map(maps: &str) -> Map {
        Map::of(smaps::parse(maps.as_bytes()).unwrap(), b"/bin/a", None)
    }

    /// What happened, where, and by how many pages.
    fn found(before: &str, after: &str) -> Vec<(&'static str, u64, i128)> {
        let (before, after) = (map(before), map(after));
        let changes = changes(&before, &after);
        changes
            .iter()
            .map(|change| (change.name(), change.region().mapping.start >> 12, change.bytes() >> 12))
            .collect()
    }

    #[test]
    fn each_change_has_its_name() {
        const HEAP: &str = "1000-3000 rw-p 0 00:00 0 [heap]\n";
        for (before, after, expected) in [
            (HEAP, HEAP, vec![]),
            (HEAP, "1000-5000 rw-p 0 00:00 0 [heap]\n", vec![("grown", 1, 2)]),
            (HEAP, "1000-2000 rw-p 0 00:00 0 [heap]\n", vec![("shrunk", 1, -1)]),
            (HEAP, "1000-3000 r--p 0 00:00 0 [heap]\n", vec![("other rights", 1, 0)]),
            (HEAP, "1000-3000 rw-p 0 00:00 0 [heap]\nRss: 4 kB\n", vec![("used", 1, 0)]),
            (HEAP, "", vec![("gone", 1, -2)]),
            ("", HEAP, vec![("new", 1, 2)]),
            (
                "1000-3000 r--p 0 08:01 1 /a\n",
                "1000-3000 r--p 0 08:01 2 /a\n",
                vec![("new", 1, 2), ("gone", 1, -2)],
            ),
        ] {
            assert_eq!(found(before, after), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn an_arena_that_eats_into_its_reserve_has_grown() {
        let before = "10000-20000 rw-p 0 00:00 0 \n20000-90000 ---p 0 00:00 0 \n";
        let after = "10000-30000 rw-p 0 00:00 0 \n30000-90000 ---p 0 00:00 0 \n";
        assert_eq!(found(before, after), [("grown", 0x10, 16), ("shrunk", 0x30, -16)]);
    }

    #[test]
    fn parts_are_split_off_and_joined() {
        let whole = "10000-40000 rw-p 0 00:00 0 \n";
        let parts = "10000-20000 rw-p 0 00:00 0 \n20000-30000 ---p 0 00:00 0 \n30000-40000 rw-p 0 00:00 0 \n";
        assert_eq!(
            found(whole, parts),
            [("shrunk", 0x10, -32), ("split off", 0x20, 16), ("split off", 0x30, 16)]
        );
        assert_eq!(found(parts, whole), [("grown", 0x10, 32), ("joined", 0x20, -16), ("joined", 0x30, -16)]);
    }

    #[test]
    fn what_is_not_told_has_no_difference() {
        let before = map("1000-3000 rw-p 0 00:00 0 \nRss: 4 kB\n");
        let after = map("1000-3000 rw-p 0 00:00 0 \nRss: 8 kB\nSwap: 4 kB\n");
        let changes = changes(&before, &after);
        assert_eq!(changes[0].amount(Amount::Rss), Some(4096));
        assert_eq!(changes[0].amount(Amount::Swap), None);
    }
}
