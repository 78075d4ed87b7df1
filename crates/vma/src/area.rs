//! An area: pages in a row that are alike.

use core::num::NonZeroU32;

use mallow_units::{PageNumber, PageSpan};

use crate::flags::Flags;

/// A file as the caller numbers it. Shared anonymous memory is a file too, made by [`crate::Pages::new_shared`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(pub NonZeroU32);

/// The family of anonymous pages that an area belongs to; given out when it gets its first such page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AnonId(pub NonZeroU32);

/// Where the contents of an area come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Backing {
    /// Nowhere: zeroes.
    Anonymous,
    /// A file.
    File(FileId),
}

/// One mapping: pages in a row with the same permissions, backing and advice.
///
/// The areas of a space never overlap. Two neighbours that [`crate::merge`] calls mergeable may still be two: as in Linux,
/// only the call that makes them alike looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vma {
    pub(crate) span: PageSpan,
    pub(crate) offset: u64,
    pub(crate) flags: Flags,
    pub(crate) backing: Option<FileId>,
    pub(crate) anon: Option<AnonId>,
}

const _: () = assert!(size_of::<Vma>() <= 64, "four areas fit four lines of the cache");

impl Vma {
    /// Its pages.
    pub const fn span(&self) -> PageSpan {
        self.span
    }

    /// Its flags.
    pub const fn flags(&self) -> Flags {
        self.flags
    }

    /// Where its contents come from.
    pub const fn backing(&self) -> Backing {
        match self.backing {
            Some(file) => Backing::File(file),
            None => Backing::Anonymous,
        }
    }

    /// The family of its anonymous pages; `None` before the first.
    pub const fn anon(&self) -> Option<AnonId> {
        self.anon
    }

    /// The page of the backing that its first page shows. For anonymous memory: the number of the page it was mapped at,
    /// so that what was once one area can tell whether it still is.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The page of the backing that `page` shows.
    pub const fn offset_of(&self, page: PageNumber) -> u64 {
        self.offset.wrapping_add(page.0.wrapping_sub(self.span.start().0))
    }

    /// Whether writes stay with this process.
    pub const fn is_private(&self) -> bool {
        !self.flags.has(Flags::MAY_SHARE)
    }

    /// Whether it is backed by nothing. Shared anonymous memory is not: a file holds it.
    pub const fn is_anonymous(&self) -> bool {
        self.backing.is_none()
    }

    /// This area, cut to `span`, which lies in it.
    #[must_use]
    pub const fn part(&self, span: PageSpan) -> Self {
        Self { span, offset: self.offset_of(span.start()), ..*self }
    }
}

impl mallow_ds::pool::Blank for Vma {
    const BLANK: Self = Self {
        span: match PageSpan::new(PageNumber(0), PageNumber(1)) {
            Some(span) => span,
            None => panic!("one page is a span"),
        },
        offset: 0,
        flags: Flags::NONE,
        backing: None,
        anon: None,
    };
}
