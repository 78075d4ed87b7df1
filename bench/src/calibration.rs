//! Calibration: a fixed piece of work beside every run, which shows when the machine was disturbed.
//!
//! Half of it is arithmetic whose every step needs the one before, half of it reads memory in an order that no cache
//! foresees. All processors work at once, and the slowest counts: what disturbs one of them disturbs a program too.

use core::hint;
use std::thread;
use std::time::Instant;

use crate::statistics;

/// Steps of arithmetic: about 10 ms.
const STEPS: u64 = 4_000_000;

/// Words that are walked over: 4 MiB, more than a processor has to itself.
const WORDS: usize = 1 << 19;

/// Reads of memory: about 10 ms.
const READS: usize = 600_000;

/// How much longer than usual the work may take before a run beside it counts as disturbed.
const TOLERANCE: f64 = 1.15;

/// Pieces of work before the first run, to know what is usual.
const FIRST: usize = 15;

/// The fixed work and how long it took so far.
#[derive(Debug)]
pub(crate) struct Calibration {
    memory: Vec<u64>,
    threads: usize,
    seconds: Vec<f64>,
}

impl Calibration {
    /// Finds out what is usual.
    pub(crate) fn start() -> Self {
        let memory = (0..WORDS as u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let mut calibration = Self { memory, threads, seconds: Vec::new() };
        for _ in 0..FIRST {
            calibration.measure();
        }
        calibration
    }

    /// Does the work once and returns the seconds that it took.
    pub(crate) fn measure(&mut self) -> f64 {
        let memory = &self.memory;
        let slowest = thread::scope(|scope| {
            let all: Vec<_> = (0..self.threads).map(|_| scope.spawn(|| time_of(memory))).collect();
            all.into_iter().filter_map(|one| one.join().ok()).fold(0.0, f64::max)
        });
        self.seconds.push(slowest);
        slowest
    }

    /// Returns the usual time, in seconds.
    pub(crate) fn usual(&self) -> f64 {
        statistics::median(self.seconds.iter().copied()).unwrap_or(0.0)
    }

    /// Tells whether a run beside a piece of work that took `seconds` was disturbed.
    pub(crate) fn is_disturbed(&self, seconds: f64) -> bool {
        seconds > self.usual() * TOLERANCE
    }
}

fn time_of(memory: &[u64]) -> f64 {
    let start = Instant::now();
    let mut state = 1_u64;
    for _ in 0..STEPS {
        state = (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(1);
    }
    for _ in 0..READS {
        // The next place depends on what was read.
        let place = usize::try_from(state >> 40).unwrap_or(0) % WORDS;
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ memory[place];
    }
    hint::black_box(state);
    f64::from(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX)) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_disturbed_beside_slow_work_only() {
        let calibration = Calibration { memory: Vec::new(), threads: 1, seconds: vec![0.030, 0.020, 0.021] };
        assert!((calibration.usual() - 0.021).abs() < 1e-12);
        assert!(!calibration.is_disturbed(0.024));
        assert!(calibration.is_disturbed(0.025));
    }
}
