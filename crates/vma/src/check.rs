//! What always holds in a space, as a function for tests.

use mallow_ds::pool::Pool;

use crate::edit::{Sign, is_charged};
use crate::flags::Flags;
use crate::limits::Account;
use crate::space::Space;
use crate::store::Store;

impl<S: Store> Space<S> {
    /// Checks every area and every count.
    ///
    /// Cost: all areas, twice.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        self.map.check()?;
        let mut charged = 0;
        for found in self.map.iter() {
            let area = self.areas.get(found.value);
            let span = area.span;
            if (span.start().0, span.end().0) != (found.start, found.end) {
                return Err("an area is not where the map says");
            }
            if span.end() > self.layout.end {
                return Err("an area lies beyond the space");
            }
            if area.flags.has(Flags::SHARED) && area.is_private() {
                return Err("a private area is shared");
            }
            if area.flags.has(Flags::LOCK_ON_FAULT) && !area.flags.has(Flags::LOCKED) {
                return Err("an area is locked on fault, but not locked");
            }
            if is_charged(area.flags) && !area.flags.has(Flags::ACCOUNTED) {
                return Err("a private writable area is not charged");
            }
            if area.flags.has(Flags::ACCOUNTED) {
                charged += span.pages();
            }
        }
        if charged != self.account.charged.0 || self.recount() != self.account {
            return Err("the account is not the sum of the areas");
        }
        Ok(())
    }

    /// The account, counted anew except for the charges.
    fn recount(&self) -> Account {
        let mut counted = Account { charged: self.account.charged, ..Account::default() };
        self.areas().for_each(|area| counted.step(area.flags, area.span.pages(), Sign::Plus));
        counted
    }
}
