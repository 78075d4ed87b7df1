//! malloc_trim and mallopt.

use core::ffi::c_int;

use mallow_heap::options::Key;
use mallow_heap::process;

/// Returns free memory to the kernel, but for `keep` bytes; 1 if there was any, else 0.
///
/// Reaches this thread's free memory, that of threads that have exited, and all that is not in any slab; other running
/// threads return theirs as they go.
///
/// # Source
///
/// `malloc_trim(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_trim(keep: usize) -> c_int {
    c_int::from(process::trim(keep) > 0)
}

const M_MXFAST: c_int = 1;
const M_TRIM_THRESHOLD: c_int = -1;
const M_TOP_PAD: c_int = -2;
const M_MMAP_THRESHOLD: c_int = -3;
const M_MMAP_MAX: c_int = -4;
const M_CHECK_ACTION: c_int = -5;
const M_PERTURB: c_int = -6;
const M_ARENA_TEST: c_int = -7;
const M_ARENA_MAX: c_int = -8;

/// Sets a parameter; 1 if it is known and the value is allowed, else 0.
///
/// | parameter | here |
/// |---|---|
/// | `M_TRIM_THRESHOLD` | free memory that may stay resident however small the heap is |
/// | `M_MMAP_THRESHOLD` | blocks larger than this get a mapping of their own (16 KiB to 1 MiB; larger values count as 1 MiB) |
/// | `M_PERTURB` | the low byte is the fill pattern of freed blocks, its complement that of new ones |
/// | `M_ARENA_MAX`, `M_ARENA_TEST` | accepted: heaps belong to threads and share pages, so there is nothing to limit |
/// | `M_MXFAST`, `M_TOP_PAD`, `M_MMAP_MAX` | accepted: there are no fast bins, no top of a heap, no limit on mappings |
/// | `M_CHECK_ACTION` | accepted: misuse always ends in a message and an abort |
///
/// # Source
///
/// `mallopt(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn mallopt(parameter: c_int, value: c_int) -> c_int {
    let known = match parameter {
        M_TRIM_THRESHOLD => {
            // As in glibc, a negative value switches trimming off.
            process::set_trim_threshold(usize::try_from(value).unwrap_or(usize::MAX));
            true
        }
        M_MMAP_THRESHOLD => usize::try_from(value).is_ok_and(set_mmap_threshold),
        M_PERTURB => {
            process::set_perturb(value.to_le_bytes()[0]);
            true
        }
        M_ARENA_MAX | M_ARENA_TEST => value > 0,
        M_MXFAST => usize::try_from(value).is_ok_and(|bytes| bytes <= MXFAST_LIMIT),
        M_TOP_PAD | M_MMAP_MAX | M_CHECK_ACTION => true,
        _ => false,
    };
    c_int::from(known)
}

/// Bytes; the largest value of `M_MXFAST`.
///
/// # Source
///
/// `mallopt(3)`: 80 times the size of a word divided by 4.
const MXFAST_LIMIT: usize = 80 * size_of::<usize>() / 4;

fn set_mmap_threshold(bytes: usize) -> bool {
    let (low, high) = mallow_heap::options::TABLE[Key::MmapThreshold as usize].range;
    process::ROOT.options.set(Key::MmapThreshold, (bytes as u64).clamp(low, high)).is_ok()
}
