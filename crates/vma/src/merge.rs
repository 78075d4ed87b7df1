//! When two neighbours are one: the pure rule that every call asks.
//!
//! Two areas are one if nothing that can be asked about them tells them apart: same flags, same backing, and the second
//! shows the pages of the backing that follow those of the first. And if their anonymous pages belong to one
//! family, or only one of them has any.
//!
//! # Source
//!
//! The behaviour of Linux 6.18, tried on it: an area whose family has a parent, which a child has after a fork, joins
//! no area without pages of its own.

use crate::area::Vma;
use crate::flags::Flags;

/// Which neighbours an area can be joined with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Join {
    /// The one below.
    pub below: bool,
    /// The one above.
    pub above: bool,
}

/// Which of its neighbours `area` can be joined with. If both, then also with each other: else only with the one below.
pub fn join(below: Option<&Vma>, area: &Vma, above: Option<&Vma>) -> Join {
    let with_below = below.is_some_and(|below| follows(below, area) && families_agree(below, area));
    let with_above = above.is_some_and(|above| follows(area, above) && families_agree(above, area));
    let all_agree = match (below, above) {
        (Some(below), Some(above)) if with_below => {
            below.anon.is_none() || above.anon.is_none() || below.anon == above.anon
        }
        _ => true,
    };
    Join { below: with_below, above: with_above && all_agree }
}

/// Whether `above` goes on where `below` ends, in every respect but the family of anonymous pages.
fn follows(below: &Vma, above: &Vma) -> bool {
    below.span.end() == above.span.start()
        && are_alike(below, above)
        && below.offset_of(above.span.start()) == above.offset
}

fn are_alike(one: &Vma, other: &Vma) -> bool {
    let differ = (one.flags ^ other.flags).without(Flags::NOT_COMPARED);
    differ == Flags::NONE && one.backing == other.backing
}

/// Whether the anonymous pages of `area` can join those of `target`, which stays.
fn families_agree(target: &Vma, area: &Vma) -> bool {
    match (target.anon, area.anon) {
        (None, Some(_)) => !is_of_child(area),
        (Some(_), None) => !is_of_child(target),
        (one, other) => one == other,
    }
}

/// Whether its family has a parent.
const fn is_of_child(area: &Vma) -> bool {
    area.anon.is_some() && area.flags.has(Flags::FORKED)
}

/// `target` with `span`, and with the family of `other` if it has none of its own.
pub(crate) fn joined(target: &Vma, other: &Vma) -> Vma {
    let family = if target.anon.is_some() { target } else { other };
    let guarded = (target.flags | other.flags) & Flags::MAYBE_GUARDED;
    let flags = target.flags.without(Flags::FORKED) | family.flags & Flags::FORKED | guarded;
    Vma { anon: family.anon, flags, ..*target }
}

/// Whether an area that needs its first family may take that of `near`, which touches it: so that the two can be joined
/// when they become alike in access too.
pub(crate) fn may_share_family(area: &Vma, near: &Vma) -> bool {
    let (below, above) = if area.span.start() < near.span.start() { (area, near) } else { (near, area) };
    let differ = (area.flags ^ near.flags).without(Flags::NOT_COMPARED | Flags::ACCESS);
    below.span.end() == above.span.start()
        && differ == Flags::NONE
        && area.backing == near.backing
        && below.offset_of(above.span.start()) == above.offset
        && near.anon.is_some()
        && !is_of_child(near)
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use mallow_units::{PageNumber, PageSpan};

    use super::*;
    use crate::area::{AnonId, FileId};

    fn area(start: u64, end: u64, anon: u32) -> Vma {
        let span = PageSpan::new(PageNumber(start), PageNumber(end)).expect("not empty");
        let flags = Flags::READ | Flags::WRITE;
        Vma { span, offset: start, flags, backing: None, anon: NonZeroU32::new(anon).map(AnonId) }
    }

    fn forked(area: Vma) -> Vma {
        Vma { flags: area.flags | Flags::FORKED, ..area }
    }

    fn joins(below: Vma, middle: Vma, above: Vma) -> (bool, bool) {
        let join = join(Some(&below), &middle, Some(&above));
        (join.below, join.above)
    }

    #[test]
    fn touching_anonymous_memory_is_one() {
        assert_eq!(joins(area(0, 4, 0), area(4, 6, 0), area(6, 9, 0)), (true, true));
        assert_eq!(joins(area(0, 3, 0), area(4, 6, 0), area(7, 9, 0)), (false, false));
    }

    #[test]
    fn each_difference_keeps_them_apart() {
        let (below, middle) = (area(0, 4, 0), area(4, 6, 0));
        let file = FileId(NonZeroU32::MIN);
        for other in [
            Vma { flags: Flags::READ, ..middle },
            Vma { backing: Some(file), ..middle },
            Vma { offset: 5, ..middle },
            Vma { flags: middle.flags | Flags::ACCOUNTED, ..middle },
        ] {
            assert!(!join(Some(&below), &other, None).below, "{other:?}");
        }
    }

    #[test]
    fn two_families_do_not_mix() {
        assert_eq!(joins(area(0, 4, 1), area(4, 6, 0), area(6, 9, 2)), (true, false));
        assert_eq!(joins(area(0, 4, 1), area(4, 6, 2), area(6, 9, 2)), (false, true));
        assert_eq!(joins(area(0, 4, 0), area(4, 6, 2), area(6, 9, 2)), (true, true));
    }

    #[test]
    fn the_family_of_a_child_joins_only_itself() {
        let (below, middle) = (forked(area(0, 4, 1)), area(4, 6, 0));
        assert!(!join(Some(&below), &middle, None).below);
        assert!(join(Some(&below), &forked(area(4, 6, 1)), None).below);
        assert!(!join(Some(&area(0, 4, 0)), &forked(area(4, 6, 1)), None).below);
    }

    #[test]
    fn a_joined_area_has_the_family_of_either() {
        assert_eq!(joined(&area(0, 6, 0), &area(4, 6, 2)).anon, area(0, 1, 2).anon);
        assert_eq!(joined(&area(0, 6, 1), &area(4, 6, 0)).anon, area(0, 1, 1).anon);
    }
}
