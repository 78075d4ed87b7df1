//! The record of a slab or run: what its bytes mean, and whether they make sense.
//!
//! Called by `region`, and by `lists` for the slabs that lists are of.

use mallow_trace::Landmark;

use super::layout::Layout;
use super::reader::field;

/// Bits of an address in a mark.
const ADDRESS_BITS: u64 = (1 << 48) - 1;

/// What units are used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    /// Blocks of a size class.
    Slab(Slab),
    /// One block.
    Block,
    /// Nothing at the moment: a thread keeps it for its next request.
    Kept,
}

/// Units in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) start: u64,
    pub(super) units: u64,
    pub(super) usage: Use,
}

/// What is known of a slab.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slab {
    /// Its size class, which exists.
    pub(super) class: usize,
    /// What its free blocks have in their second word.
    pub(super) mark: u64,
    /// One bit for each page that has no block yet, or no more.
    pub(super) bare: u64,
    /// Whether its bare pages were never used.
    pub(super) is_fresh: bool,
    /// Blocks that were made of its pages.
    pub(super) carved: u64,
    /// Blocks of them that are not free: with the program, on a thread's list, or on their way home.
    pub(super) outstanding: u64,
}

/// Why a record is none of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoRun {
    /// It stands for nothing.
    Nothing,
    /// Its fields contradict each other: it was being changed.
    Odd,
}

/// Reads a record.
pub(super) fn run(record: &[u8], layout: &Layout) -> Result<Run, NoRun> {
    let number = |landmark, len| field(record, layout.at(landmark), len).ok_or(NoRun::Odd);
    let kind = number(Landmark::SlabKind, 1)?;
    if kind == 0 {
        return Err(NoRun::Nothing);
    }
    let mark = number(Landmark::SlabMark, 8)?;
    let (start, units) = (mark & ADDRESS_BITS, number(Landmark::SlabUnits, 1)?);
    if units == 0 || start == 0 {
        return Err(NoRun::Odd);
    }
    let usage = match kind {
        1 => Use::Slab(slab(record, layout, start, units, mark)?),
        2 => Use::Block,
        3 => Use::Kept,
        _ => return Err(NoRun::Odd),
    };
    Ok(Run { start, units, usage })
}

fn slab(record: &[u8], layout: &Layout, start: u64, units: u64, mark: u64) -> Result<Slab, NoRun> {
    let number = |landmark, len| field(record, layout.at(landmark), len).ok_or(NoRun::Odd);
    let class = usize::try_from(number(Landmark::SlabClass, 1)?).map_err(|_| NoRun::Odd)?;
    let block_bytes = *layout.class_bytes().get(class).ok_or(NoRun::Odd)?;
    let carved = number(Landmark::SlabCarved, 2)?;
    let flags = number(Landmark::SlabFlags, 1)?;
    let is_full = flags & layout.get(Landmark::FlagFull) != 0;
    let is_fresh = flags & layout.get(Landmark::FlagZero) != 0;
    let sum = number(Landmark::SlabOutstanding, 8)?;
    // A full slab's sum counts from that of all blocks downwards.
    let all = carved.wrapping_mul(start).wrapping_add(carved * carved.saturating_sub(1) / 2 * block_bytes);
    let outstanding = if is_full { all.wrapping_add(sum) } else { sum } / start;
    let fits = carved.saturating_mul(block_bytes) <= units * layout.unit_bytes();
    if outstanding > carved || !fits {
        return Err(NoRun::Odd);
    }
    let bare = number(Landmark::SlabBare, 4)?;
    Ok(Slab { class, mark, bare, is_fresh, carved, outstanding })
}
