//! Who maps a frame: the way back from a frame to the entries.
//!
//! ```text
//!  anonymous, mapped once     owner = process        index = page
//!  anonymous, mapped more     owner = first link     flag Private
//!  of a file                  owner = file           index = page of the file, first link << 32
//!
//!  link: process, page, next link
//! ```
//!
//! Most anonymous frames are mapped once, and their entry says where. A fork makes links; so does every mapping of a file's frame.
//! Links are in a pool of their own. Called by everything that maps and unmaps, and by reclaim.
//!
//! Tried and not taken: the intervals of `anon_vma`, which need the areas of all processes to answer.

use core::num::NonZeroU32;

use mallow_ds::pool::Pool;
use mallow_frame::{Flag, Frame, FrameState};
use mallow_units::PageNumber;
use mallow_vma::FileId;
use mallow_vma::store::GrowingPool;

use crate::mm::Pid;

/// A place where a frame is mapped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The process.
    pub pid: Pid,
    /// The page.
    pub page: PageNumber,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    place: Place,
    /// The next link, counted from 1; 0 at the end.
    next: u32,
}

/// Bits of a file frame's index that are the page of the file.
const INDEX_BITS: u32 = 32;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;

/// The links of all frames.
#[derive(Debug, Default)]
pub struct Rmap {
    links: GrowingPool<Link>,
}

impl Rmap {
    /// How many links are in use.
    pub const fn link_count(&self) -> usize {
        self.links.taken()
    }

    /// Notes that a frame is mapped at `place`. The caller has counted the mapping.
    #[inline]
    pub fn add(&mut self, frame: &Frame, place: Place) {
        if frame.state() == FrameState::File {
            let head = self.push(place, head_of_file(frame));
            set_head_of_file(frame, head);
        } else if frame.has(Flag::Private) {
            let head = self.push(place, frame.owner());
            frame.set_owner(head);
        } else if frame.mappings() <= 1 {
            frame.set_owner(place.pid.0);
            frame.set_index(place.page.0);
        } else {
            let first = self.push(single(frame), 0);
            let head = self.push(place, first);
            frame.raise(Flag::Private);
            frame.set_owner(head);
        }
    }

    /// Forgets that a frame is mapped at `place`.
    #[inline]
    pub fn remove(&mut self, frame: &Frame, place: Place) {
        if frame.state() == FrameState::File {
            let head = self.unlink(head_of_file(frame), place);
            set_head_of_file(frame, head);
        } else if frame.has(Flag::Private) {
            let head = self.unlink(frame.owner(), place);
            frame.set_owner(head);
            let rest = self.get(head);
            if let Some(Link { place, next: 0 }) = rest {
                self.release(head);
                frame.lower(Flag::Private);
                frame.set_owner(place.pid.0);
                frame.set_index(place.page.0);
            } else if rest.is_none() {
                frame.lower(Flag::Private);
            }
        }
    }

    /// Notes that a mapping has moved.
    pub fn relocate(&mut self, frame: &Frame, from: Place, to: Place) {
        let mut at = match () {
            () if frame.state() == FrameState::File => head_of_file(frame),
            () if frame.has(Flag::Private) => frame.owner(),
            () => return frame.set_index(to.page.0),
        };
        while let Some(link) = self.get_mut(at) {
            if link.place == from {
                link.place = to;
                return;
            }
            at = link.next;
        }
    }

    /// The places where a frame is mapped.
    pub fn places(&self, frame: &Frame) -> impl Iterator<Item = Place> {
        let is_single = frame.state() != FrameState::File && !frame.has(Flag::Private);
        let mut one = (is_single && frame.mappings() > 0).then(|| single(frame));
        let mut at = match frame.state() {
            FrameState::File => head_of_file(frame),
            _ if is_single => 0,
            _ => frame.owner(),
        };
        core::iter::from_fn(move || {
            if let Some(place) = one.take() {
                return Some(place);
            }
            let link = self.get(at)?;
            at = link.next;
            Some(link.place)
        })
    }

    fn get(&self, at: u32) -> Option<Link> {
        at.checked_sub(1).map(|at| *self.links.get(at))
    }

    fn get_mut(&mut self, at: u32) -> Option<&mut Link> {
        at.checked_sub(1).map(|at| self.links.get_mut(at))
    }

    fn push(&mut self, place: Place, next: u32) -> u32 {
        self.links.take(Link { place, next }).map_or(0, |at| at + 1)
    }

    fn release(&mut self, at: u32) {
        if let Some(at) = at.checked_sub(1) {
            self.links.give_back(at);
        }
    }

    /// Takes the link for `place` out of the list at `head`; returns the head of the rest.
    fn unlink(&mut self, head: u32, place: Place) -> u32 {
        let (mut at, mut before) = (head, 0);
        while let Some(link) = self.get(at) {
            if link.place == place {
                self.release(at);
                if let Some(previous) = self.get_mut(before) {
                    previous.next = link.next;
                    return head;
                }
                return link.next;
            }
            (before, at) = (at, link.next);
        }
        debug_assert!(false, "{place:?} does not map the frame");
        head
    }
}

fn single(frame: &Frame) -> Place {
    Place { pid: Pid(frame.owner()), page: PageNumber(frame.index()) }
}

fn head_of_file(frame: &Frame) -> u32 {
    (frame.index() >> INDEX_BITS) as u32
}

fn set_head_of_file(frame: &Frame, head: u32) {
    frame.set_index(frame.index() & INDEX_MASK | u64::from(head) << INDEX_BITS);
}

/// The file and the page of it that a frame of the page cache holds.
pub fn file_of(frame: &Frame) -> Option<(FileId, u64)> {
    if frame.state() != FrameState::File {
        return None;
    }
    Some((FileId(NonZeroU32::new(frame.owner())?), frame.index() & INDEX_MASK))
}

/// Whether somebody holds a frame for a moment, to copy it, say, besides those who map it at `places` places and the page cache.
pub fn is_held(frame: &Frame, places: usize) -> bool {
    frame.references() as usize != places + usize::from(file_of(frame).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use mallow_frame::Head;

    fn place(pid: u32) -> Place {
        Place { pid: Pid(pid), page: PageNumber(u64::from(pid) * 16) }
    }

    fn frame(state: FrameState) -> Frame {
        let frame = Frame::new();
        frame.turn(Head::single(FrameState::Kernel)).expect("a reserved frame may be used");
        frame.turn(Head::single(state)).expect("a frame in use may be used so");
        frame
    }

    fn sorted(rmap: &Rmap, frame: &Frame) -> Vec<Place> {
        let mut places: Vec<Place> = rmap.places(frame).collect();
        places.sort_unstable();
        places
    }

    #[test]
    fn knows_all_places_whatever_the_order_they_go_in() {
        for state in [FrameState::Anon, FrameState::File] {
            for last in 1..=3 {
                let (mut rmap, frame) = (Rmap::default(), frame(state));
                for pid in 1..=3 {
                    frame.map();
                    rmap.add(&frame, place(pid));
                }
                assert_eq!(sorted(&rmap, &frame), [place(1), place(2), place(3)]);
                for pid in (1..=3).filter(|pid| *pid != last) {
                    frame.unmap();
                    rmap.remove(&frame, place(pid));
                }
                assert_eq!(sorted(&rmap, &frame), [place(last)]);
                rmap.relocate(&frame, place(last), Place { page: PageNumber(7), ..place(last) });
                assert_eq!(sorted(&rmap, &frame), [Place { page: PageNumber(7), ..place(last) }]);
                frame.unmap();
                rmap.remove(&frame, Place { page: PageNumber(7), ..place(last) });
                assert_eq!((sorted(&rmap, &frame).len(), rmap.link_count()), (0, 0));
            }
        }
    }
}
