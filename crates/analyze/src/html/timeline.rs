//! The part of the page about time: what was resident while the process was watched, as a line.
//!
//! Called by `html`.

use core::fmt::Write;
use core::time::Duration;

use mallow_units::Bytes;

use crate::account::Account;

/// Pixels of the drawing.
const SIZE: (f64, f64) = (960.0, 220.0);
/// Pixels to the left of it, for what the line is at, and below it.
const MARGIN: (f64, f64) = (84.0, 26.0);

/// The section; nothing if it was not watched.
pub(super) fn section(account: &Account) -> String {
    let samples = &account.samples;
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return String::new() };
    let highest = samples.iter().map(|sample| sample.resident).max().unwrap_or(1).max(1);
    let lowest = samples.iter().map(|sample| sample.resident).min().unwrap_or(0);
    let over = (last.at_ms - first.at_ms).max(1);
    let (width, height) = (SIZE.0 - MARGIN.0, SIZE.1 - MARGIN.1);
    // From 0, so that a little more does not look like much more.
    let place = |at_ms: u64, resident: u64| {
        let x = MARGIN.0 + width * part(at_ms - first.at_ms, over);
        (x, height - (height - 12.0) * part(resident, highest))
    };
    let mut line = String::new();
    for sample in samples {
        let (x, y) = place(sample.at_ms, sample.resident);
        // Writing to a string cannot fail.
        let _ = write!(line, "{x:.1},{y:.1} ");
    }
    let mut marks = String::new();
    for mark in [0, highest / 2, highest] {
        let (_, y) = place(first.at_ms, mark);
        let _ = write!(
            marks,
            "<line class=\"m-grid\" x1=\"{}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"m-label\" x=\"{}\" \
             y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            MARGIN.0,
            SIZE.0,
            MARGIN.0 - 8.0,
            y + 4.0,
            Bytes(mark)
        );
    }
    let seconds = format!("{:.1}", Duration::from_millis(over).as_secs_f64());
    format!(
        "<section><h2>Over time</h2><p class=\"m-dim\">{} looks in {seconds} s; from {} to {}, now {}.</p>\
         <svg class=\"m-time\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"RSS over time\">{marks}\
         <polygon class=\"m-area\" points=\"{},{height} {line}{},{height}\"/><polyline class=\"m-line\" points=\"{line}\"/>\
         <text class=\"m-label\" x=\"{}\" y=\"{}\">0 s</text>\
         <text class=\"m-label\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{seconds} s</text></svg></section>\n",
        samples.len(),
        Bytes(lowest),
        Bytes(highest),
        Bytes(last.resident),
        SIZE.0,
        SIZE.1,
        MARGIN.0,
        SIZE.0,
        MARGIN.0,
        SIZE.1 - 8.0,
        SIZE.0,
        SIZE.1 - 8.0,
    )
}

fn part(part: u64, whole: u64) -> f64 {
    super::parts::percent(part, whole) / 100.0
}
