//! The experiments, one per file, in the order in which they are best read.

mod alloca;
mod arena_max;
mod arenas;
mod brk;
mod buddy;
mod checkerboard;
mod dlopen;
mod double_free;
mod fork;
mod huge_pages;
mod lazy;
mod leak;
mod mlock;
mod munmap;
mod oom;
mod overcommit;
mod pinned;
mod realloc;
mod rounding;
mod stack;
mod static_link;
mod statm;
mod strict;
mod thread_stacks;
mod threshold;
mod trim;
mod usable_size;
mod use_after_free;
mod zero_page;

use super::Experiment;

/// All of them.
pub(crate) const ALL: &[&Experiment] = &[
    &lazy::LAZY,
    &zero_page::ZERO_PAGE,
    &statm::STATM,
    &overcommit::OVERCOMMIT,
    &strict::STRICT,
    &oom::OOM,
    &brk::BRK,
    &pinned::PINNED,
    &trim::TRIM,
    &munmap::MUNMAP,
    &threshold::THRESHOLD,
    &realloc::REALLOC,
    &usable_size::USABLE_SIZE,
    &rounding::ROUNDING,
    &checkerboard::CHECKERBOARD,
    &arenas::ARENAS,
    &arena_max::ARENA_MAX,
    &thread_stacks::THREAD_STACKS,
    &stack::STACK,
    &alloca::ALLOCA,
    &fork::FORK,
    &dlopen::DLOPEN,
    &static_link::STATIC_LINK,
    &mlock::MLOCK,
    &huge_pages::HUGE_PAGES,
    &buddy::BUDDY,
    &leak::LEAK,
    &use_after_free::USE_AFTER_FREE,
    &double_free::DOUBLE_FREE,
];
