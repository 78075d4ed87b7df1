//! The order of runs.
//!
//! Interleaved, so that a slow minute of the machine hits all allocators alike: in each round every workload runs once
//! on every allocator. The order of the allocators rotates from round to round, so that none always comes after the same
//! neighbour.

/// One run that is to be made, by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Counted from zero.
    pub(crate) round: u32,
    /// Which workload.
    pub(crate) workload: usize,
    /// Which allocator.
    pub(crate) allocator: usize,
}

/// Returns all runs in order; with `by_workload` the rounds of a workload stay together.
pub(crate) fn order(workloads: usize, allocators: usize, rounds: u32, by_workload: bool) -> Vec<Step> {
    let turn = |round: u32, workload: usize| {
        (0..allocators).map(move |place| {
            let allocator = (place + round as usize) % allocators;
            Step { round, workload, allocator }
        })
    };
    if by_workload {
        (0..workloads).flat_map(|workload| (0..rounds).flat_map(move |round| turn(round, workload))).collect()
    } else {
        (0..rounds).flat_map(|round| (0..workloads).flat_map(move |workload| turn(round, workload))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(steps: &[Step]) -> Vec<(u32, usize, usize)> {
        steps.iter().map(|step| (step.round, step.workload, step.allocator)).collect()
    }

    #[test]
    fn every_round_has_every_workload_on_every_allocator_and_rotates() {
        let steps = order(2, 3, 2, false);
        let first = [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0), (0, 1, 1), (0, 1, 2)];
        let second = [(1, 0, 1), (1, 0, 2), (1, 0, 0), (1, 1, 1), (1, 1, 2), (1, 1, 0)];
        assert_eq!(short(&steps), [first, second].concat());
    }

    #[test]
    fn rounds_can_stay_together() {
        let steps = order(2, 2, 2, true);
        let workloads: Vec<usize> = steps.iter().map(|step| step.workload).collect();
        assert_eq!(workloads, [0, 0, 0, 0, 1, 1, 1, 1]);
        let allocators: Vec<usize> = steps.iter().map(|step| step.allocator).collect();
        assert_eq!(allocators, [0, 1, 1, 0, 0, 1, 1, 0]);
    }

    #[test]
    fn over_as_many_rounds_as_allocators_each_has_every_place() {
        let steps = order(1, 4, 4, false);
        for allocator in 0..4 {
            let mut places: Vec<usize> =
                (0..steps.len()).filter(|at| steps[*at].allocator == allocator).map(|at| at % 4).collect();
            places.sort_unstable();
            assert_eq!(places, [0, 1, 2, 3]);
        }
    }
}
