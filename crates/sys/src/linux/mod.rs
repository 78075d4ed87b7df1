//! Linux: [`Os`] by `mmap` and its family, and the little else that the library asks of the kernel.

pub mod call;
pub mod fault;
pub mod page_map;
pub mod window;

use core::ptr::NonNull;

use crate::linux::call::Protection;
use crate::os::{HugePages, Os, OsError};

/// The running kernel.
#[derive(Debug)]
pub struct Linux;

/// The one value of [`Linux`], for `&'static dyn Os`.
pub static LINUX: Linux = Linux;

/// Pages that one question after residency is about: 2 MiB.
const RESIDENT_STEP_PAGES: usize = 512;

/// Maps with more room than asked, and cuts the ends off, if the kernel's own choice is not aligned.
fn map_aligned(bytes: usize, align: usize, protection: Protection) -> Result<NonNull<u8>, OsError> {
    let start = call::map_anonymous(bytes, protection)?;
    if start.addr().get() & (align - 1) == 0 {
        return Ok(start);
    }
    // SAFETY: just mapped, and nobody has seen it.
    unsafe { call::unmap(start, bytes) };
    let padded = bytes.checked_add(align).ok_or(OsError::NO_MEMORY)?;
    let start = call::map_anonymous(padded, protection)?;
    let head = start.addr().get().wrapping_neg() & (align - 1);
    // SAFETY: head < align, so it lies inside the padded mapping.
    let aligned = unsafe { start.byte_add(head) };
    if head > 0 {
        // SAFETY: the part in front, not used by anyone.
        unsafe { call::unmap(start, head) };
    }
    let tail = align - head;
    if tail > 0 {
        // SAFETY: head + bytes + tail is the padded length, so this is inside it.
        let end = unsafe { aligned.byte_add(bytes) };
        // SAFETY: the part behind, not used by anyone.
        unsafe { call::unmap(end, tail) };
    }
    Ok(aligned)
}

// SAFETY: every verb is the system call that does what the trait says; fresh mappings overlap nothing.
unsafe impl Os for Linux {
    fn reserve(&self, bytes: usize, align: usize) -> Result<NonNull<u8>, OsError> {
        map_aligned(bytes, align, Protection::None)
    }

    unsafe fn commit(&self, start: NonNull<u8>, bytes: usize) -> Result<(), OsError> {
        // SAFETY: reserved by us (1), so nobody else relies on its protection.
        unsafe { call::protect_read_write(start, bytes) }
    }

    fn map(&self, bytes: usize, align: usize) -> Result<NonNull<u8>, OsError> {
        map_aligned(bytes, align, Protection::ReadWrite)
    }

    unsafe fn decommit(&self, start: NonNull<u8>, bytes: usize) -> Result<(), OsError> {
        // SAFETY: nothing needs the contents (1).
        unsafe { call::discard(start, bytes) }
    }

    unsafe fn reuse(&self, _start: NonNull<u8>, _bytes: usize) {
        // Discarded pages of a private mapping are zero and usable at the next touch.
    }

    unsafe fn release(&self, start: NonNull<u8>, bytes: usize) {
        // SAFETY: nothing uses it any more (1).
        unsafe { call::unmap(start, bytes) };
    }

    unsafe fn remap(
        &self,
        start: NonNull<u8>,
        old_bytes: usize,
        new_bytes: usize,
        may_move: bool,
    ) -> Result<NonNull<u8>, OsError> {
        // SAFETY: exactly one of our mappings (1), and pointers into it are not used afterwards (2).
        unsafe { call::remap(start, old_bytes, new_bytes, may_move) }
    }

    unsafe fn remap_to(
        &self,
        start: NonNull<u8>,
        old_bytes: usize,
        new_bytes: usize,
        room: NonNull<u8>,
    ) -> Result<(), OsError> {
        // SAFETY: exactly one of our mappings (1), and address space of ours that nobody knows of (2).
        unsafe { call::remap_to(start, old_bytes, new_bytes, room) }.map(drop)
    }

    unsafe fn collapse(&self, start: NonNull<u8>, bytes: usize) -> bool {
        // SAFETY: committed by us (1), and the contents stay as they are.
        unsafe { call::collapse(start, bytes) }.is_ok()
    }

    fn resident_pages(&self, start: NonNull<u8>, bytes: usize) -> Option<usize> {
        let mut pages = [0; RESIDENT_STEP_PAGES];
        call::resident(start, bytes, &mut pages).ok()?;
        Some(pages.iter().filter(|page| **page & 1 == 1).count())
    }

    fn visit_contents(
        &self,
        start: NonNull<u8>,
        bytes: usize,
        visit: &mut dyn FnMut(NonNull<u8>, usize) -> bool,
    ) -> Option<()> {
        page_map::visit_contents(start, bytes, visit)
    }

    fn huge_pages(&self) -> HugePages {
        let mut text = [0; 64];
        let length = call::read_file(c"/sys/kernel/mm/transparent_hugepage/enabled", &mut text);
        let is = |setting: &[u8]| text[..length].windows(setting.len()).any(|part| part == setting);
        match () {
            () if is(b"[always]") => HugePages::Always,
            () if is(b"[madvise]") => HugePages::Advised,
            () => HugePages::Never,
        }
    }

    unsafe fn advise_huge(&self, start: NonNull<u8>, bytes: usize, wanted: bool) {
        // SAFETY: committed by us (1), and the advice changes no contents.
        unsafe { call::advise_huge(start, bytes, wanted) };
    }

    fn address_space_limit(&self) -> Option<usize> {
        call::address_space_limit()
    }

    fn now_ms(&self) -> u64 {
        call::coarse_ms()
    }
}
