//! The experiments, one per file, in the order in which they are best read.

mod brk;
mod lazy;
mod threshold;

use super::Experiment;

/// All of them.
pub(crate) const ALL: &[&Experiment] = &[&lazy::LAZY, &brk::BRK, &threshold::THRESHOLD];
