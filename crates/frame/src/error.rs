//! Why an operation on a frame was refused.

use core::fmt;

use mallow_units::{FrameNumber, Order};

use crate::state::{FrameState, Head};

/// Why an operation on a frame was refused. Nothing has been changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FrameError {
    /// There is no such frame.
    Outside {
        /// The frame.
        frame: FrameNumber,
    },
    /// The frame is not in a state from which this could be done: it is freed twice, or was never handed out.
    State {
        /// The frame.
        frame: FrameNumber,
        /// What it is used for.
        state: FrameState,
        /// What it should have become.
        wanted: FrameState,
    },
    /// The run is longer or shorter than the caller says.
    Order {
        /// Its first frame.
        frame: FrameNumber,
        /// How long it is.
        order: Order,
        /// How long it should have been.
        wanted: Order,
    },
    /// A run of this order cannot begin here.
    Misaligned {
        /// The frame.
        frame: FrameNumber,
        /// The order.
        order: Order,
    },
    /// Somebody else still uses the frame.
    InUse {
        /// The frame.
        frame: FrameNumber,
        /// How many hold a reference to it.
        references: u32,
        /// How many page table entries map it.
        mappings: u32,
    },
}

impl FrameError {
    #[cold]
    pub(crate) fn state(frame: FrameNumber, head: Head, wanted: FrameState) -> Self {
        Self::State { frame, state: head.state, wanted }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside { frame } => write!(f, "there is no frame {frame:?}"),
            Self::State { frame, state, wanted } => {
                write!(f, "frame {frame:?} is {state:?} and cannot become {wanted:?}")
            }
            Self::Order { frame, order, wanted } => {
                write!(f, "the run at {frame:?} has order {} and not {}", order.get(), wanted.get())
            }
            Self::Misaligned { frame, order } => {
                write!(f, "no run of order {} begins at {frame:?}", order.get())
            }
            Self::InUse { frame, references, mappings } => {
                write!(f, "frame {frame:?} has {references} references and {mappings} mappings")
            }
        }
    }
}

impl core::error::Error for FrameError {}
