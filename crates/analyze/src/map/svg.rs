//! The map as a picture: one drawing in SVG, with nothing that has to be fetched.
//!
//! ```text
//!   high  7ffc1234b000  ┌──────────┐  main stack   132 KiB, 20 KiB in memory
//!                       ├ ─ ─ ─ ─ ─┤  room for the stack, 400 GiB
//!         7f0000000000  ├──────────┤
//!   low                 └──────────┘
//! ```
//!
//! Low addresses are at the bottom, as in the usual drawings. Gaps are as high as a line of text, whatever their size. What is in
//! memory is the filled part of a box. Colours follow the reader's light or dark setting.
//!
//! Called by the command.

use core::fmt::Write;

use mallow_units::Bytes;

use super::rows::Row;
use super::{KERNEL_HALF, Map, Region};
use crate::escape::{self, Markup};
use crate::owner::Owner;
use crate::read::smaps::{Amount, Amounts};

/// What the height of a box says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scale {
    /// The size in address space, by its logarithm.
    Log,
    /// The bytes in memory.
    Resident,
}

/// More than so many mappings of an owner in a row are one box.
const MOST_IN_A_ROW: usize = 8;
/// The height of a line of text, in pixels.
const LINE: f64 = 15.0;
/// The height of all that is in memory together, in pixels, with [`Scale::Resident`].
const RESIDENT_HEIGHT: f64 = 900.0;
/// The lowest box, in pixels, with [`Scale::Resident`].
const LOWEST: f64 = 3.0;
/// Pixels from the left to the boxes, and their width.
const BOX: (f64, f64) = (190.0, 260.0);
/// Pixels from the left to the labels, and to the right end.
const LABEL: f64 = 462.0;
const WIDTH: f64 = 980.0;
/// Characters that there is room for behind [`LABEL`]: they are 12 pixels high, and 0.6 times as wide.
const LABEL_CHARACTERS: usize = 70;
/// Pixels from the top to the first box, below title and legend.
const TOP: f64 = 84.0;

/// The colours, as classes: what is behind a class, its colour on white and on black.
const COLOURS: [(&str, &str, &str, &str); 10] = [
    ("heap", "heap", "#d9480f", "#ff8c4d"),
    ("arena", "arenas", "#b8860b", "#e6b422"),
    ("anon", "anonymous", "#2b8a3e", "#69c77e"),
    ("stack", "stacks", "#9c36b5", "#d58ae6"),
    ("prog", "program", "#1864ab", "#64acf0"),
    ("lib", "libraries", "#0b7285", "#4fc3d8"),
    ("file", "files", "#495057", "#adb5bd"),
    ("shm", "shared memory", "#a61e4d", "#f078a3"),
    ("huge", "huge pages", "#5c940d", "#a9d94f"),
    ("kern", "kernel", "#868e96", "#868e96"),
];

/// Draws `map`, with `title` above it.
pub fn draw(map: &Map, title: &str, scale: Scale) -> String {
    let rows = map.rows(MOST_IN_A_ROW);
    let total = map.total().2.get(Amount::Rss).unwrap_or(0);
    let heights: Vec<f64> = rows.iter().map(|row| height(row, scale, total)).collect();
    let end = TOP + heights.iter().sum::<f64>();
    let mut svg = head(title, end + 28.0);
    legend(&mut svg, &rows, scale);
    let mut y = TOP;
    for (row, height) in rows.iter().zip(&heights).rev() {
        draw_row(&mut svg, row, y, *height);
        draw_base(&mut svg, map, row, y, *height);
        y += height;
    }
    svg.push_str("</svg>\n");
    svg
}

fn height(row: &Row<'_>, scale: Scale, total: u64) -> f64 {
    let resident = row.amounts().and_then(|amounts| amounts.get(Amount::Rss)).unwrap_or(0);
    match (row, scale) {
        (Row::Gap(_), _) => LINE,
        // A page is a line high, and each doubling adds a part of one.
        (_, Scale::Log) => LINE + 3.0 * (as_float(row.bytes()) / 4096.0).max(1.0).log2(),
        (_, Scale::Resident) => LOWEST + RESIDENT_HEIGHT * as_float(resident) / as_float(total.max(1)),
    }
}

/// The start of the drawing: its size, its colours and its title.
fn head(title: &str, height: f64) -> String {
    let colours = |pick: fn(&(&str, &str, &'static str, &'static str)) -> &'static str| {
        COLOURS
            .iter()
            .fold(String::new(), |text, colour| text + &format!(".{}{{fill:{}}}", colour.0, pick(colour)))
    };
    let (light, dark) = (colours(|colour| colour.2), colours(|colour| colour.3));
    let title = Markup(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\" \
         font-family=\"ui-monospace,monospace\" font-size=\"12\">\n<title>{title}</title>\n<style>\n\
         .back{{fill:#fff}}.text{{fill:#212529}}.dim{{fill:#6c757d}}.empty{{fill-opacity:.22}}.edge{{fill:none;stroke:#fff}}\
         .gap{{fill:none;stroke:#adb5bd;stroke-dasharray:3 3}}{light}\n\
         @media (prefers-color-scheme:dark){{.back{{fill:#16181b}}.text{{fill:#e9ecef}}.dim{{fill:#9aa1a8}}.edge{{stroke:#16181b}}\
         .gap{{stroke:#5c636a}}{dark}}}\n</style>\n\
         <rect class=\"back\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"text\" x=\"16\" y=\"24\" font-size=\"15\">{title}</text>\n"
    )
}

/// Says what the colours and the heights mean.
fn legend(svg: &mut String, rows: &[Row<'_>], scale: Scale) {
    let mut x = 16.0;
    for (class, name, ..) in COLOURS {
        if rows.iter().any(|row| class_of(row) == Some(class)) {
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.0}\" y=\"36\" width=\"11\" height=\"11\"/>\
                 <text class=\"text\" x=\"{:.0}\" y=\"46\">{name}</text>",
                x + 16.0
            );
            x += 16.0 + 7.6 * as_float(name.len() as u64) + 16.0;
        }
    }
    let height = match scale {
        Scale::Log => "the logarithm of its size",
        Scale::Resident => "what it has in memory",
    };
    let _ = writeln!(
        svg,
        "<text class=\"dim\" x=\"16\" y=\"66\">High addresses at the top. The height of a box is {height}, its full part is in \
         memory. Gaps are not to scale.</text>"
    );
}

fn draw_row(svg: &mut String, row: &Row<'_>, y: f64, height: f64) {
    let (start, end) = row.range();
    let size = Bytes(row.bytes());
    let (left, width) = BOX;
    let label = row.label();
    let whole = Markup(&label).to_string();
    let (behind, details) = match row.amounts() {
        None if end > KERNEL_HALF => (String::new(), whole),
        None => (format!(", {size}"), format!("{whole}, {size}")),
        Some(amounts) => {
            let resident = amounts.get(Amount::Rss);
            let in_memory = resident.map_or_else(|| "n/a".to_owned(), |resident| Bytes(resident).to_string());
            (format!(", {size}, {in_memory} in memory"), details(row, &whole, amounts))
        }
    };
    // The whole name is shown when it is pointed at.
    let text =
        Markup(&shortened(&label, LABEL_CHARACTERS.saturating_sub(behind.len()))).to_string() + &behind;
    let _ = write!(svg, "<g><title>{start:x}-{end:x}\n{details}</title>");
    match class_of(row) {
        None => {
            let _ = write!(
                svg,
                "<rect class=\"gap\" x=\"{left}\" y=\"{y:.1}\" width=\"{width}\" height=\"{height:.1}\"/>"
            );
        }
        Some(class) => {
            let resident = row.amounts().and_then(|amounts| amounts.get(Amount::Rss)).unwrap_or(0);
            let full = (as_float(resident) / as_float(row.bytes().max(1))).min(1.0) * width;
            let _ = write!(
                svg,
                "<rect class=\"{class} empty\" x=\"{left}\" y=\"{y:.1}\" width=\"{width}\" height=\"{height:.1}\"/>\
                 <rect class=\"{class}\" x=\"{left}\" y=\"{y:.1}\" width=\"{full:.1}\" height=\"{height:.1}\"/>\
                 <rect class=\"edge\" x=\"{left}\" y=\"{y:.1}\" width=\"{width}\" height=\"{height:.1}\"/>"
            );
        }
    }
    // Lower boxes have no room for text; it is shown when they are pointed at.
    if height >= LINE - 3.0 {
        let class = if class_of(row).is_some() { "text" } else { "dim" };
        let _ = write!(
            svg,
            "<text class=\"{class}\" x=\"{LABEL}\" y=\"{:.1}\">{text}</text>\
             <text class=\"dim\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{start:x}</text>",
            y + height / 2.0 + 4.0,
            left - 8.0,
            y + height - 2.0,
        );
    }
    svg.push_str("</g>\n");
}

/// A name with its middle left out if it is longer than so many characters: beginnings and ends say most.
fn shortened(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most {
        return name.to_owned();
    }
    let kept = most.saturating_sub(1);
    let start: String = name.chars().take(kept - kept / 2).collect();
    let end: String = name.chars().skip(length - kept / 2).collect();
    format!("{start}…{end}")
}

/// What is shown of a box when it is pointed at.
fn details(row: &Row<'_>, label: &str, amounts: &Amounts) -> String {
    let mut text = label.to_owned();
    if let Row::Region(Region { mapping, .. }) = row {
        let _ = write!(text, "\n{} {}", mapping.permissions, Markup(&escape::name(&mapping.name)));
    }
    for (name, amount) in [
        ("in memory", Amount::Rss),
        ("PSS", Amount::Pss),
        ("dirty for this process alone", Amount::PrivateDirty),
        ("in huge pages", Amount::AnonHugePages),
        ("swapped out", Amount::Swap),
        ("locked", Amount::Locked),
    ] {
        if let Some(bytes) = amounts.get(amount).filter(|bytes| *bytes > 0) {
            let _ = write!(text, "\n{} {name}", Bytes(bytes));
        }
    }
    text
}

/// Names the bases that lie in a row, at its left.
fn draw_base(svg: &mut String, map: &Map, row: &Row<'_>, y: f64, height: f64) {
    let bases = map.bases;
    let (start, end) = row.range();
    let is_region = !matches!(row, Row::Gap(_));
    // What grows upwards begins in the row, what grows downwards at its end.
    let begins = |base: Option<u64>| base.is_some_and(|base| start <= base && base < end);
    let ends = |base: Option<u64>| base.is_some_and(|base| start < base && base <= end);
    for (is_here, name, at) in [
        (ends(bases.stack), "stack ▸", y + 10.0),
        (ends(bases.mmap), "mmap ▸", y + 10.0),
        (begins(bases.heap), "heap ▸", y + height - 2.0),
        (begins(bases.program), "program ▸", y + height - 2.0),
    ] {
        if is_here && is_region {
            let _ = writeln!(svg, "<text class=\"text\" x=\"16\" y=\"{at:.1}\">{name}</text>");
        }
    }
}

/// The class of a box; `None` for a gap.
fn class_of(row: &Row<'_>) -> Option<&'static str> {
    let owner = match row {
        Row::Region(region) => &region.owner,
        Row::Run(run) => &run.first.owner,
        Row::Gap(_) => return None,
    };
    Some(match owner {
        Owner::Heap => "heap",
        Owner::Arena => "arena",
        Owner::Anonymous | Owner::Named(_) => "anon",
        Owner::MainStack | Owner::ThreadStack => "stack",
        Owner::Program(_) => "prog",
        Owner::Library(..) => "lib",
        Owner::File(_) => "file",
        Owner::SharedMemory | Owner::Memfd(_) => "shm",
        Owner::HugeTlb => "huge",
        Owner::Kernel => "kern",
    })
}

/// As near as a drawing needs it.
#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::smaps;

    const SMAPS: &str = "\
55aeba24b000-55aeba250000 r-xp 00002000 fe:00 247030                     /usr/bin/<a>&\"b\"
Rss:                  20 kB
55aec1561000-55aec1582000 rw-p 00000000 00:00 0                          [heap]
Rss:                  66 kB
Private_Dirty:        66 kB
7f979d026000-7f979d17c000 r-xp 00026000 fe:00 326279                     /usr/lib/libc\x1b.so.6
Rss:                 100 kB
7ffef55ad000-7ffef55ce000 rw-p 00000000 00:00 0                          [stack]
Rss:                  12 kB
";

    fn drawing(scale: Scale) -> String {
        let map = Map::of(smaps::parse(SMAPS.as_bytes()).unwrap(), b"/usr/bin/<a>&\"b\"", None);
        draw(&map, "a<b 17", scale)
    }

    #[test]
    fn names_are_escaped() {
        let svg = drawing(Scale::Log);
        assert!(svg.contains("a&lt;b 17") && svg.contains("/usr/bin/&lt;a&gt;&amp;&quot;b&quot;"), "{svg}");
        assert!(!svg.contains('\x1b') && svg.contains("libc\\u{1b}.so.6: text"), "{svg}");
    }

    #[test]
    fn long_names_leave_out_their_middle() {
        for (name, most, expected) in [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abc…fg"),
            ("äöüß", 3, "ä…ß"),
            ("ab", 1, "…"),
            ("ab", 0, "…"),
        ] {
            assert_eq!(shortened(name, most), expected);
        }
    }

    #[test]
    fn every_element_that_is_opened_is_closed() {
        for scale in [Scale::Log, Scale::Resident] {
            let svg = drawing(scale);
            for name in ["svg", "g", "title", "style", "text"] {
                let opened =
                    svg.matches(&format!("<{name}>")).count() + svg.matches(&format!("<{name} ")).count();
                assert_eq!(opened, svg.matches(&format!("</{name}>")).count(), "{name} in {svg}");
            }
            assert_eq!(svg.matches("<rect").count(), svg.matches("/>").count(), "{svg}");
        }
    }

    #[test]
    fn high_addresses_are_at_the_top_and_bases_are_named() {
        let svg = drawing(Scale::Log);
        let place = |text: &str| svg.find(text).unwrap_or_else(|| panic!("no {text} in {svg}"));
        let order =
            ["main stack", "room for the stack", "libc", "room for the heap", "heap (brk)", "program: text"];
        assert!(order.map(|text| place(&format!(">{text}"))).is_sorted(), "{svg}");
        for base in ["stack ▸", "mmap ▸", "heap ▸", "program ▸"] {
            place(base);
        }
    }

    #[test]
    fn heights_are_as_the_scale_says() {
        let map = Map::of(smaps::parse(SMAPS.as_bytes()).unwrap(), b"", None);
        let rows = map.rows(8);
        let heap = rows.iter().find(|row| row.label().starts_with("heap")).unwrap();
        assert_eq!(height(heap, Scale::Resident, 198 << 10).round(), LOWEST + RESIDENT_HEIGHT / 3.0);
        assert_eq!(height(heap, Scale::Log, 1).round(), (LINE + 3.0 * 33_f64.log2()).round());
        let gap = rows.iter().find(|row| row.label() == "room for the heap").unwrap();
        assert_eq!(height(gap, Scale::Log, 1), LINE);
    }
}
