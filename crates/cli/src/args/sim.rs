//! `mallow sim`: its options.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Output;
use super::explain_address::address;
use super::size::size;

const NOTES: &str = "\
Nothing of this machine is touched: memory, processes and time are simulated, and the same script ends the same each time.
A script has a system call or an access on each line; - is standard input:
  a = mmap 0 64M rw- private anon      a mapping of 64 MiB, called a
  write a 64M                          one byte in each of its pages
  mlock a 1M                           and munmap, mprotect, mremap, brk, madvise, mincore, read, munlock, rlimit
  fork                                 the child is process 1
  1: write a+4K 8K                     which does this
  1: exit
Sizes are in bytes, with K, M or G, or in pages of 4 KiB with p.

A log is what a program writes that calls mtrace, under LD_PRELOAD=libc_malloc_debug.so MALLOC_TRACE=FILE. Its calls are made on mallow
by one process of the machine, which fills each block; times between them are not in the log, so only what waits for memory takes time.
The allocator looks at the clock of this machine now and then, so the same log may end with some pages more or less.

Examples:
  printf 'a = mmap 0 64M rw- private anon\\nwrite a 64M\\n' | mallow sim --ram 32M --swap 1G -  what goes to swap
  printf 'a = mmap 0 30M rw- private anon\\nwrite a 30M\\n' | mallow sim --ram 32M -  who is killed without
  printf 'a = mmap 0 64M rw- private anon\\n' | mallow sim --ram 32M --overcommit 2 --json - | jq .timeline
  printf '= Start\\n@ [0x1] + 0x10 0x4000000\\n= End\\n' | mallow sim --ram 32M --swap 1G -  a program that asks for 64 MiB
  printf '= Start\\n@ [0x1] + 0x10 0x20\\n= End\\n' | mallow sim --explain 0x10 -  its block, from the size class to the zone

Exit status:
  0  the script has ended      1  somebody was killed for want of memory      2  the script cannot be played";

/// `mallow sim`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Sim {
    /// A script, or a log of mtrace(3)
    #[arg(value_name = "FILE")]
    pub(crate) script: PathBuf,

    /// Memory of the machine
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "512M")]
    pub(crate) ram: u64,

    /// Its swap
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "0")]
    pub(crate) swap: u64,

    /// Microseconds to read a page of swap from its disk
    #[arg(long, value_name = "US", default_value = "100")]
    pub(crate) swap_us: u32,

    /// Memory that compressed pages may take before they go to the disk, in per cent; 0 is straight to the disk
    #[arg(long, value_name = "PERCENT", default_value = "20", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) zswap: u32,

    /// How gladly memory of processes goes rather than pages of files
    #[arg(long, value_name = "0-200", default_value = "60", value_parser = clap::value_parser!(u8).range(0..=200))]
    pub(crate) swappiness: u8,

    /// What may be promised: 0 almost all, 1 all, 2 no more than there is
    #[arg(long, value_name = "0|1|2", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) overcommit: u8,

    /// What mode 2 promises of the memory, in per cent
    #[arg(long, value_name = "PERCENT", default_value = "50")]
    pub(crate) overcommit_ratio: u32,

    /// Who gets huge pages
    #[arg(long, value_name = "WHO", default_value = "never")]
    pub(crate) huge_pages: HugePages,

    /// Processors
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) cpus: u32,

    /// Show in the end what is behind an address of the first process, step by step; of a log, a block by its address there
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) explain: Option<u64>,

    /// Show each step of the allocations that found no frame
    #[arg(long)]
    pub(crate) trace: bool,

    /// Write a picture of the memory over time to FILE; - is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub(crate) svg: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// Who gets huge pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum HugePages {
    /// Nobody
    Never,
    /// Who asks for them with madvise
    Advised,
    /// Everybody who does not refuse them
    Always,
}
