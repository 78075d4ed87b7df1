//! What an allocation asks for. Linux packs this into its GFP flags.

use mallow_frame::{FrameState, Mobility, ZoneKind};
use mallow_units::Order;

/// How far an allocation may go below the watermark: what the reserves are for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reserve {
    /// Not at all.
    None,
    /// To half of it: the caller is important and short (`__GFP_HIGH`).
    High,
    /// To three eighths of it: important and unable to wait (`GFP_ATOMIC`).
    Atomic,
    /// To half of it: the caller has been chosen by the OOM killer and is about to free all it has.
    Victim,
    /// To the last frame: the caller frees memory (`__GFP_MEMALLOC`).
    All,
}

/// What the slow path may do when there is no memory, from least to most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Effort {
    /// Nothing.
    Nothing,
    /// Wake the background reclaim; never wait (`GFP_NOWAIT`, `GFP_ATOMIC`).
    Wake,
    /// Reclaim and compact once (`__GFP_NORETRY`).
    Once,
    /// As long as it helps, but kill nobody (`__GFP_RETRY_MAYFAIL`).
    Try,
    /// As long as it helps; then, for runs that are not costly, kill (`GFP_KERNEL`).
    Kill,
    /// Until it succeeds (`__GFP_NOFAIL`).
    Forever,
}

/// One allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Request {
    /// How long the run must be.
    pub order: Order,
    /// What it will be used for; an allocated state.
    pub usage: FrameState,
    /// What can be done with it later.
    pub mobility: Mobility,
    /// The highest zone that will do.
    pub highest: ZoneKind,
    /// How far below the watermark it may go.
    pub reserve: Reserve,
    /// What to do if there is none.
    pub effort: Effort,
}

/// Above this order an allocation is costly: it fails rather than that somebody is killed for it. As in Linux.
pub const COSTLY: u8 = 3;

impl Request {
    /// Memory for the kernel itself (`GFP_KERNEL`).
    pub const fn kernel(order: Order) -> Self {
        Self {
            order,
            usage: FrameState::Kernel,
            mobility: Mobility::Unmovable,
            highest: ZoneKind::Normal,
            reserve: Reserve::None,
            effort: Effort::Kill,
        }
    }

    /// Memory for the kernel from where nobody may wait (`GFP_ATOMIC`).
    pub const fn atomic(order: Order) -> Self {
        Self { reserve: Reserve::Atomic, effort: Effort::Wake, ..Self::kernel(order) }
    }

    /// A page table.
    pub const fn page_table() -> Self {
        Self { usage: FrameState::PageTable, ..Self::kernel(Order::ZERO) }
    }

    /// Objects that can be dropped under pressure, such as cached directory entries.
    pub const fn reclaimable(order: Order) -> Self {
        Self { mobility: Mobility::Reclaimable, ..Self::kernel(order) }
    }

    /// Private memory of a process (`GFP_HIGHUSER_MOVABLE`).
    pub const fn anonymous() -> Self {
        Self { usage: FrameState::Anon, mobility: Mobility::Movable, ..Self::kernel(Order::ZERO) }
    }

    /// A huge page for a process, if there is one without much ado (`GFP_TRANSHUGE_LIGHT` with one attempt).
    pub const fn huge() -> Self {
        Self { order: Order::HUGE, effort: Effort::Once, ..Self::anonymous() }
    }

    /// A page of a file.
    pub const fn file() -> Self {
        Self { usage: FrameState::File, ..Self::anonymous() }
    }

    /// Whether nobody is killed for it.
    pub const fn is_costly(&self) -> bool {
        self.order.get() > COSTLY
    }
}
