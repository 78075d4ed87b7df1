//! Files and the page cache: which page of a file is in which frame.
//!
//! Regular files have bytes of their own, a disk so to say; shared memory has nothing but its frames. The cache holds one
//! reference to each frame in it, and every mapping another one. Called by faults, by `mmap` and its kin, and by reclaim.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use mallow_units::FrameNumber;
use mallow_units::page::PAGE_BYTES;
use mallow_vma::FileId;

use crate::lru::Shadow;
use crate::swap::Slot;

/// What holds the contents of a file that are not in the cache.
#[derive(Clone, Debug)]
pub enum Contents {
    /// Nothing: shared memory, zero where it was never written.
    Shared,
    /// A disk.
    Disk(Vec<u8>),
}

/// One file.
#[derive(Clone, Debug)]
pub struct File {
    /// As `maps` shows it.
    pub name: String,
    /// Bytes; a page that begins at or after it cannot be touched.
    pub bytes: u64,
    /// What is not in the cache.
    pub contents: Contents,
    /// The cache: frames by page of the file.
    pub pages: BTreeMap<u64, FrameNumber>,
    /// What is in swap, of shared memory: slots by page of the file.
    pub swapped: BTreeMap<u64, Slot>,
    /// When the pages were evicted that are not in the cache any more.
    pub shadows: BTreeMap<u64, Shadow>,
    /// Areas that show it.
    pub areas: u32,
    /// Whether somebody can map it again: it has a name, or an open descriptor.
    pub is_open: bool,
    /// Pages charged to the commit account for it, all at once when it was made.
    pub charged: u64,
    /// Whether each of its pages is charged when it comes into being instead.
    pub charges_pages: bool,
}

impl File {
    /// Whether it is shared memory.
    pub const fn is_shared_memory(&self) -> bool {
        matches!(self.contents, Contents::Shared)
    }

    /// Pages that hold its bytes.
    pub const fn page_count(&self) -> u64 {
        self.bytes.div_ceil(PAGE_BYTES as u64)
    }

    /// Writes a page's bytes on the disk to `page`; what lies beyond the end is left as it is.
    pub fn read_page(&self, index: u64, mut write: impl FnMut(&[u8])) {
        let Contents::Disk(bytes) = &self.contents else { return };
        let start = usize::try_from(index).ok().and_then(|index| index.checked_mul(PAGE_BYTES));
        let rest = start.and_then(|start| bytes.get(start..)).unwrap_or_default();
        write(&rest[..rest.len().min(PAGE_BYTES)]);
    }

    /// Writes a page's bytes to the disk, up to the end of the file.
    pub fn write_page(&mut self, index: u64, page: &[u8; PAGE_BYTES]) {
        let Contents::Disk(bytes) = &mut self.contents else { return };
        let start = usize::try_from(index).ok().and_then(|index| index.checked_mul(PAGE_BYTES));
        let Some(rest) = start.and_then(|start| bytes.get_mut(start..)) else { return };
        let count = rest.len().min(PAGE_BYTES);
        rest[..count].copy_from_slice(&page[..count]);
    }
}

/// All files of a machine.
#[derive(Debug, Default)]
pub struct Files {
    list: Vec<Option<File>>,
}

impl Files {
    /// Adds a file.
    pub fn add(&mut self, file: File) -> Option<FileId> {
        let number = u32::try_from(self.list.len() + 1).ok().and_then(NonZeroU32::new)?;
        self.list.push(Some(file));
        Some(FileId(number))
    }

    /// A file that is still there.
    #[inline]
    pub fn get(&self, id: FileId) -> Option<&File> {
        self.list.get(id.0.get() as usize - 1)?.as_ref()
    }

    /// The same, to change.
    #[inline]
    pub fn get_mut(&mut self, id: FileId) -> Option<&mut File> {
        self.list.get_mut(id.0.get() as usize - 1)?.as_mut()
    }

    /// Takes a file away.
    pub fn remove(&mut self, id: FileId) -> Option<File> {
        self.list.get_mut(id.0.get() as usize - 1)?.take()
    }

    /// All files that are there.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &File)> {
        let numbers = (1..).filter_map(NonZeroU32::new).map(FileId);
        numbers.zip(&self.list).filter_map(|(id, file)| Some((id, file.as_ref()?)))
    }
}
