//! Guards: red zones, poison and tags around and in one slot.
//!
//! ```text
//!  | bb bb .. | 6b 6b 6b .. 6b a5 | bb bb .. | allocated: tag, when, cpu | freed: tag, when, cpu |   free
//!  | cc cc .. | the object        | cc cc .. | ...                                               |   in use
//! ```
//!
//! The patterns are those of Linux, so that a dump reads the same. An object that is handed out still holds the poison, which
//! shows a use before initialisation as 6b6b6b6b. Objects with a constructor are never poisoned: their state is the point.
//!
//! Works on the bytes of a slot, which `slab` lends. Called by `checked`.

use mallow_units::word::low_half;

use crate::layout::{Layout, wide};
use crate::spec::Checks;

/// What a red zone holds around a free object.
pub const RED_FREE: u8 = 0xbb;
/// What a red zone holds around an object in use.
pub const RED_IN_USE: u8 = 0xcc;
/// What a free object is filled with.
pub const POISON: u8 = 0x6b;
/// The last byte of a free object.
pub const POISON_END: u8 = 0xa5;
/// Bytes of a tag in memory.
pub(crate) const TRACK_BYTES: u32 = 24;

/// Who did something to an object last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Track {
    /// What the caller said about himself; usually an address in his code.
    pub tag: u64,
    /// When, in the unit of [`crate::Pages::now`].
    pub when: u64,
    /// On which processor.
    pub cpu: u32,
}

/// Which of the two tags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The last allocation.
    Allocated,
    /// The last free.
    Freed,
}

/// What an object is at the moment, as far as its red zones are concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// In the slab.
    Free,
    /// With a client.
    InUse,
}

/// A kind of damage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Damage {
    /// Bytes before the object were written.
    LeftRedZone,
    /// Bytes behind the object were written.
    RightRedZone,
    /// The object was written after it was freed.
    Poison,
    /// The object was free already.
    DoubleFree,
    /// No object begins at this address.
    NotAnObject,
    /// The object belongs to another cache, or to none.
    Foreign,
}

/// The first byte that is not as it was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spot {
    /// What it is a sign of.
    pub damage: Damage,
    /// Bytes from the start of the object; negative in the left red zone.
    pub offset: i64,
    /// What is there.
    pub found: u8,
    /// What was left there.
    pub expected: u8,
}

/// Which guards the slots of a cache have.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    checks: Checks,
}

impl Guard {
    /// The guards for `checks`; those of objects that are constructed if `is_constructed`.
    pub const fn new(checks: Checks, is_constructed: bool) -> Self {
        Self { checks: if is_constructed { checks.without(Checks::POISON) } else { checks } }
    }

    /// Leaves the patterns of `state` in `slot`.
    pub fn arm(self, layout: &Layout, slot: &mut [u8], state: Use) {
        self.arm_zones(layout, slot, state);
        let parts = Parts::of(layout);
        if self.checks.has(Checks::POISON) {
            slot[parts.object..parts.end].fill(POISON);
            slot[parts.end - 1] = POISON_END;
        }
    }

    /// Leaves the patterns of `state` in the zones of `slot`.
    pub(crate) fn arm_zones(self, layout: &Layout, slot: &mut [u8], state: Use) {
        let parts = Parts::of(layout);
        if self.checks.has(Checks::RED_ZONES) {
            slot[..parts.object].fill(red(state));
            slot[parts.end..parts.zone_end].fill(red(state));
        }
    }

    /// Looks whether `slot` is as [`Guard::arm`] left it for `state`. The content of an object in use is not looked at.
    ///
    /// # Errors
    ///
    /// The first spot that is not.
    pub fn inspect(self, layout: &Layout, slot: &[u8], state: Use) -> Result<(), Spot> {
        let parts = Parts::of(layout);
        if self.checks.has(Checks::RED_ZONES) {
            self.inspect_left(&slot[..parts.object], state)?;
            self.inspect_right(layout, &slot[parts.end..parts.zone_end], state)?;
        }
        if state == Use::Free { self.inspect_content(&slot[parts.object..parts.end]) } else { Ok(()) }
    }

    /// Whether slots have red zones.
    pub(crate) const fn has_zones(self) -> bool {
        self.checks.has(Checks::RED_ZONES)
    }

    /// Looks at the zone before an object.
    pub(crate) fn inspect_left(self, zone: &[u8], state: Use) -> Result<(), Spot> {
        compare(zone, -signed(zone.len()), red(state), Damage::LeftRedZone)
    }

    /// Looks at the zone behind an object.
    pub(crate) fn inspect_right(self, layout: &Layout, zone: &[u8], state: Use) -> Result<(), Spot> {
        compare(zone, i64::from(layout.bytes), red(state), Damage::RightRedZone)
    }

    /// Looks at the content of a free object.
    pub(crate) fn inspect_content(self, content: &[u8]) -> Result<(), Spot> {
        let (true, Some((end, rest))) = (self.checks.has(Checks::POISON), content.split_last()) else {
            return Ok(());
        };
        compare(rest, 0, POISON, Damage::Poison)?;
        compare(core::slice::from_ref(end), signed(rest.len()), POISON_END, Damage::Poison)
    }

    /// Writes a tag.
    pub fn note(self, layout: &Layout, slot: &mut [u8], event: Event, track: Track) {
        if self.checks.has(Checks::TAGS) {
            let words = [track.tag, track.when, u64::from(track.cpu) + 1];
            let place = &mut slot[wide(layout.tags_at)..][tag_range(event)];
            for (bytes, word) in place.chunks_exact_mut(size_of::<u64>()).zip(words) {
                bytes.copy_from_slice(&word.to_ne_bytes());
            }
        }
    }

    /// Removes both tags: the slot is new.
    pub fn forget(self, layout: &Layout, slot: &mut [u8]) {
        if self.checks.has(Checks::TAGS) {
            slot[wide(layout.tags_at)..][..2 * wide(TRACK_BYTES)].fill(0);
        }
    }

    /// Reads a tag; `None` if it was never written.
    pub fn track(self, layout: &Layout, slot: &[u8], event: Event) -> Option<Track> {
        self.checks.has(Checks::TAGS).then(|| self.track_in(&slot[wide(layout.tags_at)..], event))?
    }

    /// Reads a tag of `tags`, the end of a slot that has some.
    pub(crate) fn track_in(self, tags: &[u8], event: Event) -> Option<Track> {
        let mut words = tags[tag_range(event)].chunks_exact(size_of::<u64>()).map(|bytes| {
            let mut word = [0; size_of::<u64>()];
            word.copy_from_slice(bytes);
            u64::from_ne_bytes(word)
        });
        let (tag, when, cpu) = (words.next()?, words.next()?, words.next()?);
        Some(Track { tag, when, cpu: low_half(cpu.checked_sub(1)?) })
    }
}

fn red(state: Use) -> u8 {
    match state {
        Use::Free => RED_FREE,
        Use::InUse => RED_IN_USE,
    }
}

/// Where a tag lies among the tags.
const fn tag_range(event: Event) -> core::ops::Range<usize> {
    let start = match event {
        Event::Allocated => 0,
        Event::Freed => TRACK_BYTES as usize,
    };
    start..start + TRACK_BYTES as usize
}

/// Where things lie in a slot. Unit: bytes from its start.
struct Parts {
    object: usize,
    end: usize,
    zone_end: usize,
}

impl Parts {
    fn of(layout: &Layout) -> Self {
        let (object, bytes) = (wide(layout.left), wide(layout.bytes));
        Self { object, end: object + bytes, zone_end: object + bytes + wide(layout.right) }
    }
}

/// Finds the first byte of `bytes`, which begin `offset` bytes from the object, that is not `expected`.
fn compare(bytes: &[u8], offset: i64, expected: u8, damage: Damage) -> Result<(), Spot> {
    match bytes.iter().position(|byte| *byte != expected) {
        None => Ok(()),
        Some(at) => Err(Spot { damage, offset: offset + signed(at), found: bytes[at], expected }),
    }
}

/// A length within a slot, as a distance.
const fn signed(bytes: usize) -> i64 {
    bytes.cast_signed() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;
    use alloc::vec;
    use alloc::vec::Vec;

    fn slot(bytes: usize, checks: Checks) -> (Layout, Guard, Vec<u8>) {
        let layout = Layout::of(&Spec::new("test", bytes).checked(checks)).expect("a layout");
        (layout, Guard::new(checks, false), vec![0; wide(layout.stride)])
    }

    #[test]
    fn every_byte_of_a_free_slot_is_guarded() {
        for bytes in [1, 7, 8, 9, 64, 100] {
            let (layout, guard, mut slot) = slot(bytes, Checks::RED_ZONES | Checks::POISON);
            guard.arm(&layout, &mut slot, Use::Free);
            assert_eq!(guard.inspect(&layout, &slot, Use::Free), Ok(()));
            for at in 0..slot.len() {
                slot[at] ^= 1;
                let spot = guard.inspect(&layout, &slot, Use::Free).expect_err("a changed byte");
                assert_eq!(spot.offset, at.cast_signed() as i64 - i64::from(layout.left));
                assert_eq!(spot.found ^ 1, spot.expected);
                slot[at] ^= 1;
            }
        }
    }

    #[test]
    fn the_content_of_an_object_in_use_is_its_own_affair() {
        let (layout, guard, mut slot) = slot(20, Checks::RED_ZONES | Checks::POISON);
        guard.arm(&layout, &mut slot, Use::InUse);
        slot[wide(layout.left)..wide(layout.left) + 20].fill(7);
        assert_eq!(guard.inspect(&layout, &slot, Use::InUse), Ok(()));
        slot[wide(layout.left) + 20] = 7;
        let spot = guard.inspect(&layout, &slot, Use::InUse).expect_err("an overrun");
        assert_eq!((spot.damage, spot.offset, spot.expected), (Damage::RightRedZone, 20, RED_IN_USE));
    }

    #[test]
    fn tags_are_remembered_beside_the_guards() {
        let (layout, guard, mut slot) = slot(24, Checks::ALL);
        guard.arm(&layout, &mut slot, Use::Free);
        guard.forget(&layout, &mut slot);
        assert_eq!(guard.track(&layout, &slot, Event::Freed), None);
        let track = Track { tag: 0x1234, when: 7, cpu: 0 };
        guard.note(&layout, &mut slot, Event::Freed, track);
        assert_eq!(guard.track(&layout, &slot, Event::Freed), Some(track));
        assert_eq!(guard.track(&layout, &slot, Event::Allocated), None);
        assert_eq!(guard.inspect(&layout, &slot, Use::Free), Ok(()));
    }

    #[test]
    fn constructed_objects_are_not_poisoned() {
        let layout = Layout::of(&Spec::new("test", 32).checked(Checks::ALL)).expect("a layout");
        let mut slot = vec![0; wide(layout.stride)];
        Guard::new(Checks::ALL, true).arm(&layout, &mut slot, Use::Free);
        assert!(slot[wide(layout.left)..wide(layout.left) + 32].iter().all(|byte| *byte == 0));
    }
}
