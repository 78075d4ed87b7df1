//! The memory over time, as a picture: what is in memory in layers, what is in swap as a line, kills as marks.

use core::fmt::Write;

use mallow_analyze::escape::Markup;

use super::moment::{Moment, clock};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 320.0;
/// Space for words, on the left and below.
const LEFT: f64 = 90.0;
const BELOW: f64 = 70.0;

/// The layers from below: name, colour, size.
type Layer = (&'static str, &'static str, fn(&Moment) -> u64);
const LAYERS: [Layer; 4] = [
    ("page tables", "#7f7f7f", |moment| moment.page_tables_bytes),
    ("compressed pages", "#8c6bb1", |moment| moment.compressed_bytes),
    ("cache", "#41ab5d", |moment| moment.cached_bytes),
    ("processes", "#4292c6", |moment| moment.anon_bytes),
];
const SWAPPED: &str = "#d94801";

/// The picture of a machine with `ram` bytes.
pub(super) fn picture(moments: &[Moment], ram: u64) -> String {
    let highest = moments.iter().map(|moment| moment.swapped_bytes).max().unwrap_or(0).max(ram).max(1);
    let last = moments.last().map_or(1, |moment| moment.at_ns).max(1);
    let scale = Scale { last: to_f64(last), highest: to_f64(highest) };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\">\n",
        LEFT + WIDTH + 20.0,
        HEIGHT + BELOW + 20.0
    );
    for top in (0..LAYERS.len()).rev() {
        let height = |moment: &Moment| LAYERS[..=top].iter().map(|(.., size)| size(moment)).sum::<u64>();
        let _ = writeln!(svg, "<path d=\"{}\" fill=\"{}\"/>", scale.area(moments, height), LAYERS[top].1);
    }
    let line = scale.line(moments, |moment| moment.swapped_bytes);
    let _ = writeln!(svg, "<path d=\"{line}\" fill=\"none\" stroke=\"{SWAPPED}\" stroke-width=\"2\"/>");
    rule(&mut svg, &scale, ram, "memory");
    marks(&mut svg, &scale, moments);
    legend(&mut svg);
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n</svg>",
        LEFT + WIDTH,
        HEIGHT + 26.0,
        clock(last)
    );
    svg
}

#[expect(clippy::cast_precision_loss, reason = "a picture has fewer points")]
const fn to_f64(value: u64) -> f64 {
    value as f64
}

struct Scale {
    last: f64,
    highest: f64,
}

impl Scale {
    fn x(&self, ns: u64) -> f64 {
        LEFT + to_f64(ns) / self.last * WIDTH
    }

    fn y(&self, bytes: u64) -> f64 {
        10.0 + HEIGHT - to_f64(bytes) / self.highest * HEIGHT
    }

    fn line(&self, moments: &[Moment], size: impl Fn(&Moment) -> u64) -> String {
        let mut path = String::new();
        for (nth, moment) in moments.iter().enumerate() {
            let verb = if nth == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{verb}{:.1} {:.1} ", self.x(moment.at_ns), self.y(size(moment)));
        }
        path
    }

    fn area(&self, moments: &[Moment], size: impl Fn(&Moment) -> u64) -> String {
        let (first, last) = (moments.first(), moments.last());
        let mut path = self.line(moments, size);
        if let (Some(first), Some(last)) = (first, last) {
            let ground = self.y(0);
            let (from, to) = (self.x(first.at_ns), self.x(last.at_ns));
            let _ = write!(path, "L{to:.1} {ground:.1} L{from:.1} {ground:.1} Z");
        }
        path
    }
}

fn rule(svg: &mut String, scale: &Scale, bytes: u64, name: &str) {
    let y = scale.y(bytes);
    let right = LEFT + WIDTH;
    let _ = writeln!(
        svg,
        "<path d=\"M{LEFT} {y:.1} H{right}\" stroke=\"#000\" stroke-dasharray=\"4 4\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name} {} MiB</text>",
        LEFT - 6.0,
        y + 4.0,
        bytes >> 20
    );
}

/// Where somebody was killed, and where a statement was refused.
fn marks(svg: &mut String, scale: &Scale, moments: &[Moment]) {
    for pair in moments.windows(2) {
        let [before, moment] = pair else { continue };
        let colour = match (moment.kills > before.kills, moment.is_done) {
            (true, _) => "#cb181d",
            (false, false) => "#fd8d3c",
            (false, true) => continue,
        };
        let (x, ground) = (scale.x(moment.at_ns), scale.y(0));
        let title = format!("line {}: {}: {}", moment.line, moment.statement, moment.outcome);
        let title = Markup(&title);
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} 10 V{ground:.1}\" stroke=\"{colour}\" stroke-width=\"2\"><title>{title}</title></path>"
        );
    }
}

fn legend(svg: &mut String) {
    let lines = LAYERS.iter().map(|(name, colour, _)| (*name, *colour));
    let others = [("in swap", SWAPPED), ("killed", "#cb181d"), ("refused", "#fd8d3c")];
    let mut x = LEFT;
    for (name, colour) in lines.chain(others) {
        let y = HEIGHT + 50.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{}\">{name}</text>",
            x + 17.0,
            y + 11.0
        );
        x += 130.0;
    }
}
