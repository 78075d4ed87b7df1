//! An address space: the areas of a process, what they add up to, and how to find them.

use mallow_ds::pool::Pool;
use mallow_ds::range_map::RangeMap;
use mallow_units::{PageNumber, PageSpan, VirtAddr};

use crate::area::Vma;
use crate::flags::Flags;
use crate::limits::{Account, Layout, Limits};
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
    /// What `mlockall` wants of areas to come: flags of locking, or none.
    pub(crate) future: Flags,
}

impl<S: Store> Space<S> {
    /// An empty space.
    pub fn new(nodes: S::Nodes, areas: S::Areas, layout: Layout, limits: Limits) -> Self {
        let (map, account) = (RangeMap::new(nodes), Account::default());
        Self { map, areas, layout, limits, account, heap_end: layout.heap_start, future: Flags::NONE }
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
    #[inline]
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
}
