//! The map: the address space of a process as drawings have it, regions and gaps from one end to the other.
//!
//! ```text
//!  kernel's half                     not for programs, but for one page
//!  ─────────────── 1 << 47
//!  gap                               the stack's offset
//!  main stack      grows down   ◄─── stack base
//!  gap                               room for the stack
//!  libraries, mmap grow down    ◄─── mmap base
//!  gap                               room for both
//!  heap            grows up     ◄─── heap base
//!  gap                               the heap's offset
//!  bss data text   the program  ◄─── program base
//!  gap
//!  ─────────────── 0
//! ```
//!
//! With address space randomisation each base lies elsewhere at each start; what it added is in the gaps.
//! Called by the command, with what it has read. [`rows`] makes it short, [`density`] looks at pages, [`change`] compares two,
//! [`svg`] draws it.

pub mod change;
pub mod density;
pub mod rows;
pub mod svg;

use crate::escape;
use crate::owner::{self, Owner, Part};
use crate::read::smaps::{Amounts, Mapping};
use crate::read::stat::Stat;

/// The end of what a 32-bit program can have.
const END_OF_32_BITS: u64 = 1 << 32;
/// The end of what a program has with page tables of four levels: the last page is kept free.
const END_OF_FOUR_LEVELS: u64 = (1 << 47) - 4096;
/// The same with five levels, which a program has to ask for.
const END_OF_FIVE_LEVELS: u64 = (1 << 56) - 4096;
/// Where the kernel's half begins, with page tables of any depth.
const KERNEL_HALF: u64 = 1 << 63;

/// An address space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Map {
    /// Regions and gaps from address 0 upwards, without holes.
    pub pieces: Vec<Piece>,
    /// Where its parts began.
    pub bases: Bases,
}

/// A piece of address space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// Something is mapped there.
    Region(Box<Region>),
    /// Nothing is.
    Gap(Gap),
}

/// A mapping and who it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Region {
    /// As the kernel tells it.
    pub mapping: Mapping,
    /// As far as can be told.
    pub owner: Owner,
}

/// A stretch of addresses where nothing is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The first address.
    pub start: u64,
    /// The address behind the last.
    pub end: u64,
    /// What the gap is for.
    pub kind: GapKind,
}

/// What a gap is for, as told by what lies beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GapKind {
    /// From address 0 to the first mapping.
    Below,
    /// Between program and heap.
    HeapOffset,
    /// Above the heap.
    HeapRoom,
    /// Below the main stack.
    StackRoom,
    /// From the last mapping to the end of what a program can have.
    Above,
    /// What a program cannot have.
    KernelHalf,
    /// Any other: the next mapping may go there.
    Free,
}

/// What stands behind the pages of a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backing {
    /// Zeros until written to, and swap then.
    Anonymous,
    /// A file.
    File,
    /// Memory of the kernel's own file system, and swap.
    SharedMemory,
    /// Pages of `hugetlbfs`.
    HugePages,
    /// Pages of the kernel.
    Kernel,
}

/// Where the parts of an address space began; `None` if the process has none, or it is not told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bases {
    /// The lowest address of the program's file.
    pub program: Option<u64>,
    /// Where `brk` began.
    pub heap: Option<u64>,
    /// Where mappings began to be laid, downwards: the end of the highest one below the stack, which the kernel does not move.
    pub mmap: Option<u64>,
    /// Where the main stack began, downwards.
    pub stack: Option<u64>,
}

impl Map {
    /// The map of a process: its mappings in order, the path of its program, and its `stat` if that could be read.
    pub fn of(mappings: Vec<Mapping>, program: &[u8], stat: Option<&Stat>) -> Self {
        let owners = owner::owners(&mappings, program);
        Self::with_owners(mappings, owners, stat)
    }

    /// The same, if it is known who has each of the mappings.
    pub fn with_owners(mappings: Vec<Mapping>, owners: Vec<Owner>, stat: Option<&Stat>) -> Self {
        let end = user_end(&mappings);
        let regions = mappings.into_iter().zip(owners).map(|(mapping, owner)| Region { mapping, owner });
        let mut pieces: Vec<Piece> = Vec::new();
        for region in regions {
            push_gaps(&mut pieces, Some(&region), region.mapping.start, end);
            pieces.push(Piece::Region(Box::new(region)));
        }
        if !pieces.is_empty() {
            push_gaps(&mut pieces, None, end, end);
        }
        let bases = Bases::of(&pieces, stat);
        Self { pieces, bases }
    }

    /// The mappings from the lowest upwards.
    pub fn regions(&self) -> impl DoubleEndedIterator<Item = &Region> {
        self.pieces.iter().filter_map(Piece::region)
    }

    /// How many mappings there are, their bytes of address space, and what they have in memory. As in `VmSize`, the page in the
    /// kernel's half does not count.
    pub fn total(&self) -> (usize, u64, Amounts) {
        let own = self.regions().filter(|region| region.mapping.start < KERNEL_HALF);
        own.fold((0, 0, Amounts::default()), |(count, bytes, mut amounts), Region { mapping, .. }| {
            amounts.add(&mapping.amounts);
            (count + 1, bytes + mapping.bytes(), amounts)
        })
    }
}

/// Adds what is not mapped between the last piece and `start`, where `upper` begins.
fn push_gaps(pieces: &mut Vec<Piece>, upper: Option<&Region>, start: u64, user_end: u64) {
    let lower = pieces.iter().rev().find_map(Piece::region);
    let from = lower.map_or(0, |lower| lower.mapping.end);
    let kind = gap_kind(lower, upper.filter(|upper| upper.mapping.start < KERNEL_HALF));
    let mut push = |start: u64, end: u64, kind| {
        if start < end {
            pieces.push(Piece::Gap(Gap { start, end, kind }));
        }
    };
    if start < KERNEL_HALF {
        push(from, start, kind);
    } else {
        push(from, user_end, kind);
        push(from.max(user_end), start, GapKind::KernelHalf);
    }
}

fn gap_kind(lower: Option<&Region>, upper: Option<&Region>) -> GapKind {
    let (Some(lower), Some(upper)) = (lower, upper) else {
        return if lower.is_none() { GapKind::Below } else { GapKind::Above };
    };
    match (&lower.owner, &upper.owner) {
        (Owner::Heap, Owner::Heap) => GapKind::Free,
        (Owner::Program(_), Owner::Heap) => GapKind::HeapOffset,
        (_, Owner::MainStack) => GapKind::StackRoom,
        (Owner::Heap, _) => GapKind::HeapRoom,
        _ => GapKind::Free,
    }
}

/// The end of what the process could have, by the highest that it has.
fn user_end(mappings: &[Mapping]) -> u64 {
    let highest = mappings.iter().map(|mapping| mapping.end).rfind(|end| *end < KERNEL_HALF).unwrap_or(0);
    let ends = [END_OF_32_BITS, END_OF_FOUR_LEVELS, END_OF_FIVE_LEVELS];
    ends.into_iter().find(|end| highest <= *end).unwrap_or(KERNEL_HALF)
}

impl Bases {
    fn of(pieces: &[Piece], stat: Option<&Stat>) -> Self {
        let is_own = |region: &&Region| region.mapping.start < KERNEL_HALF;
        let regions = || pieces.iter().filter_map(Piece::region).filter(is_own);
        let first = |is: fn(&Owner) -> bool| regions().find(|region| is(&region.owner));
        let stack = first(|owner| *owner == Owner::MainStack).map(|region| &region.mapping);
        let below_stack = |region: &&Region| stack.is_none_or(|stack| region.mapping.end <= stack.start);
        // The heap and the program lie below all mappings; without any, there is no such base.
        let highest = regions().rfind(below_stack);
        let highest = highest.filter(|region| !matches!(region.owner, Owner::Program(_) | Owner::Heap));
        Self {
            program: first(|owner| matches!(owner, Owner::Program(_))).map(|region| region.mapping.start),
            heap: stat
                .and_then(|stat| stat.heap_start)
                .or_else(|| first(|owner| *owner == Owner::Heap).map(|region| region.mapping.start)),
            mmap: highest.map(|region| region.mapping.end),
            stack: stat.and_then(|stat| stat.stack_start).or_else(|| stack.map(|stack| stack.end)),
        }
    }
}

impl Piece {
    /// What is mapped there; `None` for a gap.
    pub fn region(&self) -> Option<&Region> {
        match self {
            Self::Region(region) => Some(region),
            Self::Gap(_) => None,
        }
    }

    /// The first address.
    pub const fn start(&self) -> u64 {
        match self {
            Self::Region(region) => region.mapping.start,
            Self::Gap(gap) => gap.start,
        }
    }
}

impl Gap {
    /// Bytes of address space.
    pub const fn bytes(&self) -> u64 {
        self.end - self.start
    }
}

impl GapKind {
    /// What the gap is for, in a few words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Below => "below everything",
            Self::HeapOffset => "offset of the heap",
            Self::HeapRoom => "room for the heap",
            Self::StackRoom => "room for the stack",
            Self::Above => "above everything",
            Self::KernelHalf => "half of the kernel",
            Self::Free => "free",
        }
    }
}

impl Region {
    /// What stands behind its pages.
    pub fn backing(&self) -> Backing {
        match &self.owner {
            Owner::HugeTlb => Backing::HugePages,
            Owner::Kernel => Backing::Kernel,
            Owner::SharedMemory | Owner::Memfd(_) => Backing::SharedMemory,
            _ if self.mapping.name.starts_with(b"/") => Backing::File,
            _ => Backing::Anonymous,
        }
    }

    /// Who it belongs to and what it is, as text that is safe to print.
    pub fn label(&self) -> String {
        label(&self.mapping, &self.owner)
    }
}

/// Who a mapping belongs to and what it is, as text that is safe to print.
pub fn label(mapping: &Mapping, owner: &Owner) -> String {
    if *owner == Owner::Kernel {
        return escape::name(&mapping.name);
    }
    owner_label(owner, mapping.permissions.read || mapping.permissions.write)
}

impl Backing {
    /// In a word or two.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::File => "file",
            Self::SharedMemory => "shared memory",
            Self::HugePages => "huge pages",
            Self::Kernel => "kernel",
        }
    }
}

/// What belongs to `owner`, as text that is safe to print; whether it can be used tells a stack from its guard.
fn owner_label(owner: &Owner, is_usable: bool) -> String {
    let part = |part: &Part| match part {
        Part::Text => "text",
        Part::ReadOnly => "constants",
        Part::Data => "data",
        Part::Bss => "bss",
    };
    let plain = match (owner, is_usable) {
        (Owner::Heap, _) => "heap (brk)",
        (Owner::Arena, true) => "arena of glibc",
        (Owner::Arena, false) => "arena of glibc, reserve",
        (Owner::MainStack, _) => "main stack",
        (Owner::ThreadStack, true) => "thread stack",
        (Owner::ThreadStack, false) => "thread stack, guard",
        (Owner::SharedMemory, _) => "shared memory",
        (Owner::HugeTlb, _) => "huge pages (hugetlb)",
        (Owner::Kernel, _) => "kernel's page for programs",
        (Owner::Anonymous, true) => "anonymous memory",
        (Owner::Anonymous, false) => "reserved, or a guard",
        (Owner::Program(of), _) => return format!("program: {}", part(of)),
        (Owner::Library(path, of), _) => return format!("{}: {}", escape::name(file_name(path)), part(of)),
        (Owner::File(path), _) => return format!("file {}", escape::name(file_name(path))),
        (Owner::Memfd(name), _) => return format!("memfd: {}", escape::name(name)),
        (Owner::Named(name), _) => return format!("anonymous memory: {}", escape::name(name)),
    };
    plain.to_owned()
}

/// What of a path is behind the last slash.
fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::smaps;

    /// A program with heap, a library, a stack and the kernel's pages, as on x86-64.
    pub(crate) const MAPS: &str = "\
55aeba249000-55aeba24b000 r--p 00000000 fe:00 247030                     /usr/bin/cat
55aeba24b000-55aeba250000 r-xp 00002000 fe:00 247030                     /usr/bin/cat
55aeba254000-55aeba255000 rw-p 0000a000 fe:00 247030                     /usr/bin/cat
55aec1561000-55aec1582000 rw-p 00000000 00:00 0                          [heap]
7f979cf7b000-7f979cf9d000 rw-p 00000000 00:00 0 
7f979d026000-7f979d17c000 r-xp 00026000 fe:00 326279                     /usr/lib/libc.so.6
7f979d228000-7f979d22a000 rw-p 00033000 fe:00 325843                     /usr/lib/ld.so.2
7ffef55ad000-7ffef55ce000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    fn map(maps: &str) -> Map {
        Map::of(smaps::parse(maps.as_bytes()).unwrap(), b"/usr/bin/cat", None)
    }

    fn gaps(map: &Map) -> Vec<(GapKind, u64, u64)> {
        let gaps = map.pieces.iter().filter_map(|piece| match piece {
            Piece::Gap(gap) => Some((gap.kind, gap.start, gap.end)),
            Piece::Region(_) => None,
        });
        gaps.collect()
    }

    #[test]
    fn gaps_are_told_by_what_lies_beside_them() {
        let expected = [
            (GapKind::Below, 0, 0x55ae_ba24_9000),
            (GapKind::Free, 0x55ae_ba25_0000, 0x55ae_ba25_4000),
            (GapKind::HeapOffset, 0x55ae_ba25_5000, 0x55ae_c156_1000),
            (GapKind::HeapRoom, 0x55ae_c158_2000, 0x7f97_9cf7_b000),
            (GapKind::Free, 0x7f97_9cf9_d000, 0x7f97_9d02_6000),
            (GapKind::Free, 0x7f97_9d17_c000, 0x7f97_9d22_8000),
            (GapKind::StackRoom, 0x7f97_9d22_a000, 0x7ffe_f55a_d000),
            (GapKind::Above, 0x7ffe_f55c_e000, END_OF_FOUR_LEVELS),
            (GapKind::KernelHalf, END_OF_FOUR_LEVELS, 0xffff_ffff_ff60_0000),
        ];
        assert_eq!(gaps(&map(MAPS)), expected);
    }

    #[test]
    fn pieces_follow_each_other_without_holes() {
        for maps in
            [MAPS, "1000-2000 rw-p 0 00:00 0 \n", "7fff00000000-7ffffffff000 rw-p 0 00:00 0 [stack]\n"]
        {
            let map = map(maps);
            let mut address = 0;
            for piece in &map.pieces {
                assert_eq!(piece.start(), address);
                address = match piece {
                    Piece::Region(region) => region.mapping.end,
                    Piece::Gap(gap) => gap.end,
                };
            }
        }
        assert_eq!(map("").pieces, [], "a kernel thread");
    }

    #[test]
    fn bases_are_where_the_parts_began() {
        let bases = Bases {
            program: Some(0x55ae_ba24_9000),
            heap: Some(0x55ae_c156_1000),
            mmap: Some(0x7f97_9d22_a000),
            stack: Some(0x7ffe_f55c_e000),
        };
        assert_eq!(map(MAPS).bases, bases);
        let told = Stat {
            heap_start: Some(0x55ae_c156_0123),
            stack_start: Some(0x7ffe_f55c_d940),
            ..Stat::default()
        };
        let map = Map::of(smaps::parse(MAPS.as_bytes()).unwrap(), b"/usr/bin/cat", Some(&told));
        assert_eq!((map.bases.heap, map.bases.stack), (told.heap_start, told.stack_start));
    }

    #[test]
    fn totals_leave_out_the_half_of_the_kernel() {
        let (count, bytes, _) = map(MAPS).total();
        assert_eq!((count, bytes), (8, (2 + 5 + 1 + 33 + 34 + 342 + 2 + 33) << 12));
    }

    #[test]
    fn the_end_is_that_of_the_bits_the_program_has() {
        let end = |maps| gaps(&map(maps)).last().unwrap().2;
        assert_eq!(end("8048000-8049000 r-xp 0 08:01 1 /bin/a\n"), 1 << 32);
        assert_eq!(end("100000000-100001000 rw-p 0 00:00 0 \n"), END_OF_FOUR_LEVELS);
        assert_eq!(end("800000000000-800000001000 rw-p 0 00:00 0 \n"), END_OF_FIVE_LEVELS);
    }

    #[test]
    fn labels_are_safe_to_print() {
        let map = map("1000-2000 r-xp 0 08:01 1 /usr/lib/a\x1b[2J.so\n3000-4000 ---p 0 00:00 0 \n");
        let labels: Vec<String> = map.regions().map(Region::label).collect();
        assert_eq!(labels, ["a\\u{1b}[2J.so: text", "reserved, or a guard"]);
        let backings: Vec<Backing> = map.regions().map(Region::backing).collect();
        assert_eq!(backings, [Backing::File, Backing::Anonymous]);
    }
}
