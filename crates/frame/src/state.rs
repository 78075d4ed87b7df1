//! What a frame is used for, and which use may follow which.
//!
//! ```text
//!                    ┌──────────────┐   refill, flush   ┌────────┐
//!  Reserved ───────► │    Buddy     │ ◄───────────────► │ PerCpu │
//!      │             └──────────────┘                   └────────┘
//!      │               ▲   │      ▲                       ▲   │
//!      │        merge  │   │ free │ allocate         free │   │ allocate
//!      │       or cut  ▼   │      ▼                       ▼   ▼
//!      │             Tail  └─► Kernel ──► Slab, PageTable, Anon, File, SwapCache, Vmalloc
//!      └─────────────────────►  │                            │
//!                               └────────► Poisoned ◄────────┘     never used again
//! ```
//!
//! Only the first frame of a run, its *head*, says what the run is used for and how long it is; the others are *tails*. A run
//! is cut or joined by writing one head. Called by everybody who allocates, through [`crate::Frame::turn`].

use mallow_units::Order;

/// What a frame is used for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum FrameState {
    /// Not memory that may be handed out: firmware, the kernel's image, the frame table. Every frame starts here.
    Reserved = 0,
    /// Inside a run, behind its head.
    Tail = 1,
    /// Free, the head of a block on a list of its zone.
    Buddy = 2,
    /// Free, in the array of a processor.
    PerCpu = 3,
    /// In use by the kernel itself; what an allocation starts as.
    Kernel = 4,
    /// Cut into objects.
    Slab = 5,
    /// A page table.
    PageTable = 6,
    /// Private memory of processes.
    Anon = 7,
    /// In the page cache.
    File = 8,
    /// Private memory with a slot of swap that holds, or will hold, the same bytes.
    SwapCache = 9,
    /// Behind an address of vmalloc.
    Vmalloc = 10,
    /// Faulty memory: never handed out again.
    Poisoned = 11,
}

/// How many states there are.
const STATES: usize = 12;

use FrameState::{
    Anon, Buddy, File, Kernel, PageTable, PerCpu, Poisoned, Reserved, Slab, SwapCache, Tail, Vmalloc,
};

impl FrameState {
    /// All states.
    pub const ALL: [Self; STATES] =
        [Reserved, Tail, Buddy, PerCpu, Kernel, Slab, PageTable, Anon, File, SwapCache, Vmalloc, Poisoned];

    const fn bit(self) -> u16 {
        1 << self as u8
    }

    /// Whether somebody who asked for it owns the run: it can be freed.
    pub const fn is_allocated(self) -> bool {
        ALLOCATED & self.bit() != 0
    }

    /// Whether nobody owns it and it can be handed out.
    pub const fn is_free(self) -> bool {
        (Buddy.bit() | PerCpu.bit()) & self.bit() != 0
    }

    /// Whether its content may be moved to another frame, because all that points to it can be found.
    pub const fn is_movable(self) -> bool {
        (Anon.bit() | File.bit() | SwapCache.bit()) & self.bit() != 0
    }

    /// Whether a frame in this state may turn to `next`.
    #[inline]
    pub const fn may_become(self, next: Self) -> bool {
        NEXT[self as usize & 15] & next.bit() != 0
    }

    /// The state with this number.
    #[inline]
    pub(crate) const fn from_number(number: u8) -> Self {
        // Only numbers of states are ever stored; the mask keeps the index within the table.
        LOOKUP[(number & 15) as usize]
    }
}

/// The states in which somebody owns a run.
const ALLOCATED: u16 =
    Kernel.bit() | Slab.bit() | PageTable.bit() | Anon.bit() | File.bit() | SwapCache.bit() | Vmalloc.bit();

/// For each state the set of those that may follow it; numbers of no state lead nowhere.
const NEXT: [u16; 16] = {
    let mut table = [0; 16];
    table[Reserved as usize] = Buddy.bit() | Tail.bit() | Kernel.bit();
    // The upper half of a run that is cut becomes what the run is.
    table[Tail as usize] = ALLOCATED | Buddy.bit() | PerCpu.bit() | Reserved.bit() | Tail.bit();
    table[Buddy as usize] = ALLOCATED | PerCpu.bit() | Tail.bit() | Reserved.bit() | Poisoned.bit();
    table[PerCpu as usize] = ALLOCATED | Buddy.bit() | Tail.bit() | Poisoned.bit();
    let mut state = 0;
    while state < STATES {
        if ALLOCATED & (1 << state) != 0 {
            table[state] = Buddy.bit() | PerCpu.bit() | Tail.bit() | Poisoned.bit();
        }
        state += 1;
    }
    // A fresh allocation is given its use; the memory of processes gains and loses its slot of swap.
    table[Kernel as usize] |= ALLOCATED | Reserved.bit();
    table[Anon as usize] |= SwapCache.bit();
    table[SwapCache as usize] |= Anon.bit();
    table
};

/// For each state the set of those in which somebody owns a run, and which it may follow: [`NEXT`] from the other end.
const FREED: [u16; 16] = {
    let mut table = [0; 16];
    let mut at = 0;
    while at < STATES * STATES {
        let (from, to) = (FrameState::ALL[at / STATES], FrameState::ALL[at % STATES]);
        if from.is_allocated() && from.may_become(to) {
            table[to as usize] |= from.bit();
        }
        at += 1;
    }
    table
};

const LOOKUP: [FrameState; 16] = {
    let mut table = [Poisoned; 16];
    let mut at = 0;
    while at < STATES {
        table[at] = FrameState::ALL[at];
        at += 1;
    }
    table
};

// Every state stands at its own number, all but one lead somewhere, and what is freed twice leads nowhere.
const _: () = {
    let mut at = 0;
    while at < STATES {
        let state = FrameState::ALL[at];
        assert!(state as usize == at && FrameState::from_number(state as u8) as usize == at);
        assert!((NEXT[at] == 0) == matches!(state, Poisoned));
        assert!(!state.is_free() || !state.may_become(state));
        assert!(state.is_allocated() == (ALLOCATED & state.bit() != 0));
        at += 1;
    }
    assert!(!Buddy.may_become(Buddy) && !Reserved.may_become(PerCpu) && !Poisoned.may_become(Buddy));
};

/// What the head of a run says: its state and its length, in one byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Head {
    /// What the run is used for.
    pub state: FrameState,
    /// How long the run is; of no meaning in a tail.
    pub order: Order,
}

impl Head {
    /// A run of one frame.
    pub const fn single(state: FrameState) -> Self {
        Self { state, order: Order::ZERO }
    }

    #[inline]
    pub(crate) const fn to_byte(self) -> u8 {
        self.state as u8 | self.order.get() << 4
    }

    /// Whether a frame whose head is `byte` may turn to `next`.
    #[inline]
    pub(crate) const fn may_follow(byte: u8, next: FrameState) -> bool {
        NEXT[(byte & 15) as usize] & next.bit() != 0
    }

    /// Whether `byte` is the head of a run that somebody owns, and may turn to `next` when it is given back.
    #[inline]
    pub(crate) const fn may_be_freed_as(byte: u8, next: FrameState) -> bool {
        FREED[next as usize & 15] >> (byte & 15) & 1 != 0
    }

    #[inline]
    pub(crate) const fn from_byte(byte: u8) -> Self {
        let order = match Order::new(byte >> 4) {
            Some(order) => order,
            None => Order::MAX,
        };
        Self { state: FrameState::from_number(byte & 15), order }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_its_byte() {
        for state in FrameState::ALL {
            for order in Order::all() {
                let head = Head { state, order };
                assert_eq!(Head::from_byte(head.to_byte()), head);
            }
        }
    }

    #[test]
    fn all_zero_bytes_are_reserved() {
        assert_eq!(Head::from_byte(0), Head::single(Reserved));
    }

    #[test]
    fn nothing_is_allocated_or_freed_twice() {
        for state in FrameState::ALL {
            assert!(!(state.is_allocated() && state.is_free()));
            // What is in use becomes free once, and what is free is not handed to a list again.
            assert_eq!(state.may_become(PerCpu), state.is_allocated() || matches!(state, Buddy | Tail));
            assert!(!state.is_movable() || state.is_allocated());
        }
    }

    #[test]
    fn only_the_memory_of_processes_moves_to_swap_and_back() {
        for state in FrameState::ALL {
            assert_eq!(
                state.may_become(SwapCache),
                matches!(state, Tail | Buddy | PerCpu | Kernel | Anon),
                "{state:?}"
            );
        }
    }
}
