//! Areas: addresses in a row, and the frames behind them.

use mallow_ds::pool::Blank;
use mallow_frame::{FrameList, FrameTable};
use mallow_units::{FrameNumber, PageNumber, PageSpan};

/// What has become of an area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Somebody uses it.
    InUse,
    /// It has been freed, and some processor may still know its addresses.
    LazilyFreed,
}

/// An area, without its guard.
#[derive(Clone, Debug)]
pub struct Area {
    span: PageSpan,
    frames: FrameList,
    tag: u64,
    state: State,
    /// The next of the lazily freed areas.
    next: Option<u32>,
}

impl Blank for Area {
    const BLANK: Self = Self {
        span: match PageSpan::of(PageNumber(0), 1) {
            Some(span) => span,
            None => unreachable!(),
        },
        frames: FrameList::new(),
        tag: 0,
        state: State::LazilyFreed,
        next: None,
    };
}

impl Area {
    pub(super) const fn new(span: PageSpan, frames: FrameList, tag: u64) -> Self {
        Self { span, frames, tag, state: State::InUse, next: None }
    }

    /// Its pages.
    pub const fn span(&self) -> PageSpan {
        self.span
    }

    /// What the caller said about himself.
    pub const fn tag(&self) -> u64 {
        self.tag
    }

    /// What has become of it.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Its frames, in the order of its pages.
    pub fn frames<'t>(&self, table: FrameTable<'t>) -> impl Iterator<Item = FrameNumber> + use<'t> {
        self.frames.iter(table)
    }

    /// Makes it a lazily freed area, the one before `next`; returns its frames.
    pub(super) const fn release(&mut self, next: Option<u32>) -> FrameList {
        self.state = State::LazilyFreed;
        self.next = next;
        core::mem::replace(&mut self.frames, FrameList::new())
    }

    /// The next lazily freed area.
    pub(super) const fn next(&self) -> Option<u32> {
        self.next
    }
}
