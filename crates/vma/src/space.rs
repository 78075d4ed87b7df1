//! An address space: the areas of a process, what they add up to, and how to find them.

use mallow_ds::pool::Pool;
use mallow_ds::range_map::RangeMap;
use mallow_units::{Errno, PageNumber, PageSpan, VirtAddr};

use crate::area::{AnonId, Vma};
use crate::limits::{Account, Layout, Limits};
use crate::pages::Pages;
use crate::request::{Advice, LockFlags, MapRequest, Prot, RemapFlags};
use crate::store::Store;

/// The areas of one process.
#[derive(Debug)]
pub struct Space<S: Store> {
    pub(crate) map: RangeMap<S::Nodes>,
    pub(crate) areas: S::Areas,
    pub(crate) layout: Layout,
    pub(crate) limits: Limits,
    pub(crate) account: Account,
    pub(crate) heap_end: VirtAddr,
}

impl<S: Store> Space<S> {
    /// An empty space.
    pub fn new(nodes: S::Nodes, areas: S::Areas, layout: Layout, limits: Limits) -> Self {
        let (map, account) = (RangeMap::new(nodes), Account::default());
        Self { map, areas, layout, limits, account, heap_end: layout.heap_start }
    }

    /// Where things lie.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What it may use.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Changes what it may use. What it uses already stays.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// What it holds.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// The end of the heap, as `brk` last set it.
    pub const fn heap_end(&self) -> VirtAddr {
        self.heap_end
    }

    /// How many areas it has.
    pub fn area_count(&self) -> usize {
        self.map.len()
    }

    /// The area that holds `page`.
    pub fn find(&self, page: PageNumber) -> Option<&Vma> {
        self.map.find(page.0).map(|found| self.areas.get(found.value))
    }

    /// The first area that ends above `page`: the one that holds it, or the next.
    pub fn at_or_after(&self, page: PageNumber) -> Option<&Vma> {
        self.map.at_or_after(page.0).map(|found| self.areas.get(found.value))
    }

    /// The last area that ends at or below `page`.
    pub fn before(&self, page: PageNumber) -> Option<&Vma> {
        self.map.before(page.0).map(|found| self.areas.get(found.value))
    }

    /// All areas, the lowest first.
    pub fn areas(&self) -> impl Iterator<Item = &Vma> {
        self.areas_from(PageNumber(0))
    }

    /// The areas that have pages in `span`, the lowest first.
    pub fn areas_in(&self, span: PageSpan) -> impl Iterator<Item = &Vma> {
        self.areas_from(span.start()).take_while(move |area| area.span().start() < span.end())
    }

    fn areas_from(&self, page: PageNumber) -> impl Iterator<Item = &Vma> {
        let mut next = page.0;
        core::iter::from_fn(move || {
            let found = self.map.at_or_after(next)?;
            next = found.end;
            Some(self.areas.get(found.value))
        })
    }

    /// `mmap(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux.
    pub fn mmap(&mut self, request: &MapRequest, pages: &mut impl Pages) -> Result<VirtAddr, Errno> {
        let _ = (request, pages);
        Err(Errno::ENOSYS)
    }

    /// `munmap(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux.
    pub fn munmap(&mut self, address: VirtAddr, length: u64, pages: &mut impl Pages) -> Result<(), Errno> {
        let _ = (address, length, pages);
        Err(Errno::ENOSYS)
    }

    /// `mprotect(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux.
    pub fn mprotect(
        &mut self,
        address: VirtAddr,
        length: u64,
        prot: Prot,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        let _ = (address, length, prot, pages);
        Err(Errno::ENOSYS)
    }

    /// `mremap(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux.
    pub fn mremap(
        &mut self,
        address: VirtAddr,
        old_length: u64,
        new_length: u64,
        flags: RemapFlags,
        new_address: VirtAddr,
        pages: &mut impl Pages,
    ) -> Result<VirtAddr, Errno> {
        let _ = (address, old_length, new_length, flags, new_address, pages);
        Err(Errno::ENOSYS)
    }

    /// The system call behind `brk(2)`: returns the end of the heap, moved or not.
    pub fn brk(&mut self, address: VirtAddr, pages: &mut impl Pages) -> VirtAddr {
        let _ = (address, pages);
        self.heap_end
    }

    /// `mlock(2)` and, with [`LockFlags::ON_FAULT`], `mlock2(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux.
    pub fn mlock(
        &mut self,
        address: VirtAddr,
        length: u64,
        on_fault: bool,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        let _ = (address, length, on_fault, pages);
        Err(Errno::ENOSYS)
    }

    /// `munlock(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux.
    pub fn munlock(&mut self, address: VirtAddr, length: u64, pages: &mut impl Pages) -> Result<(), Errno> {
        let _ = (address, length, pages);
        Err(Errno::ENOSYS)
    }

    /// `mlockall(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux.
    pub fn mlockall(&mut self, flags: LockFlags, pages: &mut impl Pages) -> Result<(), Errno> {
        let _ = (flags, pages);
        Err(Errno::ENOSYS)
    }

    /// `munlockall(2)`.
    ///
    /// # Errors
    ///
    /// None on Linux.
    pub fn munlockall(&mut self, pages: &mut impl Pages) -> Result<(), Errno> {
        let _ = pages;
        Err(Errno::ENOSYS)
    }

    /// `madvise(2)`.
    ///
    /// # Errors
    ///
    /// Those of Linux.
    pub fn madvise(
        &mut self,
        address: VirtAddr,
        length: u64,
        advice: Advice,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        let _ = (address, length, advice, pages);
        Err(Errno::ENOSYS)
    }

    /// `mincore(2)`: shows each page of the range with its area to `visit`, the lowest first.
    ///
    /// # Errors
    ///
    /// Those of Linux; pages below the first hole have been shown then.
    pub fn mincore(
        &self,
        address: VirtAddr,
        length: u64,
        visit: impl FnMut(PageNumber, &Vma),
    ) -> Result<(), Errno> {
        let _ = (address, length, visit);
        Err(Errno::ENOSYS)
    }

    /// Lets the stack above `page` grow down to it.
    ///
    /// # Errors
    ///
    /// `EFAULT` if there is no stack above; `ENOMEM` if it would come too close to another area or break a limit.
    pub fn grow_stack(&mut self, page: PageNumber, pages: &mut impl Pages) -> Result<(), Errno> {
        let _ = (page, pages);
        Err(Errno::ENOSYS)
    }

    /// The area at `page` is about to get its first anonymous page: returns the family of such pages it belongs to.
    ///
    /// # Errors
    ///
    /// `EFAULT` if there is no area; what [`Pages::new_anon`] says.
    pub fn prepare_anon(&mut self, page: PageNumber, pages: &mut impl Pages) -> Result<AnonId, Errno> {
        let _ = (page, pages);
        Err(Errno::ENOSYS)
    }

    /// The space of a child.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if a pool, a table or the commit account refuses; nothing has changed then.
    pub fn fork(&self, nodes: S::Nodes, areas: S::Areas, pages: &mut impl Pages) -> Result<Self, Errno> {
        let _ = (nodes, areas, pages);
        Err(Errno::ENOSYS)
    }

    /// Unmaps everything, as at exit.
    pub fn clear(&mut self, pages: &mut impl Pages) {
        let _ = pages;
    }
}
