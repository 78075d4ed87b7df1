//! The scatter: one dot per allocator, time against memory, as SVG.
//!
//! Both axes are geometric means against the reference and begin at zero, so that distances mean what they seem to mean;
//! the nearer to the lower left corner, the better.

use core::fmt::Write;

use crate::allocator::OURS;
use crate::comparison::{Comparison, Metric};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 520.0;
/// Where the axes cross, and how far they reach.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 700.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 460.0;
/// Of the letters of a label.
const LETTER_WIDTH: f64 = 7.2;
const LETTER_HEIGHT: f64 = 14.0;
/// Between a dot and its label.
const GAP: f64 = 9.0;
/// How far beyond the farthest dot an axis goes.
const MARGIN: f64 = 1.08;

/// An allocator in the chart, in pixels.
struct Dot<'a> {
    name: &'a str,
    x: f64,
    y: f64,
}

/// The place of a label: left, top, right, bottom.
#[derive(Clone, Copy)]
struct Frame([f64; 4]);

/// Draws the chart; it is empty but for the axes if there are no means.
pub(crate) fn svg(comparison: &Comparison<'_>) -> String {
    let means: Vec<(&str, f64, f64)> = comparison
        .columns()
        .filter_map(|column| {
            let mean = |metric| comparison.mean(metric, None, column);
            let name = comparison.record.allocators[column].name.as_str();
            Some((name, mean(Metric::PeakRss)?, mean(Metric::Time)?))
        })
        .collect();
    let most = |of: fn(&(&str, f64, f64)) -> f64| means.iter().map(of).fold(1.0, f64::max) * MARGIN;
    let (most_rss, most_time) = (most(|one| one.1), most(|one| one.2));
    let x_of = |rss: f64| LEFT + rss / most_rss * (RIGHT - LEFT);
    let y_of = |time: f64| BOTTOM - time / most_time * (BOTTOM - TOP);
    let dots: Vec<Dot<'_>> =
        means.iter().map(|(name, rss, time)| Dot { name, x: x_of(*rss), y: y_of(*time) }).collect();

    let reference = escape(&comparison.record.allocators[comparison.reference()].name);
    let count = comparison.averaged(Metric::Time, None).len();
    let mut lines = vec![
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"13\">"
        ),
        format!("<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fdfdfb\"/>"),
        text(LEFT, 28.0, "start", &format!("Time against memory over {count} workloads, {reference} = 1")),
        text((LEFT + RIGHT) / 2.0, HEIGHT - 16.0, "middle", "peak RSS (geometric mean)"),
        format!(
            "<g transform=\"translate(20 {}) rotate(-90)\">{}</g>",
            (TOP + BOTTOM) / 2.0,
            text(0.0, 0.0, "middle", "time (geometric mean)")
        ),
    ];
    for tick in ticks(most_rss) {
        let x = x_of(tick);
        lines.push(line(x, TOP, x, BOTTOM));
        lines.push(text(x, BOTTOM + 18.0, "middle", &format!("{tick:.1}")));
    }
    for tick in ticks(most_time) {
        let y = y_of(tick);
        lines.push(line(LEFT, y, RIGHT, y));
        lines.push(text(LEFT - 8.0, y + 4.0, "end", &format!("{tick:.1}")));
    }
    let mut taken: Vec<Frame> = dots.iter().map(|dot| Frame::around(dot.x, dot.y)).collect();
    for dot in &dots {
        let frame = place_for(dot, &taken);
        let colour = if dot.name == OURS { "#b3261e" } else { "#33557a" };
        let Frame([left, _, _, bottom]) = frame;
        lines.push(format!("<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"{colour}\"/>", dot.x, dot.y));
        lines.push(text(left, bottom - 3.0, "start", dot.name));
        taken.push(frame);
    }
    lines.push("</svg>".to_owned());
    lines.join("\n") + "\n"
}

/// Steps of an axis up to `most`.
fn ticks(most: f64) -> impl Iterator<Item = f64> {
    let step = if most > 4.0 {
        1.0
    } else if most > 2.0 {
        0.5
    } else {
        0.2
    };
    (0..).map(move |count| f64::from(count) * step).take_while(move |tick| *tick <= most)
}

impl Frame {
    /// The room that a dot takes.
    fn around(x: f64, y: f64) -> Self {
        Self([x - 5.0, y - 5.0, x + 5.0, y + 5.0])
    }

    fn meets(&self, other: &Self) -> bool {
        let (Self([left, top, right, bottom]), Self([other_left, other_top, other_right, other_bottom])) =
            (self, other);
        left < other_right && other_left < right && top < other_bottom && other_top < bottom
    }

    fn is_inside(&self) -> bool {
        let Self([left, top, right, bottom]) = *self;
        left >= LEFT && right <= WIDTH && top >= TOP - LETTER_HEIGHT && bottom <= BOTTOM
    }
}

/// Finds a place for a label beside its dot where nothing else is, or takes the usual one.
fn place_for(dot: &Dot<'_>, taken: &[Frame]) -> Frame {
    let mut width = 0.0;
    for _ in dot.name.chars() {
        width += LETTER_WIDTH;
    }
    let frame = |left: f64, top: f64| Frame([left, top, left + width, top + LETTER_HEIGHT]);
    let (beside, centred) = (dot.y - LETTER_HEIGHT / 2.0, dot.x - width / 2.0);
    let candidates = [
        frame(dot.x + GAP, beside),
        frame(dot.x - GAP - width, beside),
        frame(centred, dot.y - GAP - LETTER_HEIGHT),
        frame(centred, dot.y + GAP),
        frame(dot.x + GAP, beside - LETTER_HEIGHT),
        frame(dot.x + GAP, beside + LETTER_HEIGHT),
        frame(dot.x - GAP - width, beside - LETTER_HEIGHT),
        frame(dot.x - GAP - width, beside + LETTER_HEIGHT),
    ];
    let is_free = |frame: &&Frame| frame.is_inside() && !taken.iter().any(|other| other.meets(frame));
    *candidates.iter().find(is_free).unwrap_or(&candidates[0])
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#dcdcd6\"/>")
}

fn text(x: f64, y: f64, anchor: &str, words: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222\">{}</text>", escape(words))
}

fn escape(words: &str) -> String {
    words.chars().fold(String::new(), |mut escaped, letter| {
        match letter {
            '&' | '<' | '>' => {
                // Writing into a string cannot fail.
                let _ = write!(escaped, "&#{};", u32::from(letter));
            }
            _ => escaped.push(letter),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Group;
    use crate::record::tests::{record, run, workload};

    #[test]
    fn every_allocator_is_a_dot_with_a_label() {
        let runs = vec![run("a", "mallow", 1.0, 50.0), run("a", "mimalloc3", 2.0, 100.0)];
        let record = record(&["mallow", "mimalloc3"], vec![workload("a", Group::Single)], runs);
        let svg = svg(&Comparison::of(&record));
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains(">mallow</text>") && svg.contains(">mimalloc3</text>"), "{svg}");
        assert!(svg.contains("over 1 workloads, mimalloc3 = 1"));
    }

    #[test]
    fn labels_of_dots_on_one_place_do_not_meet() {
        let dots = ["one", "two", "three", "four"].map(|name| Dot { name, x: 300.0, y: 200.0 });
        let mut taken = vec![Frame::around(300.0, 200.0)];
        for dot in &dots {
            let frame = place_for(dot, &taken);
            assert!(!taken.iter().any(|other| other.meets(&frame)), "{}", dot.name);
            taken.push(frame);
        }
    }

    #[test]
    fn words_are_escaped() {
        assert_eq!(escape("a<b & c"), "a&#60;b &#38; c");
    }
}
