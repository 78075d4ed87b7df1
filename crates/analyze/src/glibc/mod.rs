//! The heaps of glibc's `malloc`, looked at from outside: how much of what is in memory do they use?
//!
//! ```text
//!  [heap]   | used | free | used |  free  | used |      top       |      the first arena, grown with `brk`
//!  64 MiB * | heap | arena | used | free | top  |   reserve       |      another arena: headers in front
//!             │       └─ in the first heap of an arena only
//!             └─ which arena, and how much of the heap may be used
//! ```
//!
//! Each block has its size in front of it, and a bit that says whether the block before is used, so that a heap can be
//! walked from its start to its end. Blocks that threads keep for themselves (the `tcache`, fast bins) count as used: their
//! bit is not cleared. Nothing is written and nothing is stopped, so a program that goes on meanwhile may break the chain;
//! then what was seen until there counts.
//!
//! Called by the command, which can look into memory; `verdict` judges by it.

mod chain;

use serde::{Deserialize, Serialize};

use crate::memory::Memory;
use crate::owner::Owner;
use crate::read::smaps::Mapping;
use chain::Chain;

/// Bytes of one process's heaps that are read at most, unless all is asked for. About 30 ms.
pub const BUDGET_BYTES: u64 = 96 << 20;

/// What is in one heap of glibc.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heap {
    /// Where it begins.
    pub start: u64,
    /// The address of its arena; `None` for the first one, and where it is not known.
    pub arena: Option<u64>,
    /// Bytes in memory, as `smaps` has it.
    pub resident: u64,
    /// What was seen of it, or why nothing was.
    pub seen: Result<Seen, String>,
}

/// What was seen on the way through a heap, in bytes if nothing else is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// From the start to where the walk ended.
    pub walked: u64,
    /// Whether that is all of it.
    pub is_whole: bool,
    /// In memory, and in use by the program (or kept by a thread for its next request).
    pub used: u64,
    /// In memory, and free.
    pub free: u64,
    /// Of [`Seen::free`], whole pages: `malloc_trim` would give these back.
    pub trimmable: u64,
    /// Of [`Seen::free`], behind the last block.
    pub top: u64,
    /// How many blocks are used.
    pub used_blocks: u64,
    /// How many pieces are free.
    pub free_blocks: u64,
}

impl Seen {
    /// Adds what was seen of another heap.
    pub fn add(&mut self, other: &Self) {
        self.walked = self.walked.saturating_add(other.walked);
        self.is_whole &= other.is_whole;
        self.used = self.used.saturating_add(other.used);
        self.free = self.free.saturating_add(other.free);
        self.trimmable = self.trimmable.saturating_add(other.trimmable);
        self.top = self.top.saturating_add(other.top);
        self.used_blocks = self.used_blocks.saturating_add(other.used_blocks);
        self.free_blocks = self.free_blocks.saturating_add(other.free_blocks);
    }
}

/// Walks the heaps of a process whose `mappings` have these `owners`, the larger ones with the larger part of `budget` bytes.
pub fn heaps(mappings: &[Mapping], owners: &[Owner], memory: &mut impl Memory, budget: u64) -> Vec<Heap> {
    let is_heap = |mapping: &Mapping, owner: &Owner| {
        matches!(owner, Owner::Heap | Owner::Arena)
            && mapping.permissions.write
            && mapping.resident_bytes() > 0
    };
    let places = mappings.iter().zip(owners).filter(|(mapping, owner)| is_heap(mapping, owner));
    let places: Vec<_> = joined(places);
    let total: u64 = places.iter().map(|place| place.resident).sum();
    let share = |resident: u64| {
        u64::try_from(u128::from(budget) * u128::from(resident) / u128::from(total.max(1))).unwrap_or(budget)
    };
    places.into_iter().map(|place| place.look(memory, share(place.resident))).collect()
}

/// A heap in the address space, before it is looked into.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    end: u64,
    resident: u64,
    is_first_arena: bool,
}

/// What `brk` has grown may be in several mappings side by side.
fn joined<'a>(mappings: impl Iterator<Item = (&'a Mapping, &'a Owner)>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (mapping, owner) in mappings {
        let is_first_arena = *owner == Owner::Heap;
        match places.last_mut() {
            Some(last) if is_first_arena && last.is_first_arena && last.end == mapping.start => {
                last.end = mapping.end;
                last.resident += mapping.resident_bytes();
            }
            _ => places.push(Place {
                start: mapping.start,
                end: mapping.end,
                resident: mapping.resident_bytes(),
                is_first_arena,
            }),
        }
    }
    places
}

impl Place {
    fn look(self, memory: &mut impl Memory, budget: u64) -> Heap {
        let (arena, seen) = if self.is_first_arena {
            (
                None,
                Chain::find(memory, self.start, self.end, self.start).map(|chain| chain.walk(memory, budget)),
            )
        } else {
            self.look_at_arena(memory, budget)
        };
        let seen = seen.ok_or_else(|| "no blocks of glibc's malloc can be seen there".to_owned());
        Heap { start: self.start, arena, resident: self.resident, seen }
    }

    /// An arena's heap begins with the address of its arena, that of the heap before, and how much of it is in use.
    fn look_at_arena(self, memory: &mut impl Memory, budget: u64) -> (Option<u64>, Option<Seen>) {
        let mut header = [0; 24];
        if !memory.read(self.start, &mut header) {
            return (None, None);
        }
        let word = |place: usize| chain::word(&header[place..]);
        let (arena, bytes) = (word(0), word(16));
        let is_sound = bytes >= 4096 && bytes <= self.end - self.start && bytes.is_multiple_of(4096);
        if !is_sound {
            return (None, None);
        }
        let chain = Chain::find(memory, self.start, self.start + bytes, self.start + 0x20);
        (Some(arena), chain.map(|chain| chain.walk(memory, budget)))
    }
}
