//! What the areas look like in `/proc/vmallocinfo`, and a walk that asserts every invariant.

use core::fmt;

use mallow_ds::pool::Pool;
use mallow_frame::FrameState;
use mallow_units::page::PAGE_BYTES;

use super::{Area, GUARD_PAGES, State, Tables, Vmalloc};
use crate::pages::Pages;

/// The areas as `/proc/vmallocinfo` shows them, by rising address; lazily freed ones among them, without a tag.
///
/// Like Linux it counts the guard in the length of an area.
pub struct VmallocInfo<'v, P: Pages, T: Tables> {
    vmalloc: &'v Vmalloc<P, T>,
}

impl<P: Pages, T: Tables> Vmalloc<P, T> {
    /// The areas as text.
    pub const fn info(&self) -> VmallocInfo<'_, P, T> {
        VmallocInfo { vmalloc: self }
    }

    /// All areas by rising address.
    pub fn areas(&self) -> impl Iterator<Item = &Area> {
        self.map.iter().map(|found| self.areas.get(found.value))
    }

    /// Checks the map, the areas and their frames.
    ///
    /// # Panics
    ///
    /// If an invariant is broken.
    pub fn check(&self) {
        assert_eq!(self.map.check(), Ok(()), "the map of areas");
        let table = self.pages.table();
        let (mut mapped, mut lazy, mut end) = (0, 0, self.span.start());
        for (found, area) in self.map.iter().zip(self.areas()) {
            let span = area.span();
            assert_eq!((found.start, found.end), (span.start().0, span.end().0 + GUARD_PAGES));
            assert!(
                end <= span.start() && found.end <= self.span.end().0,
                "areas lie apart, within the span"
            );
            end = span.end();
            let frames = area.frames(table).count() as u64;
            match area.state() {
                State::InUse => {
                    assert_eq!(frames, span.pages(), "a frame per page");
                    let is_right =
                        |frame| table.get(frame).is_some_and(|one| one.state() == FrameState::Vmalloc);
                    assert!(area.frames(table).all(is_right), "frames of areas are used for that");
                    mapped += span.pages();
                }
                State::LazilyFreed => {
                    assert_eq!(frames, 0, "the frames go at once");
                    lazy += span.pages() + GUARD_PAGES;
                }
            }
        }
        assert_eq!((mapped, lazy), (self.mapped_pages, self.lazy_pages), "the sums over the areas");
    }
}

impl<P: Pages, T: Tables> fmt::Display for VmallocInfo<'_, P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for area in self.vmalloc.areas() {
            let span = area.span();
            let (start, pages) = (span.start().start().0, span.pages());
            let bytes = (pages + GUARD_PAGES) * PAGE_BYTES as u64;
            write!(f, "{start:#018x}-{:#018x} {bytes:>7}", start + bytes)?;
            match area.state() {
                State::InUse => writeln!(f, " {:#x} pages={pages} vmalloc", area.tag())?,
                State::LazilyFreed => f.write_str(" unpurged vm_area\n")?,
            }
        }
        Ok(())
    }
}

impl<P: Pages, T: Tables> fmt::Debug for VmallocInfo<'_, P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
