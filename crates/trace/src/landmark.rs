//! Landmarks: what a tool has to know to find its way in the memory of a process on mallow.
//!
//! Addresses, sizes and places of fields, in the process and library that wrote them, so that a tool can read the heap of a
//! library that is older or newer than itself. One table says each landmark's name, meaning and plausible values. Called by `heap`
//! ([`Landmark::word`]) and by the tools. No landmark is ever renumbered: new ones are appended.

use crate::segment::LANDMARKS_AT;

/// Bytes; user addresses are below.
const ADDRESS_LIMIT: u64 = 1 << 47;
/// Bytes; the longest record that a landmark describes.
const RECORD_LIMIT: u64 = 1 << 16;

/// A number that describes the heap of the process that it is in.
///
/// The discriminant is the position among the segment's landmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Landmark {
    /// Where the process's own segment lies.
    Segment,
    /// Where the one lies that it counts in: the same, or a tool's.
    Shown,
    /// Bytes in a unit.
    UnitBytes,
    /// Units in a chunk.
    ChunkUnits,
    /// The first region's record.
    Region,
    /// In it: the address of unit 0.
    RegionBase,
    /// In it: the address of the header.
    RegionHeader,
    /// In it: bytes of the header.
    RegionHeaderBytes,
    /// In it: units that may be looked up.
    RegionUnits,
    /// In it: where the four arrays begin, from the start of the header, two words each.
    RegionArrays,
    /// Bytes in the record of a slab or run.
    SlabBytes,
    /// In it: the sum of the addresses of outstanding blocks.
    SlabOutstanding,
    /// In it: the address of the first unit, in the low 48 bits.
    SlabMark,
    /// In it: one bit for each bare page.
    SlabBare,
    /// In it: the number of carved blocks, 16 bits.
    SlabCarved,
    /// In it: the size class, 8 bits.
    SlabClass,
    /// In it: what it is, 8 bits.
    SlabKind,
    /// In it: the length in units, 8 bits.
    SlabUnits,
    /// In it: flags, 8 bits.
    SlabFlags,
    /// The flag of a slab whose sum counts from all its blocks downwards.
    FlagFull,
    /// The flag of a slab whose bare pages read as zero.
    FlagZero,
    /// Bytes in the record of what other threads have freed; its first word comes first.
    RemoteBytes,
    /// In that word: the lowest bit of the number of blocks, and how many bits it has, times 256.
    RemoteCount,
    /// Bytes in the record of a chunk.
    ChunkBytes,
    /// In it: one bit for each unit in use, 128 bits.
    ChunkUsed,
    /// In it: one bit for each free unit that may be resident, 128 bits.
    ChunkBacked,
    /// In it: one bit for each free unit that reads as zero, 128 bits.
    ChunkZero,
    /// The word with the address of the table of heaps.
    HeapTable,
    /// Bytes in that table.
    HeapTableBytes,
    /// The word with the number of heaps.
    HeapCount,
    /// Bytes in a heap.
    HeapBytes,
    /// In it: the first block of the list of each size class.
    HeapLists,
    /// Size classes.
    Classes,
    /// The word with the address of the directory's root.
    Directory,
    /// Entries of the root.
    DirectoryLeaves,
    /// Entries of a leaf, two words each.
    LeafEntries,
}

/// A row of the table: what to call a landmark, and what it can be.
struct Row {
    landmark: Landmark,
    name: &'static str,
    range: (u64, u64),
}

const fn address(landmark: Landmark, name: &'static str) -> Row {
    Row { landmark, name, range: (4096, ADDRESS_LIMIT) }
}

const fn number(landmark: Landmark, name: &'static str, least: u64, most: u64) -> Row {
    Row { landmark, name, range: (least, most) }
}

/// Where a field lies in its record.
const fn place(landmark: Landmark, name: &'static str) -> Row {
    number(landmark, name, 0, RECORD_LIMIT)
}

const TABLE: [Row; Landmark::COUNT] = [
    address(Landmark::Segment, "segment"),
    address(Landmark::Shown, "segment in use"),
    number(Landmark::UnitBytes, "bytes of a unit", 4096, 1 << 21),
    number(Landmark::ChunkUnits, "units of a chunk", 1, 128),
    address(Landmark::Region, "region"),
    place(Landmark::RegionBase, "region: base"),
    place(Landmark::RegionHeader, "region: header"),
    place(Landmark::RegionHeaderBytes, "region: bytes of the header"),
    place(Landmark::RegionUnits, "region: units"),
    place(Landmark::RegionArrays, "region: arrays"),
    number(Landmark::SlabBytes, "bytes of a slab's record", 16, 4096),
    place(Landmark::SlabOutstanding, "slab: outstanding"),
    place(Landmark::SlabMark, "slab: mark"),
    place(Landmark::SlabBare, "slab: bare"),
    place(Landmark::SlabCarved, "slab: carved"),
    place(Landmark::SlabClass, "slab: class"),
    place(Landmark::SlabKind, "slab: kind"),
    place(Landmark::SlabUnits, "slab: units"),
    place(Landmark::SlabFlags, "slab: flags"),
    number(Landmark::FlagFull, "flag of a full slab", 1, 128),
    number(Landmark::FlagZero, "flag of a slab with zeros", 1, 128),
    number(Landmark::RemoteBytes, "bytes of a remote record", 8, 4096),
    number(Landmark::RemoteCount, "remote: blocks", 1 << 8, 1 << 14),
    number(Landmark::ChunkBytes, "bytes of a chunk's record", 32, 4096),
    place(Landmark::ChunkUsed, "chunk: used"),
    place(Landmark::ChunkBacked, "chunk: backed"),
    place(Landmark::ChunkZero, "chunk: zero"),
    address(Landmark::HeapTable, "table of heaps"),
    number(Landmark::HeapTableBytes, "bytes of the table of heaps", 8, 1 << 24),
    address(Landmark::HeapCount, "number of heaps"),
    number(Landmark::HeapBytes, "bytes of a heap", 8, RECORD_LIMIT),
    place(Landmark::HeapLists, "heap: lists"),
    number(Landmark::Classes, "size classes", 1, 64),
    address(Landmark::Directory, "directory"),
    number(Landmark::DirectoryLeaves, "leaves of the directory", 1, 1 << 20),
    number(Landmark::LeafEntries, "entries of a leaf", 1, 1 << 20),
];

// Row `i` describes the landmark whose discriminant is `i`.
const _: () = {
    let mut i = 0;
    while i < Landmark::COUNT {
        assert!(TABLE[i].landmark as usize == i);
        i += 1;
    }
};

impl Landmark {
    /// How many landmarks there are.
    pub const COUNT: usize = Self::LeafEntries as usize + 1;

    /// Every landmark, in the order of the segment.
    pub const ALL: [Self; Self::COUNT] = {
        let mut all = [Self::Segment; Self::COUNT];
        let mut i = 0;
        while i < Self::COUNT {
            all[i] = TABLE[i].landmark;
            i += 1;
        }
        all
    };

    /// Returns the index of this landmark's word in the segment.
    #[must_use]
    pub const fn word(self) -> usize {
        LANDMARKS_AT + self as usize
    }

    /// Returns what it is called in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].name
    }

    /// Returns the smallest and the largest value that it can have.
    #[must_use]
    pub const fn range(self) -> (u64, u64) {
        TABLE[self as usize].range
    }
}
