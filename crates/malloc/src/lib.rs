//! The C and C++ face: `libmallow.so` for `LD_PRELOAD`, `libmallow.a` for linking.
//!
//! - [`c_api`]: malloc, calloc, realloc, reallocarray, free, free_sized, free_aligned_sized, malloc_usable_size.
//! - [`aligned`]: posix_memalign, aligned_alloc, memalign, valloc, pvalloc.
//! - [`cxx`]: the twenty operators `new` and `delete`.
//! - [`tuning`]: malloc_trim, mallopt. [`report`]: mallinfo, mallinfo2, malloc_info, malloc_stats.
//! - [`aliases`]: the names that old programs and libraries call (`__libc_malloc`, `cfree`, ...).
//! - [`foreign`]: pointers that another allocator handed out, and pointers that none did.
//! - [`start`]: the constructor. [`runtime`]: what a program without `std` has to bring itself.
//!
//! The reference for every behaviour is glibc 2.43; where a standard or glibc's manual is followed, the function says
//! so. Nothing in here calls the exported names: the compiler knows what `malloc` is and may turn `malloc` and a zero
//! fill into `calloc`, which would then call itself.
//!
//! `exports.list` and `imports.list` say which symbols the library has and needs; `cargo xtask exports` compares.

#![no_std]

pub mod aliases;
pub mod aligned;
pub mod c_api;
pub mod cxx;
mod errno;
pub mod foreign;
mod maps;
pub mod report;
pub mod runtime;
pub mod start;
pub mod tuning;
