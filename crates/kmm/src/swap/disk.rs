//! A disk to swap to, in the memory of the host.

use alloc::boxed::Box;
use alloc::vec::Vec;

use mallow_units::errno::Errno;

use super::backing::Backing;
use super::codec::PageBytes;
use super::slots::Slot;

/// A disk with room for some pages, or none at all.
#[derive(Debug, Default)]
pub struct Disk {
    pages: Vec<Option<Box<PageBytes>>>,
    /// Whether writing to it fails from now on.
    pub is_broken: bool,
}

impl Disk {
    /// An empty disk. With room for no page it is as good as none.
    pub fn new(pages: u32) -> Self {
        Self { pages: (0..pages).map(|_| None).collect(), is_broken: false }
    }

    /// Pages that are on it.
    pub fn used(&self) -> usize {
        self.pages.iter().flatten().count()
    }
}

impl Backing for Disk {
    fn write(&mut self, slot: Slot, page: &PageBytes) -> Result<(), Errno> {
        if self.is_broken {
            return Err(Errno::EIO);
        }
        let place = self.pages.get_mut(slot.0 as usize).ok_or(Errno::ENOSPC)?;
        *place = Some(Box::new(*page));
        Ok(())
    }

    fn read(&mut self, slot: Slot, page: &mut PageBytes) -> Result<(), Errno> {
        let kept = self.pages.get(slot.0 as usize).and_then(Option::as_ref).ok_or(Errno::EIO)?;
        page.copy_from_slice(&kept[..]);
        Ok(())
    }

    fn discard(&mut self, slot: Slot) {
        if let Some(place) = self.pages.get_mut(slot.0 as usize) {
            *place = None;
        }
    }
}
