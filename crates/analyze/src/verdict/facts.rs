//! What rules know of a process: numbers, taken from its account.
//!
//! Called by `account` and the rules.

use crate::account::Account;
use crate::glibc::{Heap, Seen};
use crate::ledger::{Kind, Ledger, Line};
use crate::limits::{self, Bound};
use crate::mallow::View;
use crate::owner::Owner;
use crate::padding::Padding;
use crate::read::smaps::Amount;
use crate::slope::Slope;

/// Bytes below which nothing is worth a word.
const SMALL_BYTES: u64 = 16 << 20;

/// What is known of a process.
#[derive(Clone, PartialEq, Debug)]
pub struct Facts<'a> {
    /// Where its resident memory is.
    pub ledger: &'a Ledger,
    /// How it grows, if it was watched.
    pub slope: Option<Slope>,
    /// The heaps of glibc, if they could be looked into.
    pub glibc: Option<Glibc>,
    /// Its heap, if it is on mallow and could be looked into.
    pub mallow: Option<&'a View>,
    /// What was seen of its huge pages.
    pub padding: Option<Padding>,
    /// How many threads it has.
    pub threads: u64,
    /// What limits it.
    pub bounds: &'a [Bound],
    /// The runtime that keeps its heap without `malloc`, if its library is there.
    pub runtime: Option<&'static str>,
}

/// What was seen of glibc's heaps, in bytes of resident memory, as if all had been looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Glibc {
    /// In the first arena: what `brk` has grown.
    pub first: Part,
    /// In all other arenas.
    pub others: Part,
    /// How many other arenas there are.
    pub arenas: u64,
    /// Whether every block was looked at.
    pub is_exact: bool,
}

/// Some of the heaps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Part {
    /// In memory.
    pub resident: u64,
    /// Of [`Part::resident`], what could be looked at, or is estimated from what could.
    pub known: u64,
    /// Free.
    pub free: u64,
    /// Free in whole pages.
    pub trimmable: u64,
    /// How many pieces of it are free.
    pub free_blocks: u64,
}

impl Part {
    fn add(&mut self, heap: &Heap) {
        self.resident = self.resident.saturating_add(heap.resident);
        let Ok(seen) = &heap.seen else { return };
        let whole = u128::from(seen.used.saturating_add(seen.free)).max(1);
        let resident = u128::from(heap.resident);
        // What was not walked is taken to be like what was.
        let scaled = |part: u64| {
            let part = if seen.is_whole { u128::from(part) } else { u128::from(part) * resident / whole };
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        self.known = self.known.saturating_add(heap.resident);
        self.free = self.free.saturating_add(scaled(seen.free).min(heap.resident));
        self.trimmable = self.trimmable.saturating_add(scaled(seen.trimmable).min(heap.resident));
        let free_blocks = if seen.is_whole { seen.free_blocks } else { scaled(seen.free_blocks) };
        self.free_blocks = self.free_blocks.saturating_add(free_blocks);
    }
}

impl Glibc {
    /// Sums up what was seen of `heaps`.
    pub fn of(heaps: &[Heap]) -> Self {
        let mut glibc = Self { is_exact: true, ..Self::default() };
        let mut arenas: Vec<u64> = Vec::new();
        // The first heap of the list is the first arena's if its arena has no address.
        for heap in heaps {
            match heap.arena {
                None if !heap.start.is_multiple_of(crate::owner::ARENA_BYTES) => glibc.first.add(heap),
                arena => {
                    glibc.others.add(heap);
                    arenas.push(arena.unwrap_or(heap.start));
                }
            }
            glibc.is_exact &= matches!(heap.seen, Ok(Seen { is_whole: true, .. }));
        }
        arenas.sort_unstable();
        arenas.dedup();
        glibc.arenas = arenas.len() as u64;
        glibc
    }
}

impl<'a> Facts<'a> {
    /// What rules need of an account.
    pub fn of(account: &'a Account) -> Self {
        Self {
            ledger: &account.ledger,
            slope: account.slope,
            glibc: account.heaps.as_ref().ok().map(|heaps| Glibc::of(heaps)),
            mallow: account.mallow.as_ref().and_then(|view| view.as_ref().ok()),
            padding: account.padding,
            threads: account.status.threads,
            bounds: &account.bounds,
            runtime: runtime(account).filter(|_| !matches!(account.mallow, Some(Ok(_)))),
        }
    }

    /// Bytes in memory.
    pub fn resident(&self) -> u64 {
        self.ledger.resident
    }

    /// Whether so many bytes are worth a word: 16 MiB, and a fifth of what is resident.
    pub fn is_material(&self, bytes: u64) -> bool {
        bytes >= SMALL_BYTES && bytes >= self.resident() / 5
    }

    /// The limit that is reached first if it goes on to take memory.
    pub fn nearest(&self) -> Option<&'a Bound> {
        limits::nearest(self.bounds)
    }

    /// Bytes in memory of those lines that are `meant`.
    pub(super) fn resident_of(&self, meant: impl Fn(Kind) -> bool) -> u64 {
        self.lines(meant).map(|line| line.resident).fold(0, u64::saturating_add)
    }

    /// One of the amounts over those lines that are `meant`.
    pub(super) fn amount_of(&self, meant: impl Fn(Kind) -> bool, amount: Amount) -> u64 {
        self.lines(meant).filter_map(|line| line.amounts.get(amount)).fold(0, u64::saturating_add)
    }

    fn lines(&self, meant: impl Fn(Kind) -> bool) -> impl Iterator<Item = &Line> {
        self.ledger.lines.iter().filter(move |line| meant(line.kind))
    }
}

/// Libraries of runtimes that have heaps of their own, with what these are called.
const RUNTIMES: [(&str, &str); 7] = [
    ("libjvm.so", "the JVM"),
    ("libcoreclr.so", "the .NET runtime"),
    ("libnode.so", "V8"),
    ("libjemalloc.so", "jemalloc"),
    ("libtcmalloc", "tcmalloc"),
    ("libmimalloc.so", "mimalloc"),
    ("libmallow", "mallow"),
];

fn runtime(account: &Account) -> Option<&'static str> {
    if account.program.ends_with(b"/node") || account.program.ends_with(b"/chrome") {
        return Some("V8");
    }
    let is_there = |prefix: &str| {
        account.owners.iter().any(|owner| {
            let Owner::Library(path, _) = owner else { return false };
            let base = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            base.starts_with(prefix.as_bytes())
        })
    };
    RUNTIMES.iter().find(|(library, _)| is_there(library)).map(|(_, name)| *name)
}
