//! Layouts: where the objects of a slab lie.
//!
//! ```text
//!  slab                                                                slab + 4096 << order
//!  | map | colour | slot 0 | slot 1 | slot 2 | ...    | slot n-1 | rest |
//!                 /        \
//!                | left red zone | object | right red zone | tag, tag |
//! ```
//!
//! The map is on the slab only if its bits do not fit the frame records (see `slab`). Without checks a slot is the object alone,
//! rounded to its alignment. The *colour* shifts the objects of one slab against those of the next, so that the same field
//! of many objects does not fall into the same few cache sets (Bonwick 1994, §4); it is a function of the frame number.
//!
//! Pure arithmetic. Called by `cache` and `slab`.

use mallow_units::page::PAGE_BYTES;
use mallow_units::size_class::{divides, quotient};
use mallow_units::word::{low_half, to_usize};
use mallow_units::{Align, FrameNumber, Order};

use crate::guard::TRACK_BYTES;
use crate::spec::{Checks, CreateError, Spec};

/// Bits of a map that one frame record holds.
pub const BITS_PER_FRAME: u32 = u64::BITS;
/// A slab is as short as it can be while it holds this many objects and wastes little: what Linux takes on two processors.
const ENOUGH_OBJECTS: u32 = 12;
/// The longest slab that is made for the sake of [`ENOUGH_OBJECTS`], as Linux' `slab_max_order`.
const MODEST_ORDER: u8 = 3;
/// Bytes; the step between colours, a cache line.
const LINE_BYTES: usize = 64;
/// Bytes; red zones are whole words, so that a store of a word beside the object hits them.
const WORD_BYTES: usize = 8;

/// How a slab is cut. All lengths are bytes.
///
/// # Invariants
///
/// 1. `first + (colours - 1) * colour_step + objects * stride` is at most the length of the slab.
/// 2. `objects` is at least 1.
/// 3. `left + bytes` is at most `stride`.
/// 4. `colours` is a power of two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// What was asked for.
    pub bytes: u32,
    /// From one slot to the next.
    pub stride: u32,
    /// Red zone before the object.
    pub left: u32,
    /// Red zone behind the object.
    pub right: u32,
    /// Where the tags lie in a slot; 0 if it has none.
    pub tags_at: u32,
    /// Length of a slab.
    pub order: Order,
    /// Slots of a slab.
    pub objects: u32,
    /// Whether the map lies at the start of the slab.
    pub map_on_slab: bool,
    first: u32,
    colours: u32,
    colour_step: u32,
    reciprocal: u64,
}

impl Layout {
    /// The layout that serves `spec`.
    ///
    /// # Errors
    ///
    /// [`CreateError::BadSize`] and [`CreateError::BadAlign`].
    pub fn of(spec: &Spec) -> Result<Self, CreateError> {
        let too_large = CreateError::BadSize(spec.bytes);
        if spec.bytes == 0 || spec.bytes > PAGE_BYTES << Order::MAX.get() {
            return Err(too_large);
        }
        if spec.align.bytes() > PAGE_BYTES {
            return Err(CreateError::BadAlign(spec.align.bytes()));
        }
        let slot = Slot::of(spec).ok_or(too_large)?;
        Self::choose(spec, &slot).ok_or(too_large)
    }

    /// The shortest slab with enough objects and the least waste that can be had: a sixteenth, an eighth, a quarter. If
    /// objects are so large that no modest slab will do, the shortest that holds one.
    fn choose(spec: &Spec, slot: &Slot) -> Option<Self> {
        let modest = || Order::all().filter(|order| order.get() <= MODEST_ORDER);
        let is_good = |layout: &Self, enough: u32, fraction: usize| {
            layout.objects >= enough && layout.waste() * fraction <= layout.slab_bytes()
        };
        let mut enough = ENOUGH_OBJECTS;
        while enough > 1 {
            for fraction in [16, 8, 4] {
                let good = modest().filter_map(|order| Self::cut(spec, slot, order));
                if let Some(layout) = good.into_iter().find(|layout| is_good(layout, enough, fraction)) {
                    return Some(layout);
                }
            }
            enough /= 2;
        }
        Order::all().find_map(|order| Self::cut(spec, slot, order))
    }

    fn cut(spec: &Spec, slot: &Slot, order: Order) -> Option<Self> {
        let length = PAGE_BYTES << order.get();
        let in_records = (BITS_PER_FRAME * order.frames()) as usize;
        let without_map = length / slot.stride;
        let map_on_slab = without_map > in_records;
        let map_bytes = if map_on_slab { without_map.div_ceil(u64::BITS as usize) * WORD_BYTES } else { 0 };
        let first = spec.align.round_up(map_bytes)?;
        let objects = length.checked_sub(first)? / slot.stride;
        if objects == 0 {
            return None;
        }
        let rest = length - first - objects * slot.stride;
        let colour_step = LINE_BYTES.max(spec.align.bytes());
        Some(Self {
            bytes: narrow(spec.bytes),
            stride: narrow(slot.stride),
            left: narrow(slot.left),
            right: narrow(slot.right),
            tags_at: narrow(slot.tags_at),
            order,
            objects: narrow(objects),
            map_on_slab,
            first: narrow(first),
            colours: 1 << (rest / colour_step + 1).ilog2(),
            colour_step: narrow(colour_step),
            reciprocal: u64::MAX / slot.stride as u64 + 1,
        })
    }

    /// Bytes of a slab.
    pub const fn slab_bytes(&self) -> usize {
        PAGE_BYTES << self.order.get()
    }

    /// Bytes of a slab that are no slot.
    pub const fn waste(&self) -> usize {
        self.slab_bytes() - self.objects as usize * self.stride as usize
    }

    /// Words of the map.
    pub const fn map_words(&self) -> u32 {
        self.objects.div_ceil(u64::BITS)
    }

    /// The bits of word `word` of the map that stand for slots.
    pub const fn map_mask(&self, word: u32) -> u64 {
        let slots = self.objects.saturating_sub(word * u64::BITS);
        if slots >= u64::BITS { u64::MAX } else { (1 << slots) - 1 }
    }

    /// How many colours there are; a power of two, so that finding one needs no division.
    pub const fn colours(&self) -> u32 {
        self.colours
    }

    /// Where the first slot of the slab at `head` lies, from the start of the slab.
    #[inline]
    pub const fn first_slot(&self, head: FrameNumber) -> u32 {
        self.first + ((head.0 >> self.order.get()) & (self.colours - 1)) * self.colour_step
    }

    /// Where slot `index` of the slab at `head` begins, from the start of the slab.
    #[inline]
    pub const fn slot(&self, head: FrameNumber, index: u32) -> u32 {
        self.first_slot(head) + index * self.stride
    }

    /// Where object `index` of the slab at `head` begins, from the start of the slab.
    #[inline]
    pub const fn object(&self, head: FrameNumber, index: u32) -> u32 {
        self.slot(head, index) + self.left
    }

    /// The slot whose object begins `offset` bytes into the slab at `head`; `None` if none does.
    #[inline]
    pub fn index_of(&self, head: FrameNumber, offset: usize) -> Option<u32> {
        let from_first = u64::from(narrow(offset).checked_sub(self.object(head, 0))?);
        let index = low_half(quotient(self.reciprocal, from_first));
        (divides(self.reciprocal, from_first) && index < self.objects).then_some(index)
    }

    /// The slot that holds the byte `offset` bytes into the slab at `head`; `None` between the slots and the ends.
    pub fn index_holding(&self, head: FrameNumber, offset: usize) -> Option<u32> {
        let from_first = u64::from(narrow(offset).checked_sub(self.first_slot(head))?);
        let index = low_half(quotient(self.reciprocal, from_first));
        (index < self.objects).then_some(index)
    }
}

/// One slot: the object and what its checks need around it.
struct Slot {
    left: usize,
    right: usize,
    tags_at: usize,
    stride: usize,
}

impl Slot {
    fn of(spec: &Spec) -> Option<Self> {
        let has_zones = spec.checks.has(Checks::RED_ZONES);
        let left = if has_zones { spec.align.round_up(WORD_BYTES)? } else { 0 };
        let object_end = left + spec.bytes;
        let words = object_end.next_multiple_of(WORD_BYTES);
        // At least a byte, at most a word: what rounding leaves is red zone as well.
        let right_end = if has_zones && words == object_end { words + WORD_BYTES } else { words };
        let has_tags = spec.checks.has(Checks::TAGS);
        let end = if has_tags { right_end + 2 * wide(TRACK_BYTES) } else { right_end };
        Some(Self {
            left,
            right: if has_zones { right_end - object_end } else { 0 },
            tags_at: if has_tags { right_end } else { 0 },
            stride: spec.align.round_up(end)?,
        })
    }
}

/// Lengths within a slab: at most 4 MiB, or a little more for one that is then refused.
fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The bytes of a length.
pub(crate) fn wide(bytes: u32) -> usize {
    to_usize(u64::from(bytes))
}

/// The natural alignment of objects of `bytes`: the largest power of two that divides it, up to a page. It is what
/// Linux promises for `kmalloc`.
pub const fn natural_align(bytes: usize) -> Align {
    let log2 = if bytes == 0 { 0 } else { bytes.trailing_zeros() };
    let most = PAGE_BYTES.trailing_zeros();
    match Align::new(1 << if log2 < most { log2 } else { most }) {
        Some(align) => align,
        None => Align::BLOCK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::of(&Spec::new("test", bytes)).expect("a layout")
    }

    #[test]
    fn slabs_are_cut_as_linux_cuts_them() {
        // Objects and pages of a slab in /proc/slabinfo of a small machine.
        for (bytes, objects, pages) in [
            (192, 21, 1),
            (256, 16, 1),
            (512, 16, 2),
            (1024, 16, 4),
            (2048, 16, 8),
            (4096, 8, 8),
            (8192, 4, 8),
        ] {
            let layout = layout(bytes);
            assert_eq!((layout.objects, layout.order.frames()), (objects, pages), "{bytes} bytes");
            assert!(!layout.map_on_slab);
        }
    }

    #[test]
    fn small_objects_keep_their_map_on_the_slab() {
        for (bytes, objects) in [(8, 504), (16, 254), (32, 127), (48, 85)] {
            let layout = layout(bytes);
            assert!(layout.map_on_slab && layout.order == Order::ZERO);
            assert_eq!(layout.objects, objects, "{bytes} bytes");
        }
    }

    #[test]
    fn every_slot_is_found_by_its_object_and_by_each_of_its_bytes() {
        for checks in [Checks::NONE, Checks::ALL] {
            for bytes in [1, 8, 24, 100, 192, 700, 1500, 5000, 16384, 70_000] {
                let layout = Layout::of(&Spec::new("test", bytes).checked(checks)).expect("a layout");
                for head in (0..5).map(|slab| FrameNumber(slab << layout.order.get())) {
                    for index in 0..layout.objects {
                        let object = layout.object(head, index);
                        assert_eq!(layout.index_of(head, wide(object)), Some(index));
                        assert_eq!(layout.index_of(head, wide(object) + 1), None);
                        assert_eq!(layout.index_holding(head, wide(object)), Some(index));
                        assert!(wide(layout.slot(head, index) + layout.stride) <= layout.slab_bytes());
                    }
                    assert_eq!(layout.index_of(head, wide(layout.object(head, layout.objects))), None);
                }
            }
        }
    }

    #[test]
    fn objects_lie_at_multiples_of_their_alignment_in_every_colour() {
        for log2 in 3..=12 {
            let align = Align::new(1 << log2).expect("a power of two");
            for checks in [Checks::NONE, Checks::RED_ZONES, Checks::ALL] {
                let spec = Spec::new("test", 200).aligned(align).checked(checks);
                let layout = Layout::of(&spec).expect("a layout");
                for slab in 0..layout.colours() {
                    let head = FrameNumber(slab << layout.order.get());
                    assert!((0..layout.objects).all(|i| align.divides(wide(layout.object(head, i)))));
                }
            }
        }
    }

    #[test]
    fn neighbouring_slabs_have_different_colours() {
        let layout = layout(700);
        assert!(layout.colours() > 1);
        assert_ne!(layout.first_slot(FrameNumber(0)), layout.first_slot(FrameNumber(layout.order.frames())));
    }

    #[test]
    fn what_no_slab_holds_is_refused() {
        assert_eq!(Layout::of(&Spec::new("test", 0)), Err(CreateError::BadSize(0)));
        let most = PAGE_BYTES << Order::MAX.get();
        assert_eq!(layout(most).objects, 1);
        assert_eq!(Layout::of(&Spec::new("test", most + 1)), Err(CreateError::BadSize(most + 1)));
        let checked = Spec::new("test", most).checked(Checks::RED_ZONES);
        assert_eq!(Layout::of(&checked), Err(CreateError::BadSize(most)));
        let wide = Spec::new("test", 64).aligned(Align::new(8192).expect("a power of two"));
        assert_eq!(Layout::of(&wide), Err(CreateError::BadAlign(8192)));
    }
}
