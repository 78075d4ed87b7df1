//! Clearing: making a large block that was used before read as zero.
//!
//! Only pages that hold something need it, and the kernel knows which. Clearing a page takes a tenth of what the fault for a new
//! one takes, so pages that the new user will need again are cleared, and stay resident. Nobody knows which ones those are; but if the last
//! user asked for zeros too, and came to a block of which nothing was resident, it has touched just what such a user needs. With each further user
//! in other places more becomes resident; at twice as much all of it is dropped.
//!
//! Called by `large`. Costs what the kernel's answer costs, some 15 ns per resident page, beside 220 ns for clearing it.

use core::ptr::NonNull;

use mallow_sys::Os;
use mallow_units::bytes::MIB;

use crate::backing::Backing;
use crate::directory::Large;

/// Bytes; a block below this is cleared by hand, whatever its last user did.
const DROP_FROM_BYTES: usize = 4 * MIB;
/// So many times what the first such user touched may be resident before all of it is dropped.
const MOST_TIMES: usize = 2;
/// The whole, in the unit of [`Backing::cleared_share`].
const WHOLE: usize = u8::MAX as usize;

/// Makes the first `bytes` of a block of ours zero; returns its backing from then on.
///
/// # Safety
///
/// 1. The block is at least `bytes` long, whole pages, and nobody uses it.
pub unsafe fn clear(os: &dyn Os, large: Large, bytes: usize) -> Backing {
    let kept = Backing { is_zeroed: true, ..large.backing };
    // If nothing of such a block is resident now, what its user touches can be seen when it is freed.
    let is_small_and_whole = bytes == large.bytes && !large.backing.is_huge;
    let limit = most_cleared(large.backing, bytes);
    let mut cleared = 0;
    let mut is_within_limit = true;
    let visited = os.visit_contents(large.pointer(), bytes, &mut |start, length| {
        is_within_limit = cleared + length <= limit;
        if is_within_limit {
            // SAFETY: a part of the block (1).
            unsafe { start.write_bytes(0, length) };
            cleared += length;
        }
        is_within_limit
    });
    if visited.is_some() && is_within_limit {
        let share = match large.backing.cleared_share {
            0 => u8::try_from((cleared * WHOLE).div_ceil(bytes)).unwrap_or(u8::MAX),
            first => first,
        };
        return Backing { cleared_share: share, is_fresh: cleared == 0 && is_small_and_whole, ..kept };
    }
    // SAFETY: pages of the block (1).
    let is_dropped = bytes >= DROP_FROM_BYTES && unsafe { drop_contents(os, large.pointer(), bytes) };
    if !is_dropped {
        // SAFETY: by (1).
        unsafe { large.pointer().write_bytes(0, bytes) };
    }
    Backing { cleared_share: 0, is_fresh: is_dropped && is_small_and_whole, ..kept }
}

/// Bytes of the first `bytes` of a block that may be cleared by hand, before all of them are dropped instead.
const fn most_cleared(backing: Backing, bytes: usize) -> usize {
    let share = backing.cleared_share as usize;
    if bytes < DROP_FROM_BYTES || (backing.is_zeroed && share == 0) {
        bytes
    } else if backing.is_zeroed {
        bytes.div_ceil(WHOLE).saturating_mul(MOST_TIMES * share)
    } else {
        // The last user's pages are no sign of what this one needs.
        bytes / 2
    }
}

/// Makes pages zero by giving them to the kernel; false if it refuses.
///
/// # Safety
///
/// 1. Nothing needs the contents of the pages.
unsafe fn drop_contents(os: &dyn Os, start: NonNull<u8>, bytes: usize) -> bool {
    // SAFETY: by (1).
    let dropped = unsafe { os.decommit(start, bytes) }.is_ok();
    // SAFETY: committed, as before.
    unsafe { os.reuse(start, bytes) };
    dropped
}
