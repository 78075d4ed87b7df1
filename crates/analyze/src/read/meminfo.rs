//! `/proc/meminfo`: the memory of the machine, and `/sys/devices/system/node/nodeN/meminfo`: that of one node.
//!
//! In a container it is that of the machine too, unless something there puts another file in its place.
//! Called by `system` and `limits`, by way of whoever has read the file.

use super::{ReadError, amount, decimal, key_and_value, lines};

/// Makes the enumeration, and the names in the file in the same order.
macro_rules! items {
    ($($(#[$doc:meta])* $item:ident = $name:literal,)*) => {
        /// A line of the file. In bytes, but for the numbers of huge pages.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Item { $($(#[$doc])* $item,)* }

        const ITEMS: [(Item, &str); [$($name),*].len()] = [$((Item::$item, $name)),*];
    };
}

items! {
    /// What the kernel has to give: the memory of the machine but for what the firmware and the kernel itself hold.
    Total = "MemTotal",
    /// In no use at all.
    Free = "MemFree",
    /// What new programs could have without swapping, by the kernel's estimate.
    Available = "MemAvailable",
    /// Cache of block devices: the metadata of file systems, mostly.
    Buffers = "Buffers",
    /// Cache of files, and shared memory.
    Cached = "Cached",
    /// In memory and in swap at once.
    SwapCached = "SwapCached",
    /// Used a short while ago.
    Active = "Active",
    /// Not used for longer: taken first.
    Inactive = "Inactive",
    /// Of [`Item::Active`], without a file.
    ActiveAnon = "Active(anon)",
    /// Of [`Item::Inactive`], without a file.
    InactiveAnon = "Inactive(anon)",
    /// Of [`Item::Active`], of files.
    ActiveFile = "Active(file)",
    /// Of [`Item::Inactive`], of files.
    InactiveFile = "Inactive(file)",
    /// What cannot be taken: locked, and of memory that is no disk.
    Unevictable = "Unevictable",
    /// Locked by programs.
    Locked = "Mlocked",
    /// All the swap.
    SwapTotal = "SwapTotal",
    /// What of it is free.
    SwapFree = "SwapFree",
    /// Memory of zswap, with what is compressed in it.
    Zswap = "Zswap",
    /// What is in zswap, before it was compressed.
    Zswapped = "Zswapped",
    /// Of files, changed and not yet on disk.
    Dirty = "Dirty",
    /// Of files, on the way to the disk.
    Writeback = "Writeback",
    /// Of programs, without a file.
    AnonPages = "AnonPages",
    /// Of files, in the address space of a program.
    Mapped = "Mapped",
    /// Shared memory, memfd and tmpfs.
    Shmem = "Shmem",
    /// Of the kernel, and given back when there is need.
    KReclaimable = "KReclaimable",
    /// Objects of the kernel.
    Slab = "Slab",
    /// Of [`Item::Slab`], what can be taken back: names and inodes of files.
    SReclaimable = "SReclaimable",
    /// Of [`Item::Slab`], what cannot.
    SUnreclaim = "SUnreclaim",
    /// Stacks of threads in the kernel.
    KernelStack = "KernelStack",
    /// Page tables of programs.
    PageTables = "PageTables",
    /// Page tables of guests and of devices.
    SecPageTables = "SecPageTables",
    /// What may be promised in mode 2 of overcommitting.
    CommitLimit = "CommitLimit",
    /// What has been promised.
    CommittedAs = "Committed_AS",
    /// Address space that the kernel maps page by page.
    VmallocTotal = "VmallocTotal",
    /// What of it is in use.
    VmallocUsed = "VmallocUsed",
    /// What the kernel has once for each processor.
    Percpu = "Percpu",
    /// Pages that were found broken, and are not used.
    HardwareCorrupted = "HardwareCorrupted",
    /// Of [`Item::AnonPages`], in huge pages.
    AnonHugePages = "AnonHugePages",
    /// Of [`Item::Shmem`], in huge pages.
    ShmemHugePages = "ShmemHugePages",
    /// Of the cache of files, in huge pages.
    FileHugePages = "FileHugePages",
    /// What the hypervisor has taken.
    Balloon = "Balloon",
    /// For devices that need it in one piece.
    CmaTotal = "CmaTotal",
    /// What of it is free.
    CmaFree = "CmaFree",
    /// Not given to anybody, because it has not been accepted from the hypervisor.
    Unaccepted = "Unaccepted",
    /// A number: huge pages set aside, of the default size.
    HugePagesTotal = "HugePages_Total",
    /// A number: those not in use.
    HugePagesFree = "HugePages_Free",
    /// A number: those not in use, and promised.
    HugePagesReserved = "HugePages_Rsvd",
    /// A number: those beyond what was set aside.
    HugePagesSurplus = "HugePages_Surp",
    /// The default size.
    HugePageSize = "Hugepagesize",
    /// All memory set aside as huge pages, of every size.
    Hugetlb = "Hugetlb",
    /// Of the kernel's own view of all memory, in pages of 4 KiB.
    DirectMap4k = "DirectMap4k",
    /// In pages of 2 MiB.
    DirectMap2M = "DirectMap2M",
    /// In pages of 1 GiB.
    DirectMap1G = "DirectMap1G",
}

const _: () = {
    let mut place = 0;
    while place < ITEMS.len() {
        assert!(ITEMS[place].0 as usize == place, "in the order of the enumeration");
        place += 1;
    }
};

impl Item {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        ITEMS[self as usize].1
    }
}

/// The memory of the machine, or of one node, as far as this kernel tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meminfo([Option<u64>; ITEMS.len()]);

impl Default for Meminfo {
    /// A machine that tells nothing.
    fn default() -> Self {
        Self([None; ITEMS.len()])
    }
}

impl Meminfo {
    /// One of the lines; `None` if this kernel does not tell.
    pub const fn get(&self, item: Item) -> Option<u64> {
        self.0[item as usize]
    }

    /// All that this kernel tells, in the order of the enumeration.
    pub fn iter(&self) -> impl Iterator<Item = (Item, u64)> {
        ITEMS.iter().zip(self.0).filter_map(|((item, _), number)| Some((*item, number?)))
    }
}

/// Reads the file of the machine, or of a node.
///
/// # Errors
///
/// The first line that is not `KEY: VALUE`, or a known one whose value is not what it should be.
///
/// # Source
///
/// `proc_meminfo(5)`.
pub fn parse(file: &[u8]) -> Result<Meminfo, ReadError> {
    let mut meminfo = Meminfo::default();
    for (offset, line) in lines(file) {
        let wrong = |expected| ReadError { offset, expected };
        let (key, value) = key_and_value(line).ok_or(wrong("a line `KEY: VALUE`"))?;
        // `Node 0 MemTotal:` for a node.
        let key = key.rsplit(|byte| *byte == b' ').next().unwrap_or(key);
        if let Some(place) = ITEMS.iter().position(|(_, name)| name.as_bytes() == key) {
            let number = amount(value).or_else(|| decimal(value)).ok_or(wrong("a number, or one of kB"))?;
            meminfo.0[place] = Some(number);
        }
    }
    Ok(meminfo)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"\
MemTotal:       24684096 kB
MemFree:               0 kB
Active(anon):       1544 kB
NewerThanThis:         1 furlong
HugePages_Total:       7
";

    #[test]
    fn lines_are_read() {
        let meminfo = parse(FILE).unwrap();
        assert_eq!(meminfo.get(Item::Total), Some(24_684_096 << 10));
        assert_eq!(meminfo.get(Item::ActiveAnon), Some(1544 << 10));
        assert_eq!(meminfo.get(Item::HugePagesTotal), Some(7), "a number is no kB");
        assert_eq!((meminfo.get(Item::Free), meminfo.get(Item::Available)), (Some(0), None));
        assert_eq!(meminfo.iter().count(), 4);
    }

    #[test]
    fn a_node_is_read_like_the_machine() {
        let node = parse(b"Node 0 MemTotal:       2048 kB\nNode 0 HugePages_Free:      0\n").unwrap();
        assert_eq!((node.get(Item::Total), node.get(Item::HugePagesFree)), (Some(2 << 20), Some(0)));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (file, offset, expected) in [
            (&b"MemTotal: 1 kB\nMemFree: 1 MB\n"[..], 15, "a number, or one of kB"),
            (b"MemTotal:\n", 0, "a number"),
            (b"nothing\n", 0, "`KEY: VALUE`"),
        ] {
            let error = parse(file).unwrap_err();
            assert_eq!(error.offset, offset, "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn this_machine_can_be_read() {
        let meminfo = parse(&std::fs::read("/proc/meminfo").unwrap()).unwrap();
        assert!(meminfo.get(Item::Total) > meminfo.get(Item::Free));
        if let Ok(node) = std::fs::read("/sys/devices/system/node/node0/meminfo") {
            assert!(parse(&node).unwrap().get(Item::Total) <= meminfo.get(Item::Total));
        }
    }

    refuses_only_with_a_place!(parse, FILE);
}
