//! What a fault leads to: one pure function from access and state to an action.
//!
//! Called by `kmm::handle_fault`, which carries the action out. Nothing here knows frames or tables.

use crate::area::Vma;
use crate::flags::Flags;

/// What the program tried.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// A load.
    Read,
    /// A store.
    Write,
    /// To execute.
    Execute,
}

/// What the page table says about the page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Entry {
    /// Nothing.
    None,
    /// A guard: touching it is an error.
    Guard,
    /// Swapped out. `is_exclusive`: no other process has the same page.
    Swapped {
        /// Nobody else refers to the slot.
        is_exclusive: bool,
    },
    /// The frame of zeroes that everybody shares, read-only.
    Zero,
    /// An anonymous frame.
    Anon {
        /// The entry allows writing.
        is_writable: bool,
        /// Nobody else maps the frame.
        is_exclusive: bool,
    },
    /// A frame of the page cache.
    Cache {
        /// The entry allows writing.
        is_writable: bool,
    },
}

/// What covers the address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cover<'space> {
    /// An area.
    Area(&'space Vma),
    /// No area, but the next one above is a stack.
    BelowStack(&'space Vma),
    /// Nothing.
    Nothing,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Nothing: the entry allows it already (somebody else was faster). Mark it accessed, and dirty for a write.
    Spurious,
    /// Map the shared frame of zeroes, read-only.
    MapZero,
    /// Map a new frame of zeroes.
    MapNew,
    /// Map the file's cached page and its neighbours that are cached, read-only.
    MapCache,
    /// Map the file's cached page and let it be written; it is dirty now.
    WriteCache,
    /// Map a new frame with a copy of the file's cached page.
    CopyCache,
    /// Let the frame be written: nobody else has it.
    Reuse,
    /// Map a copy of the frame instead.
    Copy,
    /// Bring the page in from swap; writable if `is_writable`, else decide again afterwards.
    SwapIn {
        /// It may be mapped writable at once.
        is_writable: bool,
    },
    /// Let the stack grow, then decide again; if it may not grow, this is [`Action::Segv`].
    GrowStack,
    /// SIGSEGV with this code.
    Segv(SegvCode),
}

/// `si_code` of SIGSEGV.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SegvCode {
    /// `SEGV_MAPERR`: nothing is mapped there.
    NotMapped = 1,
    /// `SEGV_ACCERR`: what is mapped does not allow it.
    NotAllowed = 2,
}

/// Decides. A file's page beyond its end is SIGBUS; only who looks for the page can tell, so it is no action of this table.
pub fn decide(cover: Cover<'_>, access: Access, entry: Entry) -> Action {
    let area = match cover {
        Cover::Area(area) => area,
        Cover::BelowStack(_) => return Action::GrowStack,
        Cover::Nothing => return Action::Segv(SegvCode::NotMapped),
    };
    if !allows(area.flags(), access) {
        return Action::Segv(SegvCode::NotAllowed);
    }
    let writes = access == Access::Write;
    match entry {
        Entry::Guard => Action::Segv(SegvCode::NotMapped),
        Entry::None if area.is_anonymous() => {
            if writes {
                Action::MapNew
            } else {
                Action::MapZero
            }
        }
        Entry::None | Entry::Cache { is_writable: false } if writes => {
            if area.is_private() {
                Action::CopyCache
            } else {
                Action::WriteCache
            }
        }
        Entry::None => Action::MapCache,
        Entry::Swapped { is_exclusive } => Action::SwapIn { is_writable: writes && is_exclusive },
        Entry::Zero if writes => Action::MapNew,
        Entry::Anon { is_writable: false, is_exclusive } if writes => {
            if is_exclusive {
                Action::Reuse
            } else {
                Action::Copy
            }
        }
        Entry::Zero | Entry::Anon { .. } | Entry::Cache { .. } => Action::Spurious,
    }
}

/// Whether the flags of an area allow an access. What may be written or executed may be read: x86-64 tables cannot say
/// otherwise for writing, but Linux looks at the flags first.
pub const fn allows(flags: Flags, access: Access) -> bool {
    match access {
        Access::Write => flags.has(Flags::WRITE),
        Access::Execute => flags.has(Flags::EXEC),
        Access::Read => flags.has_any(Flags::ACCESS),
    }
}
