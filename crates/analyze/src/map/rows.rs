//! Rows: a map in so few lines that a person reads it.
//!
//! A database has thousands of mappings of one kind in a row, a process with a thousand threads as many stacks. More than a few
//! of the same owner in a row become one row, the free gaps between them included.
//!
//! Called by the command and by `svg`.

use super::{Gap, GapKind, Map, Piece, Region};
use crate::owner::Owner;
use crate::read::smaps::Amounts;

/// What is shown on one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Row<'a> {
    /// One mapping.
    Region(&'a Region),
    /// Nothing.
    Gap(&'a Gap),
    /// Mappings of the same owner in a row.
    Run(Box<Run<'a>>),
}

/// Mappings of the same owner in a row, and the free gaps between them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run<'a> {
    /// The first of them.
    pub first: &'a Region,
    /// How many mappings they are.
    pub mappings: usize,
    /// The address behind the last.
    pub end: u64,
    /// Bytes of address space, without the gaps.
    pub bytes: u64,
    /// What they have in memory.
    pub amounts: Amounts,
}

impl Map {
    /// The rows from the lowest address upwards; more than `most` mappings of the same owner in a row become one.
    pub fn rows(&self, most: usize) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = Vec::new();
        let mut rest = &self.pieces[..];
        while let Some(piece) = rest.first() {
            let length = match piece {
                Piece::Region(first) => run_length(first, rest),
                Piece::Gap(_) => 1,
            };
            let (pieces, behind) = rest.split_at(length);
            match Run::of(pieces).filter(|run| run.mappings > most) {
                Some(run) => rows.push(Row::Run(Box::new(run))),
                None => rows.extend(pieces.iter().map(Row::of)),
            }
            rest = behind;
        }
        rows
    }
}

/// How many of `pieces` are mappings of the same owner as the first, and gaps between them.
fn run_length(first: &Region, pieces: &[Piece]) -> usize {
    let mut length = 1;
    for (place, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Region(region) if are_of_a_kind(&first.owner, &region.owner) => length = place + 1,
            Piece::Gap(Gap { kind: GapKind::Free, .. }) => {}
            _ => break,
        }
    }
    length
}

/// Whether two neighbours are told apart by no more than the names of their files.
fn are_of_a_kind(one: &Owner, other: &Owner) -> bool {
    match (one, other) {
        (Owner::File(_), Owner::File(_)) | (Owner::Memfd(_), Owner::Memfd(_)) => true,
        _ => one == other,
    }
}

impl<'a> Row<'a> {
    fn of(piece: &'a Piece) -> Self {
        match piece {
            Piece::Region(region) => Self::Region(region),
            Piece::Gap(gap) => Self::Gap(gap),
        }
    }

    /// The first address, and the one behind the last.
    pub fn range(&self) -> (u64, u64) {
        match self {
            Self::Region(region) => (region.mapping.start, region.mapping.end),
            Self::Gap(gap) => (gap.start, gap.end),
            Self::Run(run) => (run.first.mapping.start, run.end),
        }
    }

    /// What is in memory; `None` for a gap.
    pub fn amounts(&self) -> Option<&Amounts> {
        match self {
            Self::Region(region) => Some(&region.mapping.amounts),
            Self::Gap(_) => None,
            Self::Run(run) => Some(&run.amounts),
        }
    }

    /// Bytes of address space; of a run, without the gaps.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Region(region) => region.mapping.bytes(),
            Self::Gap(gap) => gap.bytes(),
            Self::Run(run) => run.bytes,
        }
    }

    /// Whose it is and what it is, as text that is safe to print.
    pub fn label(&self) -> String {
        match self {
            Self::Region(region) => region.label(),
            Self::Gap(gap) => gap.kind.name().to_owned(),
            Self::Run(run) => run.label(),
        }
    }
}

impl<'a> Run<'a> {
    /// `None` for a gap.
    fn of(pieces: &'a [Piece]) -> Option<Self> {
        let first = pieces.first()?.region()?;
        let amounts = Amounts::default();
        let mut run = Self { first, mappings: 0, end: first.mapping.end, bytes: 0, amounts };
        for piece in pieces {
            if let Some(Region { mapping, .. }) = piece.region() {
                run.mappings += 1;
                run.end = mapping.end;
                run.bytes += mapping.bytes();
                run.amounts.add(&mapping.amounts);
            }
        }
        Some(run)
    }

    fn label(&self) -> String {
        let what = match &self.first.owner {
            Owner::File(_) => "of files".to_owned(),
            Owner::Memfd(_) => "of memfds".to_owned(),
            Owner::ThreadStack => "of thread stacks and guards".to_owned(),
            Owner::Arena => "of arenas of glibc".to_owned(),
            owner => format!("of {}", super::owner_label(owner, true)),
        };
        format!("{} mappings {what}", self.mappings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::smaps;

    #[test]
    fn many_of_the_same_owner_become_one_row() {
        let mut maps = String::from("1000-2000 r-xp 0 08:01 1 /bin/a\n");
        for place in 0..20_u64 {
            let start = 0x10_0000 + place * 0x3000;
            maps += &format!("{start:x}-{:x} rw-p 0 00:00 0 \nRss: 4 kB\n", start + 0x1000);
        }
        maps += "200000-201000 rw-s 0 00:01 1 /dev/shm/x\n";
        let map = Map::of(smaps::parse(maps.as_bytes()).unwrap(), b"/bin/a", None);
        let rows = map.rows(16);
        let labels: Vec<String> = rows.iter().map(Row::label).collect();
        let expected = [
            "below everything",
            "program: text",
            "free",
            "20 mappings of anonymous memory",
            "free",
            "shared memory",
            "above everything",
        ];
        assert_eq!(labels, expected);
        assert_eq!((rows[3].range(), rows[3].bytes()), ((0x10_0000, 0x13_a000), 20 << 12));
        assert_eq!(rows[3].amounts().unwrap().get(smaps::Amount::Rss), Some(80 << 10));
        assert_eq!(map.rows(20).len(), map.pieces.len(), "not more than the most");
    }

    #[test]
    fn rows_cover_the_same_addresses_as_the_pieces() {
        let map = Map::of(smaps::parse(crate::map::tests::MAPS.as_bytes()).unwrap(), b"/usr/bin/cat", None);
        for most in [0, 1, 2, 99] {
            let mut address = 0;
            for row in map.rows(most) {
                assert_eq!(row.range().0, address);
                address = row.range().1;
            }
        }
    }
}
