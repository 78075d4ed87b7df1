//! The one line by which a Rust program chooses its allocator, once per choice.

#[cfg(feature = "mallow")]
#[global_allocator]
static GLOBAL: mallow::Mallow = mallow::Mallow;

#[cfg(any(feature = "mimalloc3", feature = "mimalloc2"))]
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static GLOBAL: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg(feature = "snmalloc")]
#[global_allocator]
static GLOBAL: snmalloc_rs::SnMalloc = snmalloc_rs::SnMalloc;
