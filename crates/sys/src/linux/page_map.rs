//! The page map: which pages of a span the kernel keeps something in.
//!
//! `PAGEMAP_SCAN` on `/proc/self/pagemap`, Linux 6.7 and later. The file is opened for each question, because a descriptor that
//! stays open would be in the program's way; whatever stands against it (an old kernel, no `/proc`, no descriptor left) is the
//! answer "not known".
//!
//! Called by [`crate::linux`]. `mincore` would not do: a page that was swapped out is not resident and not zero.

use core::ptr::NonNull;

use mallow_units::word::to_usize;

use crate::linux::call;
use crate::os::OsError;

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: usize = 0xc060_6610;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
const PAGE_IS_PFNZERO: u64 = 1 << 5;
/// Answers per system call; 1.5 KiB of stack.
const REGIONS: usize = 64;

/// `struct pm_scan_arg`.
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    /// Where the kernel stopped.
    walk_end: u64,
    regions: u64,
    region_count: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_any_of: u64,
    return_mask: u64,
}

/// `struct page_region`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

const _: () = assert!(size_of::<Scan>() == 96 && size_of::<Region>() == 24);

/// [`crate::Os::visit_contents`].
pub fn visit_contents(
    start: NonNull<u8>,
    bytes: usize,
    visit: &mut dyn FnMut(NonNull<u8>, usize) -> bool,
) -> Option<()> {
    let fd = call::open(c"/proc/self/pagemap", false).ok()?;
    let visited = visit_in(fd, start, bytes, visit);
    call::close(fd);
    visited.ok()
}

fn visit_in(
    fd: usize,
    start: NonNull<u8>,
    bytes: usize,
    visit: &mut dyn FnMut(NonNull<u8>, usize) -> bool,
) -> Result<(), OsError> {
    let first = start.as_ptr().expose_provenance() as u64;
    let end = first + bytes as u64;
    let mut next = first;
    while next < end {
        let mut regions = [Region { start: 0, end: 0, categories: 0 }; REGIONS];
        let mut scan = Scan {
            size: size_of::<Scan>() as u64,
            flags: 0,
            start: next,
            end,
            walk_end: 0,
            regions: regions.as_mut_ptr().expose_provenance() as u64,
            region_count: REGIONS as u64,
            max_pages: 0,
            category_inverted: PAGE_IS_PFNZERO,
            category_mask: PAGE_IS_PFNZERO,
            category_any_of: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
            return_mask: PAGE_IS_PRESENT,
        };
        // SAFETY: the request's own structure; it names `regions`, which has as many as it says.
        let count = unsafe { call::ask_file(fd, PAGEMAP_SCAN, &mut scan) }?;
        // What is no step forward, or not inside the span, is no answer.
        if scan.walk_end <= next || scan.walk_end > end {
            return Err(OsError::NO_MEMORY);
        }
        for region in regions.iter().take(count) {
            let (from, to) = (region.start.max(next), region.end.min(end));
            let Some(length) = to.checked_sub(from) else { continue };
            // SAFETY: between `start` and the end of the span.
            let at = unsafe { start.byte_add(to_usize(from - first)) };
            if !visit(at, to_usize(length)) {
                return Ok(());
            }
        }
        next = scan.walk_end;
    }
    Ok(())
}
