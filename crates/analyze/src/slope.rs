//! Slopes: whether the memory of a process grows, and how fast.
//!
//! The slope is the median of those between every two samples (Theil and Sen), so that a few outliers, such as a request that
//! needed much for a moment, do not move it. How steadily it goes up is told by the share of pairs in which the later
//! sample is the larger one (Kendall): a saw, as garbage collectors make it, has as many that go down.
//!
//! Called by `verdict` and by the commands that watch.

use serde::{Deserialize, Serialize};

/// What was resident at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Milliseconds since the first sample.
    pub at_ms: u64,
    /// Bytes in memory.
    pub resident: u64,
}

/// The most samples that are compared in pairs; of more, as many are taken evenly.
const MOST: usize = 400;
/// The fewest samples that a slope is made of.
const FEWEST: usize = 5;
/// Milliseconds in an hour.
const HOUR_MS: f64 = 3_600_000.0;

/// How memory went over time.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Slope {
    /// Bytes an hour; below 0 if it shrinks.
    pub bytes_per_hour: f64,
    /// From -1, always down, over 0, as often up as down, to 1, always up.
    pub steadiness: f64,
    /// Milliseconds from the first sample to the last.
    pub over_ms: u64,
    /// How many samples it is made of.
    pub samples: usize,
}

impl Slope {
    /// The slope of `samples`, which are in order; `None` if these are too few to tell.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let step = samples.len().div_ceil(MOST).max(1);
        let taken: Vec<Sample> = samples.iter().copied().step_by(step).collect();
        let over_ms = samples.last()?.at_ms.checked_sub(samples.first()?.at_ms).filter(|ms| *ms > 0)?;
        if taken.len() < FEWEST {
            return None;
        }
        let mut slopes = Vec::new();
        let (mut up, mut down) = (0_u32, 0_u32);
        for (place, one) in taken.iter().enumerate() {
            for other in taken[place + 1..].iter().filter(|other| other.at_ms > one.at_ms) {
                let rise = exact(other.resident) - exact(one.resident);
                up += u32::from(rise > 0.0);
                down += u32::from(rise < 0.0);
                slopes.push(rise / exact(other.at_ms - one.at_ms));
            }
        }
        slopes.sort_by(f64::total_cmp);
        let middle = slopes.len() / 2;
        let median = if slopes.len().is_multiple_of(2) {
            f64::midpoint(*slopes.get(middle.checked_sub(1)?)?, slopes[middle])
        } else {
            slopes[middle]
        };
        let pairs = f64::from(u32::try_from(slopes.len()).ok()?);
        Some(Self {
            bytes_per_hour: median * HOUR_MS,
            steadiness: (f64::from(up) - f64::from(down)) / pairs,
            over_ms,
            samples: samples.len(),
        })
    }

    /// Bytes by which it has grown over the time that was watched, by the slope; below 0 if it has shrunk.
    pub fn grown(&self) -> f64 {
        self.bytes_per_hour * exact(self.over_ms) / HOUR_MS
    }
}

/// As a number to reckon with. Exact up to 8 PiB.
fn exact(number: u64) -> f64 {
    // Both halves fit, so nothing is lost but what a `f64` cannot hold.
    let high = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn samples(resident: impl IntoIterator<Item = u64>) -> Vec<Sample> {
        resident
            .into_iter()
            .enumerate()
            .map(|(nth, resident)| Sample { at_ms: nth as u64 * 1000, resident })
            .collect()
    }

    #[test]
    fn a_line_has_its_slope() {
        let slope = Slope::of(&samples((0..60).map(|nth| 1000 + nth * 10))).unwrap();
        assert!((slope.bytes_per_hour - 36_000.0).abs() < 1e-6, "{slope:?}");
        assert!((slope.steadiness - 1.0).abs() < 1e-9 && (slope.grown() - 590.0).abs() < 1e-6, "{slope:?}");
    }

    #[test]
    fn outliers_do_not_move_it() {
        let spiky = (0..60).map(|nth| if nth % 10 == 5 { 1 << 40 } else { 1000 + nth * 10 });
        let slope = Slope::of(&samples(spiky)).unwrap();
        assert!((slope.bytes_per_hour - 36_000.0).abs() < 3600.0, "{slope:?}");
    }

    #[test]
    fn a_saw_is_not_steady() {
        let slope = Slope::of(&samples((0..60).map(|nth| 1000 + nth % 6 * 100))).unwrap();
        assert!(slope.steadiness.abs() < 0.3, "{slope:?}");
    }

    #[test]
    fn too_few_samples_say_nothing() {
        assert_eq!(Slope::of(&samples([1, 2, 3, 4])), None);
        assert_eq!(Slope::of(&[]), None);
        assert_eq!(Slope::of(&[Sample { at_ms: 7, resident: 1 }; 9]), None, "no time has passed");
    }

    proptest! {
        #[test]
        fn any_samples_have_a_slope_or_none(mut found: Vec<(u64, u64)>) {
            found.sort_unstable();
            let samples: Vec<_> = found.into_iter().map(|(at_ms, resident)| Sample { at_ms, resident }).collect();
            if let Some(slope) = Slope::of(&samples) {
                prop_assert!(slope.bytes_per_hour.is_finite() && slope.steadiness.abs() <= 1.0);
            }
        }
    }
}
