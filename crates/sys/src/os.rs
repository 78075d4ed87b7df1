//! The operating system as a value: the verbs that the allocator asks of it.
//!
//! Called by `heap`'s regions, page heap and large blocks. All of these calls are cold, so they go through
//! `&'static dyn Os` and no type parameter climbs upwards.

use core::fmt;
use core::ptr::NonNull;

/// Why the operating system refused: an `errno` value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OsError(pub i32);

impl OsError {
    /// Out of memory, address space, or mappings.
    pub const NO_MEMORY: Self = Self(12);
    /// No such memory; to `mremap`, also a span that is more than one mapping.
    pub const BAD_ADDRESS: Self = Self(14);
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the operating system refused with errno {}", self.0)
    }
}

impl core::error::Error for OsError {}

/// Who gets huge pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HugePages {
    /// Nobody.
    Never,
    /// Who asks for them.
    Advised,
    /// Everybody who does not refuse them.
    Always,
}

/// Memory from the operating system.
///
/// All lengths are bytes and multiples of the page size, as are addresses. A *span* is `start` and `bytes`.
///
/// # Safety
///
/// An implementation hands out memory that nothing else in the process uses, and does what each verb says.
pub unsafe trait Os: Sync {
    /// Takes address space of `bytes`, aligned to `align`, without access and without charge.
    ///
    /// # Errors
    ///
    /// The kernel's reason: no such address space, a limit, too many mappings.
    fn reserve(&self, bytes: usize, align: usize) -> Result<NonNull<u8>, OsError>;

    /// Makes reserved address space usable; it reads as zero until written.
    ///
    /// # Errors
    ///
    /// The kernel's reason: the commit charge or `RLIMIT_DATA` is used up.
    ///
    /// # Safety
    ///
    /// 1. The span lies in reservations of this `Os` and is not committed yet.
    unsafe fn commit(&self, start: NonNull<u8>, bytes: usize) -> Result<(), OsError>;

    /// Takes usable, zero memory of `bytes` at once.
    ///
    /// # Errors
    ///
    /// As [`Os::reserve`] and [`Os::commit`].
    fn map(&self, bytes: usize, align: usize) -> Result<NonNull<u8>, OsError>;

    /// Drops the contents; the pages go back to the kernel. The memory reads as zero after [`Os::reuse`].
    ///
    /// # Errors
    ///
    /// The kernel's reason; the contents are then unchanged and still resident.
    ///
    /// # Safety
    ///
    /// 1. The span is committed, and nothing needs its contents.
    unsafe fn decommit(&self, start: NonNull<u8>, bytes: usize) -> Result<(), OsError>;

    /// Announces that decommitted memory is about to be touched again. Free on Linux.
    ///
    /// # Safety
    ///
    /// 1. Each page of the span is committed.
    unsafe fn reuse(&self, start: NonNull<u8>, bytes: usize);

    /// Gives address space back.
    ///
    /// # Safety
    ///
    /// 1. The span is mapped or reserved by this `Os`, and nothing uses it any more.
    unsafe fn release(&self, start: NonNull<u8>, bytes: usize);

    /// Resizes a mapping made by [`Os::map`] and returns where it is now; contents move with it.
    ///
    /// Stays in place if `may_move` is false. New bytes read as zero.
    ///
    /// # Errors
    ///
    /// The kernel's reason; the old mapping is then unchanged.
    ///
    /// # Safety
    ///
    /// 1. The span is made up of mappings made by [`Os::map`], or parts of them, possibly resized since. The kernel refuses with
    ///    [`OsError::BAD_ADDRESS`] if it cannot see them as one.
    /// 2. If it may move, no pointer into it is used afterwards.
    unsafe fn remap(
        &self,
        start: NonNull<u8>,
        old_bytes: usize,
        new_bytes: usize,
        may_move: bool,
    ) -> Result<NonNull<u8>, OsError>;

    /// Moves a mapping made by [`Os::map`] into reserved address space and resizes it; contents move with it.
    ///
    /// New bytes read as zero. Advice that was given for the whole mapping holds for the new bytes too.
    ///
    /// # Errors
    ///
    /// The kernel's reason; the mapping is then unchanged, and `room` is to be forgotten: part of it may belong to somebody else.
    ///
    /// # Safety
    ///
    /// 1. The span is as for [`Os::remap`], and no pointer into it is used afterwards.
    /// 2. `room` was reserved by this `Os` for `new_bytes`, and nobody else knows of it.
    unsafe fn remap_to(
        &self,
        start: NonNull<u8>,
        old_bytes: usize,
        new_bytes: usize,
        room: NonNull<u8>,
    ) -> Result<(), OsError>;

    /// Makes huge pages of a span that is resident in small ones; returns whether that is done. Contents stay. Costs a copy.
    ///
    /// # Safety
    ///
    /// 1. The span is committed, and both its ends are multiples of 2 MiB.
    unsafe fn collapse(&self, _start: NonNull<u8>, _bytes: usize) -> bool {
        false
    }

    /// How many pages of a span are resident; `None` if that is not known. Looks at 2 MiB at most.
    fn resident_pages(&self, _start: NonNull<u8>, _bytes: usize) -> Option<usize> {
        None
    }

    /// Calls `visit` with the spans of pages, in order, that may hold something other than zeros, resident or swapped out, until it
    /// answers false or there are no more. `None`, at any time, if that is not known: any page may then hold something.
    ///
    /// Nobody else writes to the span in the meantime.
    fn visit_contents(
        &self,
        _start: NonNull<u8>,
        _bytes: usize,
        _visit: &mut dyn FnMut(NonNull<u8>, usize) -> bool,
    ) -> Option<()> {
        None
    }

    /// Who gets huge pages.
    fn huge_pages(&self) -> HugePages {
        HugePages::Never
    }

    /// Asks for huge pages, or refuses them, for memory that is about to be touched. A hint, which may come to nothing.
    ///
    /// # Safety
    ///
    /// 1. The span is committed.
    unsafe fn advise_huge(&self, _start: NonNull<u8>, _bytes: usize, _wanted: bool) {}

    /// Bytes that the process may map in all, if that is limited.
    fn address_space_limit(&self) -> Option<usize>;

    /// Milliseconds of a clock that never goes back.
    fn now_ms(&self) -> u64;
}
