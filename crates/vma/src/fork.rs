//! The space of a child.

use mallow_units::{Errno, PageCount, PageNumber};

use crate::area::Vma;
use crate::edit::Sign;
use crate::flags::Flags;
use crate::limits::Account;
use crate::pages::Pages;
use crate::space::Space;
use crate::store::Store;

impl<S: Store> Space<S> {
    /// The space of a child: the same areas, except those that are not copied. Nothing in it is locked, and what the parent
    /// had charged the child has charged again.
    ///
    /// [`Pages::fork`] is told of each area, the lowest first. An area with anonymous pages gets a family of its own, with the
    /// parent's as parent.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if a pool, a table or the commit account refuses. Charges and files are given back then; pages that
    /// [`Pages::fork`] has shared already are for the caller to drop, with the child's table.
    pub fn fork(&self, nodes: S::Nodes, areas: S::Areas, pages: &mut impl Pages) -> Result<Self, Errno> {
        let mut child = Self::new(nodes, areas, self.layout, self.limits);
        child.heap_end = self.heap_end;
        for area in self.areas() {
            if area.flags.has(Flags::DONT_COPY) {
                continue;
            }
            if let Err(refused) = child.inherit(area, pages) {
                child.disown(pages);
                return Err(refused);
            }
        }
        Ok(child)
    }

    fn inherit(&mut self, parent: &Vma, pages: &mut impl Pages) -> Result<(), Errno> {
        self.reserve(1)?;
        let mut area = Vma { flags: parent.flags.without(Flags::LOCK), ..*parent };
        if area.flags.has(Flags::WIPE_ON_FORK) {
            area.anon = None;
        }
        if let Some(anon) = area.anon {
            area.anon = Some(pages.new_anon(Some(anon))?);
            area.flags = area.flags | Flags::FORKED;
        }
        let count = area.span.pages();
        if area.flags.has(Flags::ACCOUNTED) {
            self.charge(count, pages)?;
        }
        self.put(area, pages)?;
        self.tally(area.flags, count, Sign::Plus);
        if area.flags.has(Flags::WIPE_ON_FORK) { Ok(()) } else { pages.fork(parent, &area) }
    }

    /// Gives back what areas hold apart from pages.
    fn disown(&mut self, pages: &mut impl Pages) {
        let PageCount(charged) = self.account.charged;
        self.uncharge(charged, pages);
        self.account = Account::default();
        while let Some(area) = self.at_or_after(PageNumber(0)) {
            self.drop_area(area.span.start(), pages);
        }
    }
}
