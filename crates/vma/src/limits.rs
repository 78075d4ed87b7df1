//! What a process may use, what it does use, and where things lie in its address space.

use mallow_units::{PageCount, PageNumber, VirtAddr};

/// Limits and privileges of a process, as far as its address space goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes. `RLIMIT_AS`.
    pub address_space: u64,
    /// Bytes. `RLIMIT_DATA`.
    pub data: u64,
    /// Bytes. `RLIMIT_STACK`, of each stack.
    pub stack: u64,
    /// Bytes. `RLIMIT_MEMLOCK`.
    pub locked: u64,
    /// Whether `locked` does not bind (`CAP_IPC_LOCK`).
    pub may_lock_all: bool,
    /// Whether pages below [`Layout::lowest`] may be mapped (`CAP_SYS_RAWIO`).
    pub may_map_lowest: bool,
    /// Areas. `vm.max_map_count`.
    pub max_areas: u32,
    /// Whether `MAP_NORESERVE` is ignored (overcommit mode 2).
    pub never_overcommit: bool,
    /// Whether huge pages are built in: the kernel then aligns large anonymous mappings to them.
    pub has_huge_pages: bool,
}

impl Limits {
    /// No limit.
    pub const UNLIMITED: u64 = u64::MAX;

    /// What an ordinary process has on an ordinary Linux: 8 MiB of stack, 8 MiB locked, 65,530 areas.
    pub const ORDINARY: Self = Self {
        address_space: Self::UNLIMITED,
        data: Self::UNLIMITED,
        stack: 8 << 20,
        locked: 8 << 20,
        may_lock_all: false,
        may_map_lowest: false,
        max_areas: 65530,
        never_overcommit: false,
        has_huge_pages: true,
    };
}

/// Where things lie in an address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The lowest page that an ordinary process may map. `vm.mmap_min_addr`.
    pub lowest: PageNumber,
    /// The lowest page that the kernel chooses: a hint below goes up to it. `CONFIG_LSM_MMAP_MIN_ADDR`, unless `lowest` is higher.
    pub lowest_chosen: PageNumber,
    /// The page after the last that a process may map.
    pub end: PageNumber,
    /// Mappings are placed below this page, the highest first.
    pub top: PageNumber,
    /// When there is no room left below `top`: above this page, the lowest first.
    pub bottom: PageNumber,
    /// Where the heap that `brk` moves starts.
    pub heap_start: VirtAddr,
    /// Pages kept free below a stack. `stack_guard_gap`.
    pub stack_gap: u64,
    /// An address in the first thread's stack, so that `maps` can name it.
    pub stack: VirtAddr,
}

impl Layout {
    /// The lower half of x86-64 with four levels of tables, nothing randomised.
    pub const X86_64: Self = Self {
        lowest: PageNumber(16),
        lowest_chosen: PageNumber(16),
        end: PageNumber(0x7_ffff_ffff),
        top: PageNumber(0x7_ffff_7fff),
        bottom: PageNumber(0x2_aaaa_aaaa),
        heap_start: VirtAddr(0x5555_5557_9000),
        stack_gap: 256,
        stack: VirtAddr(0x7fff_ffff_e000),
    };
}

/// What an address space holds, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Account {
    /// All areas. `VmSize`.
    pub total: PageCount,
    /// Private, writable, no stack. `VmData`.
    pub data: PageCount,
    /// Executable, not writable, no stack. `VmExe` and `VmLib`.
    pub exec: PageCount,
    /// Stacks. `VmStk`.
    pub stack: PageCount,
    /// Locked. `VmLck`.
    pub locked: PageCount,
    /// Charged to the commit account: the share of this space in `Committed_AS`.
    pub charged: PageCount,
}
