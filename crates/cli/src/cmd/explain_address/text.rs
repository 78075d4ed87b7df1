//! The steps as text: one line each.
//!
//! Called by `explain_address`, whose report this renders.

use mallow_analyze::mallow::Place;
use mallow_analyze::memory::PAGE_BYTES;
use mallow_analyze::page_map::Residence;
use mallow_units::Bytes;

use super::{Frame, Mapped, Page, Report, Zone};
use crate::style::{Style, Tone};
use crate::table::{Align, Cell, Table};

impl Report {
    /// The report as text.
    pub(super) fn render(&self, style: Style) -> String {
        let title = style.paint(Tone::Strong, &format!("{} {}", self.name, self.pid));
        let mut table = Table::new([Align::Left, Align::Left]);
        let mut row = |name: &str, text: Result<String, &Option<String>>| match text {
            Ok(text) => table.row([name.into(), text.into()]),
            Err(Some(reason)) => {
                table.row([name.into(), Cell::toned(Tone::Dim, format!("n/a ({reason})"))]);
            }
            Err(None) => {}
        };
        row(
            "heap",
            self.heap.as_ref().map(|place| place_text(place, self.address, style)).ok_or(&self.missing.heap),
        );
        row(
            "mapping",
            Ok(self
                .mapping
                .as_ref()
                .map_or_else(|| "nothing is mapped there".to_owned(), |mapped| mapped.text(style))),
        );
        let [first, second, third, fourth] = self.tables;
        row("tables", Ok(format!("entries {first}, {second}, {third} and {fourth}, from the root down")));
        row("page", self.page.as_ref().map(Page::text).ok_or(&self.missing.page));
        row("frame", self.frame.as_ref().map(Frame::text).ok_or(&self.missing.frame));
        row("zone", self.zone.as_ref().map(|zone| zone.text(style)).ok_or(&self.missing.zone));
        format!("{title}  address {:#x}\n{}", self.address, table.render(style, "  "))
    }
}

/// What an address is to the heap, in a sentence.
pub(crate) fn place_text(place: &Place, address: u64, style: Style) -> String {
    let byte = |start: u64| address - start;
    match *place {
        Place::Block { start, block_bytes, slab, slab_bytes, number, is_live } => format!(
            "byte {} of a {} block of {block_bytes} bytes at {start:#x}, the {} of the slab at {slab:#x} of {}",
            byte(start),
            if is_live { "live" } else { "free" },
            ordinal(number + 1),
            style.bytes(slab_bytes)
        ),
        Place::BarePart { slab, block_bytes } => format!(
            "no block: a page without blocks, or the tail, of the slab at {slab:#x} for blocks of {block_bytes} bytes"
        ),
        Place::Medium { start, bytes } => {
            format!("byte {} of a medium block at {start:#x} of {}", byte(start), style.bytes(bytes))
        }
        Place::KeptRun { start, bytes } => {
            format!("no block: a run at {start:#x} of {} that a thread keeps for later", style.bytes(bytes))
        }
        Place::Large { start, bytes } => {
            format!("byte {} of a large block at {start:#x} of {}", byte(start), style.bytes(bytes))
        }
        Place::Free => "no block: free units of a region".to_owned(),
        Place::Metadata => "no block: what the allocator knows about its heap".to_owned(),
    }
}

/// 1st, 2nd, 3rd, 4th, 11th.
fn ordinal(number: u64) -> String {
    let ending = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

impl Mapped {
    fn text(&self, style: Style) -> String {
        let file = self.file.as_ref().map_or_else(String::new, |file| format!(", {file}"));
        let resident = self
            .rss_bytes
            .map_or_else(|| "RSS n/a".to_owned(), |rss| format!("{} of it in memory", style.bytes(rss)));
        let bytes = style.bytes(self.end - self.start);
        format!(
            "{:x}-{:x} {} {}{file}, {bytes}, {resident}",
            self.start, self.end, self.permissions, self.owner
        )
    }
}

impl Page {
    fn text(&self) -> String {
        let kind = if self.is_of_file { "of a file, or shared" } else { "anonymous" };
        let place = match self.residence {
            Residence::Nowhere => {
                return format!("{:#x}: not in memory: never touched, or given back", self.address);
            }
            Residence::Memory => "in memory".to_owned(),
            Residence::Swap { area, offset } => format!("in swap area {area}, slot {offset}"),
        };
        let whose = if self.is_exclusive { ", of this process only" } else { "" };
        format!("{:#x}: {place}, {kind}{whose}", self.address)
    }
}

impl Frame {
    fn text(&self) -> String {
        let at = self.number.saturating_mul(PAGE_BYTES);
        let mut text = format!("{:#x}, at physical address {at:#x}", self.number);
        if let Some(times) = self.times_mapped {
            text += &format!(", mapped {times} times");
        }
        if !self.flags.is_empty() {
            text += &format!("; {}", self.flags.join(", "));
        }
        text
    }
}

impl Zone {
    fn text(&self, style: Style) -> String {
        let amount = |bytes: Option<u64>| bytes.map_or_else(|| "n/a".to_owned(), |bytes| style.bytes(bytes));
        let longest = self.free_blocks.iter().rposition(|count| *count > 0);
        let longest = longest.and_then(|order| PAGE_BYTES.checked_shl(u32::try_from(order).ok()?));
        let longest =
            longest.map_or_else(String::new, |bytes| format!(", in blocks of up to {}", Bytes(bytes)));
        format!(
            "{} of node {}: {} free{longest}; it reclaims below {}",
            self.name,
            self.node,
            amount(self.free_bytes),
            amount(self.low_bytes)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_english() {
        let words = [1, 2, 3, 4, 11, 12, 13, 21, 111, 122].map(ordinal);
        assert_eq!(words, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th", "122nd"]);
    }
}
