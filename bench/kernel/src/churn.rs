//! How many huge pages are left after long work: with blocks of one mobility and without, with compaction and without.
//!
//! A machine of 256 MiB lives in waves: it is filled to fifteen sixteenths, and then a third becomes free, wherever it lies. Nine of ten
//! allocations are pages of processes, the others runs of up to eight frames for the kernel, half of those reclaimable. After each
//! wave it is counted how many runs of order 9 can be allocated, as a part of what the free frames would make if they lay together.

use std::collections::HashMap;
use std::fmt::Write as _;

use mallow_buddy::compact::{Mover, Thoroughness};
use mallow_buddy::{Layout, Mark, Node, Request, Tuning};
use mallow_frame::{Flag, Frame, FrameRun, FrameState, FrameTable, Mobility, Region, Regions};
use mallow_units::{FrameNumber, Order};

use crate::measure::Random;

const FRAMES: u32 = 1 << 16;
const START: FrameNumber = FrameNumber(1 << 20);
/// How often huge pages are counted.
const SAMPLES: usize = 24;

/// One line of the plot.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    colour: &'static str,
    /// Whether the kernel says what can be moved.
    is_grouped: bool,
    compacts: bool,
}

const WAYS: [Way; 4] = [
    Way { name: "by mobility, compacted", colour: "#1b7f3b", is_grouped: true, compacts: true },
    Way { name: "by mobility", colour: "#7fbf8f", is_grouped: true, compacts: false },
    Way { name: "mixed, compacted", colour: "#b3541e", is_grouped: false, compacts: true },
    Way { name: "mixed", colour: "#e0a882", is_grouped: false, compacts: false },
];

/// Everything that is allocated, by its first frame.
struct Held {
    runs: Vec<FrameRun>,
    place: HashMap<u32, usize>,
}

impl Held {
    fn add(&mut self, run: FrameRun) {
        self.place.insert(run.first().0, self.runs.len());
        self.runs.push(run);
    }

    fn take(&mut self, at: usize) -> FrameRun {
        let run = self.runs.swap_remove(at);
        self.place.remove(&run.first().0);
        if let Some(moved) = self.runs.get(at) {
            self.place.insert(moved.first().0, at);
        }
        run
    }
}

impl Mover for Held {
    fn relocate(&mut self, table: FrameTable<'_>, from: FrameNumber, to: FrameNumber) -> bool {
        let Some(at) = self.place.remove(&from.0) else { return false };
        let Ok(run) = table.run(to) else { return false };
        self.place.insert(to.0, at);
        self.runs[at] = run;
        table.hand_over(from, to)
    }
}

/// A request of the workload.
fn request(random: &mut Random, way: Way) -> Request {
    let order = match random.below(16) {
        0 => 3,
        1 => 2,
        2 | 3 => 1,
        _ => 0,
    };
    let kind = random.below(20);
    let (usage, mobility, order) = match kind {
        0 => (FrameState::Slab, Mobility::Unmovable, order),
        1 => (FrameState::Slab, Mobility::Reclaimable, order),
        _ => (FrameState::Anon, Mobility::Movable, 0),
    };
    let mobility = if way.is_grouped { mobility } else { Mobility::Movable };
    Request { usage, mobility, ..Request::kernel(Order::new(order).expect("at most three")) }
}

/// The part of the free frames that can be had as huge pages, in percent.
fn huge(table: FrameTable<'_>, node: &mut Node, held: &mut Held, compacts: bool) -> f64 {
    let possible = node.free_frames() / Order::HUGE.frames();
    let wanted = Request { effort: mallow_buddy::Effort::Nothing, ..Request::huge() };
    let mut got = Vec::new();
    loop {
        if let Some(run) = node.attempt(table, Mark::Min, &wanted) {
            // Nobody moves it while it is counted.
            if let Some(entry) = table.get(run.first()) {
                entry.raise(Flag::Unevictable);
            }
            got.push(run);
        } else if !compacts || node.compact(table, held, Thoroughness::Full, &wanted, u32::MAX).moved == 0 {
            break;
        }
    }
    let part = 100.0 * f64::from(u32::try_from(got.len()).unwrap_or(0)) / f64::from(possible.max(1));
    for run in got {
        assert!(node.free(table, run).is_ok());
    }
    part
}

/// Percent at each sample.
fn line(way: Way) -> Vec<f64> {
    let memory = Region::new(START, FRAMES);
    let regions = Regions::new(&[memory]).expect("one region");
    let frames: Vec<Frame> = (0..FRAMES).map(|_| Frame::new()).collect();
    let table = FrameTable::new(&frames, &regions).expect("enough entries");
    let tuning = Tuning { min_free_kbytes: Some(1024), ..Tuning::default() };
    let mut node = Node::new(table, Layout { tuning, ..Layout::default() });
    node.release(table, memory).expect("all are reserved");
    let mut random = Random::new();
    let mut held = Held { runs: Vec::new(), place: HashMap::new() };
    let mut samples = vec![huge(table, &mut node, &mut held, way.compacts)];
    while samples.len() < SAMPLES {
        // A wave: nearly all of memory, then a third of it goes, wherever it is.
        while node.free_frames() > FRAMES / 16 {
            let Some(run) = node.allocate(table, &request(&mut random, way)) else { break };
            held.add(run);
        }
        while node.free_frames() < FRAMES / 3 {
            let count = u32::try_from(held.runs.len()).expect("few");
            let old = held.take(random.below(count) as usize);
            assert!(node.free(table, old).is_ok());
        }
        samples.push(huge(table, &mut node, &mut held, way.compacts));
    }
    node.check(table, &[]).expect("no violation");
    samples
}

/// The plot, and the same as text.
pub fn plot() -> (String, String) {
    let lines: Vec<(Way, Vec<f64>)> = WAYS.into_iter().map(|way| (way, line(way))).collect();
    let mut text = String::from(
        "huge pages from the third of 256 MiB that is free after each wave, in percent of what it could hold\n",
    );
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"380\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"760\" height=\"380\" fill=\"#fff\"/>\n<text x=\"50\" y=\"22\" font-size=\"14\">Huge pages from the free third of 256 MiB, in percent of what it could hold</text>\n",
    );
    for percent in [0, 25, 50, 75, 100] {
        let y = 330 - percent * 28 / 10;
        let _ = writeln!(
            svg,
            "<line x1=\"50\" x2=\"560\" y1=\"{y}\" y2=\"{y}\" stroke=\"#ddd\"/><text x=\"42\" y=\"{}\" text-anchor=\"end\">{percent}</text>",
            y + 4
        );
    }
    let _ =
        writeln!(svg, "<text x=\"305\" y=\"362\" text-anchor=\"middle\">waves, 0 to {}</text>", SAMPLES - 1);
    for (at, (way, samples)) in lines.iter().enumerate() {
        let points: Vec<String> = samples
            .iter()
            .enumerate()
            .map(|(at, percent)| {
                format!("{:.1},{:.1}", 50.0 + at as f64 * 510.0 / (SAMPLES - 1) as f64, 330.0 - percent * 2.8)
            })
            .collect();
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"{}\"/><text x=\"575\" y=\"{}\" fill=\"{}\">{}</text>",
            way.colour,
            points.join(" "),
            70 + 22 * at,
            way.colour,
            way.name
        );
        let numbers: Vec<String> = samples.iter().map(|percent| format!("{percent:.0}")).collect();
        let _ = writeln!(text, "    {:<24} {}", way.name, numbers.join(" "));
    }
    svg.push_str("</svg>\n");
    (text, svg)
}
