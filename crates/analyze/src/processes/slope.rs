//! Slope: how fast a size grows, from the looks that were taken at it.
//!
//! ```text
//!  looks   x x x x x x x x            while there are few
//!          x   x   x   x   x   x      when there are too many, every second one is forgotten
//! ```
//!
//! The looks stay spread over the whole time, and are never more than a handful a process.
//! A straight line through them is cheap enough for all processes at each look; what one process does is told better by `slope`.
//! Called by the command.

use core::time::Duration;

/// The most looks that are remembered.
const MOST: usize = 32;
/// The least time that says anything.
const LEAST_TIME: Duration = Duration::from_secs(5);
/// Seconds.
const HOUR: f64 = 3600.0;

/// Looks at a size.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Looks {
    /// Seconds since the first look, and bytes.
    looks: Vec<(f64, f64)>,
    /// Of how many looks one is remembered, as a power of two.
    sparseness: u32,
    /// How many looks there were.
    count: u64,
}

impl Looks {
    /// Remembers that there were `bytes` at `time`, which does not go backwards.
    #[expect(clippy::cast_precision_loss, reason = "a page more or less does not show")]
    pub fn push(&mut self, time: Duration, bytes: u64) {
        if self.count.is_multiple_of(1 << self.sparseness) {
            self.looks.push((time.as_secs_f64(), bytes as f64));
        }
        self.count += 1;
        if self.looks.len() == MOST {
            let mut place = 0;
            self.looks.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.sparseness += 1;
        }
    }

    /// Bytes an hour that the size grows, as a straight line through the looks; `None` if they are too few, or too close.
    #[expect(clippy::cast_precision_loss, reason = "a handful of looks")]
    pub fn slope(&self) -> Option<f64> {
        let ((first, _), (last, _)) = (self.looks.first()?, self.looks.last()?);
        if self.looks.len() < 3 || last - first < LEAST_TIME.as_secs_f64() {
            return None;
        }
        let count = self.looks.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| self.looks.iter().map(of).sum::<f64>() / count;
        let (mean_time, mean_bytes) = (mean(|look| look.0), mean(|look| look.1));
        let (mut together, mut spread) = (0.0, 0.0);
        for (time, bytes) in &self.looks {
            together += (time - mean_time) * (bytes - mean_bytes);
            spread += (time - mean_time).powi(2);
        }
        Some(together / spread * HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(count: u64, bytes: impl Fn(u64) -> u64) -> Looks {
        let mut looks = Looks::default();
        (0..count).for_each(|second| looks.push(Duration::from_secs(second), bytes(second)));
        looks
    }

    #[test]
    fn a_straight_line_has_its_slope_however_long_it_is() {
        for count in [6, 31, 32, 33, 1000, 100_000] {
            let slope = looks(count, |second| 1000 + 10 * second).slope().unwrap();
            assert!((slope - 36_000.0).abs() < 1.0, "{slope} after {count}");
        }
        assert_eq!(looks(100, |_| 7).slope(), Some(0.0));
    }

    #[test]
    fn looks_stay_few() {
        let looks = looks(100_000, |second| second);
        assert!(looks.looks.len() < MOST);
        assert!(looks.looks.last().unwrap().0 > 90_000.0, "and reach to the end");
    }

    #[test]
    fn a_moment_has_no_slope() {
        assert_eq!(looks(0, |_| 1).slope(), None);
        assert_eq!(looks(5, |second| second).slope(), None, "four seconds");
        assert_eq!(Looks::default().slope(), None);
    }
}
