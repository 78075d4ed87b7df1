//! `brk`: the end of the heap.

use mallow_units::{PageCount, PageNumber, PageSpan, VirtAddr};

use crate::area::Vma;
use crate::edit::{Charges, Sign};
use crate::flags::Flags;
use crate::pages::Pages;
use crate::space::Space;
use crate::store::Store;

/// What the heap is.
const HEAP: Flags = Flags::READ
    .with(Flags::WRITE)
    .with(Flags::MAY_READ)
    .with(Flags::MAY_WRITE)
    .with(Flags::MAY_EXEC)
    .with(Flags::ACCOUNTED);

impl<S: Store> Space<S> {
    /// The system call behind `brk(2)`: moves the end of the heap to `address` if it can, and returns where it is then.
    ///
    /// It cannot below the heap's start, beyond the limits of data, address space and locked memory, into another area or the
    /// gap below a stack, or without commitment. The C library turns an end that has not moved into `ENOMEM`.
    pub fn brk(&mut self, address: VirtAddr, pages: &mut impl Pages) -> VirtAddr {
        if address >= self.layout.heap_start && self.move_heap_end(address, pages).is_some() {
            self.heap_end = address;
        }
        self.heap_end
    }

    fn move_heap_end(&mut self, address: VirtAddr, pages: &mut impl Pages) -> Option<()> {
        if address.0 - self.layout.heap_start.0 > self.limits.data {
            return None;
        }
        let (old, new) = (page_above(self.heap_end), page_above(address));
        if let Some(shrunk) = PageSpan::new(new, old) {
            // Something of it must still be there.
            self.areas_in(shrunk).next()?;
            if self.holds_inside(shrunk) && self.is_full(1) {
                return None;
            }
            self.reserve(1).ok()?;
            return self.take_out(shrunk, Charges::GiveBack, pages).ok();
        }
        match PageSpan::new(old, new) {
            Some(grown) => self.grow_heap(grown, pages),
            None => Some(()),
        }
    }

    fn grow_heap(&mut self, grown: PageSpan, pages: &mut impl Pages) -> Option<()> {
        let flags = HEAP | self.future;
        let count = grown.pages();
        if grown.end() > self.layout.end || !self.may_lock(flags, count) {
            return None;
        }
        let above = self.at_or_after(grown.start());
        if above.is_some_and(|above| grown.end().0 + 1 > self.start_with_gap(above).0) {
            return None;
        }
        if !self.may_expand(flags, count) || self.area_count() > self.limits.max_areas as usize {
            return None;
        }
        self.reserve(1).ok()?;
        self.charge(count, pages).ok()?;
        let area = Vma { span: grown, offset: grown.start().0, flags, backing: None, anon: None };
        self.add_upwards(area, pages).ok()?;
        self.tally(flags, count, Sign::Plus);
        if flags.has(Flags::LOCKED) {
            pages.populate(grown);
        }
        Some(())
    }
}

/// The first page that begins at or after `address`.
const fn page_above(address: VirtAddr) -> PageNumber {
    PageNumber(PageCount::holding(address.0).0)
}
