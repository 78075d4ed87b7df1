//! The killer's log, line by line as Linux 6.18 writes it.
//!
//! Made by the machine when somebody is killed; whoever reads kernel logs reads this one too.

use core::fmt::{self, Write};

use mallow_units::address::PageCount;
use mallow_units::order::Order;

use super::{Choice, Task};

/// What the memory was for, as `gfp_mask` tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A zeroed page of a process.
    Zeroed,
    /// A page of a process that is filled at once: a copy, a page of a file, one from swap.
    Filled,
    /// A page table.
    PageTable,
    /// Memory of the kernel itself.
    Kernel,
}

impl Purpose {
    /// The mask as the log prints it.
    ///
    /// # Source
    ///
    /// `include/linux/gfp_types.h` of Linux 6.18, with the names in the order of `%pGg`.
    const fn mask(self) -> &'static str {
        match self {
            Self::Zeroed => "0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP)",
            Self::Filled => "0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP)",
            Self::PageTable => "0x440dc0(GFP_KERNEL_ACCOUNT|__GFP_ZERO|__GFP_COMP)",
            Self::Kernel => "0xcc0(GFP_KERNEL)",
        }
    }
}

/// Who asked for memory when none was left.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The process.
    pub task: Task<'a>,
    /// The processor on which it ran.
    pub cpu: u32,
    /// What it wanted.
    pub purpose: Purpose,
    /// How much: 2^order frames.
    pub order: Order,
}

/// Where the memory is. Unit of all: pages.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemInfo {
    /// Anonymous pages in the two youngest generations.
    pub active_anon: u64,
    /// Anonymous pages in the older ones.
    pub inactive_anon: u64,
    /// Pages of files in the two youngest generations.
    pub active_file: u64,
    /// Pages of files in the older ones.
    pub inactive_file: u64,
    /// Pages that are locked.
    pub unevictable: u64,
    /// Pages of files that are to be written.
    pub dirty: u64,
    /// Frames of slabs that can be given back.
    pub slab_reclaimable: u64,
    /// Frames of slabs that cannot.
    pub slab_unreclaimable: u64,
    /// Pages of files that some process has mapped.
    pub mapped: u64,
    /// Pages of shared memory.
    pub shmem: u64,
    /// Frames of page tables.
    pub page_tables: u64,
    /// Frames that are free in the zones.
    pub free: u64,
    /// Frames that are free in the arrays of the processors.
    pub free_per_cpu: u64,
    /// Pages of the page cache and of the swap cache.
    pub cache: u64,
    /// Pages that are in memory and in swap.
    pub swap_cache: u64,
    /// Slots of swap that are free.
    pub swap_free: u64,
    /// Slots of swap.
    pub swap_total: u64,
    /// Frames of the machine.
    pub present: u64,
    /// Frames that the kernel does not manage.
    pub reserved: u64,
}

/// A zone in the log.
#[derive(Clone, Copy, Debug)]
pub struct ZoneInfo<'a> {
    /// `DMA32`, `Normal`.
    pub name: &'a str,
    /// Frames that are free.
    pub free: u64,
    /// The watermark below which only a few may go. Unit of these three: frames.
    pub min: u64,
    /// The watermark at which reclaim begins in the background.
    pub low: u64,
    /// The watermark at which it ends.
    pub high: u64,
    /// Frames of the zone.
    pub present: u64,
    /// Frames of it that the kernel manages.
    pub managed: u64,
    /// Free blocks by order.
    pub blocks: [u64; Order::COUNT],
}

/// The log of one kill, or of the failure to kill.
#[derive(Clone, Copy, Debug)]
pub struct Log<'z, Tasks> {
    /// Nanoseconds since boot, before each line; `None` for lines without a time.
    pub at_ns: Option<u64>,
    /// Who asked.
    pub asker: Asker<'z>,
    /// Where the memory was.
    pub memory: MemInfo,
    /// The zones.
    pub zones: &'z [ZoneInfo<'z>],
    /// All processes with memory, the oldest first.
    pub tasks: Tasks,
    /// What was decided.
    pub choice: Choice,
}

const fn kib(pages: u64) -> u64 {
    pages.saturating_mul(4)
}

/// Puts the time before each line.
struct Stamped<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    at_ns: Option<u64>,
    is_line_start: bool,
}

impl Write for Stamped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive('\n') {
            if let Some(ns) = self.at_ns.filter(|_| self.is_line_start) {
                write!(self.f, "[{:5}.{:06}] ", ns / 1_000_000_000, ns / 1000 % 1_000_000)?;
            }
            self.f.write_str(piece)?;
            self.is_line_start = piece.ends_with('\n');
        }
        Ok(())
    }
}

impl<'a, Tasks: Iterator<Item = Task<'a>> + Clone> fmt::Display for Log<'_, Tasks> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Stamped { f, at_ns: self.at_ns, is_line_start: true };
        self.asker.write(&mut out)?;
        self.memory.write(&mut out)?;
        for zone in self.zones {
            zone.write(&mut out)?;
        }
        for zone in self.zones {
            zone.write_blocks(&mut out)?;
        }
        self.memory.write_totals(&mut out)?;
        self.write_table(&mut out)?;
        self.write_decision(&mut out)
    }
}

impl<'a, Tasks: Iterator<Item = Task<'a>> + Clone> Log<'_, Tasks> {
    fn write_table(&self, out: &mut impl Write) -> fmt::Result {
        writeln!(out, "Tasks state (memory values in pages):")?;
        writeln!(
            out,
            "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name"
        )?;
        for task in self.tasks.clone() {
            let (pid, uid, usage) = (task.pid, task.uid, &task.usage);
            write!(out, "[{pid:7}] {uid:5} {pid:5} {:8} {:8} ", task.address_space.0, usage.resident().0)?;
            write!(out, "{:8} {:8} {:9} ", usage.anonymous.0, usage.file.0, usage.shared.0)?;
            let page_tables = kib(usage.page_tables.0) << 10;
            writeln!(
                out,
                "{page_tables:8} {:8}         {:5} {}",
                usage.swapped.0,
                task.adjustment.get(),
                task.name
            )?;
        }
        Ok(())
    }

    fn write_decision(&self, out: &mut impl Write) -> fmt::Result {
        let pid = match self.choice {
            Choice::Kill { pid, .. } => pid,
            Choice::Wait { .. } => return Ok(()),
            Choice::Nobody => return writeln!(out, "Out of memory and no killable processes..."),
        };
        let Some(task) = self.tasks.clone().find(|task| task.pid == pid) else { return Ok(()) };
        write!(out, "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,")?;
        writeln!(out, "global_oom,task_memcg=/,task={},pid={pid},uid={}", task.name, task.uid)?;
        writeln!(out, "{}", Killed(task))
    }
}

impl Asker<'_> {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let Self { task, cpu, purpose, order } = self;
        let (name, mask, order, adjustment) = (task.name, purpose.mask(), order.get(), task.adjustment);
        writeln!(
            out,
            "{name} invoked oom-killer: gfp_mask={mask}, order={order}, oom_score_adj={adjustment}"
        )?;
        writeln!(out, "CPU: {cpu} UID: {} PID: {} Comm: {name} Not tainted simulated", task.uid, task.pid)
    }
}

impl MemInfo {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let Self { active_anon, inactive_anon, active_file, inactive_file, unevictable, dirty, .. } = self;
        let Self { slab_reclaimable, slab_unreclaimable, mapped, shmem, page_tables, .. } = self;
        writeln!(out, "Mem-Info:")?;
        writeln!(out, "active_anon:{active_anon} inactive_anon:{inactive_anon} isolated_anon:0")?;
        writeln!(out, " active_file:{active_file} inactive_file:{inactive_file} isolated_file:0")?;
        writeln!(out, " unevictable:{unevictable} dirty:{dirty} writeback:0")?;
        writeln!(out, " slab_reclaimable:{slab_reclaimable} slab_unreclaimable:{slab_unreclaimable}")?;
        writeln!(out, " mapped:{mapped} shmem:{shmem} pagetables:{page_tables}")?;
        writeln!(out, " sec_pagetables:0 bounce:0")?;
        writeln!(out, " kernel_misc_reclaimable:0")?;
        writeln!(out, " free:{} free_pcp:{} free_cma:0", self.free, self.free_per_cpu)
    }

    fn write_totals(&self, out: &mut impl Write) -> fmt::Result {
        writeln!(out, "{} total pagecache pages", self.cache)?;
        writeln!(out, "{} pages in swap cache", self.swap_cache)?;
        writeln!(out, "Free swap  = {}kB", kib(self.swap_free))?;
        writeln!(out, "Total swap = {}kB", kib(self.swap_total))?;
        writeln!(out, "{} pages RAM", self.present)?;
        writeln!(out, "0 pages HighMem/MovableOnly")?;
        writeln!(out, "{} pages reserved", self.reserved)
    }
}

impl ZoneInfo<'_> {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        write!(out, "Node 0 {} free:{}kB boost:0kB min:{}kB ", self.name, kib(self.free), kib(self.min))?;
        write!(out, "low:{}kB high:{}kB ", kib(self.low), kib(self.high))?;
        writeln!(out, "present:{}kB managed:{}kB", kib(self.present), kib(self.managed))
    }

    fn write_blocks(&self, out: &mut impl Write) -> fmt::Result {
        write!(out, "Node 0 {}: ", self.name)?;
        let mut total = 0;
        for order in Order::all() {
            let (blocks, each) = (self.blocks[order.index()], kib(1) << order.get());
            write!(out, "{blocks}*{each}kB ")?;
            total += blocks * each;
        }
        writeln!(out, "= {total}kB")
    }
}

/// The line about who was killed and what it had.
#[derive(Clone, Copy, Debug)]
pub struct Killed<'a>(pub Task<'a>);

impl fmt::Display for Killed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(task) = self;
        let PageCount(address_space) = task.address_space;
        write!(
            f,
            "Out of memory: Killed process {} ({}) total-vm:{}kB, anon-rss:{}kB, file-rss:{}kB, shmem-rss:{}kB, \
             UID:{} pgtables:{}kB oom_score_adj:{}",
            task.pid,
            task.name,
            kib(address_space),
            kib(task.usage.anonymous.0),
            kib(task.usage.file.0),
            kib(task.usage.shared.0),
            task.uid,
            kib(task.usage.page_tables.0),
            task.adjustment.get()
        )
    }
}

/// The line about what the reaper left.
#[derive(Clone, Copy, Debug)]
pub struct Reaped<'a>(pub Task<'a>);

impl fmt::Display for Reaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(task) = self;
        write!(
            f,
            "oom_reaper: reaped process {} ({}), now anon-rss:{}kB, file-rss:{}kB, shmem-rss:{}kB",
            task.pid,
            task.name,
            kib(task.usage.anonymous.0),
            kib(task.usage.file.0),
            kib(task.usage.shared.0)
        )
    }
}
