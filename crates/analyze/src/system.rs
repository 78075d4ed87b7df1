//! The memory of the machine: where it is, in lines that add up, and in how long pieces the free part lies.
//!
//! ```text
//!  free + programs + file cache + shared + kernel by kind + residual = MemTotal
//! ```
//!
//! Called by the command, with what it has read.

use crate::read::buddyinfo::Zone;
use crate::read::meminfo::{Item, Meminfo};

/// What `free` of procps 4 shows, in bytes. `None` if this kernel does not tell what it is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// All of it.
    pub total: Option<u64>,
    /// What new programs cannot have.
    pub used: Option<u64>,
    /// In no use at all.
    pub free: Option<u64>,
    /// Shared memory and tmpfs.
    pub shared: Option<u64>,
    /// Cache of files and devices, and objects of the kernel that can be taken back; shared memory too.
    pub cache: Option<u64>,
    /// What new programs could have without swapping.
    pub available: Option<u64>,
    /// All the swap.
    pub swap_total: Option<u64>,
    /// What of it is used.
    pub swap_used: Option<u64>,
}

/// A line of the account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// A few words.
    pub name: &'static str,
    /// Bytes.
    pub bytes: u64,
    /// What it is, and whether it comes back.
    pub meaning: &'static str,
}

/// Free memory by the length of its pieces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// Pieces of 2^order pages.
    pub order: u32,
    /// How many there are.
    pub blocks: u64,
    /// Bytes of one.
    pub block_bytes: u64,
    /// Bytes in pieces at least as long: what a request for one can be served from at once.
    pub bytes_from: u64,
}

/// The numbers of `free`.
pub fn summary(meminfo: &Meminfo) -> Summary {
    let get = |item| meminfo.get(item);
    let cache = || {
        let reclaimable = get(Item::SReclaimable).unwrap_or(0);
        Some(get(Item::Buffers)?.saturating_add(get(Item::Cached)?).saturating_add(reclaimable))
    };
    let less = |one, other| Some(get(one)?.saturating_sub(get(other)?));
    Summary {
        total: get(Item::Total),
        used: less(Item::Total, Item::Available),
        free: get(Item::Free),
        shared: get(Item::Shmem),
        cache: cache(),
        available: get(Item::Available),
        swap_total: get(Item::SwapTotal),
        swap_used: less(Item::SwapTotal, Item::SwapFree),
    }
}

/// Where the memory is. What this kernel does not tell is in the residual.
pub fn lines(meminfo: &Meminfo) -> Vec<Line> {
    let get = |item| meminfo.get(item);
    let less = |one, other| Some(get(one)?.saturating_sub(get(other).unwrap_or(0)));
    let line = |name, bytes: Option<u64>, meaning| Some(Line { name, bytes: bytes?, meaning });
    let found = [
        line(
            "free",
            get(Item::Free),
            "in no use; a machine that has run for a while has little of it, and needs little",
        ),
        line(
            "programs",
            get(Item::AnonPages),
            "heaps, stacks, data: comes back when the programs give it back or end",
        ),
        line(
            "file cache",
            less(Item::Cached, Item::Shmem),
            "files as they are on disk, mapped ones too: given back when there is need",
        ),
        line(
            "buffers",
            get(Item::Buffers),
            "metadata of file systems, as on disk: given back when there is need",
        ),
        line("shared memory", get(Item::Shmem), "shm, memfd and tmpfs: until it is deleted, or swapped out"),
        line("swap cache", get(Item::SwapCached), "in memory and in swap at once"),
        line(
            "slab, reclaimable",
            get(Item::SReclaimable),
            "names and inodes of files, mostly: given back when there is need",
        ),
        line(
            "slab, other",
            get(Item::SUnreclaim),
            "objects that the kernel works with: not given back on demand",
        ),
        line(
            "kernel, reclaimable",
            less(Item::KReclaimable, Item::SReclaimable),
            "of drivers: given back when there is need",
        ),
        line("kernel stacks", get(Item::KernelStack), "one for each thread"),
        line("page tables", get(Item::PageTables), "of all programs: grows with what they map and touch"),
        line("page tables of guests", get(Item::SecPageTables), "of virtual machines and devices"),
        // The stacks are allocated in the same way.
        line(
            "vmalloc",
            less(Item::VmallocUsed, Item::KernelStack),
            "of the kernel and its modules, mapped page by page",
        ),
        line("per processor", get(Item::Percpu), "what the kernel has once for each processor"),
        line("huge pages", get(Item::Hugetlb), "set aside for hugetlbfs, used or not"),
        line("zswap", get(Item::Zswap), "what was swapped out, compressed in memory"),
        line("balloon", get(Item::Balloon), "taken by the hypervisor"),
        line("broken", get(Item::HardwareCorrupted), "pages with errors, out of use"),
        line("unaccepted", get(Item::Unaccepted), "not yet taken over from the hypervisor"),
    ];
    found.into_iter().flatten().filter(|line| line.bytes > 0).collect()
}

/// What the lines miss: memory that parts of the kernel and drivers took without counting it by kind. `None` without a total.
pub fn residual(meminfo: &Meminfo) -> Option<i128> {
    let sum: i128 = lines(meminfo).iter().map(|line| i128::from(line.bytes)).sum();
    Some(i128::from(meminfo.get(Item::Total)?) - sum)
}

/// Free memory of all zones by the length of its pieces, the shortest first.
pub fn orders(zones: &[Zone], page_bytes: u64) -> Vec<Order> {
    let count = zones.iter().map(|zone| zone.free_blocks.len()).max().unwrap_or(0);
    let order = |place: usize| {
        let order = u32::try_from(place).ok()?;
        let blocks = zones.iter().filter_map(|zone| zone.free_blocks.get(place));
        let pages = zones.iter().map(|zone| zone.free_pages_from(place));
        Some(Order {
            order,
            blocks: blocks.fold(0, |sum, count| sum.saturating_add(*count)),
            block_bytes: page_bytes.checked_shl(order)?,
            bytes_from: pages.fold(0, u64::saturating_add).saturating_mul(page_bytes),
        })
    };
    (0..count).map_while(order).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{buddyinfo, meminfo};

    const MEMINFO: &[u8] = b"\
MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 450 kB\nBuffers: 50 kB\nCached: 400 kB\nAnonPages: 200 kB\nShmem: 60 kB\n\
SReclaimable: 30 kB\nKReclaimable: 35 kB\nKernelStack: 8 kB\nVmallocUsed: 20 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";

    #[test]
    fn lines_and_residual_add_up() {
        let meminfo = meminfo::parse(MEMINFO).unwrap();
        let lines = lines(&meminfo);
        let find = |name| lines.iter().find(|line| line.name == name).map(|line| line.bytes >> 10);
        assert_eq!(
            (find("file cache"), find("shared memory"), find("vmalloc")),
            (Some(340), Some(60), Some(12))
        );
        assert_eq!((find("page tables"), find("kernel, reclaimable")), (None, Some(5)));
        assert_eq!(residual(&meminfo), Some((1000 - 100 - 200 - 340 - 50 - 60 - 30 - 5 - 8 - 12) << 10));
    }

    #[test]
    fn the_summary_is_that_of_free() {
        let summary = summary(&meminfo::parse(MEMINFO).unwrap());
        assert_eq!((summary.used, summary.cache), (Some(550 << 10), Some(480 << 10)));
        assert_eq!((summary.swap_used, summary.shared), (Some(0), Some(60 << 10)));
        let old = super::summary(&meminfo::parse(b"MemTotal: 1000 kB\n").unwrap());
        assert_eq!((old.used, old.available, old.cache), (None, None, None), "not told is not 0");
    }

    #[test]
    fn pieces_are_added_up_over_zones() {
        let zones = buddyinfo::parse(b"Node 0, zone DMA 1 0 2\nNode 0, zone Normal 3 1\n").unwrap();
        let orders = orders(&zones, 4096);
        let found: Vec<_> = orders.iter().map(|order| (order.blocks, order.bytes_from >> 12)).collect();
        assert_eq!(found, [(4, 14), (1, 10), (2, 8)]);
        assert_eq!(orders[2].block_bytes, 16384);
        assert_eq!(super::orders(&[], 4096), []);
    }

    #[test]
    fn more_orders_than_there_are_bits_end() {
        let line = format!("Node 0, zone x {}", "1 ".repeat(99));
        assert!(orders(&buddyinfo::parse(line.as_bytes()).unwrap(), 4096).len() <= 64);
    }

    #[test]
    fn this_machine_adds_up() {
        let meminfo = meminfo::parse(&std::fs::read("/proc/meminfo").unwrap()).unwrap();
        let total = i128::from(meminfo.get(Item::Total).unwrap());
        let residual = residual(&meminfo).unwrap();
        assert!(residual.abs() * 10 < total, "{residual} of {total}");
    }
}
