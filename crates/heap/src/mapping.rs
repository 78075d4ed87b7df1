//! Mappings: taking, resizing, measuring and returning the pages behind one large block.
//!
//! ```text
//!  small pages   |4K|4K|4K| ... |4K|                     anywhere
//!  huge pages    |  2 MiB  |  2 MiB  |  2 MiB  |4K|4K|   at a multiple of 2 MiB; the rest is small if it is short
//!  after growth  |  2 MiB  |  2 MiB  |  2 MiB  | free address space, if nobody else has taken it
//! ```
//!
//! A mapping has one advice for all of it: parts with different advice would be several mappings to the kernel, and it moves only one
//! at a time. Called by `large` and `large_cache`.

use core::ptr::NonNull;

use mallow_sys::{Os, OsError};
use mallow_units::page::PAGE_BYTES;

use crate::backing::Backing;
use crate::config::HUGE_PAGE_BYTES;
use crate::density::Touched;
use crate::directory::Large;

/// Ranges of 2 MiB that are looked at in one block, so that a free takes no longer for a huge sparse one.
const SAMPLED_RANGES: usize = 16;
/// Bytes of a last huge page that must be wanted for it to be one.
const HUGE_TAIL_BYTES: usize = HUGE_PAGE_BYTES / 2;

/// Maps a block of `bytes` at a multiple of `align`. `wants_huge` asks for huge pages or refuses them.
///
/// # Errors
///
/// The kernel's reason.
pub fn take(os: &dyn Os, bytes: usize, align: usize, wants_huge: Option<bool>) -> Result<Large, OsError> {
    if wants_huge == Some(true)
        && let Some(large) = take_huge(os, bytes, align)
    {
        return Ok(large);
    }
    let start = os.map(bytes, align.max(PAGE_BYTES))?;
    if wants_huge == Some(false) {
        // SAFETY: mapped just now.
        unsafe { os.advise_huge(start, bytes, false) };
    }
    Ok(large_at(start, bytes, Backing { is_fresh: true, ..Backing::default() }))
}

/// Like [`take`] with huge pages. `None` if there is no room: the alignment takes more address space for a moment.
fn take_huge(os: &dyn Os, bytes: usize, align: usize) -> Option<Large> {
    let tail = bytes % HUGE_PAGE_BYTES;
    let bytes = if tail >= HUGE_TAIL_BYTES { round_up_huge(bytes)? } else { bytes };
    let start = os.map(bytes, align.max(HUGE_PAGE_BYTES)).ok()?;
    // SAFETY: mapped just now.
    unsafe { os.advise_huge(start, bytes, true) };
    Some(large_at(start, bytes, Backing { is_huge: true, ..Backing::default() }))
}

/// The length of a mapping for `bytes`, whole pages, with such a backing.
pub fn length_for(backing: Backing, bytes: usize) -> Option<usize> {
    if backing.is_huge { round_up_huge(bytes) } else { Some(bytes) }
}

/// Resizes the mapping to at least `bytes`; one in huge pages, which it becomes if `wants_huge`, to whole ones.
///
/// # Errors
///
/// The kernel's reason; the mapping is then unchanged.
///
/// # Safety
///
/// 1. `large` is a mapping of ours, and if it moves, nobody uses the old place any more.
pub unsafe fn resize(os: &dyn Os, large: Large, bytes: usize, wants_huge: bool) -> Result<Large, OsError> {
    let is_huge = large.backing.is_huge || wants_huge;
    let bytes = if is_huge { round_up_huge(bytes).ok_or(OsError::NO_MEMORY)? } else { bytes };
    if bytes == large.bytes {
        return Ok(large);
    }
    let start = if bytes < large.bytes {
        // SAFETY: exactly one mapping (1).
        unsafe { os.remap(large.pointer(), large.bytes, bytes, true) }?
    } else {
        let becomes_huge = is_huge && !large.backing.is_huge;
        let may_stay = !becomes_huge || large.start.is_multiple_of(HUGE_PAGE_BYTES);
        // SAFETY: by (1).
        let start = unsafe { grow(os, large, bytes, may_stay) }?;
        if becomes_huge {
            // SAFETY: all of a mapping of ours.
            unsafe { os.advise_huge(start, bytes, true) };
        }
        start
    };
    Ok(large_at(start, bytes, Backing { is_huge, ..large.backing }))
}

/// Grows the mapping: where it is, or else, or if it must not stay, to aligned address space with as much again behind it, so
/// that the next times it can stay; or else, if there is not so much, to wherever the kernel likes.
///
/// # Safety
///
/// 1. As for [`resize`].
unsafe fn grow(os: &dyn Os, large: Large, bytes: usize, may_stay: bool) -> Result<NonNull<u8>, OsError> {
    // Tried in any case: it also tells whether this is one mapping to the kernel, before there is any room to lose.
    // SAFETY: mappings of ours (1).
    let in_place = unsafe { os.remap(large.pointer(), large.bytes, bytes, false) };
    if may_stay && in_place.is_ok() || in_place == Err(OsError::BAD_ADDRESS) {
        return in_place;
    }
    let old_bytes = if in_place.is_ok() { bytes } else { large.bytes };
    if let Some(room) = take_room(os, bytes) {
        // SAFETY: exactly one mapping (1); the room is reserved for it, and only this function knows of it.
        if unsafe { os.remap_to(large.pointer(), old_bytes, bytes, room) }.is_ok() {
            return Ok(room);
        }
    }
    // SAFETY: exactly one mapping (1).
    in_place.or_else(|_| unsafe { os.remap(large.pointer(), large.bytes, bytes, true) })
}

/// Address space for a growing mapping of `bytes`, with as much behind it that is free at the moment.
fn take_room(os: &dyn Os, bytes: usize) -> Option<NonNull<u8>> {
    let room = os.reserve(bytes.checked_mul(2)?, HUGE_PAGE_BYTES).ok()?;
    // SAFETY: twice as long.
    let behind = unsafe { room.byte_add(bytes) };
    // SAFETY: reserved just now, and used by nobody.
    unsafe { os.release(behind, bytes) };
    Some(room)
}

/// Returns the mapping to the operating system.
///
/// # Safety
///
/// 1. `large` is a mapping of ours, and nobody uses it any more.
pub unsafe fn release(os: &dyn Os, large: Large) {
    // SAFETY: by (1).
    unsafe { os.release(large.pointer(), large.bytes) };
}

/// How much of a block in small pages was touched, by some ranges of 2 MiB from all over it.
pub fn touched(os: &dyn Os, large: Large) -> Touched {
    let ranges = large.bytes.div_ceil(HUGE_PAGE_BYTES);
    let step = ranges.div_ceil(SAMPLED_RANGES).max(1);
    let mut touched = Touched::default();
    for range in (0..ranges).step_by(step) {
        let at = range * HUGE_PAGE_BYTES;
        let bytes = (large.bytes - at).min(HUGE_PAGE_BYTES);
        // SAFETY: inside the block.
        let start = unsafe { large.pointer().byte_add(at) };
        let pages = os.resident_pages(start, bytes).unwrap_or(0);
        touched.pages += pages;
        touched.if_huge += match pages {
            0 => 0,
            // Small pages, whatever is known: all of a block that is shorter than a huge page, and what was touched of a tail.
            _ if large.bytes < HUGE_PAGE_BYTES => bytes / PAGE_BYTES,
            _ if bytes < HUGE_TAIL_BYTES => pages,
            _ => HUGE_PAGE_BYTES / PAGE_BYTES,
        };
    }
    touched
}

fn round_up_huge(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(HUGE_PAGE_BYTES)
}

fn large_at(start: NonNull<u8>, bytes: usize, backing: Backing) -> Large {
    Large { start: start.as_ptr().expose_provenance(), bytes, backing }
}
